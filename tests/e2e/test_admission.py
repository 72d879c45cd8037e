"""A real API server asks our webhook, and its own policies, about edits of the mappings."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import re
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster import KubectlError, Options, Webhook
from dev.server import COMMAND, WebhookServer
from dev.waiting import PATIENCE_SECONDS
from tests.e2e import callers, manifests
from tests.e2e.administrator import Administrator
from tests.e2e.following import Cluster, following

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble
    from tests.e2e.attacks import Attack
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ADMISSION = manifests.ROOT / "admission"
FORCE = "iamauthenticator.k8s.aws/force"
AWS_AUTH = ("--namespace=kube-system", "configmap", "aws-auth")
WEBHOOK = "validatingwebhookconfiguration"
ALICE = {
    "userarn": callers.ALICE.principal.arn,
    "username": "alice",
    "groups": ["system:masters"],
}
NODE = {
    "rolearn": f"arn:aws:iam::{callers.ACCOUNT}:role/Node",
    "username": "system:node:{{EC2PrivateDNSName}}",
    "groups": ["system:bootstrappers", "system:nodes"],
}
VIEWER = {
    "rolearn": f"arn:aws:iam::{callers.ACCOUNT}:role/Viewer",
    "username": "viewer",
    "groups": ["viewers"],
}
SECRET = "0123456789abcdef0123456789abcdef"
CREATOR = f"arn:aws:iam::{callers.ACCOUNT}:role/Creator"


@pytest.fixture(scope="module")
def cluster(
    start_control_plane: StartControlPlane,
    session_aws: AwsDouble,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("admission")
    secret = directory / "secret"
    secret.write_text(f"{SECRET}\n")
    settings = {"backendMode": ["EKSConfigMap", "CRD"], "admissionSecretFile": str(secret)}
    with following(start_control_plane, directory, session_aws.environment(), settings) as running:
        running.administrator.install_crd()
        yield running


class Editors:
    """Somebody with a client certificate's rights, and Alice, who comes in by aws-auth."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory

    def alice(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        token = callers.fresh_token(callers.ALICE.principal)
        kubeconfig = self.cluster.plane.kubeconfig("alice", {"token": token})
        return self.cluster.plane.kubectl(*arguments, kubeconfig=kubeconfig, check=False, **options)

    def admin(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.cluster.plane.kubectl(*arguments, check=False, **options)

    def editor(self, script: str) -> dict[str, str]:
        """An editor that does as `script` says with the file `$1`."""
        path = self.directory / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        return {"KUBE_EDITOR": str(path)}

    def data(self) -> dict[str, str]:
        found: dict[str, str] = self.cluster.administrator.get(*AWS_AUTH)["data"]
        return found


def written(*roles: object, users: tuple[object, ...] = (ALICE,), reason: str = "") -> str:
    """aws-auth as somebody has it in a file."""
    annotations = {FORCE: reason} if reason else {}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "aws-auth",
                "namespace": "kube-system",
                "annotations": annotations,
            },
            "data": {
                "mapRoles": yaml.safe_dump(list(roles)),
                "mapUsers": yaml.safe_dump(list(users)),
            },
        }
    )


def configuration(
    cluster: Cluster, failure_policy: str, *kinds: str, path: str = "/validate"
) -> list[dict[str, Any]]:
    """The manifests, completed as docs/admission.md says, for our port."""
    kubeconfig = yaml.safe_load(cluster.server.kubeconfig.read_text())
    bundle = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(bundle).startswith(b"-----BEGIN CERTIFICATE-----")
    rendered = copy.deepcopy(manifests.render(ADMISSION))
    objects = [obj for obj in rendered if obj["kind"].startswith(kinds)]
    for obj in objects:
        for webhook in obj.get("webhooks", ()):
            url = webhook["clientConfig"]["url"].replace("21362", str(cluster.server.port))
            url = url.replace("/validate", path)
            webhook["clientConfig"] = {"url": url, "caBundle": bundle}
            webhook["failurePolicy"] = failure_policy
    return objects


def install(cluster: Cluster, objects: list[dict[str, Any]]) -> None:
    for obj in objects:
        cluster.administrator.apply(obj)


def remove(cluster: Cluster) -> None:
    """The way out that is always open: nobody asks a webhook about webhooks."""
    for kind in (WEBHOOK, "validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        cluster.plane.kubectl("delete", kind, "--all")


@pytest.fixture
def editors(cluster: Cluster, tmp_path: Path) -> Iterator[Editors]:
    """The webhook in force, over sound mappings that the server has read."""
    cluster.administrator.plane.kubectl("apply", "-f", "-", stdin=written(NODE, VIEWER))
    cluster.administrator.wait_for(
        lambda: cluster.groups(callers.ALICE.principal) == ["system:masters"]
    )
    install(cluster, configuration(cluster, "Fail", "ValidatingWebhook"))
    found = Editors(cluster, tmp_path)
    # An API server learns of its webhooks by a watch of its own.
    broken = written(NODE, {"rolearn": "x"})
    cluster.administrator.wait_for(
        lambda: found.admin("apply", "--dry-run=server", "-f", "-", stdin=broken).returncode != 0
    )
    yield found
    remove(cluster)
    cluster.administrator.wait_for(
        lambda: found.admin("apply", "--dry-run=server", "-f", "-", stdin=broken).returncode == 0
    )


def test_kubectl_edit_cannot_store_what_does_not_parse(editors: Editors) -> None:
    before = editors.data()
    script = 'sed -i "s/^    - groups:/    - {groups:/" "$1"'
    edited = editors.alice("edit", *AWS_AUTH, env=editors.editor(script))
    assert edited.returncode != 0
    assert "aws-auth.iamauthenticator.k8s.aws" in edited.stderr
    assert "[unreadable]" in edited.stderr
    assert editors.data() == before


def test_kubectl_shows_warnings_and_stores_the_edit(editors: Editors) -> None:
    single = {**VIEWER, "rolearn": f"{CREATOR}2", "groups": "viewers"}
    applied = editors.alice("apply", "-f", "-", stdin=written(NODE, VIEWER, single))
    assert applied.returncode == 0, applied.stderr
    assert "Warning: mapRoles[2], line " in applied.stderr
    assert "[single-group]" in applied.stderr
    assert "Creator2" in editors.data()["mapRoles"]


def test_kubectl_shows_names_that_callers_choose_or_mistake(editors: Editors) -> None:
    """The first was a note, which the webhook hid; the second passed for an ordinary group."""
    people = {"rolearn": f"{CREATOR}3", "username": "system:node:{{SessionName}}"}
    people["groups"] = ["system:nodes"]
    alike = {"rolearn": f"{CREATOR}4", "username": "x", "groups": ["System:masters"]}
    applied = editors.alice("apply", "-f", "-", stdin=written(NODE, VIEWER, people, alike))
    assert applied.returncode == 0, applied.stderr
    assert "[node-by-session-name]" in applied.stderr
    assert "[look-alike-name]" in applied.stderr


def test_an_error_that_was_there_before_is_a_warning(cluster: Cluster, editors: Editors) -> None:
    reason = "an old error"
    broken = {"rolearn": "nonsense", "username": "x"}
    forced = editors.admin("apply", "-f", "-", stdin=written(NODE, VIEWER, broken, reason=reason))
    assert forced.returncode == 0, forced.stderr
    applied = editors.alice("apply", "-f", "-", stdin=written(NODE, broken, reason=reason))
    assert applied.returncode == 0, applied.stderr
    assert "Warning: mapRoles[1], line " in applied.stderr


def test_nobody_locks_themselves_out(editors: Editors) -> None:
    alone = {**ALICE, "userarn": f"{ALICE['userarn']}-other"}
    applied = editors.alice("apply", "-f", "-", stdin=written(NODE, VIEWER, users=(alone,)))
    assert applied.returncode != 0
    assert "you would lose access" in applied.stderr
    assert editors.alice("auth", "whoami").returncode == 0


def test_the_last_administrator_and_the_nodes_stay(editors: Editors) -> None:
    """Whoever has a certificate loses nothing of their own."""
    applied = editors.admin("apply", "-f", "-", stdin=written(VIEWER, users=()))
    assert applied.returncode != 0
    assert "the last permanent administrator" in applied.stderr
    assert "the last permanent mapping for nodes" in applied.stderr


def test_a_reason_breaks_the_glass_once(editors: Editors) -> None:
    document = written(NODE, users=(), reason="moving to access entries")
    since = editors.cluster.server.log.end
    applied = editors.admin("apply", "-f", "-", stdin=document)
    assert applied.returncode == 0, applied.stderr
    assert "Warning: stored all the same: " in applied.stderr
    (line,) = editors.cluster.server.log.wait_for(
        lambda line: line if '"event":"admission"' in line else None, since=since
    )
    record = json.loads(line)
    assert (record["decision"], record["forced_by"]) == ("forced", "moving to access entries")
    assert record["username"] == "admin"
    again = written(users=(), reason="moving to access entries")
    assert editors.admin("apply", "-f", "-", stdin=again).returncode != 0


@pytest.mark.parametrize("how", [("aws-auth",), ("--all",)], ids=["by name", "as a collection"])
def test_aws_auth_is_not_deleted_by_accident(editors: Editors, how: tuple[str, ...]) -> None:
    deleted = editors.admin("delete", "--namespace=kube-system", "configmap", *how)
    assert deleted.returncode != 0
    assert "aws-auth would be deleted" in deleted.stderr
    assert editors.data()


def test_aws_auth_is_deleted_for_a_reason(editors: Editors) -> None:
    assert editors.admin("annotate", *AWS_AUTH, f"{FORCE}-delete=access entries").returncode == 0
    deleted = editors.admin("delete", *AWS_AUTH)
    assert deleted.returncode == 0, deleted.stderr
    assert "Warning: stored all the same: aws-auth would be deleted" in deleted.stderr


def test_other_config_maps_are_not_looked_at(editors: Editors) -> None:
    literal = "--from-literal=mapRoles=- {"
    created = editors.admin("create", "configmap", "other", "-n", "kube-system", literal)
    assert created.returncode == 0, created.stderr
    assert editors.admin("delete", "configmap", "other", "-n", "kube-system").returncode == 0


def mapping(name: str, **spec: Any) -> str:
    kind = {"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping"}
    return json.dumps({**kind, "metadata": {"name": name}, "spec": spec})


def test_custom_resources_are_judged_together_with_aws_auth(editors: Editors) -> None:
    broken = mapping("broken", arn="arn:aws:iam::1:role/x", username="x")
    applied = editors.alice("apply", "-f", "-", stdin=broken)
    assert applied.returncode != 0
    assert "identity-mappings.iamauthenticator.k8s.aws" in applied.stderr
    # aws-auth comes first, so that this takes nothing from Alice.
    mine = mapping("mine", arn=ALICE["userarn"], username="x")
    assert editors.alice("apply", "-f", "-", stdin=mine).returncode == 0
    creator = mapping("creator", arn=CREATOR, username="creator", groups=["system:masters"])
    assert editors.alice("apply", "-f", "-", stdin=creator).returncode == 0
    try:
        assert editors.alice("delete", "iamidentitymapping", "mine", "creator").returncode == 0
    finally:
        editors.admin("delete", "iamidentitymapping", "--all")


def test_deleting_all_at_once_keeps_the_last_administrator(editors: Editors) -> None:
    """The API server asks about each while the server may not know yet that others are gone."""
    names = [f"admin-{letter}" for letter in "abcdef"]
    for name in names:
        spec = {"arn": f"{CREATOR}-{name}", "username": name, "groups": ["system:masters"]}
        assert editors.admin("apply", "-f", "-", stdin=mapping(name, **spec)).returncode == 0
    bob = {"userarn": f"arn:aws:iam::{callers.ACCOUNT}:user/bob", "username": "bob"}
    nobody = written(NODE, VIEWER, users=(bob,))
    editors.cluster.administrator.wait_for(
        lambda: editors.admin("apply", "-f", "-", stdin=nobody).returncode == 0
    )
    try:
        deleted = editors.admin("delete", "iamidentitymapping", *names)
        assert "the last permanent administrator" in deleted.stderr
        left = editors.admin("get", "iamidentitymapping", "--output=name").stdout.split()
        assert len(left) == 1
    finally:
        editors.admin("apply", "-f", "-", stdin=written(NODE, VIEWER))
        editors.cluster.administrator.wait_for(
            lambda: editors.admin("delete", "iamidentitymapping", "--all").returncode == 0
        )


# Who may ask.


@pytest.mark.attack("Anonymous connections to /validate")
def test_anonymous_connections_do_not_switch_the_guard_off(
    editors: Editors, attack: Attack
) -> None:
    """Twelve slow ones took the places of both workers: 8 of 8 broken edits were stored."""
    attack.load("12 that announce 1,000,000 bytes and send one; 4 broken edits with kubectl")
    attack.bound("each edit is refused, each connection gets 401")
    install(editors.cluster, configuration(editors.cluster, "Ignore", "ValidatingWebhook"))
    before = editors.data()
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(anonymous(editors.cluster)) for _ in range(12)]
        for sock in slow:
            sock.sendall(head + b"x")
        broken = written(NODE, {"rolearn": "x"})
        edits = [editors.admin("apply", "-f", "-", stdin=broken) for _ in range(4)]
        refused = sum("denied the request" in edit.stderr for edit in edits)
        attack.saw(f"{refused} of {len(edits)} edits refused")
        assert refused == len(edits)
        assert {sock.recv(12) for sock in slow} == {b"HTTP/1.1 401"}
    assert editors.data() == before


def anonymous(cluster: Cluster) -> ssl.SSLSocket:
    """A TLS connection of a process that can reach the port."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = socket.create_connection(("127.0.0.1", cluster.server.port), timeout=PATIENCE_SECONDS)
    return context.wrap_socket(sock)


@pytest.fixture(scope="module")
def stranger(
    start_control_plane: StartControlPlane,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Editors:
    """An API server that nobody gave an AdmissionConfiguration, and that asks the same server."""
    plane = start_control_plane(Options(Webhook(cluster.server.kubeconfig), nodes=True))
    other = Cluster(plane, cluster.server, Administrator(plane))
    return Editors(other, tmp_path_factory.mktemp("stranger"))


BROKEN_EDIT = ("apply", "--dry-run=server", "-f", "-")


def test_an_api_server_that_shows_no_certificate_is_refused_and_it_is_seen(
    stranger: Editors,
) -> None:
    """An upgrade without the AdmissionConfiguration: edits are stored, but not silently."""
    cluster, broken = stranger.cluster, written(NODE, {"rolearn": "x"})
    install(cluster, configuration(cluster, "Fail", "ValidatingWebhook"))
    cluster.administrator.wait_for(
        # client-go's words for 401.
        lambda: (
            "asked for the client to provide credentials"
            in stranger.admin(*BROKEN_EDIT, stdin=broken).stderr
        )
    )
    cluster.server.log.wait_for(lambda line: line if "stores edits" in line else None, since=0)
    install(cluster, configuration(cluster, "Ignore", "ValidatingWebhook"))
    cluster.administrator.wait_for(
        lambda: stranger.admin(*BROKEN_EDIT, stdin=broken).returncode == 0
    )
    with cluster.server.poster() as poster:
        metrics = poster.get("/metrics").body.decode()
    seen = []
    for _ in range(20):  # each worker tells of its own
        with cluster.server.poster() as poster:
            seen.append(json.loads(poster.get("/readyz").body)["admission"]["lastRefused"])
    refused = r'^aws_iam_authenticator_admission_reviews_total\{result="unauthenticated"\} [1-9]'
    assert re.search(refused, metrics, re.MULTILINE)
    assert any(seen)
    # What IAMAuthenticatorAdmissionFailsOpen counts.
    own = cluster.plane.kubectl("get", "--raw=/metrics").stdout
    name = "aws-auth.iamauthenticator.k8s.aws"
    assert f'apiserver_admission_webhook_fail_open_count{{name="{name}",type="validating"}}' in own


def test_an_api_server_that_knows_the_secret_path_is_answered(stranger: Editors) -> None:
    cluster = stranger.cluster
    path = f"/validate/{SECRET}"
    install(cluster, configuration(cluster, "Fail", "ValidatingWebhook", path=path))
    broken = written(NODE, {"rolearn": "x"})
    cluster.administrator.wait_for(
        lambda: "[bad-arn]" in stranger.admin(*BROKEN_EDIT, stdin=broken).stderr
    )
    assert SECRET not in cluster.server.log.tail


def test_the_certificate_of_the_api_server_is_rotated_without_a_gap(editors: Editors) -> None:
    """With failurePolicy Fail, each edit shows whether the API server is still known."""
    server = editors.cluster.server
    broken = written(NODE, {"rolearn": "x"})

    def is_guarded() -> bool:
        return "denied the request" in editors.admin(*BROKEN_EDIT, stdin=broken).stderr

    shown = server.admission_kubeconfig.read_bytes()
    rotate(server)
    assert server.admission_kubeconfig.read_bytes() != shown
    # The configuration trusts both certificates of the server, as the webhook kubeconfig does.
    install(editors.cluster, configuration(editors.cluster, "Fail", "ValidatingWebhook"))
    assert is_guarded()
    editors.cluster.plane.restart_apiserver()
    editors.cluster.administrator.wait_for(is_guarded)
    since = server.log.end
    rotate(server, "--switch")
    server.wait_for_each_worker("serving a new certificate", since)
    assert is_guarded()


def rotate(server: WebhookServer, *flags: str) -> None:
    subprocess.run([COMMAND, "rotate", "--config", server.config, *flags], check=True)


# Outages.


@pytest.fixture
def stopped(editors: Editors) -> Iterator[Editors]:
    """The server does not answer."""
    editors.cluster.server.kill()
    yield editors
    remove(editors.cluster)
    since = editors.cluster.server.log.end
    editors.cluster.server.start()
    editors.cluster.server.wait_for_each_worker("EKSConfigMap has been read", since)


NEXT = written(NODE, VIEWER, {**VIEWER, "rolearn": CREATOR})


def test_in_an_outage_ignore_lets_edits_through(stopped: Editors) -> None:
    install(stopped.cluster, configuration(stopped.cluster, "Ignore", "ValidatingWebhook"))
    stopped.cluster.administrator.wait_for(
        lambda: stopped.admin("apply", "-f", "-", stdin=NEXT).returncode == 0
    )
    assert "Creator" in stopped.data()["mapRoles"]


def test_in_an_outage_fail_refuses_edits_until_the_webhook_is_deleted(stopped: Editors) -> None:
    before = stopped.data()
    applied = stopped.admin("apply", "-f", "-", stdin=NEXT)
    assert applied.returncode != 0
    assert "failed calling webhook" in applied.stderr
    assert stopped.data() == before
    stopped.cluster.plane.kubectl("delete", WEBHOOK, "aws-iam-authenticator")
    stopped.cluster.administrator.wait_for(
        lambda: stopped.admin("apply", "-f", "-", stdin=NEXT).returncode == 0
    )
    assert "Creator" in stopped.data()["mapRoles"]


# Policies, which need nobody.


@pytest.fixture
def policed(cluster: Cluster, tmp_path: Path) -> Iterator[Editors]:
    """The policies in force, and no webhook."""
    found = Editors(cluster, tmp_path)
    cluster.administrator.plane.kubectl("apply", "-f", "-", stdin=written(NODE, VIEWER))
    install(cluster, configuration(cluster, "Fail", "ValidatingAdmissionPolicy"))
    cluster.administrator.wait_for(
        lambda: found.admin("delete", "--dry-run=server", *AWS_AUTH).returncode != 0
    )
    cluster.administrator.wait_for(
        lambda: found.admin("apply", "--dry-run=server", "-f", "-", stdin=BAD_ARN).returncode != 0
    )
    yield found
    remove(cluster)
    cluster.administrator.wait_for(
        lambda: (
            found.admin(*DELETE_IF_THERE).returncode == 0
            and found.admin("apply", "--dry-run=server", "-f", "-", stdin=BAD_ARN).returncode == 0
        )
    )


BAD_ARN = mapping("bad", arn="role/x", username="x")
NO_ROLES = written()
DELETE_IF_THERE = ("delete", "--ignore-not-found", "--dry-run=server", *AWS_AUTH)


def test_a_policy_keeps_aws_auth_from_being_deleted_or_emptied(policed: Editors) -> None:
    deleted = policed.admin("delete", *AWS_AUTH)
    assert "aws-auth would be deleted" in deleted.stderr
    emptied = policed.admin("apply", "-f", "-", stdin=NO_ROLES)
    assert "mapRoles would be empty" in emptied.stderr
    for text in ("", '""', "''", "null", " ~ # nobody", "---\n# nobody\n", "[ ]", "{}", "``"):
        patch = json.dumps({"data": {"mapRoles": text}})
        patched = policed.admin("patch", *AWS_AUTH, "--type=merge", f"--patch={patch}")
        assert "mapRoles would be empty" in patched.stderr, text
    forced = policed.admin("apply", "-f", "-", stdin=written(reason="a drill"))
    assert forced.returncode == 0, forced.stderr


def test_a_policy_lets_aws_auth_be_deleted_for_a_reason(policed: Editors) -> None:
    policed.cluster.plane.kubectl("annotate", *AWS_AUTH, f"{FORCE}-delete=a drill")
    policed.cluster.plane.kubectl("delete", *AWS_AUTH)


DEFINITION = ("customresourcedefinition", "iamidentitymappings.iamauthenticator.k8s.aws")


def test_a_policy_keeps_the_definition_with_all_its_objects(policed: Editors) -> None:
    dry = ("--dry-run=server",)
    policed.cluster.administrator.wait_for(
        lambda: "every IAMIdentityMapping" in policed.admin("delete", *dry, *DEFINITION).stderr
    )
    policed.cluster.plane.kubectl("annotate", *DEFINITION, f"{FORCE}-delete=a drill")
    try:
        policed.cluster.plane.kubectl("delete", *dry, *DEFINITION)
    finally:
        policed.cluster.plane.kubectl("annotate", *DEFINITION, f"{FORCE}-delete-")


def test_a_policy_keeps_mappings_out_of_binary_data(policed: Editors) -> None:
    patch = json.dumps({"binaryData": {"mapUsers": "AAAA"}, "data": {"mapUsers": None}})
    patched = policed.admin("patch", *AWS_AUTH, "--type=merge", f"--patch={patch}")
    assert "mappings under binaryData are not read" in patched.stderr


def test_policies_let_other_config_maps_be(policed: Editors) -> None:
    """Their failurePolicy is Fail: no condition may fail on an object without a name of its own."""
    metadata = {"generateName": "other-", "namespace": "kube-system"}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    created = policed.admin("create", "-f", "-", "-o=name", stdin=json.dumps(obj))
    assert created.returncode == 0, created.stderr
    name = created.stdout.strip()
    assert policed.admin("delete", "--namespace=kube-system", name).returncode == 0


ARNS = {
    "role": (f"arn:aws:iam::{callers.ACCOUNT}:role/path/x", True),
    "capitals": (f"ARN:aws:iam::{callers.ACCOUNT}:Role/x", True),
    "pattern": (f"arn:aws:iam::{callers.ACCOUNT}:role/x*", True),
    "another partition": (f"arn:aws-us-gov:iam::{callers.ACCOUNT}:user/x", True),
    "federated user": (f"arn:aws:sts::{callers.ACCOUNT}:federated-user/x", True),
    "root": (f"arn:aws:iam::{callers.ACCOUNT}:root", True),
    "short account": ("arn:aws:iam::1234:role/x", False),
    "group": (f"arn:aws:iam::{callers.ACCOUNT}:group/x", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("arn", "allowed"), ARNS.values(), ids=ARNS)
def test_a_policy_knows_arns(policed: Editors, arn: str, allowed: bool) -> None:
    document = mapping("x", arn=arn, username="x")
    applied = policed.admin("apply", "--dry-run=server", "-f", "-", stdin=document)
    assert (applied.returncode == 0) == allowed, applied.stderr


def test_the_policies_have_no_type_errors(policed: Editors) -> None:
    for policy in policed.cluster.administrator.get("validatingadmissionpolicies")["items"]:
        checked = policy.get("status", {}).get("typeChecking", {})
        assert not checked.get("expressionWarnings")


def test_the_service_variant_is_accepted(cluster: Cluster) -> None:
    objects = manifests.render(manifests.ROOT / "admission-service")
    webhooks = manifests.only(objects, "ValidatingWebhookConfiguration")
    for webhook in webhooks["webhooks"]:
        assert webhook["clientConfig"]["service"]["path"] == "/validate"
    try:
        cluster.plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(webhooks))
    except KubectlError as error:
        pytest.fail(str(error))
