"""The published corpus, as anybody can fire it at a webhook: at ours, in both versions."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.corpus import forge
from tests.corpus.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from dev.server import WebhookServer


@pytest.fixture
def target(server: WebhookServer, tmp_path: Path) -> list[str]:
    cluster = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = tmp_path / "ca.pem"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return [cluster["server"], "--ca", str(authority)]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_nothing_is_wrongly_granted_or_refused(
    target: list[str], version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*target, "--api-version", version])
    shown = capsys.readouterr().out
    cases = len(forge.cases("tokens")) + len(forge.cases("requests")) + 1
    assert (status, shown.strip()) == (0, f"{cases} cases, 0 answered wrongly")


def test_what_is_wrong_is_shown_and_fails(
    target: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed for another cluster, every good token is refused."""
    assert main([*target, "--cluster-id", "another", "--output", "json"]) == 1
    results = json.loads(capsys.readouterr().out)["results"]
    wrong = {each["name"]: each["wrong"] for each in results if each["wrong"]}
    good = {case["name"] for case in forge.cases("tokens") if case.get("granted")}
    assert wrong == dict.fromkeys([*good, "survived"], "wrongly refused")
