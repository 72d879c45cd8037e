"""HTTP and Kubernetes clients, each with a server that wants the token of the moment."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kubernetes.client
import pytest
import requests

from client import BearerAuth, Token, TokenProvider, keep_authorized


class Server:
    """Remembers who asked."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers.get("Authorization"))
                body = b'{"kind":"NamespaceList","apiVersion":"v1","metadata":{},"items":[]}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever)
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0

    def __call__(self) -> float:
        return self.now

    def mint(self) -> Token:
        self.made += 1
        return Token(f"token-{self.made}", self.now + 840)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> TokenProvider:
    return TokenProvider(clock.mint, clock=clock)


EXPECTED = ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-3"]


def test_requests_sends_the_token_of_the_moment(
    server: Server, provider: TokenProvider, clock: Clock
) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = BearerAuth(provider)
        for later in (0, 10, 840, 840):
            clock.now += later
            session.get(server.url, timeout=30).raise_for_status()

    assert server.seen == EXPECTED


def test_the_kubernetes_client_sends_the_token_of_the_moment(
    server: Server, provider: TokenProvider, clock: Clock
) -> None:
    configuration = kubernetes.client.Configuration(host=server.url)
    keep_authorized(configuration, provider)
    with kubernetes.client.ApiClient(configuration) as api_client:
        api = kubernetes.client.CoreV1Api(api_client)
        for later in (0, 10, 840, 840):
            clock.now += later
            api.list_namespace()

    assert server.seen == EXPECTED


def test_two_configurations_do_not_share_a_provider(server: Server, clock: Clock) -> None:
    first, second = (
        TokenProvider(lambda name=name: Token(name, 840), clock=clock) for name in ("a", "b")
    )
    for provider in (first, second):
        configuration = kubernetes.client.Configuration(host=server.url)
        keep_authorized(configuration, provider)
        with kubernetes.client.ApiClient(configuration) as api_client:
            kubernetes.client.CoreV1Api(api_client).list_namespace()

    assert server.seen == ["Bearer a", "Bearer b"]
