"""A real Kubernetes control plane on loopback: etcd and kube-apiserver, and kubectl to talk to it.

There is no kubelet and no controller manager, so nothing runs Pods; authentication, authorization,
admission, watches, certificate requests and audit are those of a real cluster.
"""

from dev.cluster.apiserver import Options, Webhook
from dev.cluster.controlplane import ControlPlane, KubectlError

__all__ = ["ControlPlane", "KubectlError", "Options", "Webhook"]
