"""The documented exit codes are of verbs that exist, and what every verb can be seen to do."""

from __future__ import annotations

import re
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
    listed = re.findall(r"^  ([a-z][a-z-]*)  ", run("--help").stdout, re.MULTILINE)
    assert [verb for verb in EXIT_CODES if " " not in verb] == listed


@pytest.mark.parametrize("verb", EXIT_CODES)
def test_a_wrong_command_line_ends_with_the_code_for_it(verb: str) -> None:
    codes = EXIT_CODES[verb]
    assert 2 in codes
    done = run(*verb.split(), "--no-such-flag")
    assert (done.returncode, done.stdout) == (2, "")
    line = f"unknown flag --no-such-flag; see aws-iam-authenticator {verb} --help"
    assert done.stderr == f"aws-iam-authenticator: {line}\n"


@pytest.mark.parametrize("verb", EXIT_CODES)
def test_help_is_no_failure(verb: str) -> None:
    assert run(*verb.split(), "--help").returncode == 0


def test_an_unknown_verb_is_a_wrong_command_line() -> None:
    assert run("no-such-verb").returncode == 2
