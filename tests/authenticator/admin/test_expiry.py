"""Where it can be seen that our server ends mappings, and where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from authenticator.admin.stores import expiry
from authenticator.sources.cluster import ClusterError, Object, Watch

MANIFESTS = Path(__file__).parents[3] / "manifests"
PLAIN = {"gitVersion": "v1.36.0"}
EKS = {"gitVersion": "v1.31.2-eks-7f9249a"}
PODS = {"items": [{"status": {"phase": "Running"}}]}
MAPPINGS = {"items": [{}, {"status": {"conditions": [{"type": "Valid", "status": "False"}]}}]}


class Answers:
    """`Cluster` with some objects, by the end of their path; anything else is forbidden."""

    def __init__(self, **answers: Object) -> None:
        self.answers = answers
        self.selectors: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        assert (method, body) == ("GET", None)
        self.selectors += [(query or {}).get("labelSelector", "")]
        try:
            return self.answers[path.rpartition("/")[2]]
        except KeyError:
            raise ClusterError(403, "forbidden") from None

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractContextManager[Watch]:
        raise NotImplementedError


@pytest.mark.parametrize(
    "answers",
    [
        {"version": PLAIN, "pods": PODS},
        {"version": PLAIN, "iamidentitymappings": MAPPINGS},
        {"pods": PODS},
    ],
)
def test_our_server_is_seen(answers: dict[str, Any]) -> None:
    assert expiry.doubt(Answers(**answers)) == ""


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({}, "no server of kube-iam-authenticator can be seen"),
        ({"version": PLAIN}, "no server of kube-iam-authenticator can be seen"),
        ({"version": PLAIN, "pods": {"items": [{"status": {"phase": "Pending"}}]}}, "no server"),
        ({"version": PLAIN, "iamidentitymappings": {"items": [{}]}}, "no server"),
        ({"version": PLAIN, "pods": {"items": None}}, "no server"),
        # What runs in a cluster of EKS is not what its API server asks.
        ({"version": EKS, "pods": PODS, "iamidentitymappings": MAPPINGS}, "this is Amazon EKS"),
    ],
)
def test_otherwise_the_reason_is_given(answers: dict[str, Any], reason: str) -> None:
    assert reason in expiry.doubt(Answers(**answers))


def test_the_labels_are_those_of_the_manifests() -> None:
    cluster = Answers()
    expiry.doubt(cluster)
    (selector,) = filter(None, cluster.selectors)
    pod = yaml.safe_load((MANIFESTS / "overlays" / "static-pod" / "pod.yaml").read_text())
    chosen = dict(pair.split("=") for pair in selector.split(","))
    assert chosen.items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["namespace"] == "kube-system"
