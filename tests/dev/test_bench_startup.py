"""Cold starts: what is run, what counts as a token, and the table."""

from __future__ import annotations

import marshal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dev.bench import spawner
from dev.bench.startup import Command, Run, StartupError, environments, fault, measure, results

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
TOKEN = '{"status": {"token": "k8s-aws-v1.x"}}'
QUIET = Command("quiet", ("/bin/sh", "-c", ":"))


def printing(text: str) -> Command:
    return Command("printing", ("/bin/sh", "-c", f"printf %s '{text}'"))


def test_a_command_that_prints_a_token_is_fit() -> None:
    assert fault(printing(TOKEN), ENVIRONMENT) is None


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (printing("{}"), "KeyError"),
        (printing("[]"), "TypeError"),
        (printing("hello"), "JSONDecodeError"),
        (Command("fails", ("/bin/sh", "-c", "echo no region >&2; exit 1")), "no region"),
        (Command("missing", ("/nonexistent/command",)), "No such file or directory"),
    ],
    ids=["no status", "another kind", "not JSON", "fails with a reason", "missing"],
)
def test_a_command_without_a_token_is_not_measured(command: Command, told: str) -> None:
    assert told in (fault(command, ENVIRONMENT) or "")


def test_an_interpreter_alone_needs_no_token() -> None:
    assert fault(Command("bare", QUIET.arguments, bare=True), ENVIRONMENT) is None


def test_commands_take_turns_and_slow_ones_stop_early() -> None:
    runs = measure([QUIET, Command("slow", QUIET.arguments, few=True)], ENVIRONMENT, 12)
    assert {name: len(taken) for name, taken in runs.items()} == {"quiet": 12, "slow": 10}


def test_a_run_that_fails_is_no_measurement() -> None:
    with pytest.raises(StartupError, match="broken ended with exit code 3"):
        measure([Command("broken", ("/bin/sh", "-c", "exit 3"))], ENVIRONMENT, 1)


def test_the_spawner_reports_each_run_in_order() -> None:
    commands = [(["/bin/sh", "-c", "exit 0"], {}), (["/bin/sh", "-c", "exit 7"], {})]
    done = subprocess.run(
        [sys.executable, "-I", "-S", spawner.__file__],
        input=marshal.dumps((commands, [1, 0, 1])),
        capture_output=True,
        check=True,
    )
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert [(line[0], line[5]) for line in lines] == [("1", "7"), ("0", "0"), ("1", "7")]


def test_both_kinds_of_credentials_are_ready(tmp_path: Path) -> None:
    kinds = environments(tmp_path)
    assert "AWS_ACCESS_KEY_ID" in kinds["environment"]
    assert "AWS_ACCESS_KEY_ID" not in kinds["profile"]
    assert "[bench]" in (tmp_path / ".aws" / "credentials").read_text()


def test_the_table_compares_pair_by_pair() -> None:
    runs = {
        "reference": [Run(wall=0.010, cpu=0.010, memory=28.0), Run(0.020, 0.020, 28.0)],
        "ours": [Run(wall=0.008, cpu=0.009, memory=14.0), Run(0.016, 0.018, 14.0)],
    }
    rows = results(runs).splitlines()
    assert rows[2] == "| reference | 15.0 | 15.0 | 28.0 | 2 | 1 | 1 | 1 |"
    assert rows[3] == "| ours | 12.0 | 13.5 | 14.0 | 2 | 0.80 | 0.90 | 0.50 |"


def test_a_jwt_is_compared_with_a_presigned_token() -> None:
    presigned, jwt = Command("ours", ("command", "token")).of_each_kind()
    assert (presigned.arguments, jwt.arguments) == (
        ("command", "token"),
        ("command", "token", "--jwt"),
    )
    runs = {presigned.name: [Run(0.010, 0.010, 14.0)], jwt.name: [Run(0.011, 0.010, 14.0)]}
    rows = results(runs, presigned.name).splitlines()
    assert "wall / presigned" in rows[0]
    assert rows[3].endswith("| 1.10 | 1.00 | 1.00 |")
    assert fault(printing('{"status": {"token": "eyJx.y.z"}}'), ENVIRONMENT) is None
