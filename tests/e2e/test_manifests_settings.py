"""The manifests say to the server what it understands, and agree with it and with each other."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import authenticator
from authenticator.config import Loaded, load
from authenticator.errors import ConfigError
from authenticator.modes import CRD, EKS_CONFIG_MAP, canonical_modes
from authenticator.serving.certificates.admission_client import AdmissionClient
from authenticator.settings import Settings, places, variable
from tests.e2e.manifests import (
    BASE,
    CLUSTER_ID,
    DEPLOYMENT,
    OVERLAYS,
    ROOT,
    Object,
    complete,
    only,
    pod_of,
    render,
    with_components,
)

if TYPE_CHECKING:
    from pathlib import Path

USER = 10000
METRICS_PORT = 21364

# kubectl renders the manifests.
pytestmark = pytest.mark.cluster

every_pod = pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "static pod"])
every_pod_of_a_host = pytest.mark.parametrize("kind", ["DaemonSet", "static pod"])


def container(made: Object) -> Object:
    (found,) = made["spec"]["containers"]
    return dict(found)


def mounts(made: Object) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container(made)["volumeMounts"]}


def volumes(made: Object) -> dict[str, Object]:
    return {volume["name"]: volume for volume in made["spec"]["volumes"]}


def default(field: str) -> Any:
    return Settings.model_fields[field].default


def settings(directory: Path, config: str, arguments: list[str], cluster_id: str = "") -> Loaded:
    """What the server makes of its config file, its arguments and its one variable."""
    flags = {place.flag: name for name, _, place in places() if place.flag}
    given = dict(argument.partition("=")[::2] for argument in arguments)
    assert given.keys() <= flags.keys()
    file = directory / "config.yaml"
    file.write_text(config)
    environment = {variable("cluster_id"): cluster_id} if cluster_id else {}
    return load({flags[flag]: text or "true" for flag, text in given.items()}, environment, file)


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment"])
def test_the_server_starts_once_it_is_told_its_cluster(tmp_path: Path, kind: str) -> None:
    rendered = render(complete(tmp_path, BASE if kind == "DaemonSet" else DEPLOYMENT))
    config = only(rendered, "ConfigMap")
    (server,) = only(rendered, kind)["spec"]["template"]["spec"]["containers"]
    environment, *others = server["env"]
    assert [each["name"] for each in others] == (
        [variable("admission_client_file")] if kind == "Deployment" else []
    )
    key = environment["valueFrom"]["configMapKeyRef"]

    assert environment["name"] == variable("cluster_id")
    assert key == {"name": config["metadata"]["name"], "key": "clusterID"}
    verb, file, *further = server["args"]
    assert (verb, file) == ("server", "--config=/etc/aws-iam-authenticator/config.yaml")
    loaded = settings(tmp_path, config["data"]["config.yaml"], further, config["data"]["clusterID"])
    assert loaded.warnings == ()
    assert loaded.settings.cluster_id == CLUSTER_ID
    assert loaded.settings.backend_mode == (EKS_CONFIG_MAP, CRD)


def test_there_is_no_id_that_two_clusters_could_share(tmp_path: Path) -> None:
    data = only(render(BASE), "ConfigMap")["data"]
    assert "clusterID" not in data
    with pytest.raises(ConfigError, match="clusterID"):
        settings(tmp_path, data["config.yaml"], [])


def test_a_static_pod_starts_once_it_is_told_its_cluster(tmp_path: Path) -> None:
    config = (OVERLAYS / "static-pod" / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="clusterID"):
        settings(tmp_path, config, [])
    loaded = settings(tmp_path, f"clusterID: {CLUSTER_ID}\n{config}", [])
    assert loaded.warnings == ()
    assert loaded.settings.kubeconfig.startswith("/etc/aws-iam-authenticator/")


@every_pod
def test_ports_are_those_that_the_server_listens_on(kind: str) -> None:
    server = container(pod_of(kind))
    ports = {port["name"]: port["containerPort"] for port in server.get("ports", ())}
    # On a host they are not declared: a scheduler would start no server beside another.
    assert ports == (
        {"https": default("port"), "health": default("health_port")} if kind == "Deployment" else {}
    )
    for probe, path in (
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ):
        asked = server[probe]["httpGet"]
        assert ports.get(asked["port"], asked["port"]) == default("health_port")
        assert asked["path"] == path


def test_the_next_server_of_a_host_starts_beside_the_one_that_is_to_go() -> None:
    made = only(render(BASE), "DaemonSet")["spec"]
    assert made["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert made["minReadySeconds"] >= 10


@every_pod
def test_the_state_is_where_the_server_keeps_it_and_can_be_written(kind: str) -> None:
    made = pod_of(kind)
    assert mounts(made)[str(default("state_dir"))] == "state"
    writable = {
        mount["mountPath"] for mount in container(made)["volumeMounts"] if not mount.get("readOnly")
    }
    assert container(made)["securityContext"]["readOnlyRootFilesystem"]
    state, webhook = str(default("state_dir")), str(default("generate_kubeconfig").parent)
    assert (
        writable
        == {
            "DaemonSet": {state, webhook},
            "Deployment": {state},
            # The client of a kubeconfig with certificates in it needs the third.
            "static pod": {state, webhook, "/tmp"},
        }[kind]
    )


@every_pod_of_a_host
def test_the_hosts_directories_have_the_paths_of_the_containers(kind: str) -> None:
    made = pod_of(kind)
    for path, name in mounts(made).items():
        host = volumes(made)[name].get("hostPath")
        assert host in (None, {"path": path, "type": "Directory"})
        assert host or name in ("config", "tmp")


@every_pod
def test_the_user_is_the_references_and_never_root(kind: str) -> None:
    made = pod_of(kind)
    context = made["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (USER, USER)
    assert context["runAsNonRoot"]
    assert "initContainers" not in made["spec"]


@every_pod
def test_the_image_is_of_this_version(kind: str) -> None:
    made = pod_of(kind)
    assert container(made)["image"] == f"kube-iam-authenticator:{authenticator.__version__}"


def test_the_guide_installs_this_version() -> None:
    guide = (ROOT.parent / "docs" / "install.md").read_text()
    assert f"export VERSION={authenticator.__version__}\n" in guide


def test_the_pods_differ_only_where_they_must() -> None:
    """One source of truth in three files: whoever edits one is told of the others."""
    daemon, static = (
        {**made["spec"], **container(made)} for made in map(pod_of, ("DaemonSet", "static pod"))
    )
    deployed = container(pod_of("Deployment"))
    assert {name: static[name] for name in _SAME_ON_HOSTS} == {
        name: daemon[name] for name in _SAME_ON_HOSTS
    }
    assert {name: deployed[name] for name in _SAME_EVERYWHERE} == {
        name: daemon[name] for name in _SAME_EVERYWHERE
    }


_SAME_EVERYWHERE = ("name", "image", "resources", "securityContext")
_SAME_ON_HOSTS = (
    *("priorityClassName", "hostNetwork", "dnsPolicy", "terminationGracePeriodSeconds"),
    *("args", "startupProbe", "livenessProbe", "readinessProbe"),
    *_SAME_EVERYWHERE,
)


def test_break_glass_is_where_root_of_a_node_can_put_it(tmp_path: Path) -> None:
    static = (OVERLAYS / "static-pod" / "config.yaml").read_text()
    for config in (only(render(BASE), "ConfigMap")["data"]["config.yaml"], static):
        path = settings(tmp_path, config, [], CLUSTER_ID).settings.break_glass_path
        assert path.startswith(f"{default('state_dir')}/")


def test_a_systemd_unit_runs_the_server_with_what_systemd_lets_it_write(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.read(ROOT / "systemd" / "aws-iam-authenticator.service")
    service = unit["Service"]
    _, verb, file, *further = service["ExecStart"].split()
    assert (verb, file) == ("server", "--config=/etc/aws-iam-authenticator/config.yaml")
    assert further == []
    assert service["ReadWritePaths"].split() == [
        str(default("state_dir")),
        str(default("generate_kubeconfig").parent),
    ]


def test_a_socket_unit_holds_the_ports_of_the_server_in_its_order() -> None:
    text = (ROOT / "systemd" / "aws-iam-authenticator.socket").read_text()
    held = re.findall(r"^ListenStream=(.+)$", text, re.MULTILINE)
    assert held == [f"127.0.0.1:{default(port)}" for port in ("port", "health_port")]


def test_the_service_is_where_the_admission_webhook_is_asked() -> None:
    rendered = render(DEPLOYMENT)
    service = only(rendered, "Service")
    (port,) = service["spec"]["ports"]
    hooks = only(rendered, "ValidatingWebhookConfiguration")["webhooks"]
    asked = [hook["clientConfig"]["service"] for hook in hooks]
    where = {"name": service["metadata"]["name"], "namespace": service["metadata"]["namespace"]}
    assert asked == [{**where, "path": "/validate"}] * 2
    # What the API server asks that is told of no port.
    assert (port["port"], port["targetPort"]) == (443, "https")
    labels = pod_of("Deployment")["metadata"]["labels"]
    assert labels.items() >= service["spec"]["selector"].items()


def test_kubeadm_shows_the_api_server_the_file_that_the_server_writes() -> None:
    document = yaml.safe_load((OVERLAYS / "kubeadm" / "cluster-configuration.yaml").read_text())
    flags = {argument["name"]: argument["value"] for argument in document["apiServer"]["extraArgs"]}
    (volume,) = document["apiServer"]["extraVolumes"]
    written = default("generate_kubeconfig")
    assert flags["authentication-token-webhook-config-file"] == str(written)
    configuration = OVERLAYS.parent / "admission" / "admission-configuration.yaml"
    assert flags["admission-control-config-file"] == str(written.with_name(configuration.name))
    (plugin,) = yaml.safe_load(configuration.read_text())["plugins"]
    client = AdmissionClient.next_to(written, default("state_dir"), "localhost", 21362)
    assert plugin["configuration"]["kubeConfigFile"] == str(client.kubeconfig)
    assert volume["hostPath"] == volume["mountPath"] == str(written.parent)
    assert volumes(pod_of("DaemonSet"))["webhook"]["hostPath"]["path"] == volume["hostPath"]


def test_kops_gets_values_that_the_server_takes(tmp_path: Path) -> None:
    cluster = yaml.safe_load((OVERLAYS / "kops" / "cluster.yaml").read_text())["spec"]
    aws = cluster["authentication"]["aws"]
    server = container(pod_of("DaemonSet"))
    resources = server["resources"]
    assert aws["image"] == server["image"]
    assert aws["memoryRequest"] == resources["requests"]["memory"]
    assert aws["memoryLimit"] == resources["limits"]["memory"]
    assert CRD not in canonical_modes(aws["backendMode"].split(","))
    # The arguments of kops's DaemonSet.
    arguments = [
        "--state-dir=/var/aws-iam-authenticator",
        "--kubeconfig-pregenerated=true",
        f"--backend-mode={aws['backendMode']}",
        f"--cluster-id={CLUSTER_ID}",
    ]
    config = only(render(OVERLAYS / "kops"), "ConfigMap")
    assert config["metadata"]["name"] == "aws-iam-authenticator"
    loaded = settings(tmp_path, config["data"]["config.yaml"], arguments)
    assert (loaded.settings.kubeconfig_pregenerated, loaded.warnings) == (True, ())


def test_a_source_can_be_left_out_with_all_of_its_rights(tmp_path: Path) -> None:
    label = "app.kubernetes.io/component"
    component = "source-custom-resources"
    deletion = {"$patch": "delete", "apiVersion": "any", "kind": "any", "metadata": {"name": "any"}}
    patch = {
        "target": {"labelSelector": f"{label}={component}"},
        "patch": yaml.safe_dump(deletion),
    }
    left = render(complete(tmp_path, BASE, patches=[patch]))
    gone = [obj for obj in render(BASE) if obj["metadata"]["labels"].get(label) == component]
    assert len(gone) == 5
    assert not [obj for obj in left if "custom" in str(obj["metadata"]).lower()]
    assert len(left) == len(render(BASE)) - len(gone)


@pytest.mark.parametrize(("part", "kind"), [(BASE, "DaemonSet"), (DEPLOYMENT, "Deployment")])
def test_a_pod_monitor_scrapes_the_port_that_the_server_then_has(
    tmp_path: Path, part: Path, kind: str
) -> None:
    rendered = with_components(tmp_path, part, "pod-monitor")
    (server,) = only(rendered, kind)["spec"]["template"]["spec"]["containers"]
    _, _, *further = server["args"]
    loaded = settings(tmp_path, "clusterID: a", further).settings
    assert loaded.metrics_endpoint == ("::", METRICS_PORT)
    (endpoint,) = only(rendered, "PodMonitor")["spec"]["podMetricsEndpoints"]
    added = {rule["replacement"] for rule in endpoint["relabelings"] if "replacement" in rule}
    assert added == {f"$1:{METRICS_PORT}", f"[$1]:{METRICS_PORT}"}


def test_a_loopback_of_ipv6_alone_is_listened_on_and_probed(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, BASE, "ipv6-loopback")
    (server,) = only(rendered, "DaemonSet")["spec"]["template"]["spec"]["containers"]
    _, _, *further = server["args"]
    assert settings(tmp_path, "clusterID: a", further).settings.address == "::1"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert server[probe]["httpGet"]["host"] == "::1"


def test_the_deployment_listens_on_both_families(tmp_path: Path) -> None:
    rendered = render(DEPLOYMENT)
    (server,) = only(rendered, "Deployment")["spec"]["template"]["spec"]["containers"]
    _, _, *further = server["args"]
    assert settings(tmp_path, "clusterID: a", further).settings.address == "::"
    assert only(rendered, "Service")["spec"]["ipFamilyPolicy"] == "PreferDualStack"


def test_the_monitoring_objects_have_the_label_that_kube_prometheus_stack_selects(
    tmp_path: Path,
) -> None:
    rendered = [
        *with_components(tmp_path, BASE, "pod-monitor"),
        *render(OVERLAYS / "service-monitor"),
        *render(ROOT / "monitoring"),
    ]
    for kind in ("PodMonitor", "ServiceMonitor", "PrometheusRule"):
        assert only(rendered, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_nodes_without_directories_need_none(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, BASE, "certificate-secret")
    spec = only(rendered, "DaemonSet")["spec"]["template"]["spec"]
    assert [volume for volume in spec["volumes"] if "hostPath" in volume] == []
    (server,) = spec["containers"]
    _, _, *further = server["args"]
    loaded = settings(tmp_path, "clusterID: a", further).settings
    assert loaded.kubeconfig_pregenerated
    mounted = {mount["mountPath"]: mount for mount in server["volumeMounts"]}
    state = loaded.state_dir
    for name in ("cert.pem", "key.pem"):
        assert mounted[str(state / name)]["name"] == "certificate"
        assert mounted[str(state / name)]["readOnly"]
    assert not mounted[str(state)].get("readOnly")
    assert str(loaded.generate_kubeconfig.parent) not in mounted
