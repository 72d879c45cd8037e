"""The endpoints that are not hot, and the refusal of every other request."""

from __future__ import annotations

import pytest

from authenticator.serving import endpoints
from authenticator.serving.app import build_app
from authenticator.serving.endpoints import ENDPOINTS, HEALTHZ, METRICS, READYZ
from authenticator.serving.readiness import Readiness


class App:
    def __init__(self) -> None:
        self.ready = True
        self.refused: list[int] = []
        handlers = {
            METRICS: endpoints.metrics(lambda: b"metric 1\n", "text/plain"),
            HEALTHZ: endpoints.healthz(lambda: ()),
            READYZ: endpoints.readyz(lambda: Readiness(self.ready, b"{}")),
        }
        self.client = build_app(handlers, self.refused.append).test_client()


@pytest.fixture
def app() -> App:
    return App()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("GET", "/healthz", 200),
        ("GET", "/healthz?verbose", 200),
        ("GET", "/authenticate", 405),
        ("PUT", "/authenticate", 405),
        ("OPTIONS", "/authenticate", 405),
        ("POST", "/metrics", 405),
        ("POST", "/authenticate/", 404),
        ("POST", "//authenticate", 404),
        ("POST", "/authenticate/%2e", 404),
        ("GET", "/", 404),
        # The event loop answers it, and no other server does.
        ("POST", "/authenticate", 501),
        ("POST", "/validate", 501),
        ("GET", "/validate", 405),
        ("POST", "/validate/secret", 404),
    ],
)
def test_there_are_few_endpoints_and_every_refusal_is_counted(
    app: App, method: str, path: str, status: int
) -> None:
    response = app.client.open(path, method=method, data=b"")
    assert response.status_code == status
    assert app.refused == [status] * (status != 200)
    if status == 405:
        [allowed] = (each.method for each in ENDPOINTS if each.path == path)
        assert allowed in response.headers["Allow"]
        assert response.data == b"Method Not Allowed\n"


def test_readiness_comes_with_its_detail(app: App) -> None:
    answers = []
    for app.ready in (True, False):
        answer = app.client.get("/readyz")
        answers.append((answer.status_code, answer.data, answer.content_type))
    assert answers == [(200, b"{}", "application/json"), (503, b"{}", "application/json")]


def test_few_scrapes_at_once_are_answered() -> None:
    """Anyone who can connect can ask for the metrics in a loop."""
    inside: list[int] = []

    def render() -> bytes:
        # Each scrape begins another, until one is turned away.
        inside.append(scrape(b"", "").status)
        return b"metric 1\n"

    scrape = endpoints.metrics(render, "text/plain")
    assert scrape(b"", "").status == 200
    assert inside == [503, 200]
    assert scrape(b"", "").status == 200
