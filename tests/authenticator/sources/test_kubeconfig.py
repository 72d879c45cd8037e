"""Kubeconfig files: merged as kubectl merges them, and never without the credentials they name."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.configuration import Configuration

from authenticator.admin import connection
from authenticator.errors import ConfigError
from authenticator.sources.cluster import ClusterError
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from dev.cluster import binaries

User = dict[str, Any]


def kubeconfig(
    path: Path, name: str, *, current: str = "", user: User | None = None, server: str = ""
) -> Path:
    """A file with one context, one cluster and one user, all of that name."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server or f"https://{path.name}.invalid"}}
        ],
        "users": [{"name": name, "user": user or {"token": path.name}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        **({"current-context": current} if current else {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def reached(made: Configuration) -> tuple[str, str]:
    return str(made.host), str(made.api_key.get("BearerToken", ""))


def test_a_context_of_the_second_file_is_found(tmp_path: Path) -> None:
    paths = kubeconfig(tmp_path / "a", "one", current="one"), kubeconfig(tmp_path / "b", "two")
    assert reached(configuration(paths, "", "two")) == ("https://b.invalid", "Bearer b")


def test_the_first_file_that_has_a_name_or_a_current_context_decides(tmp_path: Path) -> None:
    paths = (
        kubeconfig(tmp_path / "a", "one"),
        kubeconfig(tmp_path / "b", "one", current="one"),
        kubeconfig(tmp_path / "c", "three", current="three"),
    )
    assert reached(configuration(paths, "")) == ("https://a.invalid", "Bearer a")


def test_an_absent_and_an_empty_file_of_several_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    paths = (
        tmp_path / "absent",
        tmp_path / "empty",
        kubeconfig(tmp_path / "b", "two", current="two"),
    )
    assert reached(configuration(paths, "")) == ("https://b.invalid", "Bearer b")


def test_a_relative_file_is_relative_to_its_kubeconfig(tmp_path: Path) -> None:
    user = {"client-certificate": "cert.pem", "client-key": "cert.pem"}
    second = kubeconfig(tmp_path / "there" / "b", "two", user=user)
    second.with_name("cert.pem").touch()
    made = configuration((kubeconfig(tmp_path / "a", "one", current="one"), second), "", "two")
    assert made.cert_file == str(tmp_path / "there" / "cert.pem")


@pytest.mark.cluster
def test_kubectl_merges_them_the_same_way(tmp_path: Path) -> None:
    paths = (
        kubeconfig(tmp_path / "a", "one"),
        tmp_path / "absent",
        kubeconfig(tmp_path / "b", "two", current="two"),
        kubeconfig(tmp_path / "c", "two", current="one"),
        kubeconfig(tmp_path / "d", "four", current="four"),
    )
    for context in ("", "one", "two", "four"):
        shown = subprocess.run(
            [
                *(binaries.find().kubectl, "config", "view", "--minify", "--raw", "--output=json"),
                *([f"--context={context}"] if context else []),
            ],
            env={"KUBECONFIG": os.pathsep.join(map(str, paths)), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        config = json.loads(shown.stdout)
        expected = (
            config["clusters"][0]["cluster"]["server"],
            f"Bearer {config['users'][0]['user']['token']}",
        )
        assert reached(configuration(paths, "", context)) == expected


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ({"command": "absent-plugin"}, "exec plugin absent-plugin: no such program; install it"),
        (
            {"command": "absent-plugin", "installHint": "apt install it"},
            "exec plugin absent-plugin: no such program; apt install it",
        ),
        (
            {"command": "sh", "args": ["-c", "echo the SSO session has expired >&2; exit 3"]},
            "exec plugin sh failed: process returned 3. the SSO session has expired",
        ),
        ({"command": "echo", "args": ["nothing"]}, "exec plugin echo failed: failed to decode"),
        ({"command": "echo", "args": ['{"status": {}}']}, "exec plugin echo failed: malformed"),
        (
            {"command": "echo", "args": ['{"apiVersion": "v1", "kind": "k", "status": {}}']},
            "printed neither a token nor a certificate",
        ),
    ],
)
def test_a_failing_exec_plugin_is_no_anonymous_request(
    user: User, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The package logs at the root logger and goes on as system:anonymous."""
    plugin = {"exec": {"apiVersion": "v1", **user}}
    path = kubeconfig(tmp_path / "a", "one", current="one", user=plugin)
    handlers = list(logging.getLogger().handlers)
    api = KubernetesApi(lambda: configuration(path, ""))
    with pytest.raises(ClusterError, match=reason):
        api.request("GET", "/version")
    assert caplog.records == []
    assert logging.getLogger().handlers == handlers


def test_an_exec_plugin_gives_a_token(tmp_path: Path) -> None:
    answer = {"apiVersion": "v1", "kind": "ExecCredential", "status": {"token": "t"}}
    user = {"exec": {"apiVersion": "v1", "command": "echo", "args": [json.dumps(answer)]}}
    path = kubeconfig(tmp_path / "a", "one", current="one", user=user)
    assert reached(configuration(path, ""))[1] == "Bearer t"


def test_a_context_whose_user_is_missing_is_no_anonymous_request(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "a", "one", current="one")
    content = json.loads(path.read_text())
    content["contexts"][0]["context"]["user"] = "absent"
    path.write_text(json.dumps(content))
    with pytest.raises(ClusterError, match="the user 'absent' of context 'one' is missing"):
        configuration(path, "")


def test_an_unknown_context_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    paths = kubeconfig(tmp_path / "a", "one"), kubeconfig(tmp_path / "b", "two")
    with pytest.raises(ClusterError, match=r"'three' does not exist \(known: one, two\)"):
        configuration(paths, "", "three")


@pytest.mark.parametrize("content", ["", "[]", "a: b", "{", "current-context: x"])
def test_what_is_no_kubeconfig_is_one_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(content)
    with pytest.raises(ClusterError, match="cannot be used"):
        configuration(path, "")


class TestWhichFiles:
    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_all_that_exist_of_the_variable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = (
            kubeconfig(tmp_path / "a", "one"),
            tmp_path / "absent",
            kubeconfig(tmp_path / "b", "two"),
        )
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
        assert connection._kubeconfigs(None, None) == (paths[0], paths[2])
        assert connection._kubeconfigs("given", None) == (Path("given"),)

    def test_the_service_account_where_there_is_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = tmp_path / "token"
        token.touch()
        monkeypatch.setattr(connection, "_SERVICE_ACCOUNT_TOKEN", token)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        assert connection._kubeconfigs(None, None) is None
        with pytest.raises(ConfigError):
            connection._kubeconfigs(None, "context")
        file = kubeconfig(tmp_path / ".kube" / "config", "one")
        assert connection._kubeconfigs(None, None) == (file,)

    def test_neither_is_an_error_that_names_the_flag(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            connection._kubeconfigs(None, None)
        assert caught.value.problems == (
            f"{tmp_path}/.kube/config: no such kubeconfig file; name one with --kubeconfig",
        )

    @pytest.mark.parametrize(
        "url", ["127.0.0.1:6443", "api.example", "ftp://api.example", "https://"]
    )
    def test_a_master_without_scheme_is_refused(self, url: str) -> None:
        """urllib3 asked it in plain HTTP, with a warning of its own on stderr."""
        with pytest.raises(ConfigError) as caught:
            connection.connect(None, None, url)
        assert caught.value.problems == (
            f"--master-url {url} is not a URL; give one such as https://api.example:6443",
        )
