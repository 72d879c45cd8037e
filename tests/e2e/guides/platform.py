"""What kubelet, systemd and the controllers do on a node once a guide has told them to.

`settle` looks at the same things that they look at: the manifests of static pods, the unit that is
enabled, the DaemonSet in the cluster.
"""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.guides.node import Node, Run

if TYPE_CHECKING:
    Object = dict[str, Any]

_NAME = "aws-iam-authenticator"
# What `kubectl rollout status` looks at.
_READY = {
    "DaemonSet": ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"),
    "Deployment": ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"),
}
# Of all that kubeadm gives an API server, what makes it ask us.
_WEBHOOK_FLAG = re.compile(r"--(?:authentication-token-webhook|admission-control-config)-[^\s\"]+")


def settle(node: Node) -> None:
    """Do what is to be done now, and wait until it is done."""
    manifests = node.root / "etc/kubernetes/manifests"
    api_server = manifests / "kube-apiserver.yaml"
    if api_server.exists():
        node.tell_api_server(_WEBHOOK_FLAG.findall(api_server.read_text()))
    pod = manifests / f"{_NAME}.yaml"
    if pod.exists():
        node.run(_run_of(node, yaml.safe_load(pod.read_text())))
    elif (unit := node.root / f"etc/systemd/system/{_NAME}.service").exists():
        node.run(_unit(unit) if unit.with_suffix(".enabled").exists() else None)
    elif node.run_otherwise is not None:
        node.run(node.run_otherwise)
    else:
        _workload(node)


def _unit(unit: Path) -> Run:
    (command,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    program, *arguments = command.split()
    assert os.access(program, os.X_OK), program
    return Run(tuple(arguments))


def _workload(node: Node) -> None:
    """Run the pod of the DaemonSet or Deployment, and report it as their controllers do."""
    found = _get(node, "daemonsets,deployments")["items"]
    if not found:
        node.run(None)
        return
    (workload,) = found
    pod = workload["spec"]["template"]
    there = {secret["metadata"]["name"] for secret in _get(node, "secrets")["items"]}
    secrets = [volume["secret"] for volume in pod["spec"]["volumes"] if "secret" in volume]
    if any(secret["secretName"] not in there | _optional(secret) for secret in secrets):
        return  # The pod waits for it.
    node.run(_run_of(node, pod))
    number = workload["spec"].get("replicas", 1)
    status = dict.fromkeys(_READY[workload["kind"]], number)
    patch = {"status": {**status, "observedGeneration": workload["metadata"]["generation"]}}
    node.plane.kubectl(
        *("patch", workload["kind"], _NAME, "--namespace=kube-system", "--type=merge"),
        *("--subresource=status", f"--patch={json.dumps(patch)}"),
    )


def _optional(secret: Object) -> set[str]:
    return {secret["secretName"]} if secret.get("optional") else set()


def _run_of(node: Node, pod: Object) -> Run:
    """What kubelet makes of a Pod, once it has mounted what the Pod wants."""
    spec = pod["spec"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounted = [_mount(node, volumes[mount["name"]], mount) for mount in container["volumeMounts"]]
    variables = {}
    for variable in container.get("env", []):
        if "value" in variable:
            variables[variable["name"]] = node.here(variable["value"])
            continue
        reference = variable["valueFrom"]["configMapKeyRef"]
        data = _get(node, "configmap", reference["name"])["data"]
        variables[variable["name"]] = data[reference["key"]]
    if "serviceAccountName" in spec:
        variables["KUBERNETES_AWS_AUTHENTICATOR_KUBECONFIG"] = _account(node, spec)
    version = "\n".join([container["image"], *mounted])
    return Run(tuple(container["args"]), tuple(sorted(variables.items())), version)


def _mount(node: Node, volume: Object, mount: Object) -> str:
    """Have the files of a volume where the container finds them; return those of the cluster."""
    target = Path(mount["mountPath"])
    match volume:
        case {"hostPath": {"path": path, "type": "Directory"}}:
            assert Path(path).is_dir(), f"the pod waits for {path}"
            assert path == str(target)
        case {"configMap": {"name": name}}:
            data = _get(node, "configmap", name)["data"]
            target.mkdir(parents=True, exist_ok=True)
            (target / "config.yaml").write_text(data["config.yaml"])
            return str(data["config.yaml"])
        case {"secret": {"secretName": name}} if "subPath" in mount:
            data = _get(node, "secret", name)["data"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(base64.b64decode(data[mount["subPath"]]))
        case {"secret": {"secretName": name}}:
            target.mkdir(parents=True, exist_ok=True)
            for key, value in _get(node, "secret", name)["data"].items():
                (target / key).write_bytes(base64.b64decode(value))
        case {"emptyDir": _}:
            if str(target) != "/tmp":
                target.mkdir(parents=True, exist_ok=True)
    return ""


def _account(node: Node, spec: Object) -> str:
    """A kubeconfig with the Pod's ServiceAccount, which stands for the token in its file system."""
    name = spec["serviceAccountName"]
    path = node.root / f"{name}.kubeconfig"
    if not path.exists():
        token = node.plane.kubectl("create", "token", "--namespace=kube-system", name).stdout
        made = node.plane.kubeconfig(name, {"token": token.strip()})
        path.write_bytes(made.read_bytes())
    return str(path)


def _get(node: Node, *what: str) -> Object:
    found: Object = json.loads(
        node.plane.kubectl("get", *what, "--namespace=kube-system", "--output=json").stdout
    )
    return found
