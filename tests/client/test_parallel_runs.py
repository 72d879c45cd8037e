"""Many kubectls at once ask AWS, and the person, once: real processes, a real lock, a terminal."""

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import client
from dev.aws_double import AwsDouble
from dev.aws_double.principals import user
from dev.aws_double.trust import Role
from dev.cluster import binaries

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
ARGUMENTS = ("-m", "client", "token", "-i", "c")
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
DEV = Role(f"arn:aws:iam::{ACCOUNT}:role/dev", frozenset({ALICE.arn}))
CAREFUL = Role(f"arn:aws:iam::{ACCOUNT}:role/careful", frozenset({ALICE.arn}), multi_factor=True)


@pytest.fixture
def aws(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    (home / ".aws" / "credentials").write_text(ALICE.profile("base"))
    (home / ".aws" / "config").write_text(
        f"[profile careful]\nrole_arn = {CAREFUL.arn}\nsource_profile = base\n"
        f"mfa_serial = {PHONE}\n"
    )
    with AwsDouble([ALICE], roles=[DEV, CAREFUL], mfa_codes={PHONE: "123456"}) as double:
        for name, value in {**double.environment(), "AWS_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", str(Path(client.__file__).parents[1]))
        yield double


def start(*flags: str, terminal: int | None = None) -> "subprocess.Popen[str]":
    """Start the plugin, at a terminal of its own or at none."""
    return spawn(sys.executable, *ARGUMENTS, *flags, terminal=terminal)


def spawn(
    *command: str, terminal: int | None = None, stdin: int = subprocess.DEVNULL
) -> "subprocess.Popen[str]":
    def take_terminal() -> None:
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return subprocess.Popen(
        command,
        stdin=stdin if terminal is None else terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 - it takes no lock
    )


def check(process: "subprocess.Popen[str]") -> None:
    """Check that a run printed its one document, and nothing besides."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["kind"] == "ExecCredential"


def test_twenty_runs_assume_a_role_once(aws: AwsDouble) -> None:
    runs = [start("--profile", "base", "-r", DEV.arn) for _ in range(20)]

    for run in runs:
        check(run)

    assert aws.calls.counts().by_action == {"AssumeRole": 1}


def test_a_run_that_is_killed_at_the_prompt_leaves_the_lock(aws: AwsDouble) -> None:
    first, its_end = pty.openpty()
    killed = start("--profile", "careful", terminal=its_end)
    assert PHONE in prompt(first)
    killed.kill()
    killed.communicate()

    second, its_end = pty.openpty()
    run = start("--profile", "careful", terminal=its_end)
    assert PHONE in prompt(second)
    os.write(second, b"123456\n")

    check(run)


def test_five_runs_ask_the_person_for_one_code(aws: AwsDouble) -> None:
    terminal, its_end = pty.openpty()
    asking = start("--profile", "careful", terminal=its_end)
    assert PHONE in prompt(terminal)
    waiting = [start("--profile", "careful") for _ in range(4)]
    os.write(terminal, b"123456\n")

    for run in (asking, *waiting):
        check(run)

    assert aws.calls.counts().by_action == {"AssumeRole": 1}


def test_without_a_terminal_it_says_so(aws: AwsDouble) -> None:
    run = start("--profile", "careful")
    out, err = run.communicate(timeout=60)

    assert (run.returncode, out) == (1, "")
    assert "needs an MFA code, and there is no terminal" in err


@pytest.mark.cluster
def test_kubectl_lets_it_ask_for_the_code(aws: AwsDouble, home: Path) -> None:
    """kubectl gets its credential before it finds that no server listens at that address."""
    terminal, its_end = pty.openpty()
    kubectl = run_kubectl(home, "IfAvailable", its_end)
    assert PHONE in prompt(terminal)
    os.write(terminal, b"123456\n")

    out, err = kubectl.communicate(timeout=60)

    assert out == ""
    assert "127.0.0.1:1 was refused" in err
    assert aws.calls.counts().by_action == {"AssumeRole": 1}


@pytest.mark.cluster
def test_kubectl_may_forbid_it_to_ask(aws: AwsDouble, home: Path) -> None:
    _, its_end = pty.openpty()

    out, err = run_kubectl(home, "Never", its_end).communicate(timeout=60)

    assert out == ""
    assert "needs an MFA code" in err


def test_an_open_pipe_on_stdin_is_not_waited_for(aws: AwsDouble) -> None:
    """Programs with windows leave stdin open and never write to it."""
    reader, writer = os.pipe()
    run = spawn(sys.executable, *ARGUMENTS, "--profile", "careful", stdin=reader)
    try:
        out, err = run.communicate(timeout=60)
    finally:
        os.close(writer)
        os.close(reader)

    assert (run.returncode, out) == (1, "")
    assert "needs an MFA code, and there is no terminal" in err


def run_kubectl(home: Path, mode: str, terminal: int) -> "subprocess.Popen[str]":
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": sys.executable,
        "args": ["-m", "client", "token", "-i", "c", "--profile", "careful"],
        "interactiveMode": mode,
    }
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(json.dumps({"users": [{"name": "u", "user": {"exec": plugin}}]}))
    return spawn(
        str(binaries.find().kubectl),
        *("--kubeconfig", str(kubeconfig), "--user", "u", "--server", "https://127.0.0.1:1"),
        *("get", "--raw", "/version"),
        terminal=terminal,
    )


def prompt(terminal: int) -> str:
    return os.read(terminal, 1000).decode()
