"""Which tools are seen to manage an object."""

from __future__ import annotations

from typing import Any

import pytest

from authenticator.admin.stores.managers import managers, warning


def obj(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "aws-auth", **metadata}}


def written_by(name: str, **more: str) -> dict[str, Any]:
    return obj(managedFields=[{"manager": name, "operation": "Update", **more}])


@pytest.mark.parametrize(
    ("found", "tool"),
    [
        (written_by("argocd-controller"), "Argo CD"),
        (obj(annotations={"argocd.argoproj.io/tracking-id": "x"}), "Argo CD"),
        (obj(labels={"argocd.argoproj.io/instance": "x"}), "Argo CD"),
        (written_by("kustomize-controller"), "Flux"),
        (obj(labels={"kustomize.toolkit.fluxcd.io/name": "x"}), "Flux"),
        (obj(labels={"helm.toolkit.fluxcd.io/name": "x"}), "Flux"),
        (written_by("helm"), "Helm"),
        (obj(labels={"app.kubernetes.io/managed-by": "Helm"}), "Helm"),
        (obj(annotations={"meta.helm.sh/release-name": "x"}), "Helm"),
        (written_by("Terraform"), "Terraform"),
        (written_by("HashiCorp"), "Terraform"),
        (obj(labels={"app.kubernetes.io/managed-by": "Terraform"}), "Terraform"),
        (written_by("eksctl"), "eksctl"),
    ],
)
def test_a_tool_is_seen(found: dict[str, Any], tool: str) -> None:
    assert [name for name, _ in managers(found)] == [tool]
    assert tool in warning("ConfigMap", [found])


@pytest.mark.parametrize(
    "found",
    [
        {},
        obj(),
        obj(managedFields=None, labels=None, annotations=None),
        written_by("kubectl-edit"),
        written_by("aws-iam-authenticator"),
        written_by("helm", subresource="status"),
        obj(labels={"app.kubernetes.io/managed-by": "me"}),
    ],
)
def test_nothing_else_is(found: dict[str, Any]) -> None:
    assert list(managers(found)) == []
    assert warning("ConfigMap", [found]) == ""


def test_many_objects_make_one_sentence() -> None:
    found = warning("objects", [written_by("helm"), written_by("helm"), written_by("eksctl")])
    assert found.count("Helm") == 1
    assert found.startswith("objects: managed by Helm (field manager helm) and eksctl (")
