"""The `kubernetes` client as it is used here: credentials, errors, watches that hang or break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.configuration import Configuration
from kubernetes.config.incluster_config import InClusterConfigLoader

from authenticator.sources import kubernetes_api
from authenticator.sources.cluster import ClusterError
from authenticator.sources.kubernetes_api import (
    KubernetesApi,
    configuration,
    version_of,
    warnings_in,
)
from dev.waiting import PATIENCE_SECONDS

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server on loopback that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = reply(200, b"{}")
        self.seen: list[tuple[str, str, str | None]] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append((self.command, self.path, self.headers.get("Authorization")))
                outer.answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def reply(status: int, body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Retry-After", "1")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def stream(server: Server, *chunks: bytes, end: str = "hang") -> Answer:
    """Chunks, and then silence, an orderly end, or a cut connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if end == "orderly":
            handler.wfile.write(b"0\r\n\r\n")
        elif end == "hang":
            server.release.wait(PATIENCE_SECONDS)
        handler.close_connection = True

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def kubeconfig(tmp_path: Path, server: Server) -> Path:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, server.url, "first")
    return path


def write_kubeconfig(path: Path, url: str, token: str) -> None:
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(content))


@pytest.fixture
def api(kubeconfig: Path) -> KubernetesApi:
    return KubernetesApi(partial(configuration, kubeconfig, ""))


def test_a_request_carries_the_token_and_the_query(api: KubernetesApi, server: Server) -> None:
    server.answer = reply(200, b'{"a": 1}')
    assert api.request("GET", "/things", {"fieldSelector": "metadata.name=a"}) == {"a": 1}
    assert server.seen == [("GET", "/things?fieldSelector=metadata.name%3Da", "Bearer first")]


def test_the_token_of_a_rotated_kubeconfig_is_used_after_a_401(
    api: KubernetesApi, server: Server, kubeconfig: Path
) -> None:
    api.request("GET", "/things")
    write_kubeconfig(kubeconfig, server.url, "second")
    server.answer = reply(401, b"{}")
    with pytest.raises(ClusterError):
        api.request("GET", "/things")
    server.answer = reply(200, b"{}")
    api.request("GET", "/things")
    assert server.seen[-1][2] == "Bearer second"


@pytest.fixture
def following(kubeconfig: Path) -> KubernetesApi:
    """As the server has it: the kubeconfig is read again when it changes."""
    version = partial(version_of, (kubeconfig,))
    return KubernetesApi(partial(configuration, kubeconfig, ""), version=version)


def test_a_kubeconfig_that_changes_is_read_again(
    following: KubernetesApi, server: Server, kubeconfig: Path
) -> None:
    following.request("GET", "/things")
    unfinished = kubeconfig.with_name("unfinished")
    write_kubeconfig(unfinished, server.url, "second")
    unfinished.replace(kubeconfig)
    following.request("GET", "/things")
    following.request("GET", "/things")
    assert [seen[2] for seen in server.seen] == ["Bearer first", "Bearer second", "Bearer second"]


@pytest.mark.parametrize("content", ["", "{", "[]"], ids=["empty", "half", "a list"])
def test_a_kubeconfig_that_becomes_unusable_leaves_the_connection_in_use(
    following: KubernetesApi, server: Server, kubeconfig: Path, content: str
) -> None:
    following.request("GET", "/things")
    kubeconfig.write_text(content)
    following.request("GET", "/things")
    kubeconfig.unlink()
    following.request("GET", "/things")
    assert [seen[2] for seen in server.seen] == ["Bearer first"] * 3
    write_kubeconfig(kubeconfig, server.url, "second")
    following.request("GET", "/things")
    assert server.seen[-1][2] == "Bearer second"


def test_a_rotated_service_account_token_is_used_by_the_next_request(
    tmp_path: Path, server: Server
) -> None:
    """The kubelet rewrites the file; the client reads it again within a minute (37.0.1)."""
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    ca.write_text("unused with http")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    loader = InClusterConfigLoader(str(token), str(ca), environ=environ)  # type: ignore[no-untyped-call]  # the package is partly typed

    def configure() -> Configuration:
        made = Configuration()
        loader.load_and_set(made)  # type: ignore[no-untyped-call]  # the package is partly typed
        # The loader knows https only.
        made.host = loader.host = server.url
        return made

    api = KubernetesApi(configure)
    api.request("GET", "/things")
    token.write_text("second")
    loader.token_expires_at -= timedelta(minutes=2)  # a minute passes
    api.request("GET", "/things")
    assert [seen[2] for seen in server.seen] == ["bearer first", "bearer second"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b'{"kind":"Status","message":"configmaps is forbidden"}', "configmaps is forbidden"),
        (503, b"<html>", "no Status object"),
        (302, b"", "no Status object"),
        (429, b'{"message":"slow down"}', "slow down"),
    ],
)
def test_a_refusal_has_its_status_and_reason_and_is_not_retried(
    api: KubernetesApi, server: Server, status: int, body: bytes, reason: str
) -> None:
    server.answer = reply(status, body)
    with pytest.raises(ClusterError, match=reason) as refusal:
        api.request("GET", "/things")
    assert refusal.value.status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff"])
def test_an_answer_that_is_no_object_is_an_error(
    api: KubernetesApi, server: Server, body: bytes
) -> None:
    server.answer = reply(200, body)
    with pytest.raises(ClusterError, match="is not"):
        api.request("GET", "/things")


def test_an_unreachable_server_is_an_error(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1", "secret-token")
    api = KubernetesApi(partial(configuration, tmp_path / "kubeconfig", ""))
    with pytest.raises(ClusterError, match="cannot be reached") as refusal:
        api.request("GET", "/things")
    assert "secret-token" not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "{", "clusters: 1", "[]", "apiVersion: v1"])
def test_a_kubeconfig_that_cannot_be_used_is_an_error_until_it_can(
    tmp_path: Path, server: Server, content: str
) -> None:
    path = tmp_path / "kubeconfig"
    api = KubernetesApi(partial(configuration, path, ""))
    with pytest.raises(ClusterError, match="cannot be used"):
        api.request("GET", "/things")
    path.write_text(content)
    with pytest.raises(ClusterError, match="cannot be used"):
        api.request("GET", "/things")
    write_kubeconfig(path, server.url, "token")
    assert api.request("GET", "/things") == {}


def test_outside_of_a_pod_the_service_account_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterError, match="the pod's service account cannot be used"):
        configuration(None, "")


def test_master_takes_the_place_of_the_kubeconfigs_server(kubeconfig: Path) -> None:
    assert configuration(kubeconfig, "https://other:6443").host == "https://other:6443"


def test_a_watch_gives_events_however_they_are_cut_into_chunks(
    api: KubernetesApi, server: Server
) -> None:
    server.answer = stream(
        server, b'{"type":"A"}\n{"ty', b'pe":"B"}\n\n', b'{"type":"C"}\n', end="orderly"
    )
    with api.watch("/things", {}) as watch:
        assert [event["type"] for event in watch] == ["A", "B", "C"]


def test_a_watch_gives_events_as_they_come(api: KubernetesApi, server: Server) -> None:
    server.answer = stream(server, b'{"type":"A"}\n')
    with api.watch("/things", {}) as watch:
        assert next(iter(watch)) == {"type": "A"}


@pytest.mark.parametrize(
    ("chunk", "end"), [(b"<html>\n", "orderly"), (b'{"type":"A"}\n', "cut"), (b"[]\n", "orderly")]
)
def test_a_watch_that_breaks_is_an_error(
    api: KubernetesApi, server: Server, chunk: bytes, end: str
) -> None:
    server.answer = stream(server, chunk, end=end)
    with api.watch("/things", {}) as watch, pytest.raises(ClusterError):
        list(watch)


def test_a_watch_that_hangs_is_an_error(
    api: KubernetesApi, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authenticator.sources.kubernetes_api._SILENCE_SECONDS", 0.2)
    server.answer = stream(server, b'{"type":"A"}\n')
    with api.watch("/things", {}) as watch, pytest.raises(ClusterError, match="cannot be reached"):
        list(watch)


def test_a_watch_is_interrupted_from_another_thread(api: KubernetesApi, server: Server) -> None:
    server.answer = stream(server, b'{"type":"A"}\n')
    with api.watch("/things", {}) as watch:
        events = iter(watch)
        next(events)
        interrupter = threading.Thread(target=watch.interrupt)
        interrupter.start()
        assert list(events) == []
        interrupter.join()


@pytest.mark.parametrize(
    ("server", "no_proxy", "proxied"),
    [
        ("https://127.0.0.1:6443", "", False),
        ("https://localhost:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("https://10.0.0.1:6443", "", True),
        ("https://10.0.0.1:6443", "10.0.0.0/8", False),
        ("https://api.example:6443", "*.example", False),
        ("https://api.example:6443", "api.example:6443", False),
        ("https://api.example:6443", "api.example:443", True),
        ("http://api.example:8080", "", False),
    ],
)
def test_the_api_server_is_reached_through_the_proxy_that_go_programs_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, no_proxy: str, proxied: bool
) -> None:
    """Once an API server on loopback was asked through HTTPS_PROXY."""
    for name, value in (("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", no_proxy)):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    made = configuration(naming(tmp_path, server), "")
    assert made.proxy == ("http://proxy:3128" if proxied else None)
    assert not made.no_proxy
    assert configuration(naming(tmp_path, "https://other"), server).proxy == made.proxy


def test_a_socks_proxy_resolves_the_api_servers_name_and_needs_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@proxy:1080")
    file = naming(tmp_path, "https://api.example:6443")
    assert configuration(file, "").proxy == "socks5h://me:secret@proxy:1080"
    monkeypatch.setattr(kubernetes_api, "find_spec", lambda _: None)
    with pytest.raises(ClusterError, match=r"pip install PySocks; or list api\.example") as caught:
        configuration(file, "")
    assert "secret" not in str(caught.value)


def test_the_proxy_of_a_kubeconfig_counts_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "*")
    file = naming(tmp_path, "https://10.0.0.1:6443", {"proxy-url": "http://own:3128"})
    assert configuration(file, "").proxy == "http://own:3128"


def naming(directory: Path, server: str, more: dict[str, str] | None = None) -> Path:
    file = directory / "kubeconfig"
    named = {"name": "one", "cluster": {"server": server, **(more or {})}}
    context = {"name": "one", "context": {"cluster": "one", "user": "one"}}
    content = {"clusters": [named], "contexts": [context], "current-context": "one"}
    user = {"name": "one", "user": {"token": "t"}}
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **content, "users": [user]}))
    return file


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "it is deprecated"', ["it is deprecated"]),
        (r'299 - "say \"x\" and \\"', [r'say "x" and \\'.replace(r"\\", "\\")]),
        ('299 - "one", 299 - "two"', ["one", "two"]),
        ('199 - "not of Kubernetes"', []),
        ("299 - without quotes", []),
        ("", []),
    ],
)
def test_warning_headers_are_read(header: str, texts: list[str]) -> None:
    assert list(warnings_in([header])) == texts


def test_a_warning_of_the_api_server_is_handed_on(kubeconfig: Path, server: Server) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Warning", '299 - "first"')
        handler.send_header("Warning", '299 - "second"')
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    server.answer = answer
    heard: list[str] = []
    KubernetesApi(partial(configuration, kubeconfig, ""), heard.append).request("GET", "/a")
    assert heard == ["first", "second"]
