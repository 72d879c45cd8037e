"""What the manifests and the code both say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from authenticator.admission.judge import FORCE, FORCE_DELETE
from authenticator.mapping.files import NAME, NAMESPACE
from authenticator.serving.endpoints import VALIDATE
from authenticator.sources.crd_schema import API_VERSION

ADMISSION = Path(__file__).parents[3] / "manifests" / "admission"


def webhooks() -> list[dict[str, Any]]:
    document = yaml.safe_load((ADMISSION / "webhook.yaml").read_text())
    found: list[dict[str, Any]] = document["webhooks"]
    return found


def test_the_policies_know_the_same_annotations() -> None:
    text = (ADMISSION / "policies.yaml").read_text()
    assert set(re.findall(r"iamauthenticator\.k8s\.aws/force[\w-]*", text)) == {FORCE, FORCE_DELETE}


def test_the_webhooks_ask_about_what_is_judged() -> None:
    config_map, identity = webhooks()
    assert config_map["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": NAMESPACE
    }
    assert f"== '{NAME}'" in config_map["matchConditions"][0]["expression"]
    [rule] = identity["rules"]
    assert f"{rule['apiGroups'][0]}/{rule['apiVersions'][0]}" == API_VERSION


def test_the_webhooks_do_no_more_than_the_documentation_says() -> None:
    for webhook in webhooks():
        assert webhook["clientConfig"]["url"] == f"https://127.0.0.1:21362{VALIDATE.path}"
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["sideEffects"] == "None"
        assert webhook["timeoutSeconds"] == 5
