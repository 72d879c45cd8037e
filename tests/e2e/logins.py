"""Ways to log in to an API server, and what comes of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dev.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dev.cluster import ControlPlane

UNAUTHORIZED = "error: You must be logged in to the server (Unauthorized)"

_CREATED = 201
_REVIEW = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})


def whoami(
    plane: ControlPlane, user: Mapping[str, object], env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Whom the API server takes for the user of a kubeconfig. Raises KubectlError."""
    kubeconfig = plane.kubeconfig("caller", user)
    shown = plane.kubectl("auth", "whoami", "--output=json", kubeconfig=kubeconfig, env=env)
    user_info: dict[str, Any] = json.loads(shown.stdout)["status"]["userInfo"]
    return user_info


def log_in(plane: ControlPlane, token: str) -> int:
    """Log in without kubectl, which would take ten times as long; return the HTTP status."""
    return user_info(plane, token)[0]


def user_info(plane: ControlPlane, token: str) -> tuple[int, dict[str, Any]]:
    """Log in as `log_in` does; return the HTTP status, and the user if the login was granted."""
    context = ssl.create_default_context(cafile=plane.ca)
    address = plane.server.removeprefix("https://")
    connection = http.client.HTTPSConnection(address, timeout=60, context=context)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        connection.request("POST", path, _REVIEW, headers)
        response = connection.getresponse()
        body = json.loads(response.read())
        return response.status, body["status"]["userInfo"] if response.status == _CREATED else {}


@contextlib.contextmanager
def stream_of(login: Callable[[], object], streams: int = 4) -> Iterator[Stream]:
    """Log in again and again, from several threads, for as long as the context lasts."""
    stream = Stream(login)
    with ThreadPoolExecutor(streams) as pool:
        running = [pool.submit(stream.run) for _ in range(streams)]
        try:
            yield stream
        finally:
            stream.end()
    for thread in running:
        thread.result()


class Stream:
    """Logins that go on until told to end.

    Attributes:
        outcomes: how often each outcome came; errors by their text.
    """

    def __init__(self, login: Callable[[], object]) -> None:
        self.outcomes: Counter[object] = Counter()
        self._login = login
        self._ending = threading.Event()
        self._counted = threading.Condition()

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                outcome = self._login()
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
            with self._counted:
                self.outcomes[outcome] += 1
                self._counted.notify_all()

    def end(self) -> None:
        self._ending.set()

    def wait_for_more(self, number: int = 40) -> None:
        """Wait for that many more logins."""
        with self._counted:
            enough = self.outcomes.total() + number
            assert self._counted.wait_for(lambda: self.outcomes.total() >= enough, PATIENCE_SECONDS)
