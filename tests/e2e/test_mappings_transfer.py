"""Mappings moved between the places of a real cluster, and carried in and out of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from authenticator.admin.mappings import migrate
from authenticator.admin.mappings.command import mappings
from authenticator.aws.arns import CallerIdentity
from authenticator.sources.mappings import SourceOptions
from dev.cluster import ControlPlane, Options
from tests.authenticator.mapping.callers import ACCOUNT, role, user
from tests.e2e.administrator import Administrator
from tests.e2e.test_mappings_live import LoggingIn, Worker

if TYPE_CHECKING:
    from tests.e2e.conftest import StartControlPlane

    Run = Callable[..., int]

pytestmark = pytest.mark.cluster

ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
NODE = "system:node:{{EC2PrivateDNSName}}"
NODES = ["system:bootstrappers", "system:nodes"]
ENTRIES = [
    {"rolearn": f"{ROLES}Node", "username": NODE, "groups": NODES},
    {"rolearn": f"{ROLES}Admin", "username": "Admin", "groups": ["system:masters"]},
    {"rolearn": f"{ROLES}Team_1", "username": "old", "userid": "AROAGONE"},
    {"rolearn": f"{ROLES}team/Team_1"},
    {"rolearn": f"{ROLES}z*", "username": "z"},
    {"rolearn": f"{ROLES}*9", "username": "nine"},
]
# `role/team/Team_1` is the same principal as `role/Team_1`, which applies.
APPLYING = len(ENTRIES) - 1
USERS = [{"userarn": f"arn:aws:iam::{ACCOUNT}:user/x/bob", "username": "bob", "groups": ["a"]}]
CALLERS = [*map(role, ("Node", "Admin", "Team_1", "zeta", "z9", "9", "other")), user("x/bob")]


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    plane = start_control_plane(Options())
    Administrator(plane).install_crd()
    return plane


@pytest.fixture
def administrator(plane: ControlPlane) -> Administrator:
    """Of a cluster without mappings."""
    plane.kubectl("delete", "iamidentitymappings", "--all")
    administrator = Administrator(plane)
    administrator.write(ENTRIES, USERS)
    return administrator


@pytest.fixture
def run(plane: ControlPlane) -> Run:
    """Run a verb of `mappings`, asking nobody; gives its exit code."""
    return lambda *arguments: mappings([*arguments, "--kubeconfig", str(plane.admin_kubeconfig)])


@pytest.fixture
def worker(plane: ControlPlane, administrator: Administrator, tmp_path: Path) -> Iterator[Worker]:
    """A server's mappings, once they have been read."""
    options = SourceOptions(
        modes=("CRD", "EKSConfigMap"), state_dir=tmp_path, kubeconfig=plane.admin_kubeconfig
    )
    worker = Worker(options)
    worker.mappings.start()
    worker.wait_for("Admin", "Admin")
    yield worker
    worker.mappings.stop()


def answers(worker: Worker) -> list[object]:
    return [answer(worker, identity) for identity in CALLERS]


def answer(worker: Worker, identity: CallerIdentity) -> object:
    match = worker.mappings.current().find(identity, time.time())
    return match and match.render(identity, "ip-10-0-0-1")


def sections(administrator: Administrator) -> dict[str, list[object]]:
    """What stands in aws-auth."""
    data = administrator.get("configmap", "aws-auth", "--namespace=kube-system")["data"]
    return {name: yaml.safe_load(text) or [] for name, text in data.items()}


def objects(administrator: Administrator) -> list[str]:
    found = administrator.get("iamidentitymappings")["items"]
    return [obj["metadata"]["name"] for obj in found]


def test_all_mappings_move_while_their_callers_log_in(
    administrator: Administrator, worker: Worker, run: Run
) -> None:
    before = answers(worker)
    with LoggingIn([worker], "Admin") as admin:
        assert run("migrate", "--to", "crd", "--yes", "--remove-old") == 0
        worker.wait(lambda: not worker.mappings.status().sources[1].rules)
    assert (admin.admitted > 0, admin.refused) == (True, 0)
    assert sections(administrator) == {"mapRoles": [], "mapUsers": []}
    assert answers(worker) == before

    assert run("migrate", "--to", "configmap", "--yes", "--remove-old") == 0
    worker.wait(lambda: not worker.mappings.status().sources[0].rules)
    assert objects(administrator) == []
    assert answers(worker) == before


def test_a_copy_removes_nothing_and_is_made_once(administrator: Administrator, run: Run) -> None:
    assert run("migrate", "--to", "crd", "--yes") == 0
    copies = objects(administrator)
    assert len(copies) == APPLYING + len(USERS)
    assert run("migrate", "--to", "crd", "--yes") == 0
    assert objects(administrator) == copies
    assert sections(administrator) == {"mapRoles": ENTRIES, "mapUsers": USERS}


def test_what_custom_resources_cannot_hold_stays(
    administrator: Administrator, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    sso = {"sso": {"permissionSetName": "A", "accountID": ACCOUNT}, "username": "a"}
    administrator.write([*ENTRIES, sso], USERS)
    assert run("migrate", "--to", "crd", "--yes", "--remove-old", "--force") == 0
    assert sections(administrator)["mapRoles"] == [sso]
    assert f"permission set A in {ACCOUNT}: left out" in capsys.readouterr().err


def test_nothing_is_removed_that_no_server_reads_from_its_new_place(
    administrator: Administrator,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate, "_READ_WITHIN_SECONDS", 0.0)
    assert run("migrate", "--to", "crd", "--yes", "--remove-old") == 1
    assert "backendMode" in capsys.readouterr().err
    assert sections(administrator)["mapRoles"] == ENTRIES


def test_a_copy_that_would_change_an_answer_is_not_made(
    administrator: Administrator, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    administrator.map("mine", arn=f"{ROLES}Admin", username="somebody-else")
    assert run("migrate", "--to", "crd", "--yes") == 1
    assert f"{ROLES}Admin was not there, or differs" in capsys.readouterr().err
    assert objects(administrator) == ["mine"]


def test_access_entries_come_in_and_leave_as_other_formats(
    administrator: Administrator,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    arn = f"{ROLES}team/Dev"
    entry = {"principalArn": arn, "type": "STANDARD", "username": "dev", "kubernetesGroups": ["a"]}
    file = tmp_path / "entries.json"
    file.write_text(json.dumps({"accessEntry": entry}))
    for source in ("crd", "configmap"):
        assert run("import", str(file), "--source", source, "--yes") == 0
        capsys.readouterr()
        assert run("import", str(file), "--source", source, "--yes") == 0
        assert "nothing to change" in capsys.readouterr().out
    assert sections(administrator)["mapRoles"][-1] == {
        "rolearn": arn,
        "username": "dev",
        "groups": ["a"],
    }

    command = ("export", "--source", "crd", "--cluster", "prod", "--region", "eu-west-1")
    assert run(*command, "--format", "eksctl") == 0
    mappings = yaml.safe_load(capsys.readouterr().out)["iamIdentityMappings"]
    assert mappings == [{"arn": arn, "username": "dev", "groups": ["a"]}]
    assert run(*command, "--format", "access-entries") == 0
    assert json.loads(capsys.readouterr().out) == {"clusterName": "prod", **entry}


def test_an_import_never_goes_behind_another_entry_for_the_same(
    administrator: Administrator, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mappings.yaml"
    file.write_text(yaml.safe_dump({"mapRoles": [{"rolearn": f"{ROLES}Admin", "username": "x"}]}))
    assert run("import", str(file), "--yes") == 0
    assert "mapped already, and otherwise" in capsys.readouterr().err
    assert sections(administrator)["mapRoles"] == ENTRIES


def test_kubectl_takes_the_manifests_that_are_exported(
    administrator: Administrator, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"rolearn": f"{ROLES}Ends", "username": "x", "expires": "2030-01-31 18:00:00z"}
    administrator.write([*ENTRIES, ends], USERS)
    for name, count in (("crd", APPLYING + 1 + len(USERS)), ("aws-auth", 1)):
        assert run("export", "--format", name) == 0
        manifest = capsys.readouterr().out
        strict = ("--validate=strict", "--dry-run=server", "--output=name")
        taken = administrator.plane.kubectl("apply", *strict, "-f", "-", stdin=manifest)
        assert len(taken.stdout.splitlines()) == count
