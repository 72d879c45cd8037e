"""The webhook kubeconfig, as the Kubernetes client reads it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from kubernetes import config

from authenticator.errors import ConfigError
from authenticator.serving.certificates.webhook_kubeconfig import render, trusted_by, write

PEM = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


def test_the_kubernetes_client_loads_it(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig.yaml"
    write(path, render(PEM, "localhost", 21362))
    contexts, current = config.list_kube_config_contexts(str(path))
    assert [context["name"] for context in contexts] == ["webhook"]
    assert current["context"] == {"cluster": "aws-iam-authenticator", "user": "apiserver"}
    client = config.new_client_from_config(str(path))
    assert client.configuration.host == "https://localhost:21362/authenticate"
    assert Path(client.configuration.ssl_ca_cert).read_bytes() == PEM


@pytest.mark.parametrize(
    ("hostname", "server"),
    [
        ("webhook.example", "https://webhook.example:443/authenticate"),
        ("127.0.0.1", "https://127.0.0.1:443/authenticate"),
        ("::1", "https://[::1]:443/authenticate"),
    ],
    ids=["name", "IPv4", "IPv6"],
)
def test_the_url_names_the_host(hostname: str, server: str) -> None:
    document = yaml.safe_load(render(PEM, hostname, 443))
    assert document["clusters"][0]["cluster"]["server"] == server


def test_an_api_server_of_another_user_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kubeconfig.yaml"
    write(path, render(PEM, "localhost", 21362))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--generate-kubeconfig"):
        write(tmp_path, render(PEM, "localhost", 21362))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"clusters: []",
        b"clusters: [{cluster: {}}]",
        b"\xff",
        b"a: b: c",
        b"clusters: 7",
    ],
)
def test_a_kubeconfig_that_says_nothing_trusts_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    assert trusted_by(path) == b""
    assert trusted_by(tmp_path / "missing") == b""


def test_it_trusts_what_was_rendered(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write(path, render(PEM * 2, "localhost", 21362))
    assert trusted_by(path) == PEM * 2
