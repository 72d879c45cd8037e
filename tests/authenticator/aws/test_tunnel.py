"""Proxies of every scheme in front of the AWS double, and what they can refuse."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from authenticator.aws.https import HttpsPool
from authenticator.aws.proxy import Proxy
from authenticator.errors import StsUnavailable
from dev.aws_double import AwsDouble, faults
from tests.authenticator.aws.fronts import Front

HOST = "sts.us-west-2.amazonaws.com"
TARGET = "/?Action=GetCallerIdentity&Version=2011-06-15"


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        yield double


@pytest.fixture
def front(aws: AwsDouble, tmp_path: Path) -> Front:
    return Front(aws, tmp_path)


async def ask(fetch: HttpsPool, timeout: float = 30) -> bytes:
    return (await fetch(HOST, TARGET, {"Accept": "application/json"}, timeout=timeout))[1]


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_an_answer_comes_through_a_proxy_and_its_connection_is_kept(
    aws: AwsDouble, front: Front, scheme: str
) -> None:
    async def thrice() -> None:
        async with front.proxy(scheme) as proxy:
            fetch = front.pool(proxy)
            for _ in range(3):
                assert b"MissingAuthenticationToken" in await ask(fetch)
            fetch.close()

    asyncio.run(thrice(), debug=True)
    assert front.asked == [f"{HOST}:443" if scheme == "socks5" else aws.proxy_url]
    assert aws.calls.counts().total == 3


@pytest.mark.parametrize("scheme", ["https", "socks5"])
@pytest.mark.parametrize(
    "fault", [faults.Repeat(), faults.Stray(), faults.TimeOut()], ids=lambda one: type(one).__name__
)
def test_what_arrives_on_a_kept_connection_through_a_proxy_replaces_it(
    aws: AwsDouble, front: Front, scheme: str, fault: faults.Fault
) -> None:
    async def twice() -> None:
        async with front.proxy(scheme) as proxy:
            fetch = front.pool(proxy)
            aws.faults.start(fault, times=1)
            assert b"MissingAuthenticationToken" in await ask(fetch)
            [connection] = fetch._kept
            for _ in range(2000):
                await asyncio.sleep(0 if connection.closed else 0.005)
            assert connection.closed
            assert b"MissingAuthenticationToken" in await ask(fetch)
            fetch.close()

    asyncio.run(twice())
    assert len(front.asked) == 2


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_a_large_answer_in_many_records_comes_whole(
    aws: AwsDouble, front: Front, scheme: str
) -> None:
    async def once() -> None:
        async with front.proxy(scheme) as proxy:
            aws.faults.start(faults.Rubbish("huge"))
            with pytest.raises(StsUnavailable, match="more than 65536 bytes"):
                await ask(front.pool(proxy))
            aws.faults.stop_all()
            aws.faults.start(faults.Dribble(0))
            assert b"MissingAuthenticationToken" in await ask(front.pool(proxy))

    asyncio.run(once())


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_the_host_is_verified_through_a_proxy(aws: AwsDouble, front: Front, scheme: str) -> None:
    async def once() -> None:
        async with front.proxy(scheme) as proxy:
            aws.faults.start(faults.WrongName())
            with pytest.raises(StsUnavailable, match="could not be asked"):
                await ask(front.pool(proxy))

    asyncio.run(once())


def test_an_https_proxy_is_verified_too(aws: AwsDouble, front: Front) -> None:
    async def once() -> None:
        async with front.proxy("https") as proxy:
            other = Proxy("https", "127.0.0.1", proxy.port)
            with pytest.raises(StsUnavailable, match="could not be asked"):
                await ask(front.pool(other))

    asyncio.run(once())
    assert front.asked == []


def test_an_http_proxy_that_refuses_is_told_with_its_status(front: Front) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def once() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            proxy = Proxy("http", "127.0.0.1", port, "me", "secret")
            with pytest.raises(StsUnavailable, match="the proxy answered 407; check the cred"):
                await ask(front.pool(proxy))

    asyncio.run(once())


def test_socks_credentials(front: Front) -> None:
    front.credentials = b"\x02me\x07secret!"

    async def several() -> None:
        async with front.proxy("socks5") as proxy:
            good = Proxy("socks5h", proxy.host, proxy.port, "me", "secret!")
            assert b"MissingAuthenticationToken" in await ask(front.pool(good))
            wrong = Proxy("socks5", proxy.host, proxy.port, "me", "secretx")
            with pytest.raises(StsUnavailable, match="refused the credentials in HTTPS_PROXY"):
                await ask(front.pool(wrong))
            with pytest.raises(StsUnavailable, match="wants credentials; check HTTPS_PROXY"):
                await ask(front.pool(proxy))

    asyncio.run(several())


@pytest.mark.parametrize(
    ("reply", "reason"), [(1, "general failure"), (2, "not allowed"), (5, "refused"), (99, "99")]
)
def test_socks_failures_are_told(front: Front, reply: int, reason: str) -> None:
    front.reply = reply

    async def once() -> None:
        async with front.proxy("socks5") as proxy:
            with pytest.raises(StsUnavailable, match=f"the SOCKS proxy answered: .*{reason}"):
                await ask(front.pool(proxy))

    asyncio.run(once())


@pytest.mark.parametrize(
    "said",
    [
        b"\x04\x00",
        b"\x05",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x05\x00\x05\x00\x00\x01" + b"x" * 20,
    ],
)
def test_what_is_not_a_socks_proxy_is_told(front: Front, said: bytes) -> None:
    front.said = said

    async def once() -> None:
        async with front.proxy("socks5") as proxy:
            with pytest.raises(StsUnavailable, match="SOCKS"):
                await ask(front.pool(proxy))

    asyncio.run(once())


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_another_client_gets_through_the_same_proxies(front: Front, scheme: str) -> None:
    """The proxies of these tests are right: curl agrees."""

    async def once() -> str:
        async with front.proxy(scheme) as proxy:
            url = f"{scheme.replace('socks5', 'socks5h')}://localhost:{proxy.port}"
            trust = ["--cacert", front.bundle, "--proxy-cacert", front.bundle]
            command = ["curl", "-sS", "--proxy", url, *trust, f"https://{HOST}{TARGET}"]
            made = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env={})
            return (await made.communicate())[0].decode()

    assert "MissingAuthenticationToken" in asyncio.run(once())
