"""The PodMonitor finds pods of the host's network, which declare no port: Prometheus relabels here.

Neither operator nor kubelet is here. The test makes the scrape configuration that the operator
makes of a PodMonitor, and the labels that Prometheus gives to the pods of an API server.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import debian
from tests.e2e.manifests import BASE, Object, only, pod_of, with_components

# kubectl renders the manifests.
pytestmark = [pytest.mark.cluster, pytest.mark.debian]

_META = "__meta_kubernetes_pod"


def underscored(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def relabelled(monitor: Object) -> list[Object]:
    """The operator's relabel_configs for a PodMonitor (prometheus-operator, promcfg.go)."""
    spec = monitor["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    rules: list[Object] = [
        {
            "source_labels": [f"{_META}_label_{underscored(name)}"],
            "regex": value,
            "action": "keep",
        }
        for name, value in spec["selector"]["matchLabels"].items()
    ]
    job = f"{_META}_label_{underscored(spec['jobLabel'])}"
    rules.append({"source_labels": [job], "target_label": "job"})
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return rules + [
        {names.get(name, name): value for name, value in rule.items()}
        for rule in endpoint["relabelings"]
    ]


def discovered(pod: Object, address: str) -> Object:
    """A pod without ports as Prometheus discovers it (discovery/kubernetes/pod.go)."""
    labels = {
        f"{_META}_label_{underscored(name)}": value
        for name, value in pod["metadata"]["labels"].items()
    }
    return {
        "targets": [address],
        "labels": {
            **labels,
            f"{_META}_ip": address,
            f"{_META}_host_ip": address,
            f"{_META}_node_name": "a-node",
            f"{_META}_container_init": "false",
        },
    }


def targets(directory: Path, *pods: Object) -> list[dict[str, str]]:
    monitor = only(with_components(directory, BASE, "pod-monitor"), "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    job: dict[str, Any] = {
        "job_name": "pods",
        "metrics_path": endpoint["path"],
        "scheme": endpoint["scheme"],
        "static_configs": list(pods),
        "relabel_configs": relabelled(monitor),
    }
    config = directory / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job]}))
    done = subprocess.run(
        [debian.find("promtool"), "check", "service-discovery", "--timeout=5s", config, "pods"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [found["labels"] for found in json.loads(done.stdout) if found.get("labels")]


def test_each_server_is_scraped_at_its_metrics_port(tmp_path: Path) -> None:
    ours = pod_of("DaemonSet")
    other = {"metadata": {"labels": {"app.kubernetes.io/name": "another"}}}
    found = targets(
        tmp_path,
        discovered(ours, "192.0.2.7"),
        discovered(ours, "2001:db8::7"),
        discovered(other, "192.0.2.8"),
    )
    assert {labels["__address__"] for labels in found} == {
        "192.0.2.7:21364",
        "[2001:db8::7]:21364",
    }
    # The alert rules look for this job.
    assert {labels["job"] for labels in found} == {"aws-iam-authenticator"}
    assert {labels["node"] for labels in found} == {"a-node"}
