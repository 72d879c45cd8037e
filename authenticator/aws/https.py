"""The connections to STS: kept alive, verified, bounded in time and size, never redirected.

`http.client` follows no redirect, retries nothing by itself and adds little to a call's time
(docs/adr/0003-http-client.md). What it lacks is here: one deadline for the whole exchange rather
than one for each byte, a cap on the answer, the environment's proxy, and reuse.
"""

from __future__ import annotations

import http.client
import io
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
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from authenticator.errors import ConfigError, StsUnavailable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_ANSWER_BYTES = 64 * 1024
# A connection that has been idle for longer is likely closed at the other end, or on the way.
_MAX_IDLE_SECONDS = 20.0
_MAX_IDLE_CONNECTIONS = 64


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

    def __call__(
        self, host: str, target: str, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """Send `GET https://host{target}`; see `authenticator.aws.sts.Fetches`.

        Raises:
            StsUnavailable: there was no answer, or one that is too long or too late.
        """
        deadline = time.monotonic() + timeout
        try:
            try:
                return self._exchange(self._take(host), host, target, headers, deadline)
            except ConnectionError:
                # A kept connection that the other end has closed looks like this, and a GET may
                # be sent twice. A fresh connection is not at risk of the same.
                return self._exchange(self._open(host), host, target, headers, deadline)
        except TimeoutError:
            raise StsUnavailable(f"{host} did not answer within {timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise StsUnavailable(f"{host} could not be asked: {reason}") from error

    def _take(self, host: str) -> _Connection:
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
        return self._open(host)

    def _open(self, host: str) -> _Connection:
        proxy = self._proxy.for_host(host) if self._proxy else None
        return _Connection(host, proxy, self._context)

    def _exchange(
        self,
        connection: _Connection,
        host: str,
        target: str,
        headers: Mapping[str, str],
        deadline: float,
    ) -> tuple[int, bytes]:
        done = False
        try:
            connection.deadline = deadline
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES + 1)
            if len(body) > MAX_ANSWER_BYTES:
                raise StsUnavailable(f"{host} answered with more than {MAX_ANSWER_BYTES} bytes")
            if response.length:
                # Asked for a size, http.client gives what came before the end without a word.
                raise ConnectionResetError(ECONNRESET, "the answer was cut short")
            done = response.isclosed() and not response.will_close
        finally:
            if not done:
                connection.close()
        idle = self._idle[host]
        if len(idle) < _MAX_IDLE_CONNECTIONS:
            idle.append((time.monotonic(), connection))
        else:
            connection.close()
        return response.status, body


class _Connection(http.client.HTTPSConnection):
    """A connection all of whose waits end by `deadline` (in `time.monotonic()` seconds)."""

    deadline = 0.0

    def __init__(self, host: str, proxy: Proxy | None, context: ssl.SSLContext) -> None:
        if proxy is None:
            super().__init__(host, context=context)
        else:
            super().__init__(proxy.host, proxy.port, context=context)
            self.set_tunnel(host, http.client.HTTPS_PORT, headers=proxy.headers)

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def connect(self) -> None:
        """Connect, through the proxy if there is one, and verify the server's certificate."""
        self.timeout = self.remaining()
        super().connect()
        self.sock = _DeadlineSocket(self.sock, self)


class _DeadlineSocket:
    """What `http.client` uses of a socket, each wait shortened to what is left of the deadline."""

    def __init__(self, sock: socket.socket, connection: _Connection) -> None:
        self._sock = sock
        self._connection = connection

    def sendall(self, data: ReadableBuffer) -> None:
        self._sock.settimeout(self._connection.remaining())
        self._sock.sendall(data)

    def recv_into(self, buffer: WriteableBuffer) -> int:
        self._sock.settimeout(self._connection.remaining())
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        self._sock.close()


class _Reader(io.RawIOBase):
    """The reading half of a `_DeadlineSocket`; closing it leaves the socket open."""

    def __init__(self, sock: _DeadlineSocket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._sock.recv_into(buffer)


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
            port = parts.port or http.client.HTTP_PORT
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
