"""Completion asks the command itself, in a real bash, zsh and fish."""

import contextlib
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from authenticator.__main__ import _VERBS
from client import completion
from dev import debian
from dev.waiting import wait_until
from tests.client.running import python

# The help has other lines that begin with a word.
VERBS = tuple(_VERBS)
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
        (("aws-iam-authenticator", ""), set(VERBS)),
        (("aws-iam-authenticator", "token", "--tok"), {"--token-only"}),
        (("aws-iam-authenticator", "kubeconfig", "--dry"), {"--dry-run"}),
        (("aws-iam-authenticator", "token", "file"), set()),
    ],
    ids=["verb", "verbs", "every verb", "flag", "flag of another verb", "no flag"],
)
def test_bash_offers_what_the_command_has(words: tuple[str, ...], expected: set[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.debian
@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("aws-iam-authenticator tok", {"token"}),
        ("aws-iam-authenticator ve", {"verify", "version"}),
        ("aws-iam-authenticator token --tok", {"--token-only"}),
        ("aws-iam-authenticator kubeconfig --dry", {"--dry-run"}),
    ],
)
def test_fish_offers_what_the_command_has(line: str, expected: set[str]) -> None:
    program = 'aws-iam-authenticator completion fish | source; complete -C "$argv"'
    command = [debian.find("fish"), "--no-config", "-c", program, line]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    assert {offer.partition("\t")[0] for offer in finished.stdout.splitlines()} == expected


# Completes what is typed at TAB, and writes the line to a file at ^G.
ZSHRC = """\
autoload -Uz compinit && compinit -u -D
source <(aws-iam-authenticator completion zsh)
zle-line-init() { : >$ZDOTDIR/ready }
show() { print -rn -- $BUFFER >$ZDOTDIR/part; mv $ZDOTDIR/part $ZDOTDIR/line }
zle -N zle-line-init
zle -N show
bindkey '^I' complete-word '^G' show
"""


def typed_in_zsh(line: str, directory: Path) -> str:
    """Type a line and TAB in an interactive zsh; return the line as it is then."""
    (directory / ".zshrc").write_text(ZSHRC)
    terminal, inner = pty.openpty()
    zsh = subprocess.Popen(
        [debian.find("zsh"), "-d", "-i"],
        env={**os.environ, "ZDOTDIR": str(directory)},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(terminal, 4096):
                shown.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_until((directory / "ready").exists, lambda: f"zsh shows no prompt: {shown!r}")
        os.write(terminal, f"{line}\t\a".encode())
        wait_until((directory / "line").exists, lambda: f"zsh completes nothing: {shown!r}")
    finally:
        zsh.kill()
        zsh.wait()
        reader.join()
        os.close(terminal)
    return (directory / "line").read_text()


@pytest.mark.debian
@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("line", "completed_line"),
    [
        ("aws-iam-authenticator tok", "aws-iam-authenticator token "),
        ("aws-iam-authenticator veri", "aws-iam-authenticator verify "),
        ("aws-iam-authenticator token --tok", "aws-iam-authenticator token --token-only "),
        ("aws-iam-authenticator nothing-like-it", "aws-iam-authenticator nothing-like-it"),
    ],
)
def test_zsh_offers_what_the_command_has(line: str, completed_line: str, tmp_path: Path) -> None:
    assert typed_in_zsh(line, tmp_path) == completed_line


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    outcome = python("-m", "client", "completion", shell)

    assert (outcome.code, outcome.err) == (0, "")
    assert "aws-iam-authenticator" in outcome.out
    assert "COMMAND" not in outcome.out


@pytest.mark.parametrize("words", [[], ["powershell"], ["bash", "zsh"]])
def test_another_shell_is_refused(words: list[str]) -> None:
    assert "bash|zsh|fish" in python("-m", "client", "completion", *words).refusal(2)


def test_help_says_how_to_use_it() -> None:
    assert "source <(" in python("-m", "client", "completion", "--help").out
