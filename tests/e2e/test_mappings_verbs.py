"""The verbs `mappings` and `add` on a real API server."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authenticator.admin.add import add
from authenticator.admin.explain.command import explain
from authenticator.admin.mappings.change import add_entry
from authenticator.admin.mappings.command import mappings
from authenticator.admin.mappings.edit import Manner, edit
from authenticator.admin.stores.config_map import AwsAuthStore
from authenticator.admin.stores.objects import ObjectsStore
from authenticator.editing.desired import applied
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.principals import Chosen
from authenticator.sources.cluster import Object, Watch
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from authenticator.sources.mappings import Mappings, SourceOptions
from dev.cluster import ControlPlane, Options
from dev.waiting import wait_until
from tests.authenticator.mapping import callers
from tests.e2e.administrator import Administrator

if TYPE_CHECKING:
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

EDITORS = 20
ADMIN = "arn:aws:iam::111122223333:role/Admin"
DEV = "arn:aws:iam::111122223333:role/team/Dev"
BY_HAND = """\
# Ask the platform team before you edit this.
- groups:
  - system:masters
  rolearn: arn:aws:iam::111122223333:role/Admin   # break glass
  username: admin
  owner: platform
"""


class Verbs:
    """The command, as somebody at a shell runs it."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path | None = None) -> None:
        self.kubeconfig = kubeconfig or plane.admin_kubeconfig

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run it as a process of its own."""
        command = [sys.executable, "-m", "authenticator", *arguments]
        return subprocess.Popen(
            [*command, f"--kubeconfig={self.kubeconfig}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: Callable[[list[str]], int], *arguments: str, code: int = 0) -> str:
        """What it says on both of its outputs; it has to end with `code`."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            ended = verb([*arguments, f"--kubeconfig={self.kubeconfig}"])
        assert ended == code, said.getvalue()
        return said.getvalue()

    def mappings(self, verb: str, *arguments: str, code: int = 0) -> str:
        return self.run(mappings, verb, *arguments, code=code)

    def list(self, *source: str) -> list[dict[str, Any]]:
        """What `mappings list` tells a program."""
        found: list[dict[str, Any]] = json.loads(self.mappings("list", *source, "--output=json"))[
            "entries"
        ]
        return found

    def entries(self, *source: str) -> dict[str, dict[str, Any]]:
        """What `mappings list` tells a program, by principal."""
        return {entry["principal"]: entry for entry in self.list(*source)}


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    started = start_control_plane(Options())
    Administrator(started).install_crd()
    return started


@pytest.fixture
def administrator(plane: ControlPlane) -> Iterator[Administrator]:
    yield Administrator(plane)
    plane.kubectl("delete", "iamidentitymappings", "--all")
    names = ["aws-auth", "aws-auth-history", "iamidentitymappings-history"]
    plane.kubectl("delete", "configmap", "-n=kube-system", "--ignore-not-found", *names)


@pytest.fixture
def verbs(plane: ControlPlane, administrator: Administrator) -> Verbs:
    assert administrator.plane is plane
    return Verbs(plane)


@pytest.fixture(params=["configmap", "crd"])
def source(request: pytest.FixtureRequest) -> str:
    return f"--source={request.param}"


def add_role(arn: str, name: str, *groups: str) -> list[str]:
    return ["add", "role", f"--rolearn={arn}", f"--username={name}", f"--groups={','.join(groups)}"]


class TestEachVerb:
    def test_adds_gets_updates_and_removes(self, verbs: Verbs, source: str) -> None:
        verbs.mappings(*add_role(ADMIN, "admin", "system:masters"), source, "--yes")
        said = verbs.mappings(*add_role(DEV, "dev:{{SessionName}}", "dev"), source, "--yes")
        assert f"done: add {DEV}" in said
        verbs.mappings("update", DEV.lower(), source, "--add-group=ops", "--yes")
        found = json.loads(verbs.mappings("get", DEV, source, "--output=json"))
        assert [(e["username"], e["groups"], e["inForce"]) for e in found] == [
            ("dev:{{SessionName}}", ["dev", "ops"], True)
        ]
        verbs.mappings("remove", DEV, source, "--yes")
        assert list(verbs.entries(source)) == [ADMIN]
        assert "no entry names" in verbs.mappings("get", DEV, source, code=1)

    def test_a_second_entry_for_the_same_role_is_refused(self, verbs: Verbs, source: str) -> None:
        verbs.mappings(*add_role(DEV, "dev"), source, "--yes")
        said = verbs.mappings(*add_role(DEV.upper().lower(), "x"), source, "--yes", code=1)
        assert "is mapped already" in said

    def test_applies_a_file_and_again_changes_nothing(
        self, verbs: Verbs, source: str, tmp_path: Path
    ) -> None:
        wanted = [
            {"rolearn": ADMIN, "username": "admin", "groups": ["system:masters"]},
            {"rolearn": DEV, "username": "dev"},
        ]
        file = tmp_path / "wanted.json"
        file.write_text(json.dumps({"mapRoles": wanted}))
        assert DEV in verbs.mappings("diff", f"--filename={file}", source, code=3)
        verbs.mappings("apply", f"--filename={file}", source, "--yes")
        assert list(verbs.entries(source)) == [ADMIN, DEV]
        said = verbs.mappings("apply", f"--filename={file}", source, "--yes")
        assert "nothing to change" in said
        assert verbs.mappings("diff", f"--filename={file}", source) == ""
        file.write_text(json.dumps({"mapRoles": wanted[:1]}))
        verbs.mappings("apply", f"--filename={file}", source, "--yes", "--prune")
        assert list(verbs.entries(source)) == [ADMIN]

    def test_rolls_back_and_says_so_in_the_history(self, verbs: Verbs, source: str) -> None:
        verbs.mappings(*add_role(ADMIN, "admin", "system:masters"), source, "--yes")
        verbs.mappings(*add_role(DEV, "dev"), source, "--yes")
        before = verbs.entries(source)
        verbs.mappings("update", ADMIN, source, "--username=boss", "--yes")
        verbs.mappings("remove", DEV, source, "--yes")
        verbs.mappings("rollback", "3", source, "--yes")
        assert verbs.entries(source) == before
        history = json.loads(verbs.mappings("history", source, "--output=json"))
        assert [(version["version"], version["edit"]) for version in history] == [
            (5, "roll back to before edit 3"),
            (4, f"remove {DEV}"),
            (3, f"update {ADMIN}"),
            (2, f"add {DEV}"),
            (1, f"add {ADMIN}"),
        ]
        assert {version["user"] for version in history} == {"admin"}
        verbs.mappings("rollback", source, "--yes")
        assert DEV not in verbs.entries(source)

    def test_a_dry_run_writes_nothing(self, verbs: Verbs, source: str) -> None:
        verbs.mappings(*add_role(ADMIN, "admin", "system:masters"), source, "--yes")
        for dry_run in ("client", "server"):
            said = verbs.mappings(*add_role(DEV, "dev"), source, f"--dry-run={dry_run}")
            assert DEV in said
            assert "nothing has been written" in said
        assert list(verbs.entries(source)) == [ADMIN]
        assert len(json.loads(verbs.mappings("history", source, "--output=json"))) == 1

    def test_the_last_administrator_stays(self, verbs: Verbs, source: str) -> None:
        verbs.mappings(*add_role(ADMIN, "admin", "system:masters"), source, "--yes")
        said = verbs.mappings("remove", ADMIN, source, "--yes", code=1)
        assert "last-administrator" in said
        assert list(verbs.entries(source)) == [ADMIN]
        verbs.mappings("remove", ADMIN, source, "--yes", "--force")
        assert verbs.entries(source) == {}

    def test_nobody_to_ask_is_a_no(self, verbs: Verbs, source: str) -> None:
        assert "--yes" in verbs.mappings(*add_role(DEV, "dev"), source, code=1)
        assert verbs.entries(source) == {}


class TestAwsAuth:
    def text(self, administrator: Administrator) -> str:
        text: str = administrator.get("configmap", "aws-auth", "-n=kube-system")["data"]["mapRoles"]
        return text

    def test_what_was_written_by_hand_stays(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        administrator.write(BY_HAND)
        verbs.mappings(*add_role(DEV, "dev", "a"), "--yes")
        added = f"- rolearn: {DEV}\n  username: dev\n  groups:\n  - a\n"
        assert self.text(administrator) == BY_HAND + added
        verbs.mappings("update", ADMIN, "--username=boss", "--yes")
        assert (
            self.text(administrator) == BY_HAND.replace("username: admin", "username: boss") + added
        )

    def test_accounts_keep_their_zeros(self, verbs: Verbs) -> None:
        verbs.mappings("add", "account", "012345678901", "--yes")
        assert verbs.entries()["012345678901"]["section"] == "mapAccounts"

    def test_a_broken_section_can_be_listed_and_the_other_edited(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        administrator.write("- rolearn: [\n")
        assert "mapRoles, line" in verbs.mappings("list")
        assert "Put that right" in verbs.mappings(*add_role(DEV, "dev"), "--yes", code=1)
        user = "arn:aws:iam::111122223333:user/bob"
        verbs.mappings("add", "user", f"--userarn={user}", "--username=bob", "--yes")
        assert list(verbs.entries()) == [user]
        assert self.text(administrator) == "- rolearn: [\n"

    def test_an_edit_without_the_right_to_keep_history_is_made_and_says_so(
        self, plane: ControlPlane, verbs: Verbs, administrator: Administrator
    ) -> None:
        administrator.write(BY_HAND)
        plane.kubectl("create", "serviceaccount", "editor", "-n=kube-system")
        rule = ["--verb=get,update", "--resource=configmaps", "--resource-name=aws-auth"]
        plane.kubectl("create", "role", "editor", "-n=kube-system", *rule)
        subject = "--serviceaccount=kube-system:editor"
        plane.kubectl("create", "rolebinding", "editor", "-n=kube-system", "--role=editor", subject)
        token = plane.kubectl("create", "token", "editor", "-n=kube-system").stdout.strip()
        editor = Verbs(plane, plane.kubeconfig("editor", {"token": token}))
        said = editor.mappings(*add_role(DEV, "dev"), "--yes")
        assert "could not be kept in the history" in said
        assert DEV in verbs.entries()

    @pytest.mark.parametrize(
        ("arguments", "principal"),
        [
            pytest.param(["role", f"--rolearn={DEV}"], DEV, id="a role"),
            pytest.param(
                ["role", "--sso=permissionSetName=Dev,accountID=111122223333"],
                "permission set Dev in 111122223333",
                id="a permission set",
            ),
            pytest.param(["user", f"--userarn={ADMIN}"], ADMIN, id="a user"),
        ],
    )
    def test_the_reference_s_verb_add(
        self, verbs: Verbs, arguments: list[str], principal: str
    ) -> None:
        more = ["--username=dev", "--groups=a,b", "--prompt=false", "--kubeconfig-context=admin"]
        verbs.run(add, *arguments, *more)
        entry = verbs.entries()[principal]
        assert (entry["username"], entry["groups"]) == ("dev", ["a", "b"])
        assert "mapped already" in verbs.run(add, *arguments, *more, code=1)


class TestObjects:
    def test_kubectl_sees_them_with_what_others_wrote_on_them(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        verbs.mappings(*add_role(DEV, "dev"), "--source=crd", "--yes")
        name = "role-111122223333-dev"
        administrator.plane.kubectl("label", "iamidentitymapping", name, "team=a")
        verbs.mappings("update", name, "--source=crd", "--username=ops", "--yes")
        found = administrator.get("iamidentitymapping", name)
        assert found["metadata"]["labels"] == {"team": "a"}
        assert found["spec"] == {"arn": DEV, "username": "ops"}
        verbs.mappings("remove", name, "--source=crd", "--yes")
        verbs.mappings("rollback", "--source=crd", "--yes")
        found = administrator.get("iamidentitymapping", name)
        assert found["metadata"]["labels"] == {"team": "a"}

    def test_an_account_cannot_be_one(self, verbs: Verbs) -> None:
        said = verbs.mappings("add", "account", "111122223333", "--source=crd", "--yes", code=1)
        assert "whole account" in said


def test_twenty_editors_at_once_lose_no_edit(verbs: Verbs, source: str) -> None:
    roles = [f"arn:aws:iam::111122223333:role/r{number}" for number in range(EDITORS)]
    editors = [
        verbs.start("mappings", *add_role(role, "r", "a"), source, "--yes") for role in roles
    ]
    said = [editor.communicate(timeout=110) for editor in editors]
    assert [editor.returncode for editor in editors] == [0] * EDITORS, said
    assert sorted(verbs.entries(source)) == sorted(roles)
    assert [err for _, err in said if "history" in err] == []
    history = json.loads(verbs.mappings("history", source, "--output=json"))
    assert [version["version"] for version in history] == list(range(EDITORS, 0, -1))


class Overtaken:
    """`Cluster`: before the first replacement (of `name`) gets through, somebody else writes."""

    def __init__(self, plane: ControlPlane, overtake: Callable[[], None], name: str = "") -> None:
        self._name = name
        self._cluster = KubernetesApi(lambda: configuration(plane.admin_kubeconfig, ""))
        self._overtake: Callable[[], None] | None = overtake
        self.written: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        if method in ("PUT", "DELETE") and "dryRun" not in (query or {}):
            self.written.append(path.rpartition("/")[2])
            if self._overtake and self.written[-1] == (self._name or self.written[-1]):
                overtake, self._overtake = self._overtake, None
                overtake()
        return self._cluster.request(method, path, query, body)

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractContextManager[Watch]:
        return self._cluster.watch(path, query)


WARNING = "this policy only warns"


@pytest.fixture
def warned(plane: ControlPlane, administrator: Administrator) -> Iterator[None]:
    """Have the API server warn of every write of aws-auth, as an admission policy can."""
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "warns"}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"]}
    only = {"resourceRules": [{**rule, "resources": ["configmaps"], "resourceNames": ["aws-auth"]}]}
    validations = [{"expression": "false", "message": WARNING}]
    policy = {"matchConstraints": only, "validations": validations}
    binding = {"policyName": "warns", "validationActions": ["Warn"]}
    administrator.apply({**kind, "kind": "ValidatingAdmissionPolicy", "spec": policy})
    administrator.apply({**kind, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding})
    manifest = {"apiVersion": "v1", "kind": "ConfigMap"}
    manifest |= {"metadata": {"name": "aws-auth", "namespace": "kube-system"}}

    def in_force() -> bool:
        ran = plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
        return WARNING in ran.stderr

    wait_until(in_force, "the policy does not warn")
    yield
    for name in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        plane.kubectl("delete", name, "warns")


class TestWarningsOfTheServer:
    def test_they_were_dropped_and_stand_between_difference_and_result(
        self, verbs: Verbs, warned: None
    ) -> None:
        for how in ("--dry-run=server", "--yes"):
            said = verbs.mappings(*add_role(DEV, "dev"), how)
            assert said.count(f"Warning: {WARNING}") + said.count(WARNING) >= 1
            assert said.index("+++") < said.index(WARNING) < said.rindex("aws-auth:")

    def test_in_ci_they_are_errors(self, verbs: Verbs, warned: None) -> None:
        said = verbs.mappings(*add_role(DEV, "dev"), "--strict", "--yes", code=1)
        assert "refused (--strict)" in said
        assert verbs.entries() == {}


class Server:
    """The mappings as a server follows them, with what it writes on the objects."""

    def __init__(self, plane: ControlPlane, state_dir: Path) -> None:
        modes = ("EKSConfigMap", "CRD")
        options = SourceOptions(modes=modes, state_dir=state_dir, kubeconfig=plane.admin_kubeconfig)
        self.mappings = Mappings(options)

    def groups(self, name: str) -> set[str]:
        """The groups of a role, as a login gets them now."""
        match = self.mappings.current().find(callers.role(name), time.time())
        return set(match.render(callers.role(name), "")[1]) if match else set()


@pytest.fixture
def server(plane: ControlPlane, administrator: Administrator, tmp_path: Path) -> Iterator[Server]:
    """A server of ours, seen by its condition on a custom resource."""
    administrator.map("seen", arn="arn:aws:iam::111122223333:role/Seen", username="seen")
    started = Server(plane, tmp_path)
    started.mappings.start()

    def seen() -> bool:
        status = administrator.get("iamidentitymapping", "seen").get("status") or {}
        return bool(status.get("conditions"))

    wait_until(seen, "the server does not report")
    yield started
    started.mappings.stop()


class TestGrants:
    GRANT = ("grant", DEV, "--group=on-call", "--reason=ticket 7", "--yes")

    def test_a_group_is_given_and_taken_again(
        self, verbs: Verbs, server: Server, source: str
    ) -> None:
        verbs.mappings(*add_role(DEV, "dev", "devs"), source, "--yes")
        wait_until(lambda: server.groups("Dev") == {"devs"}, "the role is not mapped")
        said = verbs.mappings(*self.GRANT, "--for=8s", source)
        assert re.search(r"the access ends at \S+ \(in [78]s\)", said)
        wait_until(lambda: server.groups("Dev") == {"devs", "on-call"}, "nothing is granted")
        (line,) = (ln for ln in verbs.mappings("history", source).splitlines() if "ticket 7" in ln)
        assert "grant on-call to" in line
        (granted,) = (e for e in verbs.list(source) if e.get("reason") == "ticket 7")
        assert granted["groups"] == ["devs", "on-call"]
        # The server's own clock ends it: nothing writes to the API server.
        wait_until(lambda: server.groups("Dev") == {"devs"}, "the grant does not end")
        over = [entry for entry in verbs.list(source) if entry.get("reason") == "ticket 7"]
        assert [entry["inForce"] for entry in over] == [False]

    def test_where_it_would_not_end_it_is_refused(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        assert administrator.plane
        verbs.mappings(*add_role(DEV, "dev", "devs"), "--yes")
        said = verbs.mappings(*self.GRANT, "--for=2h", code=1)
        assert "expires-ignored" in said
        assert verbs.entries()[DEV]["groups"] == ["devs"]

    def test_an_entry_of_the_other_source_is_named(self, verbs: Verbs, server: Server) -> None:
        assert server.mappings
        ops = DEV.replace("team/Dev", "Ops")
        verbs.mappings(*add_role(ops, "ops", "ops"), "--source=crd", "--yes")
        said = verbs.mappings("grant", ops, *self.GRANT[2:], "--for=2h", code=1)
        assert "use the --source in which the principal is mapped" in said


class TestEverything:
    def test_all_sources_are_listed_with_what_decides(
        self, verbs: Verbs, administrator: Administrator, tmp_path: Path
    ) -> None:
        assert administrator.plane
        verbs.mappings(*add_role(DEV, "dev", "devs"), "--yes")
        verbs.mappings(*add_role(DEV, "other"), "--source=crd", "--yes")
        said = verbs.mappings("list", "--source=all")
        rows = [line for line in said.splitlines() if DEV in line]
        assert [row.rpartition("   ")[2].split(":")[0] for row in rows] == ["yes", "no"]
        assert "Read: EKSConfigMap: 1 mapping, CRD: 1 mapping" in said
        assert "bootstrapAdministrators" in said
        config = tmp_path / "config.yaml"
        server = {"backendMode": ["CRD"], "bootstrapAdministrators": [ADMIN]}
        config.write_text(json.dumps({"clusterID": "c", "server": server}))
        found = json.loads(
            verbs.mappings("list", "--source=all", f"--config={config}", "--output=json")
        )
        assert [(e["principal"], e["decides"]) for e in found["entries"]] == [
            (ADMIN, "yes"),
            (DEV, "yes"),
        ]
        assert "the ConfigMap aws-auth (not in the server's backendMode)" in found["leftOut"]

    def test_what_may_not_be_read_is_said_and_no_verdict_given(
        self, plane: ControlPlane, verbs: Verbs, administrator: Administrator
    ) -> None:
        """explain said DENIED, with only `get` on aws-auth."""
        verbs.mappings(*add_role(DEV, "dev"), "--yes")
        plane.kubectl("create", "serviceaccount", "getter", "-n=kube-system")
        rule = ["--verb=get", "--resource=configmaps", "--resource-name=aws-auth"]
        plane.kubectl("create", "role", "getter", "-n=kube-system", *rule)
        subject = "--serviceaccount=kube-system:getter"
        plane.kubectl("create", "rolebinding", "getter", "-n=kube-system", "--role=getter", subject)
        token = plane.kubectl("create", "token", "getter", "-n=kube-system").stdout.strip()
        getter = Verbs(plane, plane.kubeconfig("getter", {"token": token}))
        said = getter.run(explain, "--cluster", f"--arn={DEV}", code=3)
        assert "UNKNOWN" in said
        assert "DENIED" not in said
        assert "could not be read" in getter.mappings("list", "--source=all", code=1).lower()


class TestEditor:
    def test_what_the_server_refuses_is_opened_again(
        self,
        verbs: Verbs,
        administrator: Administrator,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """A username is required by the schema, which only the API server knows."""
        administrator.map("dev", arn=DEV, username="dev", groups=["devs"])
        editor, seen = tmp_path / "editor", tmp_path / "seen"
        editor.write_text(
            f'#!/bin/sh\ncat "$1" >> {seen}\n'
            'if grep -q "nickname" "$1"; then sed -i "s/nickname:/username:/" "$1"\n'
            'else sed -i "s/username: dev/nickname: ops/" "$1"; fi\n'
        )
        editor.chmod(0o755)
        monkeypatch.setenv("KUBE_EDITOR", str(editor))
        verbs.mappings("edit", "dev", "--source=crd", "--yes")
        assert administrator.get("iamidentitymapping", "dev")["spec"]["username"] == "ops"
        assert "# Not written: " in seen.read_text()

    def test_aws_auth_is_opened_as_blocks_of_text(
        self,
        verbs: Verbs,
        administrator: Administrator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        administrator.write(BY_HAND)
        monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/username: admin/username: boss/'")
        verbs.mappings("edit", "--yes")
        data = administrator.get("configmap", "aws-auth", "-n=kube-system")["data"]
        assert data["mapRoles"] == BY_HAND.replace("username: admin", "username: boss")
        said = verbs.mappings("history", "show", "1")
        assert re.search(r"^Who +admin$", said, re.MULTILINE)
        assert re.search(r"^Undo +aws-iam-authenticator mappings rollback 1$", said, re.MULTILINE)
        assert "+  username: boss" in said
        verbs.mappings("rollback", "1", "--yes")
        data = administrator.get("configmap", "aws-auth", "-n=kube-system")["data"]
        assert data["mapRoles"] == BY_HAND


class TestConflicts:
    OURS = "arn:aws:iam::111122223333:role/Ours"
    THEIRS = "arn:aws:iam::111122223333:role/Theirs"

    def test_of_aws_auth_are_retried_on_what_the_other_wrote(
        self, plane: ControlPlane, verbs: Verbs, administrator: Administrator
    ) -> None:
        administrator.write("")
        theirs = [{"rolearn": self.THEIRS, "username": "t"}]
        cluster = Overtaken(plane, lambda: administrator.write(theirs))
        entry = MappingEntry("mapRoles", {"rolearn": self.OURS, "username": "o"})
        assert add_entry(AwsAuthStore(cluster), entry, Manner(yes=True)) == 0
        assert cluster.written == ["aws-auth", "aws-auth"]
        assert list(verbs.entries()) == [self.THEIRS, self.OURS]

    def test_of_an_object_are_retried_on_what_the_other_wrote(
        self, plane: ControlPlane, administrator: Administrator
    ) -> None:
        administrator.map("ours", arn=self.OURS, username="o", groups=["a"])

        def overtake() -> None:
            administrator.map("ours", arn=self.OURS, username="o", groups=["a", "theirs"])

        cluster = Overtaken(plane, overtake)
        chosen = Chosen(["ours"])

        def change(document: Document) -> Document:
            (located,) = chosen.find(document)
            groups = list(located.entry.fields["groups"])
            return document.edited(updates=[(located, {"groups": [*groups, "ours"]})])

        assert edit(ObjectsStore(cluster), change, "add a group", Manner(yes=True)) == 0
        assert cluster.written == ["ours", "ours"]
        spec = administrator.get("iamidentitymapping", "ours")["spec"]
        assert spec["groups"] == ["a", "theirs", "ours"]

    def test_what_stood_there_before_an_edit_in_two_parts_is_kept(
        self, plane: ControlPlane, verbs: Verbs, administrator: Administrator
    ) -> None:
        roles = [f"arn:aws:iam::111122223333:role/r{number}" for number in range(2)]
        for number, role in enumerate(roles):
            administrator.map(f"m{number}", arn=role, username="before")
        cluster = Overtaken(
            plane, lambda: administrator.map("m1", arn=roles[1], username="theirs"), name="m1"
        )
        wanted = [MappingEntry("mapRoles", {"rolearn": r, "username": "after"}) for r in roles]
        change = partial(applied, wanted=wanted, prune=False, now=time.time())
        assert edit(ObjectsStore(cluster), change, "apply", Manner(yes=True)) == 0
        assert cluster.written[:3] == ["m0", "m1", "m1"]
        history = json.loads(verbs.mappings("history", "--source=crd", "--output=json"))
        assert [version["edit"] for version in history] == ["apply", "apply (in part)"]
        verbs.mappings("rollback", "1", "--source=crd", "--yes")
        found = verbs.entries("--source=crd")
        assert [found[role]["username"] for role in roles] == ["before", "before"]

    def test_a_version_of_something_else_is_not_restored(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        words = {"time": "t", "user": "u", "edit": "e"}
        versions = [{"number": 1, **words, "texts": {"m": text}} for text in ("[1]", "{}", "{")]
        metadata = {"name": "iamidentitymappings-history", "namespace": "kube-system"}
        for version in versions:
            data = {"00000001": json.dumps(version)}
            kind = {"apiVersion": "v1", "kind": "ConfigMap"}
            administrator.apply({**kind, "metadata": metadata, "data": data})
            said = verbs.mappings("rollback", "--source=crd", "--yes", code=1)
            assert "choose another" in said

    def test_an_object_that_has_changed_is_not_removed_unseen(
        self, plane: ControlPlane, administrator: Administrator
    ) -> None:
        administrator.map("ours", arn=self.OURS, username="o")
        cluster = Overtaken(plane, lambda: administrator.map("ours", arn=self.THEIRS, username="t"))
        chosen = Chosen(["ours"])
        with pytest.raises(EditError, match="another entry now"):
            edit(
                ObjectsStore(cluster),
                lambda document: document.edited(removals=chosen.find(document)),
                "remove",
                Manner(yes=True),
            )
        assert administrator.get("iamidentitymapping", "ours")["spec"]["arn"] == self.THEIRS
