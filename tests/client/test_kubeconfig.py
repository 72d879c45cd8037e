"""The verb `kubeconfig`, with the kubectl that people have."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from client import kubeconfig
from dev.cluster import binaries
from tests.client.running import PREFIX, Outcome, Run
from tests.client.sts import ROLE, response

pytestmark = pytest.mark.cluster

PEM = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return binaries.find().kubectl


@pytest.fixture
def authority(home: Path) -> Path:
    file = home / "ca.pem"
    file.write_text(PEM)
    return file


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".kube" / "config"


@pytest.fixture
def write(
    capfd: pytest.CaptureFixture[str],
    kubectl: Path,
    authority: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run the verb for a cluster whose server is given."""
    monkeypatch.setenv("PATH", f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("KUBECONFIG", raising=False)

    def run(line: str = "-i my-cluster") -> Outcome:
        given = ["--server", "https://api.example:6443", "--certificate-authority", str(authority)]
        code = kubeconfig.main([*given, *line.split()])
        return Outcome(code, *capfd.readouterr())

    return run


def loaded(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def test_writes_a_new_file(write: Run, config: Path) -> None:
    outcome = write("-i my-cluster --region eu-west-1 --profile me")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"kubectl now uses the context 'my-cluster' in {config}\n"
    assert config.stat().st_mode & 0o777 == 0o600
    authority = base64.b64encode(PEM.encode()).decode()
    access = {"server": "https://api.example:6443", "certificate-authority-data": authority}
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws-iam-authenticator",
        "args": ["token", "-i", "my-cluster", "--region", "eu-west-1"],
        "env": [{"name": "AWS_PROFILE", "value": "me"}],
        "installHint": (
            "aws-iam-authenticator is not installed: pip install kube-iam-authenticator"
        ),
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": False,
    }
    assert loaded(config) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "my-cluster", "cluster": access}],
        "users": [{"name": "my-cluster", "user": {"exec": plugin}}],
        "contexts": [
            {"name": "my-cluster", "context": {"cluster": "my-cluster", "user": "my-cluster"}}
        ],
        "current-context": "my-cluster",
    }


def test_kubectl_takes_what_is_written(write: Run, config: Path, kubectl: Path) -> None:
    write(f"-i my-cluster -r {ROLE} -e external -s me")

    shown = subprocess.run(
        [kubectl, "--kubeconfig", config, "config", "view", "--minify", "-o", "json"],
        capture_output=True,
        check=True,
    )

    [user] = json.loads(shown.stdout)["users"]
    assert user["user"]["exec"]["args"] == (
        f"token -i my-cluster --role {ROLE} --external-id external --session-name me".split()
    )


def test_several_roles_live_side_by_side(write: Run, config: Path) -> None:
    write()
    write(f"-i my-cluster -r {ROLE}")
    write("-i my-cluster -r arn:aws:iam::444455556666:role/Viewer")
    write(f"-i my-cluster -r {ROLE} -s again")

    content = loaded(config)

    names = ["my-cluster", "my-cluster@444455556666:Viewer", "my-cluster@111122223333:team/Admin"]
    for kind in ("users", "contexts"):
        assert [entry["name"] for entry in content[kind]] == names
    assert content["current-context"] == names[-1]
    assert [entry["name"] for entry in content["clusters"]] == ["my-cluster"]


def test_an_alias_names_the_context(write: Run, config: Path) -> None:
    write(f"-i my-cluster -r {ROLE} --alias prod")

    [context] = loaded(config)["contexts"]
    assert context == {
        "name": "prod",
        "context": {"cluster": "prod", "user": "prod@111122223333:team/Admin"},
    }


def test_an_alias_keeps_clusters_of_one_id_apart(write: Run, config: Path) -> None:
    """Two regions may each have a cluster `main`; no context may come to mean the other one."""
    write("-i main --alias dublin --server https://dublin.example")
    write("-i main --alias ohio --server https://ohio.example")

    content = loaded(config)

    servers = {it["name"]: it["cluster"]["server"] for it in content["clusters"]}
    assert {it["name"]: servers[it["context"]["cluster"]] for it in content["contexts"]} == {
        "dublin": "https://dublin.example",
        "ohio": "https://ohio.example",
    }


def test_another_cluster_of_the_same_name_is_not_overwritten(write: Run, config: Path) -> None:
    write("-i main --server https://dublin.example")
    before = config.read_bytes()

    refusal = write("-i main --server https://ohio.example").refusal()

    assert "another cluster 'main', at https://dublin.example" in refusal
    assert "--alias" in refusal
    assert config.read_bytes() == before


def test_the_notes_of_other_programs_on_an_entry_stay(write: Run, config: Path) -> None:
    write()
    content = loaded(config)
    notes = [{"name": "client.authentication.k8s.io/exec", "extension": {"clusterID": "x"}}]
    content["clusters"][0]["cluster"]["extensions"] = notes
    config.write_text(yaml.safe_dump(content))

    write("-i my-cluster --role arn:aws:iam::111122223333:role/Admin")

    assert loaded(config)["clusters"][0]["cluster"]["extensions"] == notes


OTHERS = """\
# Somebody's own
apiVersion: v1
kind: Config
clusters:
- cluster: {server: "https://other.example", insecure-skip-tls-verify: true}
  name: other
contexts:
- name: other
  context: {cluster: other, user: other, namespace: team}
current-context: other
users:
- name: other
  user: {token: very-secret}
- name: my-cluster
  user: {token: very-secret-too, auth-provider: {name: x, config: {access-token: very-secret}}}
"""


def test_what_is_others_stays(write: Run, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(OTHERS)
    before = loaded(config)

    assert write().code == 0

    content = loaded(config)
    for kind in ("clusters", "contexts", "users"):
        assert content[kind][0] == before[kind][0]
    assert [user["name"] for user in content["users"]] == ["other", "my-cluster"]
    assert "very-secret-too" not in config.read_text()


def test_a_second_time_changes_nothing(write: Run, config: Path) -> None:
    write()
    before = config.read_bytes()

    assert "nothing to change" in write("-i my-cluster --dry-run").out
    write()

    assert config.read_bytes() == before


def test_a_dry_run_shows_the_change_without_secrets(write: Run, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(OTHERS)

    outcome = write("-i my-cluster --dry-run")

    assert outcome.code == 0
    assert "-current-context: other" in outcome.out
    assert "+current-context: my-cluster" in outcome.out
    assert "very-secret" not in outcome.out
    assert config.read_text() == OTHERS


def test_a_result_for_programs(write: Run, config: Path) -> None:
    assert json.loads(write("-i my-cluster -o json").out) == {
        "context": "my-cluster",
        "kubeconfig": str(config),
    }


@pytest.mark.parametrize(
    "case",
    [([], "third"), (["second"], "second"), (["first", "second"], "first")],
    ids=["none is there", "one is", "two are"],
)
def test_kubeconfig_names_the_file(
    case: tuple[list[str], str],
    write: Run,
    kubectl: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of several, the one that kubectl itself chooses."""
    there, chosen = case
    files = {name: home / name for name in ("first", "second", "third")}
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files.values())))
    for name in there:
        files[name].write_text(OTHERS)

    write()
    subprocess.run([kubectl, "config", "set-cluster", "theirs"], check=True, capture_output=True)

    changed = {name for name in files if files[name].exists() and files[name].read_text() != OTHERS}
    assert changed == {chosen}
    names = {entry["name"] for entry in loaded(files[chosen])["clusters"]}
    assert names >= {"my-cluster", "theirs"}


def test_a_flag_names_the_file(write: Run, config: Path, home: Path) -> None:
    write(f"-i my-cluster --kubeconfig {home / 'flagged'}")

    assert (home / "flagged").exists()
    assert not config.exists()


def test_a_link_stays_one(write: Run, config: Path, home: Path) -> None:
    target = home / "dotfiles"
    target.write_text(OTHERS)
    target.chmod(0o644)
    config.parent.mkdir()
    config.symlink_to(target)

    write()

    assert config.is_symlink()
    assert loaded(target)["current-context"] == "my-cluster"
    assert target.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_beside_the_file(write: Run, config: Path) -> None:
    write()

    assert [*config.parent.iterdir()] == [config]


def test_writers_at_once_lose_nothing(write: Run, config: Path, authority: Path) -> None:
    names = [f"cluster-{number}" for number in range(6)]
    flags = ("--server", "https://api.example", "--certificate-authority", str(authority))
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "client", "kubeconfig", "-i", name, *flags],
            env={**os.environ, "PYTHONPATH": str(Path(kubeconfig.__file__).parents[1])},
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]

    assert [run.wait(60) for run in runs] == [0] * len(names)
    assert {entry["name"] for entry in loaded(config)["contexts"]} == {*names}


def test_a_lock_that_stays_is_named(
    write: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.kubeconfig_file._LOCK_SECONDS", 0)
    config.parent.mkdir()
    lock = config.with_name("config.lock")
    lock.touch()

    assert f"{lock} is there" in write().refusal()
    assert lock.exists()


REFUSALS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no cluster": ("", lambda config: None, "no cluster id"),
    "unknown flag": ("-i c --sever x", lambda config: None, "unrecognized arguments: --sever x"),
    "no role": ("-i c -r Admin", lambda config: None, "'Admin' is not the ARN of a role"),
    "broken file": ("-i c", lambda config: config.write_text("{"), "kubectl cannot read"),
    "directory": ("-i c", lambda config: config.mkdir(), "Is a directory; give --kubeconfig"),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses_with_a_reason(
    case: tuple[str, Callable[[Path], object], str], write: Run, config: Path
) -> None:
    line, prepare, reason = case
    config.parent.mkdir()
    prepare(config)

    assert reason in write(line).refusal()


def test_a_server_needs_its_authority(capfd: pytest.CaptureFixture[str]) -> None:
    assert kubeconfig.main(["-i", "c", "--server", "https://api.example"]) == 1
    assert "come together" in capfd.readouterr().err


class TestFromEks:
    @pytest.fixture
    def eks(self, keys: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What EKS answers, and what it was asked."""
        state: dict[str, Any] = {
            "asked": [],
            "status": 200,
            "answer": {
                "cluster": {
                    "status": "ACTIVE",
                    "endpoint": "https://eks.example",
                    "certificateAuthority": {"data": "Q0E="},
                }
            },
        }

        def answer(request: Any, **_: object) -> object:
            state["asked"].append(request.url)
            code = {"x-amzn-errortype": "ResourceNotFoundException"}
            return response(request.url, state["status"], json.dumps(state["answer"]), code)

        make = botocore.session.Session

        def session(**options: object) -> Any:
            made = make(**options)
            made.register("before-send.eks", answer)
            return made

        monkeypatch.setattr(botocore.session, "Session", session)
        return state

    def test_asks_for_server_and_authority(
        self, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert kubeconfig.main(["-i", "my-cluster", "--region", "eu-west-1"]) == 0

        assert eks["asked"] == ["https://eks.eu-west-1.amazonaws.com/clusters/my-cluster"]
        [cluster] = loaded(config)["clusters"]
        assert cluster["cluster"] == {
            "server": "https://eks.example",
            "certificate-authority-data": "Q0E=",
        }

    def test_a_cluster_that_is_not_ready(
        self, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        eks["answer"] = {"cluster": {"status": "CREATING"}}

        assert kubeconfig.main(["-i", "my-cluster"]) == 1

        assert "the cluster my-cluster is CREATING" in capfd.readouterr().err
        assert not config.exists()

    def test_a_cluster_that_is_not_there(
        self, eks: dict[str, Any], capfd: pytest.CaptureFixture[str]
    ) -> None:
        eks |= {"status": 404, "answer": {"message": "No cluster found for name: my-cluster."}}

        assert kubeconfig.main(["-i", "my-cluster"]) == 1

        line = capfd.readouterr().err
        assert line.startswith(f"{PREFIX}cannot call eks:describe_cluster")
        assert "No cluster found" in line


def test_without_kubectl_a_new_file_is_written_all_the_same(
    write: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    assert write().code == 0
    assert "kubectl is not on PATH" in write().refusal()
