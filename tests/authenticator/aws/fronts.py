"""An HTTPS proxy and a SOCKS 5 proxy that lead to the AWS double."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from authenticator.aws.https import HttpsPool
from authenticator.aws.proxy import NoProxy, Proxies, Proxy
from dev.aws_double import AwsDouble
from dev.aws_double.certificates import CertificateAuthority

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Front:
    """Proxies that hand what they are asked for on to the double.

    Attributes:
        asked: where their clients wanted to go.
        trust: verifies the double's hosts and the HTTPS proxy.
    """

    def __init__(self, aws: AwsDouble, directory: Path) -> None:
        self._aws = aws
        authority = CertificateAuthority(directory)
        self._tls = authority.context("localhost")
        self.bundle = directory / "both.pem"
        self.bundle.write_bytes(authority.bundle.read_bytes() + aws.ca_bundle.read_bytes())
        self.trust = ssl.create_default_context(cafile=self.bundle)
        self.asked: list[str] = []
        self.credentials = b""
        self.reply = 0
        self.said = b""

    @contextlib.asynccontextmanager
    async def proxy(self, scheme: str) -> AsyncIterator[Proxy]:
        handler, tls = (self._socks, None) if scheme == "socks5" else (self._relay, self._tls)
        server = await asyncio.start_server(self._serving(handler), "127.0.0.1", 0, ssl=tls)
        async with server:
            yield Proxy(scheme, "localhost", server.sockets[0].getsockname()[1])

    def pool(self, proxy: Proxy) -> HttpsPool:
        return HttpsPool(context=self.trust, proxies=Proxies(proxy, NoProxy("")))

    def _serving(self, handler: Handler) -> Handler:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await handler(reader, writer)
            writer.close()

        return serve

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = urlsplit(self._aws.proxy_url)
        its_reader, its_writer = await asyncio.open_connection(there.hostname, there.port)
        self.asked.append(self._aws.proxy_url)
        await asyncio.wait(
            [
                asyncio.ensure_future(pump(reader, its_writer)),
                asyncio.ensure_future(pump(its_reader, writer)),
            ]
        )

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak RFC 1928, and RFC 1929 where there are credentials."""
        if self.said:
            await reader.readexactly(3)
            writer.write(self.said)
            return
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        assert version == 5
        wanted = 2 if self.credentials else 0
        writer.write(bytes((5, wanted if wanted in methods else 0xFF)))
        if wanted not in methods:
            return
        if self.credentials:
            given = await reader.readexactly(1 + len(self.credentials))
            writer.write(bytes((1, given[1:] != self.credentials)))
            if given[1:] != self.credentials:
                return
        _, command, _, kind = await reader.readexactly(4)
        assert (command, kind) == (1, 3)
        host = await reader.readexactly((await reader.readexactly(1))[0])
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host.decode()}:{port}")
        if self.reply:
            writer.write(bytes((5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0)))
            return
        there = urlsplit(self._aws.proxy_url)
        its_reader, its_writer = await asyncio.open_connection(there.hostname, there.port)
        its_writer.write(b"CONNECT %b:%d HTTP/1.1\r\n\r\n" % (host, port))
        await its_reader.readuntil(b"\r\n\r\n")
        writer.write(bytes((5, 0, 0, 4, *range(16), 0, 0)))
        await asyncio.wait(
            [
                asyncio.ensure_future(pump(reader, its_writer)),
                asyncio.ensure_future(pump(its_reader, writer)),
            ]
        )


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
