"""The DaemonSet runs on every node with an API server, and on no other, with each distribution.

Whether a pod runs on a node is the answer of the scheduler's own code (`dev.scheduling`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dev import scheduling
from tests.e2e.manifests import Object, pod_of

# kubectl renders the manifests, and Go builds the oracle.
pytestmark = [pytest.mark.cluster, pytest.mark.reference]

_ROLE = "node-role.kubernetes.io/"
_NO_BALANCER = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}


@dataclass(frozen=True)
class NodeObject:
    """A node as a distribution labels and taints it.

    Attributes:
        labels: by name.
        taints: each as KEY=VALUE:EFFECT.
        api_server: whether an API server runs there.
    """

    labels: dict[str, str]
    taints: tuple[str, ...] = ()
    api_server: bool = True
    name: str = field(default="a-node", repr=False)

    @property
    def object(self) -> Object:
        taints = []
        for taint in self.taints:
            pair, _, effect = taint.rpartition(":")
            key, _, value = pair.partition("=")
            taints.append({"key": key, "value": value, "effect": effect})
        metadata = {"name": self.name, "labels": {"kubernetes.io/os": "linux", **self.labels}}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": metadata,
            "spec": {"taints": taints},
        }


NODES = {
    # kubeadm, constants.LabelNodeRoleControlPlane and ControlPlaneTaint.
    "kubeadm": NodeObject(
        {_ROLE + "control-plane": "", **_NO_BALANCER}, (f"{_ROLE}control-plane=:NoSchedule",)
    ),
    "kubeadm, before a cloud provider knows it": NodeObject(
        {_ROLE + "control-plane": ""},
        (
            f"{_ROLE}control-plane=:NoSchedule",
            "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule",
            "node.kubernetes.io/not-ready=:NoExecute",
        ),
    ),
    "kubeadm, a version before 1.20": NodeObject(
        {_ROLE + "master": ""}, (f"{_ROLE}master=:NoSchedule",)
    ),
    # Cluster API uses kubeadm, and so does EKS Anywhere, whose spec may have other taints.
    "Cluster API": NodeObject(
        {_ROLE + "control-plane": ""}, (f"{_ROLE}control-plane=:NoSchedule",)
    ),
    "EKS Anywhere": NodeObject(
        {_ROLE + "control-plane": ""}, (f"{_ROLE}control-plane=:NoSchedule", "own=true:NoExecute")
    ),
    # kops, pkg/nodelabels.
    "kops": NodeObject(
        {
            _ROLE + "control-plane": "",
            "kops.k8s.io/kops-controller-pki": "",
            "kops.k8s.io/instancegroup": "control-plane-us-west-2a",
            **_NO_BALANCER,
        },
        (f"{_ROLE}control-plane=:NoSchedule",),
    ),
    # k3s, pkg/server: both labels are "true", and nothing is tainted unless the operator does.
    "k3s": NodeObject({_ROLE + "control-plane": "true", _ROLE + "master": "true"}),
    "k3s with etcd": NodeObject(
        {
            _ROLE + "control-plane": "true",
            _ROLE + "master": "true",
            _ROLE + "etcd": "true",
        },
        ("CriticalAddonsOnly=true:NoExecute",),
    ),
    "RKE2": NodeObject(
        {
            _ROLE + "control-plane": "true",
            _ROLE + "master": "true",
            _ROLE + "etcd": "true",
        },
        ("CriticalAddonsOnly=true:NoExecute", f"{_ROLE}etcd=true:NoExecute"),
    ),
    "RKE2, installed by Rancher": NodeObject(
        {_ROLE + "control-plane": "true", _ROLE + "etcd": "true"},
        (f"{_ROLE}control-plane=true:NoSchedule", f"{_ROLE}etcd=true:NoExecute"),
    ),
    # Talos, cluster.allowSchedulingOnControlPlanes: false.
    "Talos": NodeObject(
        {_ROLE + "control-plane": "", **_NO_BALANCER}, (f"{_ROLE}control-plane=:NoSchedule",)
    ),
    "a worker": NodeObject({_ROLE + "worker": "", _ROLE + "node": ""}, api_server=False),
    "a worker of k3s": NodeObject({"node.kubernetes.io/instance-type": "k3s"}, api_server=False),
    "etcd alone, of k3s or RKE2": NodeObject(
        {_ROLE + "etcd": "true"}, (f"{_ROLE}etcd=true:NoExecute",), api_server=False
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_server_runs_where_an_api_server_does(name: str) -> None:
    node = NODES[name]
    [verdict] = scheduling.judge([(pod_of("DaemonSet"), node.object)])
    assert verdict.selected is node.api_server
    assert verdict.untolerated == ""


def test_the_oracle_tells_a_value_from_a_name() -> None:
    """The selector that matched no node of k3s and RKE2."""
    pod = pod_of("DaemonSet")
    spec = {**pod["spec"], "affinity": {}, "nodeSelector": {_ROLE + "control-plane": ""}}
    asked = [({**pod, "spec": spec}, NODES[name].object) for name in ("kubeadm", "k3s", "RKE2")]
    assert [verdict.selected for verdict in scheduling.judge(asked)] == [True, False, False]


def test_the_oracle_knows_taints() -> None:
    pod = pod_of("DaemonSet")
    spec = {**pod["spec"], "tolerations": []}
    [verdict] = scheduling.judge([({**pod, "spec": spec}, NODES["RKE2"].object)])
    assert verdict.untolerated == "CriticalAddonsOnly=true:NoExecute"
