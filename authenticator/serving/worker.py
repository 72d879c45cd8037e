"""The gunicorn worker: what gunicorn starts, watches and stops; the work is done by `Loop`.

gunicorn's own threaded worker lends a thread to a client from the handshake to the last byte of the
body, so that as many half-open connections as it has threads stop it.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from gunicorn.workers.base import Worker

from authenticator.serving.app import VALIDATE
from authenticator.serving.connection import Connection, Listener
from authenticator.serving.health import Health
from authenticator.serving.loop import Loop
from authenticator.serving.responding import Response, respond, response_to
from authenticator.serving.reviews import Answer
from authenticator.serving.sharing import Shares

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from authenticator.serving.framing import Head, ReceivedRequest
    from authenticator.serving.readiness import Readiness


class Application(Protocol):
    """What the worker needs of the gunicorn application that started it."""

    def begin_review(self, body: bytes, remote: str, /) -> Answer | Callable[[], Answer]:
        """Answer a review; see `Reviews.begin`."""
        ...

    def validate(self, body: bytes, remote: str, /) -> Answer:
        """Answer an AdmissionReview; see `Admissions.answer`."""
        ...

    def readiness(self) -> Readiness:
        """Tell whether the server is ready."""
        ...

    def reviews_waiting(self, number: int, /) -> None:
        """Take note of how many reviews wait for a thread of this worker."""
        ...

    def tls(self) -> ssl.SSLContext:
        """What to shake hands with now."""
        ...


class ReviewWorker(Worker):
    """The worker. Its first listener speaks TLS; any other is plain and knows `/healthz` only."""

    # Made when this module is imported, which is before any fork.
    shares: ClassVar[Shares] = Shares()

    def run(self) -> None:
        """Serve until told to stop, then finish what has begun."""
        first, *others = self.sockets
        app = cast("Application", self.app)
        health = Health(app.readiness)
        listeners = [Listener(first, app.tls, self._begin)]
        listeners += [Listener(other, None, partial(self._respond, health)) for other in others]
        share = self.shares.of(self.age)
        # gunicorn writes to this pipe on every signal.
        wake = self.PIPE[0], self.PIPE[1]
        self._loop = Loop(listeners, self.cfg, wake, self._going_on, share)
        self._loop.run(self.cfg.graceful_timeout)

    def _going_on(self) -> bool:
        self.notify()
        cast("Application", self.app).reviews_waiting(self._loop.waiting)
        return self.alive and self.ppid == os.getppid()

    def _begin(
        self, request: ReceivedRequest, connection: Connection
    ) -> Response | Callable[[], Response]:
        """Answer a review without the way through WSGI and Flask, which costs more than it does."""
        head = request.head
        app = cast("Application", self.app)
        if (head.method, head.path) == ("POST", VALIDATE):
            body, peer = request.body, connection.peer[0]
            return lambda: self._response(app.validate(body, peer), head)
        if (head.method, head.path) != ("POST", "/authenticate"):
            return partial(self._respond, self.wsgi, request, connection)
        answer = app.begin_review(request.body, connection.peer[0])
        if isinstance(answer, Answer):
            return self._response(answer, head)
        return lambda: self._response(answer(), head)

    def _response(self, answer: Answer, head: Head) -> Response:
        keep = head.keep_alive and not self._loop.stopping
        return Response(response_to(answer, keep=keep), keep)

    def _respond(
        self,
        wsgi: Callable[..., Iterable[bytes]],
        request: ReceivedRequest,
        connection: Connection,
    ) -> Response:
        closing = self._loop.stopping
        return respond(wsgi, request, connection.peer, connection.local, self.cfg, closing=closing)
