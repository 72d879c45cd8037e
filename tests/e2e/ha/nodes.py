"""Control-plane nodes, each a host with an API server and the server that this asks over loopback.

The clients are on a host of their own and reach the API servers as through a TCP load balancer that
asks for `/readyz`: one that is not ready, or does not answer, is passed over for the next. One that
answers 401 has refused the login, and no load balancer would know better.
"""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import ssl
import threading
import time
from typing import TYPE_CHECKING

from dev.waiting import wait_until
from tests.e2e import callers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster.apiserver import APIServer
    from dev.netns import Host
    from dev.server import WebhookServer

GRANTED = "granted"

_REVIEW = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
_PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
# For a connection to come about between two namespaces of one busy machine.
_CONNECT_SECONDS = 3
# More than the 30 s for which an API server waits for its webhook: a login that is going to be
# refused is counted as that.
_ANSWER_SECONDS = 60.0


class Node:
    """One node.

    Args:
        name: for messages.
        host: its network.
        apiserver: its API server.
        server: the server that its API server asks.

    Attributes:
        server: as above; the next one after an upgrade.
        in_service: whether its API server is one that says it is ready.
    """

    def __init__(self, name: str, host: Host, apiserver: APIServer, server: WebhookServer) -> None:
        self.name = name
        self.host = host
        self.apiserver = apiserver
        self.server = server
        self.in_service = True

    def start_server(self) -> None:
        """Start the server; whatever of it still runs is killed."""
        with self.host.entered():
            self.server.start()

    def restart_server(self) -> None:
        """Have the server end, then start it again."""
        self.server.signal(signal.SIGTERM)
        self.server.wait_until_ended()
        self.start_server()

    def upgrade_server(self, successor: WebhookServer) -> None:
        """Start another server beside the one that runs, and have that one end."""
        with self.host.entered():
            successor.start()
        successor.wait_for_workers(0)
        before, self.server = self.server, successor
        before.signal(signal.SIGTERM)
        before.wait_until_ended()

    def renew_workers(self) -> None:
        """Have new workers take over, so that the API server has to connect to them."""
        before = set(self.server.workers)
        self.server.signal(signal.SIGHUP)
        wait_until(lambda: before.isdisjoint(self.server.workers), lambda: self.server.log.tail)

    def restart_apiserver(self) -> None:
        """Have the API server read the webhook kubeconfig again."""
        # It answers 403 for a moment before it is ready, not knowing the cluster's roles yet.
        self.in_service = False
        with self.host.entered():
            self.apiserver.stop()
            self.apiserver.start()
        self.in_service = True

    def close(self) -> None:
        """End both."""
        self.apiserver.close()
        self.server.__exit__()


class Clients:
    """Users of a load balancer in front of some nodes.

    Args:
        nodes: which.
        again: whether they try again, and get another node, when they are refused.
        patience: seconds after which a node that says nothing is passed over.
    """

    def __init__(
        self, *nodes: Node, again: bool = False, patience: float = _ANSWER_SECONDS
    ) -> None:
        self._nodes = nodes
        self._again = again
        self._patience = patience
        self._turns = itertools.count()
        self._own = threading.local()

    def log_in(self) -> str:
        """Log one of the crowd in with a new token; say what came of it."""
        token = callers.token_of_the_crowd()
        outcome = "no API server answered"
        for node in self._in_turn():
            try:
                status = self._connection(node).log_in(token)
            except (OSError, http.client.HTTPException):
                continue
            if status == http.HTTPStatus.CREATED:
                return GRANTED
            outcome = f"{node.name} answered {status}"
            if not self._again:
                break
        return outcome

    def _in_turn(self) -> Iterator[Node]:
        """The nodes, beginning with another each time; and once more, as kept connections break."""
        first = next(self._turns) % len(self._nodes)
        in_turn = itertools.chain(*[self._nodes[first:], self._nodes[:first]] * 2)
        return (node for node in in_turn if node.in_service)

    def _connection(self, node: Node) -> _Connection:
        """This thread's connection to a node."""
        connections: dict[Node, _Connection] = self._own.__dict__.setdefault("connections", {})
        if node not in connections:
            connections[node] = _Connection(node.apiserver, self._patience)
        return connections[node]


class Pace:
    """Lets so many through per second, if there are so many.

    Args:
        per_second: how many.
    """

    def __init__(self, per_second: float) -> None:
        self._seconds = 1 / per_second
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for a turn."""
        with self._lock:
            turn = self._next = max(self._next + self._seconds, time.monotonic() - self._seconds)
        time.sleep(max(0.0, turn - time.monotonic()))


class _Connection:
    """A connection to an API server, kept for as long as it works, and then made anew."""

    def __init__(self, apiserver: APIServer, patience: float) -> None:
        netloc = apiserver.url.removeprefix("https://")
        context = _context(apiserver.ca)
        self._patience = patience
        self._http = http.client.HTTPSConnection(netloc, timeout=_CONNECT_SECONDS, context=context)

    def log_in(self, token: str) -> int:
        """Give the status with which the API server answers. Raises OSError, HTTPException."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            if self._http.sock is None:
                self._http.connect()
                self._http.sock.settimeout(self._patience)
            self._http.request("POST", _PATH, _REVIEW, headers)
            response = self._http.getresponse()
            response.read()
        except BaseException:
            self._http.close()
            raise
        return response.status


_CONTEXTS: dict[Path, ssl.SSLContext] = {}


def _context(ca: Path) -> ssl.SSLContext:
    """What to trust an API server by; to make it takes longer than a login."""
    if ca not in _CONTEXTS:
        _CONTEXTS[ca] = ssl.create_default_context(cafile=ca)
    return _CONTEXTS[ca]
