"""The connections to STS: kept alive, verified, bounded in time and size.

One answer belongs to one request: a kept connection on which anything has arrived is replaced
(`Connection.resume`), and one whose exchange did not end is never used again. No redirect is
followed (docs/adr/0017-sts-connections.md). How many calls may be under way is up to the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from authenticator.aws.connection import Connection
from authenticator.aws.deadline import Deadline
from authenticator.aws.dns import Resolver
from authenticator.aws.happy_eyeballs import connect
from authenticator.aws.http1 import BadAnswerError, Reader, encode_request
from authenticator.aws.proxy import Proxies
from authenticator.aws.tunnel import open_tunnel
from authenticator.errors import ConfigError, StsUnavailable

# A connection that has been idle for longer is likely closed at the other end, or on the way.
_MAX_IDLE_SECONDS = 20.0
_MAX_IDLE = 128
# For all hosts together: a token may name any of some 150, and a connection takes 40 KiB.
_MAX_KEPT = 256
_PORT = 443
# Of the last answers, to know a second copy by; more than come in the time that a call may take.
_REMEMBERED = 4096
_REQUEST_TIMEOUT = 408


@dataclass(slots=True)
class _Host:
    """The connections to one host.

    Attributes:
        idle: the kept ones, newest last.
        session: what makes the next TLS handshake a short one.
    """

    idle: list[Connection] = field(default_factory=list)
    session: ssl.SSLSession | None = None


class HttpsPool:
    """Sends GET requests over connections that it keeps.

    Make it before the fork; connections and threads come with the first request. It belongs to
    the event loop that it was last used on, and starts afresh on another.

    Implements `authenticator.aws.sts.Fetches`.

    Args:
        context: how servers' certificates are verified.
        proxies: which hosts are reached through a proxy.
        resolver: makes what resolves host names, once for each loop.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext,
        proxies: Proxies,
        resolver: Callable[[], Resolver] = Resolver,
    ) -> None:
        self._context = context
        self._proxies = proxies
        self._make_resolver = resolver
        self._resolver = resolver()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hosts: dict[str, _Host] = {}
        # The kept connections, the oldest first, with their host and the time since when.
        self._kept: dict[Connection, tuple[_Host, float]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        # The ids of requests that have been answered, the oldest first.
        self._answered: dict[bytes, None] = {}

    async def __call__(
        self, host: str, target: str, headers: Mapping[str, str], /, timeout: float
    ) -> tuple[int, bytes]:
        """Send `GET https://host{target}`; see `authenticator.aws.sts.Fetches`.

        Raises:
            StsUnavailable: there was no answer, or one that is too long or too late.
        """
        request = encode_request(
            "GET", target, {"Host": host, "Accept-Encoding": "identity", **headers}
        )
        state = self._state(host)
        try:
            with Deadline(timeout) as deadline:
                return await self._ask(host, state, request, deadline)
        except TimeoutError as error:
            missed = str(error) or "did not answer"
            raise StsUnavailable(f"{host} {missed} within {timeout:g} s") from None
        except BadAnswerError as error:
            raise StsUnavailable(f"{host} answered with {error}") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StsUnavailable(f"{host} could not be asked: {reason}") from error

    def close(self) -> None:
        """Close the kept connections."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._kept:
            self._drop(next(iter(self._kept)))

    def _state(self, host: str) -> _Host:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # The sockets of a loop that has ended close with their last reference.
            self._loop, self._hosts, self._kept, self._sweep = loop, {}, {}, None
            self._resolver = self._make_resolver()
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host()
        return state

    async def _ask(
        self, host: str, state: _Host, request: bytes, deadline: Deadline
    ) -> tuple[int, bytes]:
        kept = self._take(state, deadline)
        if kept is not None:
            answer = await self._exchange(state, kept, request, kept=True)
            if answer is not None:
                return answer
        fresh = await self._open(host, state, deadline)
        answer = await self._exchange(state, fresh, request, kept=False)
        assert answer is not None  # noqa: S101 (only a kept connection gives none)
        return answer

    def _take(self, state: _Host, deadline: Deadline) -> Connection | None:
        while state.idle:
            connection = state.idle.pop()
            del self._kept[connection]
            if connection.resume(deadline):
                return connection
        return None

    async def _open(self, host: str, state: _Host, deadline: Deadline) -> Connection:
        proxy = self._proxies.for_host(host, _PORT)
        name, port = (proxy.host, proxy.port) if proxy else (host, _PORT)
        there = "cannot be reached, as its proxy" if proxy else ""
        with _timing_out(f"{there} was not found by DNS".lstrip()):
            addresses = await self._resolver.addresses(name, port, deadline)
        try:
            with _timing_out(f"{there} did not accept a connection".lstrip()):
                sock = await connect(addresses, deadline)
        except OSError:
            self._resolver.doubt(name, port)
            raise
        connection = Connection(sock, deadline)
        try:
            if proxy:
                with _timing_out(f"{there} did not open a tunnel"):
                    await open_tunnel(connection, proxy, self._context, host, _PORT)
            with _timing_out("did not finish the TLS handshake"):
                await connection.secure(self._context, host, state.session)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _exchange(
        self, state: _Host, connection: Connection, request: bytes, *, kept: bool
    ) -> tuple[int, bytes] | None:
        """Send the request and read its answer; None if a kept connection does not give it."""
        reader = Reader(connection.receive)
        keep = False
        try:
            await connection.send(request)
            head = await reader.head()
            if kept and (head.status == _REQUEST_TIMEOUT or head.request_id in self._answered):
                # It crossed our request and answers none (RFC 9110, 15.5.9), or an earlier one.
                return None
            body = await reader.body(head)
            keep = head.keep and reader.drained
        except (ConnectionError, BadAnswerError) as error:
            # The other end closes connections that are idle, or bytes that no request asked for
            # crossed the request; a GET may be sent again.
            if kept and (isinstance(error, BadAnswerError) or not reader.begun):
                return None
            raise
        finally:
            if not keep:
                connection.close()
        self._remember(head.request_id)
        if keep:
            self._keep(state, connection, fresh=not kept)
        return head.status, body

    def _remember(self, request_id: bytes) -> None:
        if request_id:
            self._answered[request_id] = None
            if len(self._answered) > _REMEMBERED:
                del self._answered[next(iter(self._answered))]

    def _keep(self, state: _Host, connection: Connection, *, fresh: bool) -> None:
        if fresh:
            # A ticket comes after the handshake, with the first answer (RFC 8446, 4.6.1).
            state.session = connection.session
        if len(state.idle) >= _MAX_IDLE:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.rest()
        state.idle.append(connection)
        self._kept[connection] = state, loop.time()
        if len(self._kept) > _MAX_KEPT:
            self._drop(next(iter(self._kept)))
        if self._sweep is None:
            self._sweep = loop.call_later(_MAX_IDLE_SECONDS, self._close_old)

    def _drop(self, connection: Connection) -> None:
        state, _ = self._kept.pop(connection)
        state.idle.remove(connection)
        connection.close()

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        for connection, (_, since) in tuple(self._kept.items()):
            end = since + _MAX_IDLE_SECONDS
            if end > loop.time():
                self._sweep = loop.call_at(end, self._close_old)
                return
            self._drop(connection)


@contextlib.contextmanager
def _timing_out(missed: str) -> Iterator[None]:
    """Say in a `TimeoutError` what did not happen in time."""
    try:
        yield
    except TimeoutError:
        raise TimeoutError(missed) from None


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
