"""The manifests as kubectl renders them, and as somebody who installs them completes them."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import binaries

Object = dict[str, Any]

ROOT = Path(__file__).parents[2] / "manifests"
BASE = ROOT / "base"
OVERLAYS = ROOT / "overlays"
COMPONENTS = ROOT / "components"
DEPLOYMENT = OVERLAYS / "deployment"
CLUSTER_ID = "a-cluster.example.com"


@functools.cache
def render(directory: Path) -> list[Object]:
    """What `kubectl apply -k` would send."""
    rendered = subprocess.run(
        [binaries.find().kubectl, "kustomize", directory],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert rendered.returncode == 0, rendered.stderr
    # Warnings are of fields that kustomize is about to drop.
    assert rendered.stderr == ""
    return list(yaml.safe_load_all(rendered.stdout))


def complete(directory: Path, *parts: Path, **further: object) -> Path:
    """Write the kustomization of one cluster into `directory`: some parts, and its id."""
    generator = {
        "name": "aws-iam-authenticator",
        "namespace": "kube-system",
        "behavior": "merge",
        "literals": [f"clusterID={CLUSTER_ID}"],
    }
    kustomization = {
        "resources": [os.path.relpath(part, directory) for part in parts],
        "configMapGenerator": [generator],
        **further,
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return directory


def with_components(directory: Path, part: Path, *names: str) -> list[Object]:
    """What is sent for one cluster that adds some components to a part."""
    paths = [os.path.relpath(COMPONENTS / name, directory) for name in names]
    return render(complete(directory, part, components=paths))


def only(objects: list[Object], kind: str) -> Object:
    """The one object of a kind."""
    (found,) = (obj for obj in objects if obj["kind"] == kind)
    return found


def pod_of(kind: str) -> Object:
    """The Pod that the server runs in: "DaemonSet", "Deployment" or "static pod"."""
    if kind == "static pod":
        found: Object = yaml.safe_load((OVERLAYS / "static-pod" / "pod.yaml").read_text())
        return found
    template = only(render(BASE if kind == "DaemonSet" else DEPLOYMENT), kind)["spec"]["template"]
    metadata = {**template["metadata"], "name": "a-pod"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
