"""The verb `explain`, from its flags to its exit code."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from authenticator.admin.explain.command import explain
from authenticator.admin.verify import verify
from authenticator.serving.audit import AuditRecord, as_json
from dev.aws_double import AwsDouble
from tests.e2e import callers
from tests.e2e.callers import ALICE, DEPLOYER, STRANGER

ACCOUNT = "111122223333"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
MAPPINGS = {
    "mapRoles": [
        {
            "rolearn": f"{ROLES}team/Dev",
            "username": "dev:{{SessionName}}",
            "groups": ["devs", "of-{{AccountID}}"],
        },
        {"rolearn": f"{ROLES}Old", "expires": "2020-01-01T00:00:00Z"},
        {"rolearn": f"{ROLES}Pinned", "userid": "AROAPINNED0000000000A", "username": "pinned"},
        {"rolearn": f"{ROLES}Node", "username": "system:node:{{EC2PrivateDNSName}}"},
        {"rolearn": f"{ROLES}Typo", "username": "{{Typo}}"},
    ],
    "mapAccounts": ["444455556666"],
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, stdin: str = "", verb: Callable[[list[str]], int] = explain) -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = verb(list(arguments))
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps(MAPPINGS))
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    server = callers.configuration()
    server["server"]["stateDir"] = str(tmp_path / "state")
    path.write_text(yaml.safe_dump(server))
    return str(path)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble(callers.PRINCIPALS) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def test_the_answer_is_the_token_reviews(run: Run, file: str) -> None:
    arguments = ("--session", "al@x", "--user-id", "AROADEV", "--access-key-id", "ASIADEV")
    ran = run("--arn", f"{ROLES}Dev", "--file", file, *arguments, "-o", "json")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/al@x"
    assert ran.code == 0
    assert ran.data["placeholders"] == {}
    assert ran.data["answer"]["status"] == {
        "authenticated": True,
        "user": {
            "username": "dev:al-x",
            "groups": ["devs", f"of-{ACCOUNT}"],
            "uid": f"aws-iam-authenticator:{ACCOUNT}:AROADEV",
            "extra": {
                "accessKeyId": ["ASIADEV"],
                "arn": [arn],
                "canonicalArn": [f"{ROLES}Dev"],
                "principalId": ["AROADEV"],
                "sessionName": ["al@x"],
                "sigs.k8s.io/aws-iam-authenticator/principalId": ["AROADEV"],
            },
        },
    }


@pytest.mark.parametrize(
    ("arn", "session"),
    [
        (f"{ROLES}Dev", "SESSION-NAME"),
        (f"{ROLES}team/Dev", "SESSION-NAME"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/alice", "alice"),
    ],
    ids=["as mappings name it", "with its path", "as STS reports it"],
)
def test_a_role_is_asked_about_by_any_of_its_arns(
    run: Run, file: str, arn: str, session: str
) -> None:
    ran = run("--arn", arn, "--file", file)
    assert ran.code == 0
    assert f"username  dev:{session}" in ran.out


REFUSED = {
    "unknown": ("Dve", "no mapping names", "its name is Dev, the caller's is Dve"),
    "expired": ("Old", "no mapping names", "it expired at 2020-01-01T00:00:00Z"),
    # Both ended with "no mapping names ...", below the entry that names the caller.
    "pinned": ("Pinned", "mapRoles[2], line 1 names ", "its userid is another principal's"),
    "unusable": ("Typo", "mapRoles[4], line 1 names ", "it has an unknown placeholder"),
}


@pytest.mark.parametrize(("name", "reason", "hint"), REFUSED.values(), ids=REFUSED)
def test_who_is_refused_learns_why(run: Run, file: str, name: str, reason: str, hint: str) -> None:
    ran = run("--arn", f"{ROLES}{name}", "--file", file)
    assert ran.code == 1
    (answer,) = (line for line in ran.out.splitlines() if "DENIED (unknown_user): " in line)
    assert reason in answer
    assert hint in ran.out
    assert ("mapAccounts" in ran.out) == ("no mapping" in reason)


def test_a_pinned_id_can_be_given(run: Run, file: str) -> None:
    ran = run("--arn", f"{ROLES}Pinned", "--file", file, "--user-id", "AROAPINNED0000000000A")
    assert ran.code == 0


def test_an_account_maps_last_of_all(run: Run, file: str) -> None:
    ran = run("--arn", "arn:aws:iam::444455556666:user/a", "--file", file, "--output", "yaml")
    data = yaml.safe_load(ran.out)
    assert data["account"]["mapping"].endswith("mapAccounts[0], line 1")
    assert data["answer"]["status"]["user"]["username"] == "arn:aws:iam::444455556666:user/a"


def test_a_node_is_named_by_a_placeholder_or_as_told(run: Run, file: str) -> None:
    ran = run("--arn", f"{ROLES}Node", "--file", file)
    assert "username  system:node:<private-dns-name>" in ran.out
    assert "--instance-name would tell" in ran.out
    ran = run("--arn", f"{ROLES}Node", "--file", file, "--instance-name", "ip-1.internal")
    assert "username  system:node:ip-1.internal" in ran.out


def test_a_session_that_is_no_instance_is_no_node(run: Run, file: str) -> None:
    ran = run("--arn", f"{ROLES}Node", "--file", file, "--session", "mallory")
    assert ran.code == 1
    assert "the session name is no instance id" in ran.out


FILES: dict[str, dict[str, Any]] = {
    "a mapping file": MAPPINGS,
    "a server's config file": {"clusterID": "c", "server": MAPPINGS},
    "aws-auth as a manifest": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {key: yaml.safe_dump(value) for key, value in MAPPINGS.items()},
    },
}


@pytest.mark.parametrize("document", FILES.values(), ids=FILES)
@pytest.mark.parametrize("place", ["file", "stdin"])
def test_mappings_from_a_file(
    run: Run, tmp_path: Path, document: dict[str, Any], place: str
) -> None:
    text = yaml.safe_dump(document)
    (tmp_path / "m.yaml").write_text(text)
    name = "-" if place == "stdin" else str(tmp_path / "m.yaml")
    ran = run("--arn", f"{ROLES}Dev", "--file", name, "-o", "json", stdin=text)
    assert ran.code == 0
    assert ran.data["mappings"][0]["applies"]


UNREAD = {
    "no YAML": ("{", "while parsing a flow node"),
    "a list": ("- a", "must be a map"),
    "not UTF-8": ("\xff", "not UTF-8"),
    "nothing": ("", "holds no mappings"),
    "a broken section": ("mapRoles: x", "mapRoles: it must be a list"),
    "another kind": ("kind: Configmap\ndata: {mapRoles: '[]'}", "write ConfigMap"),
    "a Secret": ("kind: Secret\nstringData: {mapRoles: '[]'}", "kind Secret is not read"),
}


@pytest.mark.parametrize(("text", "reason"), UNREAD.values(), ids=UNREAD)
def test_a_file_that_is_not_understood_is_an_error_and_no_verdict(
    run: Run, tmp_path: Path, text: str, reason: str
) -> None:
    """It was "0 mappings, read" and DENIED, for a file that holds the caller's mapping."""
    (tmp_path / "m.yaml").write_bytes(text.encode("latin-1"))
    ran = run("--arn", f"{ROLES}Dev", "--file", str(tmp_path / "m.yaml"))
    assert (ran.code, ran.out) == (3, "")
    assert reason in ran.err
    assert "UNKNOWN" in ran.err


@pytest.mark.parametrize("given", ["stdin", "flag", "file", "exec credential"])
def test_a_token_is_checked_and_explained(
    run: Run, aws: AwsDouble, config: str, tmp_path: Path, given: str
) -> None:
    token = callers.fresh_token(DEPLOYER.principal)
    (tmp_path / "token").write_text(token + "\n")
    arguments = {
        "stdin": ("--token", "-"),
        "flag": ("-t", token),
        "file": ("--token-file", str(tmp_path / "token")),
        "exec credential": ("--token", "-"),
    }[given]
    credential = json.dumps({"kind": "ExecCredential", "status": {"token": token}})
    stdin = credential if given == "exec credential" else token
    ran = run("-c", config, *arguments, "-o", "json", stdin=stdin)
    assert ran.code == 0
    assert all(check["passed"] for check in ran.data["checks"])
    assert ran.data["checks"][-1]["detail"].endswith("proved the signature")
    user = ran.data["answer"]["status"]["user"]
    assert (user["username"], user["groups"]) == (DEPLOYER.username, list(DEPLOYER.groups))
    assert user["extra"] == DEPLOYER.user_info["extra"]


REFUSED_TOKENS: dict[str, tuple[dict[str, Any], str, str]] = {
    "too old": ({"age_seconds": 901}, "expired", "it is older than 15 minutes"),
    "for another cluster": ({"cluster_id": "x"}, "sts", "(SignatureDoesNotMatch)"),
    "another action": ({"set": {"Action": "AssumeRole"}}, "action", "Action is not"),
}


@pytest.mark.parametrize("verb", [explain, verify], ids=["explain", "verify"])
@pytest.mark.parametrize("refused", REFUSED_TOKENS)
def test_the_check_that_fails_is_shown_and_no_part_of_the_token(
    run: Run,
    aws: AwsDouble,
    config: str,
    verb: Callable[[list[str]], int],
    refused: str,
) -> None:
    case, check, reason = REFUSED_TOKENS[refused]
    token = callers.fresh_token(ALICE.principal, **case)
    ran = run("-c", config, "--token", "-", stdin=token, verb=verb)
    assert ran.code == 1
    failed = next(line for line in ran.out.splitlines() if "FAIL" in line)
    assert check in failed
    assert reason in failed
    assert token[11:60] not in ran.out + ran.err
    assert "Signature=" not in ran.out + ran.err


def test_verify_shows_every_check_and_the_caller(run: Run, aws: AwsDouble, config: str) -> None:
    token = callers.fresh_token(ALICE.principal)
    ran = run("-c", config, "-t", "-", "-o", "json", stdin=token, verb=verify)
    assert ran.code == 0
    assert ran.data["proven"]
    assert ran.data["identity"]["arn"] == ALICE.principal.arn
    assert ran.data["checks"][0] == {"check": "prefix", "passed": True, "detail": ""}
    text = run("-c", config, "-t", "-", stdin=token, verb=verify).out
    assert text.startswith("ok   prefix\n")
    assert f"arn            {ALICE.principal.arn}" in text


def test_while_sts_is_away_nothing_is_decided(
    run: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    ran = run("-c", config, "-t", "-", stdin=callers.fresh_token(ALICE.principal))
    assert ran.code == 3
    assert "UNDECIDED, HTTP 504 (sts_error)" in ran.out


def test_a_proven_stranger_is_denied(run: Run, aws: AwsDouble, config: str) -> None:
    ran = run("-c", config, "-t", "-", stdin=callers.fresh_token(STRANGER))
    assert ran.code == 1
    assert f"DENIED (unknown_user): no mapping names {STRANGER.arn}" in ran.out


def denial(**fields: str) -> AuditRecord:
    return AuditRecord(
        time=0.0, decision="deny", result="?", remote="10.0.0.1", denial_id="0123456789", **fields
    )


def test_a_denial_is_looked_up_and_asked_again(run: Run, file: str, tmp_path: Path) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/bob"
    record = denial(reason=f"no mapping names {ROLES}Dev", arn=arn, access_key_id="ASIABOB")
    (tmp_path / "log").write_text(f"another line\n{as_json(record)}\n")
    ran = run("--id", "0123456789", "--log", str(tmp_path / "log"), "--file", file)
    assert ran.code == 0, "it has been mapped since"
    assert "In the log of 1970-01-01T00:00:00.000Z" in ran.out
    assert f"no mapping names {ROLES}Dev" in ran.out
    assert "With the mappings as they are now" in ran.out
    assert "username  dev:bob" in ran.out
    assert "ASIABOB" in ran.out


def test_a_denial_of_nobody_in_particular_is_shown_as_logged(run: Run, file: str) -> None:
    record = denial(reason="it is older than 15 minutes", check="expired")
    arguments = ("--id", "0123456789", "--log", "-", "--file", file)
    ran = run(*arguments, stdin=as_json(record))
    assert ran.code == 1
    assert "it is older than 15 minutes" in ran.out
    assert "no mapping was asked" in ran.out
    ran = run(*arguments, "-o", "json", stdin=as_json(record))
    assert ran.data["logged"]["check"] == "expired"


def test_a_log_cannot_write_to_the_terminal(run: Run, file: str) -> None:
    record = denial(reason="\x1b]0;title\x07", check="expired")
    ran = run("--id", "0123456789", "--log", "-", "--file", file, stdin=as_json(record))
    assert "\\x1b" in ran.out
    assert "\x1b" not in ran.out


def test_not_even_the_names_and_the_time_in_a_log_can(run: Run, file: str) -> None:
    escape = "\x1b[2J"
    record = {"event": "review", "denial_id": "0123456789", "time": escape, escape: "x"}
    ran = run("--id", "0123456789", "--log", "-", "--file", file, stdin=json.dumps(record))
    assert ran.out.count("\\x1b") == 2
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_wants_none(
    file: str, no_color: str, coloured: bool
) -> None:
    terminal, its_other_side = pty.openpty()
    program = (
        "import sys; from authenticator.admin.explain.command import explain; explain(sys.argv[1:])"
    )
    subprocess.run(
        [sys.executable, "-c", program, "--arn", f"{ROLES}Dev", "--file", file],
        env={"NO_COLOR": no_color},
        cwd=Path(__file__).parents[4],
        stdout=its_other_side,
        check=True,
    )
    os.close(its_other_side)
    with open(terminal, "rb", buffering=0) as screen:  # noqa: PTH123 (a descriptor)
        assert (b"\x1b[" in screen.read(65536)) == coloured


def test_an_id_that_is_not_in_the_log_is_an_error(run: Run, file: str) -> None:
    ran = run("--id", "0123456789", "--log", "-", "--file", file, stdin="nothing\n")
    assert (ran.code, ran.out) == (1, "")
    assert "there is no denial 0123456789" in ran.err


ARN = ("--arn", f"{ROLES}Dev")
USAGE = {
    "nobody": (("--file", "m"), "Give one of"),
    "two at once": ((*ARN, "--token", "-", "--file", "m"), "Give one of"),
    "an id without a log": (("--id", "0123456789", "--file", "m"), "go together"),
    "a log without an id": ((*ARN, "--log", "x", "--file", "m"), "go together"),
    "no mappings": (ARN, "Say where the mappings are"),
    "mappings twice": ((*ARN, "--file", "m", "--cluster"), "exclude each other"),
    "stdin twice": (("--token", "-", "--file", "-", "-i", "c"), "one thing only"),
    "a token for any cluster": (("--token", "-", "--file", "m"), "Give --cluster-id"),
    "no ARN": (("--arn", "role/Dev", "--file", "-"), "it is not of the form"),
    "two sessions": (
        ("--arn", f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/a", "--session", "b", "--file", "-"),
        "its session is a",
    ),
    "a session of a user": (
        ("--arn", f"arn:aws:iam::{ACCOUNT}:user/a", "--session", "b", "--file", "-"),
        "it has no session",
    ),
    "a session that cannot be": ((*ARN, "--session", "a b", "--file", "-"), "its resource is not"),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE.values(), ids=USAGE)
def test_what_cannot_be_meant_is_refused(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    ran = run(*arguments, stdin="mapRoles: []")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        (*ARN, "--file", "missing"),
        ("--token-file", "missing", "--file", "-", "-i", "c"),
        ("--id", "0123456789", "--log", "missing", "--file", "-"),
    ],
    ids=["mappings", "token", "log"],
)
def test_a_missing_file_is_named(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, stdin="mapRoles: []")
    assert ran.code == (3 if arguments[:2] == ARN else 1)
    assert "missing: cannot be read: No such file or directory" in ran.err


@pytest.fixture
def failing(tmp_path: Path) -> str:
    """A kubeconfig with an exec plugin that fails, as one does whose SSO session has expired."""
    path = tmp_path / "kubeconfig"
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    user = {"name": "u", "user": {"exec": {**plugin, "interactiveMode": "Never"}}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    lists = {"clusters": [cluster], "users": [user], "contexts": [context]}
    path.write_text(json.dumps({"current-context": "x", **lists}))
    return str(path)


def test_a_caller_was_denied_although_the_exec_plugin_failed(run: Run, failing: str) -> None:
    arguments = ("--arn", f"{ROLES}Dev", "--cluster", "--kubeconfig", failing)
    ran = run(*arguments)
    assert ran.code == 3
    assert "UNKNOWN: a source could not be read" in ran.out
    assert "false" in ran.out.partition("UNKNOWN")[2]
    assert "DENIED" not in ran.out
    assert "bootstrapAdministrators" in ran.out
    data = run(*arguments, "-o", "json").data
    assert (data["verdict"], data["allowed"], len(data["unread"])) == ("UNKNOWN", False, 2)


def test_access_that_ends_is_shown_with_its_end_and_reason(run: Run, tmp_path: Path) -> None:
    entry = {"rolearn": f"{ROLES}Dev", "username": "dev", "reason": "ticket 7"}
    (tmp_path / "m.json").write_text(
        json.dumps({"mapRoles": [{**entry, "expires": "2099-01-31T18:00:00Z"}]})
    )
    ran = run("--arn", f"{ROLES}Dev", "--file", str(tmp_path / "m.json"))
    lines = [line.split(maxsplit=1) for line in ran.out.splitlines()]
    assert ["reason", "ticket 7"] in lines
    assert any(
        line[0] == "until" and line[1].startswith("2099-01-31T18:00:00Z (in ")
        for line in lines
        if line
    )


def test_a_denial_names_what_was_left_out(run: Run, file: str) -> None:
    ran = run("--arn", f"{ROLES}Nobody", "--file", file)
    assert ran.code == 1
    assert "left out: all other sources" in ran.out
    assert ran.out.rstrip().endswith("without those that were left out.")
