"""What a write of mappings must not lose, on a real API server, whose resource may be another's."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from authenticator.admin import lint
from authenticator.admin.add import add
from authenticator.sources.cluster import ClusterError
from authenticator.sources.crd_schema import API_VERSION, unknown_fields
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from dev import oracle
from dev.cluster import ControlPlane, Options
from dev.waiting import wait_until
from tests.e2e.administrator import Administrator
from tests.e2e.test_mappings_verbs import ADMIN, DEV, Verbs, add_role

if TYPE_CHECKING:
    from tests.e2e.conftest import StartControlPlane

pytestmark = [pytest.mark.cluster, pytest.mark.reference]

EXPIRES = "--expires=2099-01-01T00:00:00Z"
CRD = "--source=crd"


# The fields of our resource that the reference's does not have.
OURS_ALONE = (
    *("userid", "expires", "reason"),
    *("proof", "organization", "organizationalUnit", "principalTags"),
)
DROPPED = f"{', '.join(OURS_ALONE[:-1])} and {OURS_ALONE[-1]}"


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    return start_control_plane(Options())


@pytest.fixture
def administrator(plane: ControlPlane) -> Iterator[Administrator]:
    yield Administrator(plane)
    names = ["aws-auth", "aws-auth-history", "iamidentitymappings-history"]
    plane.kubectl("delete", "configmap", "-n=kube-system", "--ignore-not-found", *names)
    plane.kubectl("delete", "crd", "--all")


@pytest.fixture
def verbs(plane: ControlPlane) -> Verbs:
    return Verbs(plane)


@pytest.fixture
def theirs(administrator: Administrator) -> Administrator:
    """The resource as the reference's own manifest has it."""
    manifest = oracle.deployment().with_name("iamidentitymapping.yaml")
    for document in yaml.safe_load_all(manifest.read_text()):
        if document:
            administrator.apply(document)
    wait_for_schema(administrator, OURS_ALONE)
    return administrator


@pytest.fixture
def ours(administrator: Administrator) -> Administrator:
    administrator.install_crd()
    wait_for_schema(administrator, ())
    return administrator


def wait_for_schema(administrator: Administrator, unknown: tuple[str, ...]) -> None:
    """Wait for a new resource to be served, and for its schema to be published."""
    administrator.plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
    api = KubernetesApi(lambda: configuration(administrator.plane.admin_kubeconfig, ""))

    def served() -> bool:
        try:
            api.request("GET", f"/apis/{API_VERSION}/iamidentitymappings")
        except ClusterError:
            return False
        return unknown_fields(api) == unknown

    wait_until(served, "the resource is not served")


def objects(administrator: Administrator) -> dict[str, Any]:
    found = administrator.get("iamidentitymappings")["items"]
    return {item["metadata"]["name"]: item["spec"] for item in found}


class TestTheResourceOfTheReference:
    @pytest.mark.parametrize("field", [EXPIRES, "--userid=AROAEXAMPLE"])
    @pytest.mark.parametrize("how", ["--yes", "--dry-run=server", "--dry-run=client"])
    def test_an_entry_that_would_lose_a_field_is_not_written(
        self, verbs: Verbs, theirs: Administrator, field: str, how: str
    ) -> None:
        said = verbs.mappings(*add_role(DEV, "dev"), CRD, field, how, "--force", code=1)
        assert f"drops {field[2:].partition('=')[0]}" in said
        assert "kubectl apply -f manifests/base/crd.yaml" in said
        assert objects(theirs) == {}

    def test_an_update_that_would_lose_a_field_is_not_written(
        self, verbs: Verbs, theirs: Administrator
    ) -> None:
        verbs.mappings(*add_role(DEV, "dev"), CRD, "--yes")
        before = objects(theirs)
        verbs.mappings("update", DEV, CRD, EXPIRES, "--yes", "--force", code=1)
        assert objects(theirs) == before

    def test_an_entry_without_them_is_written_with_a_warning(
        self, verbs: Verbs, theirs: Administrator
    ) -> None:
        said = verbs.mappings(*add_role(DEV, "dev"), CRD, "--yes")
        assert said.count(f"is another program's, and drops {DROPPED}") == 1
        assert [spec["arn"] for spec in objects(theirs).values()] == [DEV]

    def test_a_grant_that_would_not_end_is_not_written(
        self, verbs: Verbs, theirs: Administrator
    ) -> None:
        verbs.mappings(*add_role(DEV, "dev", "devs"), CRD, "--yes")
        before = objects(theirs)
        grant = ("grant", DEV, "--group=on-call", "--for=2h", "--reason=ticket 7")
        said = verbs.mappings(*grant, CRD, "--yes", "--force", code=1)
        assert "drops expires and reason" in said
        assert objects(theirs) == before

    def test_a_migration_to_it_writes_none_of_the_entries(
        self, verbs: Verbs, theirs: Administrator
    ) -> None:
        ends = {"rolearn": DEV, "username": "z", "expires": "2099-01-01T00:00:00Z"}
        theirs.write([{"rolearn": ADMIN, "username": "a", "groups": ["system:masters"]}, ends])
        said = verbs.mappings("migrate", "--to=crd", "--yes", code=1)
        assert "drops expires" in said
        assert objects(theirs) == {}

    def test_lint_tells(
        self, plane: ControlPlane, theirs: Administrator, capsys: pytest.CaptureFixture[str]
    ) -> None:
        theirs.map("dev", arn=DEV, username="dev")
        lint.run(["--cluster", f"--kubeconfig={plane.admin_kubeconfig}"])
        assert f"drops {DROPPED}" in capsys.readouterr().err


class TestAllOrNothing:
    def test_objects_are_written_only_when_each_would_be_taken(
        self, verbs: Verbs, ours: Administrator, tmp_path: Any
    ) -> None:
        """The second is too large for etcd, and is refused when it is written."""
        file = tmp_path / "wanted.json"
        large = [f"g{number:064}" for number in range(30_000)]
        roles = [
            {"rolearn": DEV, "username": "dev"},
            {"rolearn": ADMIN, "username": "admin", "groups": large},
        ]
        file.write_text(json.dumps({"mapRoles": roles}))
        verbs.mappings("apply", f"--filename={file}", CRD, "--yes", "--force", code=1)
        assert objects(ours) == {}

    def test_a_dry_run_of_a_removal_removes_nothing(
        self, verbs: Verbs, ours: Administrator
    ) -> None:
        """The options of a deletion are in its body, where a dry run has to be said."""
        ours.map("dev", arn=DEV, username="dev")
        said = verbs.mappings("remove", "dev", CRD, "--dry-run=server")
        assert "nothing has been written" in said
        assert list(objects(ours)) == ["dev"]


class TestExpires:
    def test_where_no_server_of_ours_is_seen_it_is_refused(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        assert administrator.plane
        said = verbs.mappings(*add_role(DEV, "dev"), EXPIRES, "--yes", code=1)
        assert "expires-ignored" in said
        assert verbs.entries() == {}
        assert "expires-ignored" in verbs.mappings(
            *add_role(DEV, "dev"), EXPIRES, "--yes", "--force"
        )
        assert verbs.entries()[DEV]["expires"] == "2099-01-01T00:00:00Z"
        # It is there already: neither another field nor a rollback is refused for it.
        verbs.mappings("update", DEV, "--username=ops", "--yes")
        verbs.mappings("rollback", "--yes")

    def test_a_condition_of_ours_on_an_object_shows_it(
        self, verbs: Verbs, ours: Administrator
    ) -> None:
        ours.map("dev", arn=DEV, username="dev")
        verbs.mappings("update", "dev", CRD, EXPIRES, "--yes", code=1)
        status = {"conditions": [{"type": "Valid", "status": "True"}]}
        patch = json.dumps({"status": status})
        ours.plane.kubectl(
            *("patch", "iamidentitymapping", "dev", "--subresource=status", "--type=merge"),
            f"--patch={patch}",
        )
        verbs.mappings("update", "dev", CRD, EXPIRES, "--yes")
        assert objects(ours)["dev"]["expires"] == "2099-01-01T00:00:00Z"


class TestOtherManagers:
    def test_one_warning_names_who_will_undo_the_edit(
        self, verbs: Verbs, administrator: Administrator
    ) -> None:
        roles = json.dumps([{"rolearn": ADMIN, "username": "a", "groups": ["system:masters"]}])
        metadata = {
            "name": "aws-auth",
            "namespace": "kube-system",
            "annotations": {"argocd.argoproj.io/tracking-id": "app:/ConfigMap:kube-system"},
        }
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        administrator.plane.kubectl(
            *("apply", "--server-side", "--field-manager=helm", "-f", "-"),
            stdin=json.dumps({**obj, "data": {"mapRoles": roles}}),
        )
        said = verbs.mappings(*add_role(DEV, "dev"), "--yes")
        (warning,) = (line for line in said.splitlines() if "managed by" in line)
        assert "Argo CD (annotation argocd.argoproj.io/tracking-id)" in warning
        assert "Helm (field manager helm)" in warning
        assert DEV in verbs.entries()


class TestAdd:
    ARGUMENTS = ("role", f"--rolearn={DEV}", "--username=dev", "--groups=a")

    @pytest.fixture
    def answer(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        def pipe(text: str) -> None:
            monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
            monkeypatch.setattr(sys.stdin, "readline", lambda _=-1: text, raising=False)

        return pipe

    @pytest.mark.parametrize("text", ["y\n", "YES\n"])
    def test_a_piped_yes_writes(
        self, verbs: Verbs, administrator: Administrator, answer: Callable[[str], None], text: str
    ) -> None:
        assert administrator.plane
        answer(text)
        flags = ("-l=json", "--log-verbosity=debug", "--feature-gates=a=true", "-i=c", "-c=absent")
        verbs.run(add, *flags, *self.ARGUMENTS, *flags)
        assert list(verbs.entries()) == [DEV]

    def test_a_piped_no_writes_nothing(
        self, verbs: Verbs, administrator: Administrator, answer: Callable[[str], None]
    ) -> None:
        assert administrator.plane
        answer("no\n")
        verbs.run(add, *self.ARGUMENTS, code=130)
        assert verbs.entries() == {}

    def test_an_empty_pipe_is_an_error_that_names_the_flag_of_the_verb(
        self, verbs: Verbs, administrator: Administrator, answer: Callable[[str], None]
    ) -> None:
        assert administrator.plane
        answer("")
        said = verbs.run(add, *self.ARGUMENTS, code=1)
        assert "--prompt=false" in said
        assert "--yes" not in said
        assert "--dry-run" not in said
