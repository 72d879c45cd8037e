"""Completion asks the command itself, in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from client import completion
from tests.client.running import python

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command on PATH, as it is installed."""
    command = tmp_path / "bin" / "aws-iam-authenticator"
    command.parent.mkdir()
    root = Path(completion.__file__).parents[1]
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -m authenticator.__main__ "$@"\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")


def completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    program = (
        "source <(aws-iam-authenticator completion bash)\n"
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        '_aws_iam_authenticator; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    finished = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    return set(finished.stdout.split())


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("aws-iam-authenticator", "tok"), {"token"}),
        (("aws-iam-authenticator", "ve"), {"verify", "version"}),
        (("aws-iam-authenticator", "token", "--tok"), {"--token-only"}),
        (("aws-iam-authenticator", "kubeconfig", "--dry"), {"--dry-run"}),
        (("aws-iam-authenticator", "token", "file"), set()),
    ],
    ids=["verb", "verbs", "flag", "flag of another verb", "no flag"],
)
def test_bash_offers_what_the_command_has(words: tuple[str, ...], expected: set[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    outcome = python("-m", "client", "completion", shell)

    assert (outcome.code, outcome.err) == (0, "")
    assert "aws-iam-authenticator" in outcome.out
    assert "COMMAND" not in outcome.out


@pytest.mark.parametrize("words", [[], ["powershell"], ["bash", "zsh"]])
def test_another_shell_is_refused(words: list[str]) -> None:
    assert "bash|zsh|fish" in python("-m", "client", "completion", *words).refusal()


def test_help_says_how_to_use_it() -> None:
    assert "source <(" in python("-m", "client", "completion", "--help").out
