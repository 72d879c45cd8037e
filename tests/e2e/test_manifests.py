"""The manifests on a real API server: schemas, admission and Pod Security.

Nothing runs the pods here. Of a DaemonSet or Deployment its Pod is created as a dry run, so that
what judges Pods judges it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, Options
from tests.e2e.manifests import (
    BASE,
    COMPONENTS,
    DEPLOYMENT,
    OVERLAYS,
    ROOT,
    Object,
    complete,
    pod_of,
    render,
    with_components,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

_EVERYTHING = [BASE, *sorted(OVERLAYS.iterdir())]


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    plane = start_control_plane(Options())
    for kind, spec in (("ServiceMonitor", _service_monitor()), ("PodMonitor", _pod_monitor())):
        definition = _definition(kind, spec)
        plane.kubectl("apply", "--filename=-", stdin=json.dumps(definition))
        name = definition["metadata"]["name"]
        plane.kubectl("wait", "--for=condition=Established", f"crd/{name}")
    _make_default_service_account(plane, "kube-system")
    return plane


@pytest.mark.parametrize("directory", _EVERYTHING, ids=lambda path: str(path.relative_to(ROOT)))
def test_is_applied_to_a_real_api_server(plane: ControlPlane, directory: Path) -> None:
    plane.kubectl("apply", "--validate=strict", f"--kustomize={directory}")


@pytest.mark.parametrize("overlay", ["service-monitor"])
def test_the_service_overlays_are_applied_as_one(
    plane: ControlPlane, tmp_path: Path, overlay: str
) -> None:
    directory = complete(tmp_path, DEPLOYMENT, OVERLAYS / overlay)
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", f"--kustomize={directory}")


@pytest.mark.parametrize("component", sorted(path.name for path in COMPONENTS.iterdir()))
@pytest.mark.parametrize("part", [BASE, DEPLOYMENT], ids=["base", "deployment"])
def test_the_components_are_applied_to_a_real_api_server(
    plane: ControlPlane, tmp_path: Path, part: Path, component: str
) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for directory in (alone, together):
        directory.mkdir()
    before, after = render(complete(alone, part)), with_components(together, part, component)
    # The others are for pods on the nodes of API servers.
    assert (after == before) is (part == DEPLOYMENT and component != "pod-monitor")
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", f"--kustomize={together}")


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


_TEXT: Object = {"type": "string"}


def _service_monitor() -> Object:
    key = _object_of(name=_TEXT, key=_TEXT)
    tls = _object_of(ca=_object_of(secret=key, configMap=key), serverName=_TEXT)
    endpoint = _object_of(port=_TEXT, path=_TEXT, scheme=_TEXT, interval=_TEXT, tlsConfig=tls)
    return _object_of(selector=_selector(), endpoints=_list_of(endpoint))


def _pod_monitor() -> Object:
    rule = _object_of(
        sourceLabels=_list_of(_TEXT),
        regex=_TEXT,
        action=_TEXT,
        targetLabel=_TEXT,
        replacement=_TEXT,
    )
    endpoint = _object_of(path=_TEXT, scheme=_TEXT, interval=_TEXT, relabelings=_list_of(rule))
    return _object_of(jobLabel=_TEXT, selector=_selector(), podMetricsEndpoints=_list_of(endpoint))


def _selector() -> Object:
    return {"type": "object", "properties": {"matchLabels": _map_of(_TEXT)}}


def _definition(kind: str, spec: Object) -> Object:
    """What we use of a CustomResourceDefinition of the Prometheus operator, whose names these are.

    The whole of it is 700 lines; with a schema, what is misspelt is refused all the same.
    """
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_of(spec=spec)},
    }
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    group = "monitoring.coreos.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _list_of(items: Object) -> Object:
    return {"type": "array", "items": items}


def _object_of(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


def _map_of(values: Object) -> Object:
    return {"type": "object", "additionalProperties": values}
