"""The verb `whoami`, asked of the AWS double; and `doctor`, in health and in sickness."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import client
from client import doctor, whoami
from dev.aws_double import AwsDouble
from dev.aws_double.principals import user
from dev.aws_double.trust import Role
from tests.client.running import Outcome

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
DEV = Role(f"arn:aws:iam::{ACCOUNT}:role/dev", frozenset({ALICE.arn}))
Verb = Callable[[list[str]], int]


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble([ALICE], roles=[DEV], clock=clock) as double:
        surroundings = {**double.environment(), **ALICE.environment(), "AWS_REGION": "eu-west-1"}
        for name, value in surroundings.items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(verb: Verb, *arguments: str) -> Outcome:
        return Outcome(verb([*arguments]), *capfd.readouterr())

    return run


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a kubectl on PATH that prints one answer to each of its verbs."""

    def install(**answers: str) -> None:
        cases = "".join(f"  {verb}) {answer} ;;\n" for verb, answer in answers.items())
        program = tmp_path / "bin" / "kubectl"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\ncase $1 in\n{cases}esac\n")
        program.chmod(0o755)
        plugin = program.with_name("aws-iam-authenticator")
        plugin.write_text(f'#!/bin/sh\nexec {sys.executable} -m client "$@"\n')
        plugin.chmod(0o755)
        monkeypatch.setenv("PYTHONPATH", str(Path(client.__file__).parents[1]))
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def printed(document: object) -> str:
    return f"echo '{json.dumps(document)}'"


USER_INFO = {
    "status": {"userInfo": {"username": "alice", "groups": ["dev", "system:authenticated"]}}
}


def kubeconfig_of(user_entry: object) -> str:
    return printed(
        {
            "current-context": "prod",
            "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "a"}}],
            "users": [{"name": "a", "user": user_entry}],
        }
    )


PLUGIN = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws-iam-authenticator",
        "args": ["token", "-i", "c"],
    }
}


def plugin_with(*arguments: str, **variables: str) -> dict[str, Any]:
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return {"exec": {**PLUGIN["exec"], "args": ["token", *arguments], "env": environment or None}}


@pytest.mark.usefixtures("aws")
class TestWhoami:
    def test_shows_whose_credentials_they_are(self, run: Callable[..., Outcome]) -> None:
        outcome = run(whoami.main, "-o", "json")

        assert json.loads(outcome.out) == {
            "arn": ALICE.arn,
            "account": ACCOUNT,
            "userId": ALICE.user_id,
            "source": "the environment",
            "expires": "never",
            "accessKeyId": ALICE.access_key_id,
            "sts": "sts.eu-west-1.amazonaws.com",
        }

    def test_shows_the_role_and_its_end(self, run: Callable[..., Outcome]) -> None:
        outcome = run(whoami.main, "-r", DEV.arn, "-s", "me")

        assert outcome.code == 0
        assert f"arn:          arn:aws:sts::{ACCOUNT}:assumed-role/dev/me\n" in outcome.out
        assert f"source:       the role {DEV.arn}\n" in outcome.out
        assert "expires:      20" in outcome.out

    def test_shows_no_secret(self, run: Callable[..., Outcome]) -> None:
        outcome = run(whoami.main)

        assert ALICE.secret_access_key not in outcome.out + outcome.err

    def test_shows_the_clusters_view(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))

        outcome = run(whoami.main, "--cluster")

        assert outcome.code == 0
        assert "plugin:       aws-iam-authenticator token -i c\n" in outcome.out
        assert "signsFor:     c\n" in outcome.out
        assert "cluster:      alice (groups: dev, system:authenticated)\n" in outcome.out

    def test_with_a_cluster_it_is_whom_kubectl_signs_as(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        """The shell's own identity, alice, says nothing about that."""
        kubectl(config=kubeconfig_of(plugin_with("-i", "c", "-r", DEV.arn, "-s", "me")))

        outcome = run(whoami.main, "--cluster")

        assert f"arn:          arn:aws:sts::{ACCOUNT}:assumed-role/dev/me\n" in outcome.out

    def test_a_cluster_that_refuses_is_a_fault(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(
            config=kubeconfig_of(PLUGIN),
            auth="echo 'error: You must be logged in (Unauthorized)' >&2; exit 1",
        )

        outcome = run(whoami.main, "--cluster")

        assert outcome.code == 1
        assert "cluster:      unknown: error: You must be logged in (Unauthorized)" in outcome.out

    @pytest.mark.parametrize("verb", [whoami.main, doctor.main], ids=["whoami", "doctor"])
    def test_what_a_cluster_says_cannot_steer_the_terminal(
        self, verb: Verb, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(
            config=kubeconfig_of(PLUGIN), auth="printf 'error: \\033]0;owned\\007\\n' >&2; exit 1"
        )

        outcome = run(verb, *(["--cluster"] if verb is whoami.main else []))

        assert r"error: \x1b]0;owned\x07" in outcome.out
        assert "\x1b" not in outcome.out

    def test_asks_as_the_profile_named_and_no_other_says(
        self, run: Callable[..., Outcome], home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / ".aws" / "credentials").write_text(ALICE.profile("alice"))
        monkeypatch.setenv("AWS_PROFILE", "absent")

        outcome = run(whoami.main, "--profile", "alice")

        assert (outcome.code, outcome.err) == (0, "")
        assert ALICE.arn in outcome.out

    def test_a_refusal_of_sts_is_one_line(
        self, run: Callable[..., Outcome], aws: AwsDouble
    ) -> None:
        aws.principals.remove(ALICE.access_key_id)

        line = run(whoami.main).refusal()

        assert "InvalidClientTokenId" in line
        assert "AWS does not know it" in line


def statuses(outcome: Outcome) -> dict[str, str]:
    return {it["check"]: it["status"] for it in json.loads(outcome.out)}


def text(outcome: Outcome, check: str) -> str:
    [found] = [it["text"] for it in json.loads(outcome.out) if it["check"] == check]
    return str(found)


HEALTHY = dict.fromkeys(
    ("credentials", "region", "proxy", "clock", "identity", "kubeconfig", "plugin", "cluster"),
    "ok",
)


@pytest.mark.usefixtures("aws")
class TestDoctor:
    def test_finds_nothing_in_health(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))

        outcome = run(doctor.main, "-o", "json")

        assert (outcome.code, outcome.err) == (0, "")
        assert statuses(outcome) == HEALTHY
        assert text(outcome, "identity") == f"{ALICE.arn} at sts.eu-west-1.amazonaws.com"
        assert text(outcome, "kubeconfig") == (
            "context prod, cluster prod; kubectl runs: aws-iam-authenticator token -i c"
        )
        assert text(outcome, "plugin").endswith("signs for the cluster id c")

    def test_examines_what_kubectl_runs_and_not_the_shell(
        self,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        home: Path,
    ) -> None:
        (home / ".aws" / "credentials").write_text(ALICE.profile("alice"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
        entry = plugin_with("-i", "staging", "--profile", "alice", AWS_REGION="eu-central-1")
        kubectl(config=kubeconfig_of(entry), auth=printed(USER_INFO))

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 0
        assert text(outcome, "identity") == f"{ALICE.arn} at sts.eu-central-1.amazonaws.com"
        assert "signs for the cluster id staging" in text(outcome, "plugin")
        assert "AWS_REGION=... aws-iam-authenticator token -i staging" in text(
            outcome, "kubeconfig"
        )

    def test_a_plugin_that_is_not_there(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        entry = {"exec": {**PLUGIN["exec"], "command": "absent-plugin"}}
        kubectl(config=kubeconfig_of(entry), auth=printed(USER_INFO))

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 1
        assert "absent-plugin is not there" in text(outcome, "plugin")

    def test_the_plugins_own_words_are_shown(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(plugin_with("-i", "c", "--profile", "absent")))

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 1
        assert "fails with exit code 1: AWS profile 'absent' does not exist" in text(
            outcome, "plugin"
        )

    @pytest.mark.parametrize(
        ("error", "cure"),
        [
            ("tls: failed: x509: certificate signed by unknown authority", "kubeconfig --refresh"),
            ("plugin is not permitted by the credential plugin allowlist", "kubectl kuberc view"),
            ("You must be logged in to the server (Unauthorized)", "for a mapping of the ARN"),
            ("dial tcp: connection refused", "HTTPS_PROXY"),
        ],
    )
    def test_each_failure_of_kubectl_has_its_cure(
        self, error: str, cure: str, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=f"echo 'error: {error}' >&2; exit 1")

        assert cure in text(run(doctor.main, "-o", "json"), "cluster")

    def test_ends_with_a_summary(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))

        assert run(doctor.main).out.endswith("\nReady: kubectl can log in.\n")

    @pytest.mark.parametrize("columns", [80, 120])
    def test_no_line_is_wider_than_the_terminal(
        self,
        columns: int,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of({"token": "x"}), auth="echo Unauthorized >&2; exit 1")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")

        assert max(map(len, run(doctor.main).out.splitlines())) <= columns

    def test_is_plain_text_where_there_is_no_terminal(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))

        outcome = run(doctor.main)

        assert "\x1b" not in outcome.out
        assert outcome.out.startswith("ok       kubeconfig   context prod")

    @pytest.mark.parametrize(("variable", "coloured"), [("", True), ("NO_COLOR", False)])
    def test_is_coloured_at_a_terminal(
        self,
        variable: str,
        coloured: bool,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        if variable:
            monkeypatch.setenv(variable, "1")

        assert ("\x1b[32mok      \x1b[0m credentials" in run(doctor.main).out) == coloured

    def test_a_clock_that_is_off(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None], clock: Clock
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        clock.ahead = 3600

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 1
        assert text(outcome, "clock").startswith("this computer's clock is 60 minutes behind AWS's")

    def test_a_region_that_nobody_chose(
        self,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        monkeypatch.delenv("AWS_REGION")

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 0
        assert statuses(outcome) == HEALTHY | {"region": "warning"}

    def test_a_proxy_that_is_down(
        self,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:hidden@127.0.0.1:{port}")

        outcome = run(doctor.main, "-o", "json")

        found = statuses(outcome)
        assert (found["proxy"], found["clock"], found["identity"]) == ("fault",) * 3
        assert "127.0.0.1: Connection refused; check HTTPS_PROXY" in text(outcome, "proxy")
        assert "hidden" not in outcome.out

    @pytest.mark.parametrize(
        "url",
        ["http://me:hidden@proxy:eighty", "http://me:hidden@[::1"],
        ids=["port", "address"],
    )
    def test_a_proxy_that_is_no_url(
        self,
        url: str,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", url)

        outcome = run(doctor.main, "-o", "json")

        assert text(outcome, "proxy") == "HTTPS_PROXY is not a URL; correct it"
        assert "hidden" not in outcome.out

    def test_without_credentials_it_goes_on(
        self,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth=printed(USER_INFO))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 1
        skipped = dict.fromkeys(("region", "clock", "identity"), "skipped")
        faults = dict.fromkeys(("plugin", "credentials"), "fault")
        assert statuses(outcome) == HEALTHY | skipped | faults

    @pytest.mark.parametrize(
        ("entry", "status", "phrase"),
        [
            ({"token": "x"}, "skipped", "no plugin"),
            (
                {"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}},
                "fault",
                "set it to client.authentication.k8s.io/v1",
            ),
        ],
        ids=["token", "old version"],
    )
    def test_a_user_that_cannot_work(
        self,
        entry: object,
        status: str,
        phrase: str,
        run: Callable[..., Outcome],
        kubectl: Callable[..., None],
    ) -> None:
        kubectl(config=kubeconfig_of(entry), auth=printed(USER_INFO))

        outcome = run(doctor.main, "-o", "json")

        assert statuses(outcome)["plugin"] == status
        assert phrase in text(outcome, "plugin")

    def test_a_cluster_that_refuses(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(PLUGIN), auth="echo 'error: (Unauthorized)' >&2; exit 1")

        outcome = run(doctor.main, "-o", "json")

        assert outcome.code == 1
        assert "ask its administrator for a mapping" in text(outcome, "cluster")

    def test_no_kubeconfig(self, run: Callable[..., Outcome], kubectl: Callable[..., None]) -> None:
        kubectl(config="echo 'error: current-context must exist' >&2; exit 1")

        outcome = run(doctor.main, "-o", "json")

        assert statuses(outcome) == HEALTHY | {
            "kubeconfig": "fault",
            "plugin": "skipped",
            "cluster": "skipped",
        }

    def test_no_kubectl(self, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")

        outcome = run(doctor.main, "-o", "json")

        assert "kubectl is not on PATH" in text(outcome, "kubeconfig")


class TestJwt:
    """What `whoami` and `doctor` tell of a JWT that AWS issues."""

    @pytest.fixture
    def federated(self, aws: AwsDouble) -> AwsDouble:
        aws.federation.enable(ACCOUNT, org_id="o-a1b2c3d4e5", ou_path="o-a1b2c3d4e5/r-ab12/")
        return aws

    def test_whoami_shows_the_claims_that_mappings_can_tell_apart(
        self, federated: AwsDouble, run: Callable[..., Outcome]
    ) -> None:
        outcome = run(whoami.main, "--jwt", "-i", "prod", "-r", DEV.arn, "-o", "json")

        shown = json.loads(outcome.out)["jwt"]
        assert shown.pop("expires").endswith("Z")
        issuer = federated.federation.find(ACCOUNT)
        assert issuer is not None
        assert shown == {
            "subject": DEV.arn,
            "issuer": issuer.url,
            "audience": "urn:k8s-aws:prod",
            "account": ACCOUNT,
            "organization": "o-a1b2c3d4e5",
            "organizationalUnits": ["o-a1b2c3d4e5/r-ab12/"],
        }

    @pytest.mark.usefixtures("federated")
    def test_whoami_shows_them_to_people(self, run: Callable[..., Outcome]) -> None:
        outcome = run(whoami.main, "--jwt", "--audience", "x")

        assert f"jwt subject:  {ALICE.arn}\n" in outcome.out
        assert "jwt audience: x\n" in outcome.out
        assert 'jwt organizationalUnits: ["o-a1b2c3d4e5/r-ab12/"]\n' in outcome.out
        assert "eyJ" not in outcome.out

    @pytest.mark.usefixtures("aws")
    def test_whoami_tells_how_to_enable_federation(self, run: Callable[..., Outcome]) -> None:
        refusal = run(whoami.main, "--jwt", "-i", "prod").refusal()

        assert "`aws iam enable-outbound-web-identity-federation`" in refusal

    @pytest.mark.usefixtures("federated")
    @pytest.mark.parametrize("how", ["flag", "variable"])
    def test_what_kubectl_runs_is_examined(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None], how: str
    ) -> None:
        user_entry = (
            plugin_with("-i", "prod", "--jwt")
            if how == "flag"
            else plugin_with("-i", "prod", AWS_IAM_AUTHENTICATOR_TOKEN="jwt")
        )
        kubectl(config=kubeconfig_of(user_entry), auth=printed(USER_INFO))

        shown = json.loads(run(whoami.main, "--cluster", "-o", "json").out)
        assert shown["jwt"]["audience"] == "urn:k8s-aws:prod"

        found = {each["check"]: each for each in json.loads(run(doctor.main, "-o", "json").out)}
        assert found["identity"]["status"] == "ok"
        assert (
            f"a JWT of {ALICE.arn} for urn:k8s-aws:prod, issued by https://"
            in (found["identity"]["text"])
        )
        assert "organization o-a1b2c3d4e5" in found["identity"]["text"]

    @pytest.mark.usefixtures("aws")
    def test_doctor_shows_why_the_plugin_gets_none(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(plugin_with("-i", "prod", "--jwt")), auth=printed(USER_INFO))

        found = {each["check"]: each for each in json.loads(run(doctor.main, "-o", "json").out)}

        for check in ("plugin", "identity"):
            assert found[check]["status"] == "fault"
            assert "enable-outbound-web-identity-federation" in found[check]["text"]

    @pytest.mark.usefixtures("federated")
    def test_doctor_can_check_a_jwt_before_kubectl_uses_one(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(config=kubeconfig_of(plugin_with("-i", "prod")), auth=printed(USER_INFO))

        found = {
            each["check"]: each for each in json.loads(run(doctor.main, "--jwt", "-o", "json").out)
        }

        assert found["identity"]["text"].startswith("a JWT of")

    @pytest.mark.usefixtures("federated")
    def test_doctor_names_another_clusters_audience(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        entry = plugin_with("-i", "prod", "--jwt", "--audience", "urn:k8s-aws:test")
        kubectl(config=kubeconfig_of(entry), auth=printed(USER_INFO))

        outcome = run(doctor.main, "--audience", "urn:k8s-aws:prod", "--jwt", "-o", "json")

        found = {each["check"]: each for each in json.loads(outcome.out)}
        assert found["identity"]["status"] == "fault"
        assert "is for the audience urn:k8s-aws:test" in found["identity"]["text"]

    @pytest.mark.usefixtures("federated")
    def test_a_refusal_of_the_cluster_names_what_a_jwt_needs(
        self, run: Callable[..., Outcome], kubectl: Callable[..., None]
    ) -> None:
        kubectl(
            config=kubeconfig_of(plugin_with("-i", "prod", "--jwt")),
            auth="echo 'error: You must be logged in to the server (Unauthorized)' >&2; exit 1",
        )

        found = {each["check"]: each for each in json.loads(run(doctor.main, "-o", "json").out)}

        assert found["cluster"]["status"] == "fault"
        assert "whether the server lists the issuer and audience" in found["cluster"]["text"]
