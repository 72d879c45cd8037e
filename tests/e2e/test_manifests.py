"""The manifests on a real API server: schemas, admission and Pod Security.

Nothing runs the pods here. Of a DaemonSet or Deployment its Pod is created as a dry run, so that
what judges Pods judges it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, Options
from tests.e2e.manifests import BASE, DEPLOYMENT, OVERLAYS, ROOT, Object, complete, pod_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

_EVERYTHING = [BASE, *sorted(OVERLAYS.iterdir())]


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    plane = start_control_plane(Options())
    plane.kubectl("apply", "--filename=-", stdin=json.dumps(_service_monitors()))
    plane.kubectl(
        "wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com"
    )
    _make_default_service_account(plane, "kube-system")
    return plane


@pytest.mark.parametrize("directory", _EVERYTHING, ids=lambda path: str(path.relative_to(ROOT)))
def test_is_applied_to_a_real_api_server(plane: ControlPlane, directory: Path) -> None:
    plane.kubectl("apply", "--validate=strict", f"--kustomize={directory}")


@pytest.mark.parametrize("overlay", ["network-policy", "service-monitor"])
def test_the_service_overlays_are_applied_as_one(
    plane: ControlPlane, tmp_path: Path, overlay: str
) -> None:
    directory = complete(tmp_path, DEPLOYMENT, OVERLAYS / overlay)
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", f"--kustomize={directory}")


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "static pod"])
def test_its_pods_are_admitted_to_kube_system(plane: ControlPlane, kind: str) -> None:
    plane.kubectl("apply", f"--kustomize={BASE}")
    _create(plane, pod_of(kind), "kube-system")


@pytest.fixture(scope="module")
def restricted(plane: ControlPlane) -> str:
    """A namespace that enforces the strictest Pod Security standard."""
    name = "restricted"
    plane.kubectl("create", "namespace", name)
    plane.kubectl("label", "namespace", name, f"pod-security.kubernetes.io/enforce={name}")
    plane.kubectl("create", "serviceaccount", f"--namespace={name}", "aws-iam-authenticator")
    _make_default_service_account(plane, name)
    return name


def test_the_pods_of_the_deployment_pass_pod_security_restricted(
    plane: ControlPlane, restricted: str
) -> None:
    _create(plane, pod_of("Deployment"), restricted)


@pytest.mark.parametrize("kind", ["DaemonSet", "static pod"])
def test_the_pods_on_control_plane_nodes_miss_restricted_by_the_host_alone(
    plane: ControlPlane, restricted: str, kind: str
) -> None:
    """By its network and its directories, and by nothing that could be avoided."""
    made = pod_of(kind)
    spec = {**made["spec"], "hostNetwork": False}
    spec["volumes"] = [
        {"name": volume["name"], "emptyDir": {}} if "hostPath" in volume else volume
        for volume in spec["volumes"]
    ]
    (container,) = spec["containers"]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    local = {
        name: {**container[name], "httpGet": {**container[name]["httpGet"], "host": ""}}
        for name in probes
    }
    spec["containers"] = [{**container, **local}]

    refused = _create(plane, made, restricted, check=False)
    assert "violates PodSecurity" in refused
    _create(plane, {**made, "spec": spec}, restricted)


def _make_default_service_account(plane: ControlPlane, namespace: str) -> None:
    """As the controller manager does, which a control plane of ours has not."""
    plane.kubectl("create", "serviceaccount", f"--namespace={namespace}", "default")


def _create(plane: ControlPlane, made: Object, namespace: str, *, check: bool = True) -> str:
    metadata = {**made["metadata"], "namespace": namespace}
    return plane.kubectl(
        "create",
        "--dry-run=server",
        "--validate=strict",
        "--filename=-",
        stdin=json.dumps({**made, "metadata": metadata}),
        check=check,
    ).stderr


def _service_monitors() -> Object:
    """What we use of the Prometheus operator's CustomResourceDefinition, whose names these are.

    The whole of it is 700 lines; with a schema, what is misspelt is refused all the same.
    """
    text = {"type": "string"}
    selector = {"type": "object", "properties": {"matchLabels": _map_of(text)}}
    key = _object_of(name=text, key=text)
    tls = _object_of(ca=_object_of(secret=key, configMap=key), serverName=text)
    endpoint = _object_of(port=text, path=text, scheme=text, interval=text, tlsConfig=tls)
    spec = _object_of(selector=selector, endpoints={"type": "array", "items": endpoint})
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_of(spec=spec)},
    }
    names = {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"}
    group = "monitoring.coreos.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"servicemonitors.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _object_of(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


def _map_of(values: Object) -> Object:
    return {"type": "object", "additionalProperties": values}
