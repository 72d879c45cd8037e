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
    assert outcome.out == (
        f"Added context 'my-cluster@me' in {config}; try: kubectl get namespaces\n"
    )
    assert config.stat().st_mode & 0o777 == 0o600
    authority = base64.b64encode(PEM.encode()).decode()
    access = {"server": "https://api.example:6443", "certificate-authority-data": authority}
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws-iam-authenticator",
        "args": ["token", "-i", "my-cluster", "--region", "eu-west-1", "--profile", "me"],
        "env": None,
        "installHint": ("aws-iam-authenticator is not on PATH: install kube-iam-authenticator"),
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": False,
    }
    assert loaded(config) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "my-cluster", "cluster": access}],
        "users": [{"name": "my-cluster@me", "user": {"exec": plugin}}],
        "contexts": [
            {
                "name": "my-cluster@me",
                "context": {"cluster": "my-cluster", "user": "my-cluster@me"},
            }
        ],
        "current-context": "my-cluster@me",
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


def test_writes_a_user_that_logs_in_with_jwts(write: Run, config: Path) -> None:
    write("-i my-cluster")
    outcome = write("-i my-cluster --jwt --audience https://k8s.example.com")

    assert outcome.out.startswith("Updated context 'my-cluster'")
    [user] = loaded(config)["users"]
    assert user["user"]["exec"]["args"] == [
        *("token", "-i", "my-cluster", "--jwt", "--audience", "https://k8s.example.com")
    ]
    assert "--audience is that of a JWT" in write("-i my-cluster --audience x").refusal(code=2)
    write("-i my-cluster --jwt")
    [user] = loaded(config)["users"]
    assert user["user"]["exec"]["args"] == ["token", "-i", "my-cluster", "--jwt"]


def test_several_roles_live_side_by_side(write: Run, config: Path) -> None:
    write()
    write(f"-i my-cluster -r {ROLE}")
    write("-i my-cluster -r arn:aws:iam::444455556666:role/Viewer")
    write(f"-i my-cluster -r {ROLE} -s again")

    content = loaded(config)

    names = ["my-cluster", "my-cluster@444455556666:Viewer", "my-cluster@111122223333:team/Admin"]
    for kind in ("users", "contexts"):
        assert {entry["name"] for entry in content[kind]} == {*names}
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
        assert before[kind][0] in content[kind]
    assert {user["name"] for user in content["users"]} == {"other", "my-cluster"}
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
    assert "DATA+OMITTED" in outcome.out
    assert base64.b64encode(PEM.encode()).decode() not in outcome.out
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


def test_profiles_live_side_by_side(write: Run, config: Path) -> None:
    write("-i my-cluster --profile a")
    write("-i my-cluster --profile b")

    args = {user["name"]: user["user"]["exec"]["args"] for user in loaded(config)["users"]}
    assert args == {
        "my-cluster@a": ["token", "-i", "my-cluster", "--profile", "a"],
        "my-cluster@b": ["token", "-i", "my-cluster", "--profile", "b"],
    }


def test_the_region_of_this_shell_is_remembered(
    write: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later shell may sign for another Region, of another partition."""
    monkeypatch.setenv("AWS_REGION", "cn-north-1")

    write()

    [user] = loaded(config)["users"]
    assert user["user"]["exec"]["args"] == ["token", "-i", "my-cluster", "--region", "cn-north-1"]


def test_what_was_not_set_here_stays(write: Run, config: Path) -> None:
    write()
    content = loaded(config)
    content["clusters"][0]["cluster"] |= {
        "proxy-url": "http://proxy.example",
        "tls-server-name": "api.internal",
    }
    content["contexts"][0]["context"]["namespace"] = "team"
    variables = [{"name": "HTTPS_PROXY", "value": "http://p"}]
    content["users"][0]["user"]["exec"]["env"] = [
        *variables,
        {"name": "AWS_PROFILE", "value": "old"},
    ]
    config.write_text(yaml.safe_dump(content))

    assert write().out.startswith("Updated context")

    after = loaded(config)
    content["users"][0]["user"]["exec"]["env"] = variables
    assert after == content


def test_an_entry_is_changed_in_the_file_that_holds_it(
    write: Run, home: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = home / "first", home / "second"
    write(f"-i my-cluster --kubeconfig {second}")
    first.write_text(OTHERS.replace("my-cluster", "another"))
    monkeypatch.setenv("KUBECONFIG", f"{first}{os.pathsep}{second}")

    write("-i my-cluster --region eu-west-1")

    shown = subprocess.run(
        [kubectl, "config", "view", "--minify", "-o", "json"], capture_output=True, check=True
    )
    content = json.loads(shown.stdout)
    assert content["current-context"] == "my-cluster"
    assert "eu-west-1" in content["users"][0]["user"]["exec"]["args"]
    assert loaded(first)["current-context"] == "my-cluster"
    assert {user["name"] for user in loaded(first)["users"]} == {"other", "another"}


def test_the_current_context_can_stay(write: Run, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(OTHERS)

    outcome = write("-i my-cluster --no-use-context")

    assert loaded(config)["current-context"] == "other"
    assert "try: kubectl --context my-cluster get namespaces" in outcome.out


def test_a_tilde_means_the_home_directory(
    write: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)

    write("-i my-cluster --kubeconfig=~/flagged --certificate-authority=~/ca.pem")

    assert (home / "flagged").exists()
    assert list(working.iterdir()) == []


@pytest.mark.parametrize(
    "server", ["127.0.0.1:1", "api.example", "ftp://api.example", "https://", "https://[x"]
)
def test_a_server_is_a_url(server: str, write: Run) -> None:
    refusal = write(f"-i my-cluster --server {server}").refusal()

    assert f"--server {server} is not a URL" in refusal


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


def test_an_unknown_flag_is_a_usage_error(write: Run) -> None:
    assert "unknown flag --sever; did you mean --server?" in write("-i c --sever x").refusal(2)


def test_a_server_needs_its_authority(capfd: pytest.CaptureFixture[str]) -> None:
    assert kubeconfig.main(["-i", "c", "--server", "https://api.example"]) == 2
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
            "error": "ResourceNotFoundException",
        }

        def answer(request: Any, **_: object) -> object:
            state["asked"].append(request.url)
            code = {"x-amzn-errortype": state["error"]}
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
        [user] = loaded(config)["users"]
        assert user["user"]["exec"]["args"] == [
            "token",
            "-i",
            "my-cluster",
            "--region",
            "eu-west-1",
        ]

    def test_takes_name_and_region_from_an_arn(
        self, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        arn = "arn:aws-cn:eks:cn-north-1:111122223333:cluster/my-cluster"

        assert kubeconfig.main(["-i", arn]) == 0

        assert eks["asked"] == ["https://eks.cn-north-1.amazonaws.com.cn/clusters/my-cluster"]
        [user] = loaded(config)["users"]
        assert user["user"]["exec"]["args"] == [
            "token",
            "-i",
            "my-cluster",
            "--region",
            "cn-north-1",
        ]

    @pytest.mark.parametrize(
        "arn", ["arn:aws:iam::111122223333:role/x", "arn:aws:eks:r:1:cluster/"]
    )
    def test_refuses_the_arn_of_something_else(
        self, arn: str, eks: dict[str, Any], capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert kubeconfig.main(["-i", arn]) == 1
        assert "is not the ARN of an EKS cluster" in capfd.readouterr().err

    def test_signs_for_the_id_of_a_local_cluster_on_an_outpost(
        self, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """As `aws eks update-kubeconfig` does."""
        eks["answer"]["cluster"] |= {"id": "1a2b-3c4d", "outpostConfig": {"outpostArns": ["x"]}}

        assert kubeconfig.main(["-i", "my-cluster", "--region", "eu-west-1"]) == 0

        [user] = loaded(config)["users"]
        assert user["user"]["exec"]["args"][:3] == ["token", "-i", "1a2b-3c4d"]

    @pytest.mark.usefixtures("path")
    def test_refresh_takes_a_rotated_authority_and_changes_nothing_else(
        self, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        kubeconfig.main(["-i", "my-cluster", "--region", "eu-west-1", "--alias", "prod"])
        before = loaded(config)
        eks["answer"]["cluster"]["certificateAuthority"]["data"] = "TkVX"

        assert kubeconfig.main(["--refresh"]) == 0

        assert eks["asked"][-1] == "https://eks.eu-west-1.amazonaws.com/clusters/my-cluster"
        before["clusters"][0]["cluster"]["certificate-authority-data"] = "TkVX"
        assert loaded(config) == before
        assert "Updated cluster 'prod'" in capfd.readouterr().out

    @pytest.fixture
    def path(self, kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("KUBECONFIG", raising=False)

    @pytest.mark.parametrize("status", ["CREATING", "DELETING", "FAILED", "PENDING"])
    def test_a_cluster_that_is_not_active(
        self, status: str, eks: dict[str, Any], config: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        eks["answer"]["cluster"]["status"] = status

        assert kubeconfig.main(["-i", "my-cluster"]) == 1

        assert f"the cluster my-cluster is {status}" in capfd.readouterr().err
        assert not config.exists()

    def test_a_cluster_that_is_not_there(
        self, eks: dict[str, Any], capfd: pytest.CaptureFixture[str]
    ) -> None:
        eks |= {"status": 404, "answer": {"message": "No cluster found for name: my-cluster."}}

        assert kubeconfig.main(["-i", "my-cluster"]) == 1

        line = capfd.readouterr().err
        assert line.startswith(f"{PREFIX}cannot call eks:describe_cluster")
        assert "No cluster found" in line
        assert "check the cluster's name and --region" in line


def test_without_kubectl_a_new_file_is_written_all_the_same(
    write: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    assert write().code == 0
    assert "kubectl is not on PATH" in write().refusal()
