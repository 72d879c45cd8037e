"""The command line: the reference's flags, one document on stdout, one line on stderr."""

import base64
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from client import command
from client.cluster import VARIABLE
from client.errors import ClientError
from client.roles import Role
from client.token import Token
from tests.client.running import PREFIX, Run, python

ROLE = "arn:aws:iam::111122223333:role/Admin"


def signed_url(token: str) -> str:
    prefix, _, encoded = token.rpartition(".")
    assert prefix == "k8s-aws-v1"
    assert "=" not in encoded
    return base64.b64decode(encoded + "==", altchars=b"-_").decode()


@pytest.mark.usefixtures("keys")
class TestOutput:
    def test_prints_an_exec_credential(self, run: Run) -> None:
        document = json.loads(run().out)

        end = document["status"].pop("expirationTimestamp")
        url = urlsplit(signed_url(document["status"].pop("token")))
        seconds = time.mktime(time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert document == {
            "kind": "ExecCredential",
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "spec": {},
            "status": {},
        }
        assert 13 * 60 < seconds - time.time() <= 14 * 60
        assert (url.scheme, url.netloc, url.path) == ("https", "sts.us-east-1.amazonaws.com", "/")
        assert parse_qs(url.query)["X-Amz-Expires"] == ["60"]

    def test_prints_the_bare_token(self, run: Run) -> None:
        outcome = run("--token-only -i c")

        assert signed_url(outcome.out.removesuffix("\n")).startswith("https://sts.us-east-1.")
        assert (outcome.code, outcome.err) == (0, "")

    @pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
    def test_answers_in_the_version_asked_for(
        self, version: str, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = f"client.authentication.k8s.io/{version}"
        monkeypatch.setenv(
            "KUBERNETES_EXEC_INFO",
            json.dumps({"kind": "ExecCredential", "apiVersion": asked, "spec": {}}),
        )

        assert json.loads(run().out)["apiVersion"] == asked


# What each command line means, by the flags that the verb reads.
SPELLINGS = {
    "short, apart": ("-i c", {"cluster-id": "c"}),
    "short, attached": ("-ic", {"cluster-id": "c"}),
    "short, equals": ("-i=c", {"cluster-id": "c"}),
    "long, apart": ("--cluster-id c", {"cluster-id": "c"}),
    "long, equals": ("--cluster-id=c", {"cluster-id": "c"}),
    "value with equals": ("--role=a=b", {"role": "a=b"}),
    "value like a flag": ("-i --role", {"cluster-id": "--role"}),
    "empty value": ("--role=", {"role": ""}),
    "the last wins": ("-i a -i b", {"cluster-id": "b"}),
    "role": (f"-r {ROLE}", {"role": ROLE}),
    "external id": ("-e x", {"external-id": "x"}),
    "session name": ("-s x", {"session-name": "x"}),
    "switch": ("--token-only", {"token-only": "true"}),
    "switch on": ("--token-only=1", {"token-only": "true"}),
    "switch off": ("--token-only=false", {"token-only": ""}),
    "switch takes no word": ("--cache -i c", {"cache": "true", "cluster-id": "c"}),
    "global flags": (
        "-c f -l json -v debug --feature-gates=SSORoleMatch=true",
        {
            "config": "f",
            "log-format": "json",
            "log-verbosity": "debug",
            "feature-gates": "SSORoleMatch=true",
        },
    ),
}


@pytest.mark.parametrize(("line", "flags"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_reads_flags_as_the_reference_does(line: str, flags: dict[str, str]) -> None:
    assert command.parse(line.split()) == (flags, [])


def test_what_follows_two_dashes_is_no_flag() -> None:
    assert command.parse(["--", "-i"]) == ({}, ["-i"])


UNREADABLE = {
    "unknown long flag": (
        "-i c --clusterid=x",
        "unknown flag --clusterid; did you mean --cluster-id? See aws-iam-authenticator token --h",
    ),
    "unknown short flag": ("-i c -x", "unknown flag -x; see aws-iam-authenticator token --help"),
    "value missing": ("-i", "-i needs a value"),
    "switch with another value": ("-i c --cache=maybe", "--cache=maybe"),
    "stray word": ("-i c word", "expected flags, got 'word'"),
    "two session names": ("-i c -s x --forward-session-name", "exclude each other"),
    "cached and not": ("-i c --cache --no-cache", "exclude each other"),
}
BAD_LINES = {
    "duration that is none": (f"-i c -r {ROLE} --duration 1h", "--duration 1h: give a number"),
    "no cluster": ("--token-only", "no cluster id"),
    "empty cluster": ("--cluster-id=", "no cluster id"),
    "region that is none": ("-i c --region=evil.example/", "'evil.example/' is not an AWS Region"),
}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("line", "message"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_refuses_bad_command_lines(line: str, message: str, run: Run) -> None:
    assert message in run(line).refusal()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("line", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_line_that_cannot_be_read_is_a_usage_error(line: str, message: str, run: Run) -> None:
    """It ended with 1, as a login that fails does."""
    assert message in run(line).refusal(2)


@pytest.mark.usefixtures("keys")
def test_an_empty_profile_is_none(run: Run) -> None:
    assert run("-i c --profile=").code == 0


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_flag(flag: str, run: Run) -> None:
    outcome = run(flag)

    assert outcome.code == 0
    for name in ("--cluster-id", "--role", "--forward-session-name", "--token-only"):
        assert name in outcome.out


# Command line, environment, what cluster "c" is then minted with.
PRECEDENCE: dict[str, tuple[str, dict[str, str], dict[str, object]]] = {
    "flag": ("-i c", {}, {}),
    "environment": ("", {VARIABLE: "c"}, {}),
    "flag before environment": ("-i c", {VARIABLE: "env"}, {}),
    "DEFAULT_ROLE": ("-i c", {"DEFAULT_ROLE": ROLE}, {"role": (ROLE, "", "", "False", "")}),
    "flag before DEFAULT_ROLE": (
        f"-i c -r {ROLE}2",
        {"DEFAULT_ROLE": ROLE},
        {"role": (f"{ROLE}2", "", "", "False", "")},
    ),
    "empty flag before DEFAULT_ROLE": ("-i c --role=", {"DEFAULT_ROLE": ROLE}, {}),
    "every flag": (
        f"-i c -r {ROLE} -e x -s me --duration 900 --region x --profile p --only-temporary --cache",
        {},
        {
            "role": (ROLE, "x", "me", "False", "900"),
            "region": "x",
            "profile": "p",
            "sharing": True,
            "only_temporary": True,
        },
    ),
    "forwarded name": (
        f"-i c -r {ROLE} --forward-session-name",
        {},
        {"role": (ROLE, "", "", "True", "")},
    ),
    "no cache": ("-i c --no-cache", {}, {"caching": False}),
}


class TestWhatTheVerbPassesOn:
    @pytest.fixture
    def minted(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
        """The arguments of each call that would have minted a token."""
        calls: list[tuple[str, dict[str, object]]] = []

        def mint(cluster_id: str, **options: object) -> Token:
            given = {key: value for key, value in options.items() if value not in {None, False}}
            del given["warn"]
            given["caching"] = options["caching"]
            if isinstance(role := given.get("role"), Role):
                given["role"] = role.parts()
            calls.append((cluster_id, given))
            return Token("k8s-aws-v1.x", 0)

        monkeypatch.setattr(command, "mint", mint)
        return calls

    @pytest.mark.parametrize("case", PRECEDENCE.values(), ids=PRECEDENCE.keys())
    def test_flags_come_before_the_environment(
        self,
        case: tuple[str, dict[str, str], dict[str, object]],
        run: Run,
        minted: list[tuple[str, dict[str, object]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        line, environ, options = case
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

        assert run(line).code == 0
        assert minted == [("c", {"caching": True, **options})]

    def test_the_config_file_comes_last(
        self,
        run: Run,
        minted: list[tuple[str, dict[str, object]]],
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        config = home / "config.yaml"
        config.write_text("clusterID: file\n")

        run(f"-c {config}")
        monkeypatch.setenv(VARIABLE, "env")
        run(f"-c {config}")

        assert [cluster_id for cluster_id, _ in minted] == ["file", "env"]

    def test_the_clusters_extension_comes_after_the_environment(
        self,
        run: Run,
        minted: list[tuple[str, dict[str, object]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = {
            "kind": "ExecCredential",
            "apiVersion": "client.authentication.k8s.io/v1",
            "spec": {"cluster": {"config": {"clusterID": "extension"}}},
        }
        monkeypatch.setenv("KUBERNETES_EXEC_INFO", json.dumps(asked))

        run("-c /absent")
        monkeypatch.setenv(VARIABLE, "env")
        run("-c /absent")

        assert [cluster_id for cluster_id, _ in minted] == ["extension", "env"]

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ClientError("x\ny\x1b[31m\r\u2028z"), r"x y\x1b[31m z"),
            (ValueError("secret"), f"internal error, please report it: ValueError at {__file__}:"),
        ],
        ids=["ours", "a bug"],
    )
    def test_every_fault_is_one_line(
        self, error: Exception, message: str, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(command, "mint", fail)

        line = run().refusal()

        assert line.startswith(message)
        assert "secret" not in line

    def test_an_interruption_is_no_traceback(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "mint", interrupt)

        outcome = run()

        assert (outcome.code, outcome.out) == (130, "")
        assert outcome.err == f"{PREFIX}interrupted\n"


@pytest.mark.usefixtures("keys")
class TestAsAModule:
    @pytest.mark.parametrize(
        "line",
        [
            "token -i c",
            "-i c token",
            "-l json token --cluster-id=c",
            "token --token-only -i c",
        ],
    )
    def test_global_flags_may_stand_on_either_side(self, line: str) -> None:
        outcome = python("-m", "client", *line.split())

        assert (outcome.code, outcome.err) == (0, "")
        assert "k8s-aws-v1." in outcome.out

    @pytest.mark.parametrize("line", ["-i c", "-i c tokens", "token token -i c"])
    def test_knows_one_verb(self, line: str) -> None:
        outcome = python("-m", "client", *line.split())

        assert outcome.refusal(2).startswith("expected token and flags")

    @pytest.mark.parametrize(
        ("line", "remedy"),
        [
            ("tokens -i c", "did you mean token?"),
            ("lint", "see aws-iam-authenticator --help"),
            ("help lint", "see aws-iam-authenticator --help"),
        ],
    )
    def test_an_unknown_verb_is_named(self, line: str, remedy: str) -> None:
        outcome = python("-m", "client", *line.split())

        assert remedy in outcome.refusal(2)

    def test_without_a_stderr_the_exit_code_tells(self) -> None:
        closing = "import os, sys; os.close(2); os.execv(sys.executable, sys.argv[1:])"
        line = [sys.executable, "-m", "client", "token"]

        outcome = python("-c", closing, *line)

        assert (outcome.code, outcome.out) == (1, "")

    def test_a_reader_that_left_is_one_line(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)

        outcome = python("-m", "client", "token", "-i", "c", stdout=writer)
        os.close(writer)

        assert outcome.code == 1
        assert outcome.err == f"{PREFIX}cannot write to stdout: Broken pipe; check what reads it\n"
