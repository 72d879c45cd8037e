"""The documented exit codes are of verbs that exist, and what every verb can be seen to do."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest

from dev.exit_codes import EXIT_CODES
from dev.server import COMMAND


@cache
def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_verb_has_its_codes() -> None:
    listed = [line.split()[0] for line in run("--help").stdout.splitlines() if line[:2] == "  "]
    assert [verb for verb in EXIT_CODES if " " not in verb] == listed


@pytest.mark.parametrize("verb", EXIT_CODES)
def test_a_wrong_command_line_ends_with_the_code_for_it(verb: str) -> None:
    codes = EXIT_CODES[verb]
    wrong = max(code for code in (1, 2) if code in codes)
    done = run(*verb.split(), "--no-such-flag")
    assert (done.returncode, done.stdout) == (wrong, "")
    assert "--no-such-flag" in done.stderr or "name one shell" in done.stderr


@pytest.mark.parametrize("verb", EXIT_CODES)
def test_help_is_no_failure(verb: str) -> None:
    assert run(*verb.split(), "--help").returncode == 0


def test_an_unknown_verb_ends_as_with_the_reference() -> None:
    assert run("no-such-verb").returncode == 1
