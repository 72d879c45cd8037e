"""How a proxy is told to connect us with a host: CONNECT (RFC 9110) or SOCKS 5 (RFC 1928)."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping

from authenticator.aws.connection import Connection
from authenticator.aws.http1 import BadAnswerError, Reader, encode_request
from authenticator.aws.proxy import Proxy

_OK = 200
_AUTHENTICATION_REQUIRED = 407
_SOCKS = 5
_NO_AUTHENTICATION, _PASSWORD = 0, 2
_CONNECT, _DOMAIN_NAME = 1, 3
# RFC 1928, section 6: how long the address in a reply is, by its type.
_ADDRESS_BYTES = {1: 4, 4: 16}
_SOCKS_FAILURES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
_MAX_FIELD = 255


async def open_tunnel(
    connection: Connection, proxy: Proxy, context: ssl.SSLContext, host: str, port: int
) -> None:
    """Have the proxy at the other end of `connection` connect us with `host`.

    Args:
        connection: connected to the proxy, with nothing sent yet.
        proxy: what the environment says of it.
        context: how the certificate of an `https` proxy is verified.
        host: a host name; the proxy resolves it.
        port: its port.

    Raises:
        OSError: the proxy refused, or did not answer in time.
        BadAnswerError: what answered is not a proxy of its scheme.
    """
    if proxy.is_socks:
        await _socks(connection, proxy, host, port)
        return
    if proxy.scheme == "https":
        await connection.secure(context, proxy.host)
    authority = f"{host}:{port}"
    headers = {"Host": authority, **_authorization(proxy)}
    await connection.send(encode_request("CONNECT", authority, headers))
    reader = Reader(connection.receive)
    status = (await reader.head()).status
    if status != _OK or not reader.drained:
        hint = "; check the credentials in HTTPS_PROXY" * (status == _AUTHENTICATION_REQUIRED)
        raise OSError(0, f"the proxy answered {status}{hint}")


def _authorization(proxy: Proxy) -> Mapping[str, str]:
    if not proxy.username and not proxy.password:
        return {}
    userinfo = f"{proxy.username}:{proxy.password}".encode()
    return {"Proxy-Authorization": "Basic " + b64encode(userinfo).decode()}


async def _socks(connection: Connection, proxy: Proxy, host: str, port: int) -> None:
    replies = _Replies(connection)
    methods = bytes((_NO_AUTHENTICATION, _PASSWORD) if proxy.username else (_NO_AUTHENTICATION,))
    await connection.send(bytes((_SOCKS, len(methods))) + methods)
    version, method = await replies.take(2)
    if version != _SOCKS:
        raise BadAnswerError("no SOCKS 5; check the scheme of HTTPS_PROXY")
    if method not in methods:
        raise OSError(0, "the SOCKS proxy wants credentials; check HTTPS_PROXY")
    if method == _PASSWORD:  # RFC 1929
        credentials = _field(proxy.username) + _field(proxy.password)
        await connection.send(b"\x01" + credentials)
        _, status = await replies.take(2)
        if status:
            raise OSError(0, "the SOCKS proxy refused the credentials in HTTPS_PROXY")
    request = bytes((_SOCKS, _CONNECT, 0, _DOMAIN_NAME)) + _field(host) + port.to_bytes(2, "big")
    await connection.send(request)
    _, reply, _, kind = await replies.take(4)
    if reply:
        reason = _SOCKS_FAILURES.get(reply, f"failure {reply}")
        raise OSError(0, f"the SOCKS proxy answered: {reason}")
    size = _ADDRESS_BYTES.get(kind) or (await replies.take(1))[0]
    await replies.take(size + 2)
    if not replies.drained:
        raise BadAnswerError("bytes behind the SOCKS reply")


def _field(text: str) -> bytes:
    data = text.encode()
    if not 0 < len(data) <= _MAX_FIELD:
        raise OSError(0, "SOCKS 5 takes names and passwords of 1 to 255 bytes; check HTTPS_PROXY")
    return bytes((len(data),)) + data


class _Replies:
    """Reads replies of known sizes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = b""

    @property
    def drained(self) -> bool:
        return not self._buffer

    async def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = await self._connection.receive()
            if not data:
                raise ConnectionResetError(0, "the SOCKS proxy closed the connection")
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
