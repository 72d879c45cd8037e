"""The HTTPS proxy: CONNECT to a known host is answered here, any other is refused.

Nothing is ever forwarded: no byte leaves the machine. Source: RFC 9110, 9.3.6 (CONNECT).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from email.utils import formatdate

from dev.aws_double.certificates import CertificateAuthority
from dev.aws_double.faults import WrongName
from dev.aws_double.hosts import Endpoint, find_endpoint
from dev.aws_double.tunnel import Backend, Tunnel
from dev.aws_double.wire import MAX_HEAD, Request, Response, WireError, read_request

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSAL = b"The AWS double answers for AWS's own hosts over HTTPS, and forwards nothing.\n"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Serves the connections to the proxy's port."""

    backend: Backend
    authority: CertificateAuthority

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        try:
            request = await read_request(reader)
            if request is None:
                return
            host, endpoint = _destination(request)
            if endpoint is None:
                self.backend.calls.refuse(host)
                writer.write(self._encode(Response(403, "text/plain", _REFUSAL)))
                return
            writer.write(_ESTABLISHED)
            await self._serve_tunnel(host, endpoint, writer)
        except WireError as error:
            writer.write(self._encode(Response(400, "text/plain", str(error).encode())))
        except (ConnectionError, ssl.SSLError):
            pass  # The client went away, or does not trust the certificate: it tells the story.
        finally:
            writer.close()

    async def _serve_tunnel(
        self, host: str, endpoint: Endpoint, outer: asyncio.StreamWriter
    ) -> None:
        wrong_name = self.backend.faults_of(endpoint).take(WrongName)
        context = self.authority.context(host if wrong_name is None else wrong_name.name)
        reader, writer = await _start_tls(outer, context)
        try:
            await Tunnel(self.backend, host, endpoint, reader, writer).serve()
        finally:
            writer.close()

    def _encode(self, response: Response) -> bytes:
        return response.encode(formatdate(self.backend.clock(), usegmt=True))


def _destination(request: Request) -> tuple[str, Endpoint | None]:
    """Give where a client wants to go, and the endpoint when the double is it."""
    host, _, port = request.target.rpartition(":")
    if request.method != "CONNECT" or port != "443":
        return request.target, None
    return host, find_endpoint(host)


async def _start_tls(
    writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Put server-side TLS on an accepted connection.

    New streams take over, since `StreamWriter.start_tls` came with Python 3.11.

    Raises:
        ssl.SSLError: the handshake failed.
        ConnectionError: the client left during the handshake, or was too slow.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEAD, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = await loop.start_tls(writer.transport, protocol, context, server_side=True)
    if transport is None:
        raise ConnectionError("the client left before the handshake")
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
