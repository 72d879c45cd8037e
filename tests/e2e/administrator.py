"""Somebody who edits the mappings of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dev.cluster import ControlPlane

    Entries = Sequence[Mapping[str, object]]

CRD = Path(__file__).parents[2] / "manifests" / "base" / "crd.yaml"


class Administrator:
    """Edits with kubectl."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def apply(self, obj: dict[str, Any]) -> None:
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(obj))

    def write(self, map_roles: Entries | str, map_users: Entries = ()) -> None:
        """Write aws-auth; `mapRoles` as entries or as its very text."""
        text = map_roles if isinstance(map_roles, str) else json.dumps(map_roles)
        metadata = {"name": "aws-auth", "namespace": "kube-system"}
        data = {"mapRoles": text, "mapUsers": json.dumps(map_users)}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def delete_config_map(self) -> None:
        self.plane.kubectl("delete", "--namespace=kube-system", "configmap", "aws-auth")

    def map(self, name: str, **spec: Any) -> None:
        """Write an IAMIdentityMapping."""
        kind = {"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping"}
        self.apply({**kind, "metadata": {"name": name}, "spec": spec})

    def install_crd(self) -> None:
        self.plane.kubectl("apply", f"--filename={CRD}")
        self.plane.kubectl("wait", "--for=condition=Established", f"--filename={CRD}")

    def get(self, *what: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.plane.kubectl("get", "-o=json", *what).stdout)
        return found

    def wait_for(self, wanted: Callable[[], bool]) -> None:
        """Ask the API server until it is as wanted."""
        wait_until(wanted, "the API server does not have what was waited for")

    def events(self, kind: str) -> list[str]:
        """What the Events on objects of a kind say."""
        chosen = f"--field-selector=involvedObject.kind={kind}"
        found = self.get("events", "--all-namespaces", chosen)
        return [event["message"] for event in found["items"]]
