"""The connections to STS: kept alive, verified, bounded in time and size, never redirected.

One deadline holds for a whole exchange rather than for each byte of it. Each answer is read
strictly (`authenticator.aws.http1`), and nothing is sent twice but after a connection broke
(docs/adr/0003-http-client.md).
"""

from __future__ import annotations

import os
import socket
import ssl
import time
import urllib.request
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from errno import ECONNRESET
from urllib.parse import unquote, urlsplit

from authenticator.aws.http1 import BadAnswerError, Reader
from authenticator.errors import ConfigError, StsUnavailable

# A connection that has been idle for longer is likely closed at the other end, or on the way.
_MAX_IDLE_SECONDS = 20.0
_MAX_IDLE_CONNECTIONS = 64
_HTTP_PORT, _HTTPS_PORT = 80, 443
_RECORD = 16 * 1024  # a TLS record, the most that one read gives


class HttpsPool:
    """Sends GET requests over connections that it keeps. Safe to use from many threads.

    Implements `authenticator.aws.sts.Fetches`.

    Args:
        context: how servers' certificates are verified.
        proxy: the proxy to go through, if any.
    """

    def __init__(self, *, context: ssl.SSLContext, proxy: Proxy | None) -> None:
        self._context = context
        self._proxy = proxy
        # Newest last. list.append and list.pop are atomic, so that no lock is needed.
        self._idle: defaultdict[str, list[tuple[float, _Connection]]] = defaultdict(list)
        self._sessions: dict[str, ssl.SSLSession | None] = {}

    def __call__(
        self, host: str, target: str, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """Send `GET https://host{target}`; see `authenticator.aws.sts.Fetches`.

        Raises:
            StsUnavailable: there was no answer, or one that is too long or too late.
        """
        deadline = time.monotonic() + timeout
        request = _request("GET", target, {"Host": host, "Accept-Encoding": "identity", **headers})
        try:
            try:
                return self._exchange(self._take(host, deadline), host, request, deadline)
            except ConnectionError:
                # A kept connection that the other end has closed looks like this, and a GET may
                # be sent twice. A fresh connection is not at risk of the same.
                return self._exchange(self._open(host, deadline), host, request, deadline)
        except TimeoutError:
            raise StsUnavailable(f"{host} did not answer within {timeout:g} s") from None
        except BadAnswerError as error:
            raise StsUnavailable(f"{host} answered with {error}") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StsUnavailable(f"{host} could not be asked: {reason}") from error

    def _take(self, host: str, deadline: float) -> _Connection:
        idle = self._idle[host]
        oldest = time.monotonic() - _MAX_IDLE_SECONDS
        while idle:
            try:
                since, connection = idle.pop()
            except IndexError:  # another thread was faster
                break
            if since > oldest:
                return connection
            connection.close()
        return self._open(host, deadline)

    def _open(self, host: str, deadline: float) -> _Connection:
        proxy = self._proxy.for_host(host) if self._proxy else None
        address = (proxy.host, proxy.port) if proxy else (host, _HTTPS_PORT)
        connection = _Connection(socket.create_connection(address, _remaining(deadline)), deadline)
        try:
            if proxy:
                connection.tunnel(host, proxy.headers)
            connection.secure(self._context, host, self._sessions.get(host))
        except BaseException:
            connection.close()
            raise
        return connection

    def _exchange(
        self, connection: _Connection, host: str, request: bytes, deadline: float
    ) -> tuple[int, bytes]:
        keep = False
        try:
            connection.deadline = deadline
            connection.send(request)
            reader = Reader(connection.receive)
            head = reader.head()
            body = reader.body(head)
            keep = head.keep and reader.drained and len(self._idle[host]) < _MAX_IDLE_CONNECTIONS
        finally:
            if not keep:
                connection.close()
        if keep:
            if connection.fresh:
                # A ticket comes behind the handshake, with the first answer (RFC 8446, 4.6.1).
                self._sessions[host], connection.fresh = connection.session, False
            self._idle[host].append((time.monotonic(), connection))
        return head.status, body


class _Connection:
    """A connection all of whose waits end by `deadline` (in `time.monotonic()` seconds).

    Attributes:
        deadline: may be set anew for each exchange.
        fresh: nothing has been asked on it yet.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self.deadline = deadline
        self.fresh = True

    def tunnel(self, host: str, headers: Mapping[str, str]) -> None:
        """Have the proxy at the other end connect us with `host` (RFC 9110, CONNECT).

        Raises:
            OSError: it did not, or not in time.
            BadAnswerError: it is no HTTP proxy.
        """
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        authority = f"{host}:{_HTTPS_PORT}"
        self.send(_request("CONNECT", authority, {"Host": authority, **headers}))
        reader = Reader(self.receive)
        status = reader.head().status
        if status != 200 or not reader.drained:  # noqa: PLR2004
            raise OSError(0, f"the proxy answered {status}")

    def secure(self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None) -> None:
        """Begin TLS and verify that it is `host` at the other end.

        Raises:
            OSError: it is not, or not in time.
        """
        self._sock.settimeout(_remaining(self.deadline))
        # An end that TLS did not announce may be another's doing, and is told from one that it did.
        self._sock = context.wrap_socket(
            self._sock, server_hostname=host, session=session, suppress_ragged_eofs=False
        )

    @property
    def session(self) -> ssl.SSLSession | None:
        """What lets the next handshake be a short one."""
        return self._sock.session if isinstance(self._sock, ssl.SSLSocket) else None

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        while data:
            self._sock.settimeout(_remaining(self.deadline))
            data = data[self._sock.send(data) :]

    def receive(self) -> bytes:
        """Wait for bytes; empty at the end.

        Raises:
            ConnectionError: the connection broke.
            OSError: the wait took too long, or what came is no TLS.
        """
        self._sock.settimeout(_remaining(self.deadline))
        try:
            return self._sock.recv(_RECORD)
        except ssl.SSLEOFError:
            raise ConnectionResetError(ECONNRESET, os.strerror(ECONNRESET)) from None

    def close(self) -> None:
        self._sock.close()


def _remaining(deadline: float) -> float:
    """Seconds until the deadline.

    Raises:
        TimeoutError: it has passed.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError("a request's lines are printable ASCII")
    return "\r\n".join((*lines, "", "")).encode("ascii")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that HTTPS requests are tunnelled through (RFC 9110, CONNECT).

    Attributes:
        host: its name or address.
        port: its port.
        headers: what the CONNECT request carries, such as the proxy's credentials.
        no_proxy: the hosts to reach without it, in the form of the variable NO_PROXY.
    """

    host: str
    port: int
    headers: Mapping[str, str]
    no_proxy: str

    def for_host(self, host: str) -> Proxy | None:
        """This proxy if `host` is to be reached through it."""
        # typeshed lacks this name, which urllib documents by its proxy handling only.
        bypass = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined]
            host, {"no": self.no_proxy}
        )
        return None if bypass else self

    @classmethod
    def from_environment(cls) -> Proxy | None:
        """The proxy that HTTPS_PROXY and NO_PROXY name, in either case.

        Raises:
            ConfigError: HTTPS_PROXY is not `http://[USER:PASSWORD@]HOST[:PORT]`.
        """
        proxies = urllib.request.getproxies_environment()
        url = proxies.get("https", "")
        if not url:
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port or _HTTP_PORT
        except ValueError:
            port = 0
        if parts.scheme != "http" or not parts.hostname or not port:
            # The value itself may hold a password, so that it is not shown.
            raise ConfigError(("HTTPS_PROXY: it must be http://[USER:PASSWORD@]HOST[:PORT]",))
        headers = {}
        if parts.username is not None:
            userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Proxy-Authorization"] = "Basic " + b64encode(userinfo.encode()).decode()
        return cls(parts.hostname, port, headers, proxies.get("no", ""))


def verifying_context() -> ssl.SSLContext:
    """Return how STS's certificate is verified: by AWS_CA_BUNDLE if set, or the system's store.

    Raises:
        ConfigError: AWS_CA_BUNDLE cannot be read.
    """
    bundle = os.environ.get("AWS_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no PEM certificates"
        raise ConfigError((f"AWS_CA_BUNDLE: {bundle} cannot be used: {reason}",)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
