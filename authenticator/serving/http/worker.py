"""The gunicorn worker: what gunicorn starts, watches and stops. `HttpServer` does the work.

gunicorn's own threaded worker lends a thread to a client from the handshake to the last byte of the
body, so that as many half-open connections as it has threads stop it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from gunicorn.workers import base

from authenticator.serving.endpoints import AUTHENTICATE, METRICS, VALIDATE
from authenticator.serving.http.balance import Balance
from authenticator.serving.http.connection import Listener
from authenticator.serving.http.heartbeat import Heartbeat
from authenticator.serving.http.requests import ReceivedRequest
from authenticator.serving.http.responses import Response, refusal, respond, response_to
from authenticator.serving.http.server import Gate, HttpServer
from authenticator.serving.ports import Role
from authenticator.serving.reviews import Answer

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from authenticator.serving.admission_peers import Peer
    from authenticator.serving.certificates.pair import ServerCertificate
    from authenticator.serving.endpoints import Endpoint, Handlers
    from authenticator.serving.http.connection import Connection
    from authenticator.serving.reviews import AnswersReviews, PendingReview

# gunicorn makes the object when it starts a worker.
base.WorkerTmp = Heartbeat  # type: ignore[attr-defined,assignment]
# For AdmissionReviews: more than `Admissions` lets wait, so that it refuses the others at once.
_REVIEW_THREADS = 10
# Requests in the WSGI application at once: so many scrapes, and so many others. A stranger can send
# any number: in one queue with AdmissionReviews, they made the API server store edits unchecked.
_PAGES_EACH = 2
# Connections to the metrics port of one worker, which other hosts may reach: they take no place of
# a login's.
_SCRAPERS = 16


class Service(Gate, Protocol):
    """What is served. Created before the workers are forked: creating it starts no thread.

    Attributes:
        wsgi: answers every request but reviews and probes of the health port.
        reviews: answers logins.
        validate: answers AdmissionReviews; called in a thread.
        handlers: what answers each endpoint.
    """

    wsgi: Callable[..., Iterable[bytes]]
    reviews: AnswersReviews
    validate: Callable[[bytes, Peer], Answer]
    handlers: Handlers

    def certificate_loaded(self, pair: ServerCertificate, /) -> None:
        """Take note of the certificate that this worker serves from now on."""
        ...

    def forking(self, number: int, /) -> None:
        """Prepare for a worker by its serial number; called in the main process."""
        ...

    def ended(self, number: int, /) -> None:
        """Take note that a worker has ended; called in the main process."""
        ...

    def start(self, context: Callable[[], ssl.SSLContext], /) -> None:
        """Start what runs next to the requests, in each worker.

        Args:
            context: gives the TLS context of new connections.
        """
        ...

    def look(self) -> None:
        """Do what is due several times a second; called on the event loop, and never blocks."""
        ...

    def stop(self) -> None:
        """Stop it, and write what waits to be written."""
        ...


class Application(Protocol):
    """What the worker needs of the gunicorn application that started it.

    Attributes:
        service: what is served.
        roles: of the worker's listening sockets, in their order.
    """

    service: Service
    roles: Sequence[Role]

    def tls(self) -> ssl.SSLContext:
        """What to shake hands with now."""
        ...


class ReviewWorker(base.Worker):
    """The worker. One listener speaks TLS; a plain one answers probes only, or scrapes only."""

    # Created when this module is imported, which is before any fork.
    balance: ClassVar[Balance] = Balance()

    def __init__(self, *arguments: Any) -> None:
        """Set up before the fork, with what gunicorn gives every worker."""
        super().__init__(*arguments)
        self.started = time.monotonic()
        # Whether it was told to end.
        self.dismissed = False

    def run(self) -> None:
        """Serve until told to stop, then finish what has begun."""
        self._app = cast("Application", self.app)
        self._service = self._app.service
        self._review_threads = ThreadPoolExecutor(_REVIEW_THREADS, thread_name_prefix="admission")
        self._page_threads = ThreadPoolExecutor(2 * _PAGES_EACH, thread_name_prefix="endpoint")
        self._pages: Counter[Endpoint | None] = Counter()
        asyncio.run(self._serve())
        for threads in (self._review_threads, self._page_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        listeners = [
            self._listener(role, sock)
            for role, sock in zip(self._app.roles, self.sockets, strict=True)
        ]
        balance = self.balance.of(self.age)
        server = HttpServer(listeners, self.cfg, self._going_on, balance, self._service)
        asyncio.get_running_loop().add_reader(self.PIPE[0], self._signalled, server)
        await server.run(self.cfg.graceful_timeout)

    def _listener(self, role: Role, sock: socket.socket) -> Listener:
        if role is Role.REVIEWS:
            return Listener(sock, self._app.tls, self._begin)
        if role is Role.HEALTH:
            return Listener(sock, None, self._probe)
        return Listener(sock, None, self._scrape, most=_SCRAPERS)

    def _signalled(self, server: HttpServer) -> None:
        """Have `_going_on` asked: gunicorn writes to this pipe on every signal."""
        with suppress(BlockingIOError):
            os.read(self.PIPE[0], 4096)
        server.wake()

    def _going_on(self) -> bool:
        self.notify()
        self._service.look()
        return self.alive and self.ppid == os.getppid()

    def _begin(
        self, request: ReceivedRequest, connection: Connection
    ) -> Response | Coroutine[Any, Any, Response]:
        """Answer a review without the way through WSGI and Flask, which costs more than it does."""
        endpoint = request.head.endpoint
        if endpoint is VALIDATE and connection.asker is not None:
            return self._validate(request.body, connection.asker)
        if endpoint is not None and endpoint.at_once:
            return self._probe(request, connection)
        if endpoint is not AUTHENTICATE:
            return self._respond(request, connection)
        answer = self._service.reviews.begin(request.body, connection.peer[0])
        return response_to(answer) if isinstance(answer, Answer) else self._finish(answer)

    async def _finish(self, pending: PendingReview) -> Response:
        return response_to(await self._service.reviews.finish(pending))

    async def _validate(self, body: bytes, peer: Peer) -> Response:
        validate = self._service.validate
        loop = asyncio.get_running_loop()
        return response_to(await loop.run_in_executor(self._review_threads, validate, body, peer))

    async def _respond(self, request: ReceivedRequest, connection: Connection) -> Response:
        """Have the WSGI application answer, a few requests at a time."""
        endpoint = request.head.endpoint
        if self._pages[endpoint] >= _PAGES_EACH:
            self._service.refused(HTTPStatus.SERVICE_UNAVAILABLE)
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE)
        self._pages[endpoint] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._page_threads,
                respond,
                self.wsgi,
                request,
                connection.peer,
                connection.local,
                self.cfg,
            )
        finally:
            self._pages[endpoint] -= 1

    def _probe(self, request: ReceivedRequest, connection: Connection) -> Response:
        """Answer a probe at once, so that it is answered while all threads are busy."""
        endpoint = request.head.endpoint
        if endpoint is None or not endpoint.at_once:
            return refusal(HTTPStatus.NOT_FOUND)
        handler = self._service.handlers[endpoint]
        return response_to(handler(request.body, connection.peer[0]))

    def _scrape(
        self, request: ReceivedRequest, connection: Connection
    ) -> Response | Coroutine[Any, Any, Response]:
        """Answer a scrape, and nothing else: other hosts may reach this port."""
        if request.head.endpoint is not METRICS:
            return refusal(HTTPStatus.NOT_FOUND)
        return self._respond(request, connection)
