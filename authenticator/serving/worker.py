"""The gunicorn worker: what gunicorn starts, watches and stops; the work is done by `Loop`.

gunicorn's own threaded worker lends a thread to a client from the handshake to the last byte of the
body, so that as many half-open connections as it has threads stop it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker

from authenticator.serving.health import health
from authenticator.serving.listening import Listener
from authenticator.serving.loop import Loop
from authenticator.serving.responding import respond
from authenticator.serving.sharing import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authenticator.serving.connection import Connection
    from authenticator.serving.framing import ReceivedRequest


class ReviewWorker(Worker):
    """The worker. Its first listener speaks TLS; any other is plain and knows `/healthz` only."""

    # Made when this module is imported, which is before any fork.
    shares: ClassVar[Shares] = Shares()

    def run(self) -> None:
        """Serve until told to stop, then finish what has begun."""
        first, *others = self.sockets
        listeners = [Listener(first, ssl_context(self.cfg), self._with(self.wsgi))]
        listeners += [Listener(other, None, self._with(health)) for other in others]
        share = self.shares.of(self.age)
        # gunicorn writes to this pipe on every signal.
        wake = self.PIPE[0], self.PIPE[1]
        self._loop = Loop(listeners, self.cfg, wake, self._going_on, share)
        self._loop.run(self.cfg.graceful_timeout)

    def _going_on(self) -> bool:
        self.notify()
        return self.alive and self.ppid == os.getppid()

    def _with(
        self, wsgi: Callable[..., Iterable[bytes]]
    ) -> Callable[[ReceivedRequest, Connection], tuple[bytes, bool]]:
        def answer(request: ReceivedRequest, connection: Connection) -> tuple[bytes, bool]:
            closing = self._loop.stopping
            return respond(
                wsgi, request, connection.peer, connection.local, self.cfg, closing=closing
            )

        return answer
