"""The verbs `mappings --source eks`, with real botocore against the AWS double."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from authenticator.admin.mappings.command import mappings
from authenticator.admin.stores import eks_api
from authenticator.admin.stores.access_entries import AccessEntriesStore
from authenticator.admin.stores.base import Conflict, StoreError
from authenticator.admin.stores.eks_api import EksApi
from authenticator.admin.stores.local_history import LocalHistory
from authenticator.editing.access_entries import AccessEntries
from authenticator.editing.entry import MappingEntry
from dev.aws_double import AwsDouble
from dev.aws_double.eks import EksCluster, EksEntry, policy_arn
from dev.aws_double.faults import Throttle
from dev.aws_double.principals import user
from tests.docs.pages import ROOT

ACCOUNT, REGION = "111122223333", "eu-west-1"
ALICE = user(ACCOUNT, "alice")
ALICE_ARN = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
DEV, OPS, BOB = f"{ROLE}/team/Dev", f"{ROLE}/Ops", f"arn:aws:iam::{ACCOUNT}:user/bob"
ADMIN, VIEW = policy_arn("AmazonEKSClusterAdminPolicy"), policy_arn("AmazonEKSViewPolicy")
WHERE = ["--source=eks", "--cluster=prod", f"--region={REGION}"]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def cluster() -> EksCluster:
    return EksCluster("prod", ACCOUNT, REGION, mode="API")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def aws(cluster: EksCluster, state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble([ALICE], eks_clusters=[cluster]) as double:
        for name, value in {
            **double.environment(),
            "AWS_ACCESS_KEY_ID": ALICE.access_key_id,
            "AWS_SECRET_ACCESS_KEY": ALICE.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "XDG_STATE_HOME": str(state),
        }.items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def run(aws: AwsDouble, capsys: pytest.CaptureFixture[str]) -> Run:
    assert aws.eks.clusters

    def run_verb(*arguments: str, where: list[str] = WHERE) -> tuple[int, str]:
        code = mappings([*arguments, *where])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_verb


def entry(arn: str, policies: tuple[str, ...] = (), **values: Any) -> EksEntry:
    """An access entry that is there before the test."""
    kind = values.setdefault("type", "STANDARD")
    if kind == "STANDARD":
        values = {"username": "dev", "kubernetesGroups": [], **values}
    scope = {"type": "cluster", "namespaces": []}
    found = {each: {"policyArn": each, "accessScope": scope} for each in policies}
    own = f"arn:aws:eks:{REGION}:{ACCOUNT}:access-entry/prod/role/{ACCOUNT}/{arn[-3:]}/1"
    return EksEntry({"principalArn": arn, "accessEntryArn": own, **values}, found)


def have(cluster: EksCluster, *arns: str, **values: Any) -> None:
    for arn in arns:
        cluster.entries[arn] = entry(arn, **values)


def writes(aws: AwsDouble) -> list[str]:
    reads = ("Describe", "List", "Get")
    return [call.action for call in aws.calls.recent() if not call.action.startswith(reads)]


def manifest(path: Path, count: int) -> Path:
    entries = [
        {"rolearn": f"{ROLE}/r{number:03d}", "username": f"u{number}", "groups": ["devs"]}
        for number in range(count)
    ]
    path.write_text(json.dumps({"mapRoles": entries}))
    return path


class TestVerbs:
    def test_an_entry_from_its_making_to_its_end(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        add = ["add", "role", DEV, "--username=dev", "--groups=a,b"]
        assert run(*add, "--access-policy=AmazonEKSViewPolicy=x,y", "--yes")[0] == 0
        made = cluster.entries[DEV]
        assert (made.values["username"], made.values["kubernetesGroups"]) == ("dev", ["a", "b"])
        assert made.policies[VIEW]["accessScope"] == {"type": "namespace", "namespaces": ["x", "y"]}
        assert run("update", DEV, "--add-group=c", "--yes")[0] == 0
        assert cluster.entries[DEV].values["kubernetesGroups"] == ["a", "b", "c"]
        assert VIEW in cluster.entries[DEV].policies
        code, said = run("list")
        assert (code, "AmazonEKSViewPolicy=x,y" in said) == (0, True)
        assert run("remove", DEV, "--yes")[0] == 0
        assert [*cluster.entries] == [OPS]

    def test_the_least_privilege_is_given_first(
        self, run: Run, aws: AwsDouble, cluster: EksCluster
    ) -> None:
        policies = ["AmazonEKSClusterAdminPolicy", "AmazonEKSViewPolicy", "AmazonEKSEditPolicy=a"]
        run("add", "role", DEV, *[f"--access-policy={name}" for name in policies], "--yes")
        calls = [call for call in aws.calls.recent() if call.action == "AssociateAccessPolicy"]
        sent = [json.loads(call.request.body)["policyArn"] for call in calls]
        assert [arn.rpartition("/")[2] for arn in sent] == [
            *("AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSClusterAdminPolicy")
        ]

    def test_every_create_has_an_idempotency_token(self, run: Run, aws: AwsDouble) -> None:
        run("add", "role", DEV, "--yes")
        (call,) = (call for call in aws.calls.recent() if call.action == "CreateAccessEntry")
        assert json.loads(call.request.body)["clientRequestToken"]

    def test_all_pages_are_read(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, *(f"{ROLE}/r{number:03d}" for number in range(205)))
        assert len(json.loads(run("list", "-o", "json")[1])["entries"]) == 205

    def test_apply_prunes(self, run: Run, cluster: EksCluster, tmp_path: Path) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        have(cluster, DEV, BOB)
        file = tmp_path / "m.yaml"
        file.write_text(f"mapRoles: [{{rolearn: {OPS}, username: o, groups: [system:masters]}}]")
        assert run("diff", "-f", str(file), "--prune")[0] == 3
        assert run("apply", "-f", str(file), "--prune", "--yes")[0] == 0
        assert [*cluster.entries] == [OPS, BOB]
        assert cluster.entries[OPS].values["username"] == "o"
        assert [*cluster.entries[OPS].policies] == [ADMIN]
        code, said = run("apply", "-f", str(file), "--prune", "--yes")
        assert (code, "nothing to change" in said) == (0, True)

    def test_entries_of_aws_services_are_not_pruned(
        self, run: Run, cluster: EksCluster, tmp_path: Path
    ) -> None:
        own = f"{ROLE}/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
        have(cluster, own, DEV)
        assert run("apply", "-f", str(manifest(tmp_path / "m.json", 1)), "--prune", "--yes")[0] == 0
        assert [*cluster.entries] == [own, f"{ROLE}/r000"]

    def test_import_and_export(self, run: Run, cluster: EksCluster, tmp_path: Path) -> None:
        file = tmp_path / "m.yaml"
        file.write_text(
            f"mapRoles: [{{rolearn: {DEV}, username: d, groups: [g]}}]\n"
            f"mapAccounts: ['{ACCOUNT}']\n"
        )
        code, said = run("import", str(file), "--yes")
        assert (code, "cannot map a whole account" in said) == (0, True)
        run("update", DEV, "--access-policy=AmazonEKSViewPolicy", "--yes")
        code, said = run("export", "--format=aws-auth")
        assert f"rolearn: {DEV}" in said.replace('"', "")
        assert "access policies are not carried over: AmazonEKSViewPolicy" in said

    @pytest.mark.parametrize(
        ("kind", "username"),
        [("EC2_LINUX", "EC2PrivateDNSName"), ("HYPERPOD_LINUX", "SessionName"), ("EC2", "EC2")],
    )
    def test_nodes_have_a_type(
        self, run: Run, cluster: EksCluster, kind: str, username: str
    ) -> None:
        assert run("add", "role", DEV, f"--type={kind}", "--yes")[0] == 0
        assert cluster.entries[DEV].values["type"] == kind
        (row,) = json.loads(run("list", "-o", "json")[1])["entries"]
        assert (row["type"], username in row["username"], row["inForce"]) == (kind, True, True)
        code, said = run("remove", DEV, "--yes")
        assert (code, "refused (node-roles)" in said) == (1, True)

    def test_tags_are_kept_by_edits_and_restored(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, DEV, tags={"team": "data"})
        run("update", DEV, "--username=x", "--yes")
        assert cluster.entries[DEV].values["tags"] == {"team": "data"}
        run("remove", DEV, "--yes")
        run("rollback", "--yes")
        assert cluster.entries[DEV].values["tags"] == {"team": "data"}

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["add", "role", DEV, "--expires=8h"], "does not end by itself"),
            (["update", DEV, "--expires=8h"], "does not end by itself"),
            (["grant", DEV, "--group=a", "--for=1h", "--reason=x"], "do not end by themselves"),
            (["add", "account", ACCOUNT], "cannot map a whole account"),
            (["add", "role", f"{ROLE}/*"], "knows no patterns"),
            (["update", DEV, "--groups=x", "--kubeconfig=k"], "does not go with --source eks"),
        ],
    )
    def test_what_eks_cannot_do_is_refused(
        self, run: Run, aws: AwsDouble, cluster: EksCluster, arguments: list[str], why: str
    ) -> None:
        have(cluster, DEV)
        if arguments[0] == "add":
            cluster.entries.clear()
        code, said = run(*arguments, "--yes")
        assert (code != 0, why in said) == (True, True), said
        assert writes(aws) == []

    @pytest.mark.parametrize(
        ("where", "why"),
        [
            (["--source=eks"], "--cluster NAME"),
            (["--source=configmap", "--profile=p"], "--profile goes with --source eks"),
            (["--source=file=m.yaml", "--cluster=c"], "--cluster goes with --source eks"),
            (["--source=file=m.yaml"], "--access-policy go with --source eks"),
        ],
    )
    def test_flags_go_with_their_source(self, run: Run, where: list[str], why: str) -> None:
        code, said = run("update", DEV, "--access-policy=X", where=where)
        assert (code, why in said) == (2, True), said


class TestFilesOfEks:
    """What `aws eks describe-access-entry` and `list-associated-access-policies` print."""

    @staticmethod
    def described(path: Path, *policies: dict[str, Any], **values: Any) -> str:
        found = {"principalArn": DEV, "type": "STANDARD", "username": "dev", **values}
        path.write_text(json.dumps({"accessEntry": found, "associatedAccessPolicies": policies}))
        return str(path)

    def test_apply_sets_the_policies(self, run: Run, cluster: EksCluster, tmp_path: Path) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        scope = {"type": "namespace", "namespaces": ["a"]}
        view = {"policyArn": VIEW, "accessScope": scope}
        admin = {"policyArn": ADMIN, "accessScope": {"type": "cluster"}}
        file = self.described(tmp_path / "e.json", view, admin, kubernetesGroups=["g"])
        assert run("apply", "-f", file, "--yes")[0] == 0
        assert {*cluster.entries[DEV].policies} == {VIEW, ADMIN}
        assert cluster.entries[DEV].policies[VIEW]["accessScope"] == scope
        assert run("diff", "-f", file)[0] == 0
        # A policy that the file does not have goes.
        file = self.described(tmp_path / "e.json", admin, kubernetesGroups=["g"])
        assert run("apply", "-f", file, "--yes")[0] == 0
        assert [*cluster.entries[DEV].policies] == [ADMIN]

    def test_policies_that_the_file_does_not_tell_of_stay(
        self, run: Run, cluster: EksCluster, tmp_path: Path
    ) -> None:
        have(cluster, DEV, policies=(VIEW,))
        file = tmp_path / "e.json"
        file.write_text(json.dumps({"accessEntry": {"principalArn": DEV, "username": "new"}}))
        assert run("apply", "-f", str(file), "--yes")[0] == 0
        assert cluster.entries[DEV].values["username"] == "new"
        assert [*cluster.entries[DEV].policies] == [VIEW]

    @pytest.mark.parametrize("kind", ["EC2", "HYPERPOD_LINUX", "FARGATE_LINUX"])
    def test_apply_makes_nodes(
        self, run: Run, cluster: EksCluster, tmp_path: Path, kind: str
    ) -> None:
        file = tmp_path / "e.json"
        file.write_text(json.dumps({"accessEntry": {"principalArn": DEV, "type": kind}}))
        assert run("apply", "-f", str(file), "--yes")[0] == 0
        assert cluster.entries[DEV].values["type"] == kind
        assert run("diff", "-f", str(file))[0] == 0

    def test_a_type_that_is_not_known_is_not_made_another(
        self, run: Run, aws: AwsDouble, tmp_path: Path
    ) -> None:
        code, said = run("apply", "-f", self.described(tmp_path / "e.json", type="NEW"), "--yes")
        assert (code, "the type NEW is not known" in said) == (1, True)
        assert writes(aws) == []

    def test_the_editor_has_policies_and_tags(
        self, run: Run, cluster: EksCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        have(cluster, DEV, policies=(VIEW,), tags={"team": "data"})
        monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/ViewPolicy/EditPolicy/; s/data/ops/'")
        assert run("edit", "--yes")[0] == 0
        assert [*cluster.entries[DEV].policies] == [policy_arn("AmazonEKSEditPolicy")]
        assert cluster.entries[DEV].values["tags"] == {"team": "ops"}
        monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/type/typo/'")
        code, said = run("edit", "--yes")
        assert (code, "has the keys type, username" in said) == (1, True)


class TestGuards:
    def test_the_last_administrator_stays(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        code, said = run("remove", OPS, "--yes")
        assert (code, "refused (last-administrator)" in said) == (1, True)
        assert OPS in cluster.entries

    def test_the_editors_own_access_stays(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        have(cluster, ALICE_ARN)
        code, said = run("remove", ALICE_ARN, "--yes")
        assert (code, "refused (own-access)" in said) == (1, True)

    def test_aws_auth_may_apply_again(self, run: Run, cluster: EksCluster) -> None:
        cluster.mode = "API_AND_CONFIG_MAP"
        have(cluster, DEV)
        assert "applies again" in run("remove", DEV, "--yes")[1]


class TestErrors:
    def test_a_cluster_of_aws_auth_alone_is_told_how_to_change(
        self, run: Run, cluster: EksCluster
    ) -> None:
        cluster.mode = "CONFIG_MAP"
        code, said = run("list")
        assert (code, "authenticationMode=API_AND_CONFIG_MAP" in said) == (1, True)

    def test_no_such_cluster(self, run: Run) -> None:
        code, said = run("list", where=["--source=eks", "--cluster=none", f"--region={REGION}"])
        assert (code, "eks:DescribeCluster: ResourceNotFoundException" in said) == (1, True)

    def test_no_such_profile(self, run: Run) -> None:
        code, said = run("list", where=[*WHERE, "--profile=none"])
        assert (code, "aws configure list-profiles" in said) == (1, True), said

    def test_no_region(self, run: Run) -> None:
        code, said = run("list", where=WHERE[:2])
        assert (code, "Pass --region" in said) == (1, True), said

    def test_a_missing_permission_is_named(self) -> None:
        response = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        error = eks_api._refused("eks:CreateAccessEntry", response)
        assert "the IAM permission eks:CreateAccessEntry is missing" in str(error)

    def test_messages_about_signatures_are_not_repeated(self, run: Run, aws: AwsDouble) -> None:
        aws.principals.remove(ALICE.access_key_id)
        code, said = run("list")
        assert (code, "aws sts get-caller-identity" in said) == (1, True)
        response = {"Error": {"Code": "SignatureDoesNotMatch", "Message": "x-token:SECRET"}}
        assert "SECRET" not in str(eks_api._refused("eks:X", response))

    def test_a_throttled_read_waits(self, run: Run, aws: AwsDouble, cluster: EksCluster) -> None:
        have(cluster, DEV, OPS, BOB)
        aws.faults.start(Throttle(rate=20, burst=2))
        assert len(json.loads(run("list", "-o", "json")[1])["entries"]) == 3
        assert aws.calls.counts().by_outcome["Throttling"] > 0


class TestConflicts:
    def test_an_entry_that_changed_since_is_not_written(
        self, aws: AwsDouble, cluster: EksCluster
    ) -> None:
        have(cluster, DEV)
        store = AccessEntriesStore("prod", REGION)
        snapshot = store.read()
        have(cluster, DEV, username="other")
        located = snapshot.document.entries()
        with pytest.raises(Conflict) as conflict:
            store.write(
                snapshot, snapshot.document.edited(updates=[(located[0], {"groups": ["x"]})])
            )
        assert (conflict.value.partly, writes(aws)) == (False, [])
        assert cluster.entries[DEV].values["username"] == "other"
        assert store.history().versions == ()

    def test_entries_of_others_do_not_stop_an_edit(
        self, aws: AwsDouble, cluster: EksCluster
    ) -> None:
        have(cluster, DEV)
        store = AccessEntriesStore("prod", REGION)
        snapshot = store.read()
        have(cluster, OPS)
        entry_of_bob = MappingEntry("mapUsers", {"userarn": BOB, "username": "bob"})
        store.write(snapshot, snapshot.document.edited(additions=[entry_of_bob]))
        assert {*cluster.entries} == {DEV, OPS, BOB}

    def test_an_edit_of_others_in_the_middle_of_apply_is_seen(
        self,
        run: Run,
        aws: AwsDouble,
        cluster: EksCluster,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        have(cluster, f"{ROLE}/r003", username="old")
        create = EksApi.create

        def raced(api: EksApi, principal: str, obj: Any) -> None:
            if principal.endswith("/r002"):
                have(cluster, f"{ROLE}/r003", username="of another administrator")
            create(api, principal, obj)

        monkeypatch.setattr(EksApi, "create", raced)
        code, said = run("apply", "-f", str(manifest(tmp_path / "m.json", 5)), "--yes")
        assert (code, "another edit was made meanwhile" in said) == (0, True)
        assert '-  "username": "of another administrator"' in said
        assert writes(aws).count("CreateAccessEntry") == 4
        assert run("history", "show", "1")[1].count("(in part)") == 1

    def test_reads_that_lag_behind_do_not_undo_an_edit(self, run: Run, cluster: EksCluster) -> None:
        cluster.stale_reads = 3
        assert run("add", "role", DEV, "--username=dev", "--groups=a", "--yes")[0] == 0
        # The first edit has waited until it could be seen.
        assert run("update", DEV, "--add-group=b", "--yes")[0] == 0
        assert cluster.entries[DEV].values["kubernetesGroups"] == ["a", "b"]
        assert run("rollback", "--yes")[0] == 0
        assert cluster.entries[DEV].values["kubernetesGroups"] == ["a"]

    def test_an_older_state_that_is_read_is_not_written_over_the_new_one(
        self, aws: AwsDouble, cluster: EksCluster, run: Run
    ) -> None:
        have(cluster, OPS)
        cluster.stale_reads = 4
        aws.eks.write(cluster, DEV, entry(DEV))
        code, said = run("add", "role", DEV, "--username=dev", "--yes")
        assert code == 1, said
        assert "is mapped already" in said


class TestHistory:
    def test_it_is_this_users_alone(self, run: Run, state: Path) -> None:
        run("add", "role", DEV, "--yes")
        folder = state / "aws-iam-authenticator"
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        name = f"arn_aws_eks_{REGION}_{ACCOUNT}_cluster_prod"
        assert found == {f"{name}.history.jsonl": 0o600, f"{name}.lock": 0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_every_edit_can_be_undone(self, run: Run, cluster: EksCluster) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        before = dict(AccessEntriesStore("prod", REGION).read().document.texts)
        run("add", "role", DEV, "--username=dev", "--groups=a", "--yes")
        run("update", DEV, "--groups=b", "--access-policy=AmazonEKSViewPolicy", "--yes")
        run("remove", DEV, "--yes")
        assert run("history", "diff", "1")[0] == 0
        versions = json.loads(run("history", "-o", "json")[1])
        assert [[*version["texts"]] for version in versions] == [[OPS, DEV], [OPS, DEV], [OPS]]
        assert '"b"' in run("history", "show", "3")[1]
        assert run("rollback", "3", "--yes")[0] == 0
        assert cluster.entries[DEV].values["kubernetesGroups"] == ["b"]
        assert [*cluster.entries[DEV].policies] == [VIEW]
        assert run("rollback", "1", "--yes")[0] == 0
        assert AccessEntriesStore("prod", REGION).read().document.texts == before

    def test_a_rollback_leaves_what_others_did_elsewhere(
        self, run: Run, cluster: EksCluster
    ) -> None:
        run("add", "role", DEV, "--yes")
        have(cluster, BOB)
        run("rollback", "--yes")
        assert [*cluster.entries] == [BOB]

    def test_nothing_is_written_without_a_history(
        self, run: Run, aws: AwsDouble, state: Path
    ) -> None:
        state.write_text("not a directory")
        code, said = run("add", "role", DEV, "--yes")
        assert (code, "set XDG_STATE_HOME" in said) == (1, True)
        assert writes(aws) == []

    def test_two_processes_do_not_lose_an_edit(self, run: Run, state: Path) -> None:
        histories = [LocalHistory(state, "place") for _ in range(8)]

        def edit(history: LocalHistory) -> None:
            history.begin("ann", {"a": "b"})
            history.finish("an edit")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(edit, histories))
        numbers = [version.number for version in histories[0].read().versions]
        assert numbers == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_a_link_in_its_place_is_refused(self, run: Run, state: Path, tmp_path: Path) -> None:
        run("add", "role", DEV, "--yes")
        (path,) = (state / "aws-iam-authenticator").glob("*.jsonl")
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
        code, said = run("history")
        assert (code, "cannot be used" in said) == (1, True)


class TestEndInTheMiddle:
    def test_a_throttled_apply_is_resumed_without_double_work(
        self,
        run: Run,
        aws: AwsDouble,
        cluster: EksCluster,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        file = manifest(tmp_path / "m.json", 100)
        monkeypatch.setattr(eks_api, "_ATTEMPTS", 1)
        create = EksApi.create

        def throttled(api: EksApi, principal: str, obj: Any) -> None:
            if len(cluster.entries) == 41:
                aws.faults.start(Throttle(rate=0.001, burst=0))
            create(api, principal, obj)

        monkeypatch.setattr(EksApi, "create", throttled)
        code, said = run("apply", "-f", str(file), "--yes")
        assert (code, "40 of 100 access entries were written before" in said) == (1, True), said
        assert "run the same command again" in said
        aws.faults.stop_all()
        monkeypatch.setattr(EksApi, "create", create)
        aws.calls.clear()
        assert run("apply", "-f", str(file), "--yes")[0] == 0
        assert writes(aws) == ["CreateAccessEntry"] * 60
        assert len(cluster.entries) == 101
        # Both parts are in the history.
        assert run("rollback", "1", "--yes")[0] == 0
        assert [*cluster.entries] == [OPS]

    def test_a_killed_apply_is_resumed_without_loss(
        self, run: Run, aws: AwsDouble, cluster: EksCluster, tmp_path: Path
    ) -> None:
        have(cluster, OPS, policies=(ADMIN,))
        file = manifest(tmp_path / "m.json", 100)
        command = [sys.executable, "-m", "authenticator", "mappings", "apply", "-f", str(file)]
        process = subprocess.Popen([*command, "--yes", *WHERE], env=os.environ.copy())
        try:
            aws.calls.wait(lambda counts: counts.by_action["CreateAccessEntry"] > 30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = len(cluster.entries) - 1
        assert 0 < done < 100
        code, said = run("history")
        assert (code, "interrupted" in said) == (0, True)
        aws.calls.clear()
        assert run("apply", "-f", str(file), "--yes")[0] == 0
        assert writes(aws) == ["CreateAccessEntry"] * (100 - done)
        assert run("rollback", "1", "--yes")[0] == 0
        assert [*cluster.entries] == [OPS]

    def test_an_apply_that_is_stopped_at_the_keyboard_can_be_undone(
        self, run: Run, cluster: EksCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = manifest(tmp_path / "m.json", 5)
        create = EksApi.create

        def stopped(api: EksApi, principal: str, obj: Any) -> None:
            if len(cluster.entries) == 2:
                raise KeyboardInterrupt
            create(api, principal, obj)

        monkeypatch.setattr(EksApi, "create", stopped)
        assert run("apply", "-f", str(file), "--yes")[0] == 130
        assert len(cluster.entries) == 2
        assert "interrupted" in run("history")[1]
        assert run("rollback", "--yes")[0] == 0
        assert cluster.entries == {}

    def test_what_failed_half_way_is_named_and_in_the_history(
        self, run: Run, cluster: EksCluster
    ) -> None:
        add = ["add", "role", DEV, "--access-policy=NoSuchPolicy", "--yes"]
        code, said = run(*add)
        assert (code, f"the last call: created {DEV}" in said) == (1, True), said
        assert "(in part)" in run("history")[1]
        assert run("rollback", "--yes")[0] == 0
        assert cluster.entries == {}

    def test_a_delete_whose_answer_was_lost_is_not_an_error(
        self, aws: AwsDouble, cluster: EksCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        have(cluster, DEV)
        store = AccessEntriesStore("prod", REGION)
        snapshot = store.read()

        def lost(_: EksApi, principal: str) -> None:
            del cluster.entries[principal]
            raise eks_api.EksError("gone", eks_api.NOT_FOUND, repeated=True)

        monkeypatch.setattr(EksApi, "delete", lost)
        store.write(snapshot, AccessEntries({}))

    def test_a_write_is_not_checked_without_being_made(self, run: Run, aws: AwsDouble) -> None:
        assert run("add", "role", DEV, "--dry-run=server")[0] == 2
        store = AccessEntriesStore("prod", REGION)
        with pytest.raises(StoreError, match="cannot check"):
            store.write(store.read(), AccessEntries({}), dry_run=True)
        assert writes(aws) == []


def test_the_commands_of_the_guide_work(
    run: Run, cluster: EksCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "eks.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^ *aws-iam-authenticator mappings (.*)$", text, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("mappings.yaml").write_text(
        f"mapRoles: [{{rolearn: {OPS}, username: ops, groups: ['system:masters']}}]\n"
    )
    have(cluster, OPS, policies=(ADMIN,))
    seen = []
    for command in commands:
        words = shlex.split(command)
        reads = words[0] in ("list", "history")
        code, said = run(*words, *([] if reads else ["--yes"]), where=[])
        assert code == 0, said
        seen.append(sorted(cluster.entries))
    dev = f"{ROLE}/Dev"
    assert [words.split()[0] for words in commands] == [
        "list",
        "add",
        "apply",
        "history",
        "rollback",
    ]
    assert seen == [[OPS], [dev, OPS], [OPS], [OPS], [dev, OPS]]


ADD_DEV = ["add", "role", DEV, "--username=dev", "--groups=a,b"]
SCENARIOS: dict[str, list[list[str]]] = {
    "add": [ADD_DEV],
    "add a user": [["add", "user", BOB, "--username=bob"]],
    "add without a username": [["add", DEV]],
    "add twice": [ADD_DEV, ADD_DEV],
    "add the same under another path": [ADD_DEV, ["add", "role", f"{ROLE}/Dev"]],
    "add a node": [
        [
            *("add", "role", DEV, "--username=system:node:{{EC2PrivateDNSName}}"),
            "--groups=system:bootstrappers,system:nodes",
        ]
    ],
    "add an administrator": [["add", "role", DEV, "--username=d", "--groups=system:masters"]],
    "add with a session": [["add", "role", DEV, "--username=dev:{{SessionName}}"]],
    "update the name": [ADD_DEV, ["update", DEV, "--username=x"]],
    "update the groups": [ADD_DEV, ["update", DEV, "--groups=c"]],
    "add a group": [ADD_DEV, ["update", DEV, "--add-group=c"]],
    "remove a group": [ADD_DEV, ["update", DEV, "--remove-group=a"]],
    "remove all groups": [ADD_DEV, ["update", DEV, "--groups="]],
    "make an administrator": [ADD_DEV, ["update", DEV, "--add-group=system:masters"]],
    "update nothing": [ADD_DEV, ["update", DEV, "--username=dev"]],
    "update what is not there": [["update", DEV, "--username=x"]],
    "remove": [ADD_DEV, ["remove", DEV]],
    "remove two": [ADD_DEV, ["add", BOB, "--username=b"], ["remove", DEV, BOB]],
    "remove what is not there": [["remove", DEV]],
    "remove the last administrator": [["remove", OPS]],
    "remove the last administrator by force": [["remove", OPS, "--force"]],
    "take system:masters from the last": [["update", OPS, "--groups=x"]],
    "roll back": [ADD_DEV, ["rollback"]],
    "roll back twice": [ADD_DEV, ["rollback"], ["rollback"]],
    "roll back to the beginning": [ADD_DEV, ["update", DEV, "--groups=c"], ["rollback", "1"]],
    "roll back to no edit": [["rollback", "7"]],
    "dry run": [[*ADD_DEV, "--dry-run=client"]],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_alike_in_a_file_and_in_access_entries(
    run: Run, cluster: EksCluster, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(f"mapRoles: [{{rolearn: {OPS}, username: ops, groups: ['system:masters']}}]\n")
    have(cluster, OPS, policies=(ADMIN,), username="ops")

    def play(where: list[str]) -> tuple[list[int], list[list[Any]], list[str]]:
        said = [run(*step, "--yes", where=where) for step in SCENARIOS[name]]
        rows = json.loads(run("list", "-o", "json", where=where)[1])["entries"]
        keys = ("principal", "username", "groups", "inForce", "problems")
        listed = sorted([[row[key] for key in keys] for row in rows], key=str)
        refused = [line.split(";")[0] for code, text in said for line in text.splitlines() if code]
        reasons = [line for line in refused if "refused" in line or "no entry names" in line]
        return [code for code, _ in said], listed, reasons

    in_file = play([f"--source=file={file}"])
    in_eks = play(WHERE)
    if name == "add without a username":
        # A file says nothing, which is warned of, and means the same: the canonical ARN.
        canonical = "{{CanonicalARN}}"
        assert in_file[1][1][-1] == [f"username is missing, so that it is {canonical}"]
        in_file[1][1][1:] = [f"{ROLE}/Dev", [], True, []]
    assert in_eks == in_file
