"""The verbs `mappings` and `add` on a real API server."""

from __future__ import annotations

import contextlib
import io
import json
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
from dev.cluster import ControlPlane, Options
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

    def entries(self, *source: str) -> dict[str, dict[str, Any]]:
        """What `mappings list` tells a program, by principal."""
        found = json.loads(self.mappings("list", *source, "--output=json"))
        return {entry["principal"]: entry for entry in found["entries"]}


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
