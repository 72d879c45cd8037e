"""Each row of the threat model names a test that exists and runs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "threat-model.md"
HEADER = "| asset | attacker | path | what stops it | test |"
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)`", re.ASCII)
_SKIPPED = re.compile(r"\b(skip|skipif|xfail|importorskip)\b", re.ASCII)
# What an attacker or an insider can reach, and was not in the page once.
SUBJECTS = (
    *("/validate", "DNS", "Regions out of reach", "inspects TLS", "many keys or sessions"),
    *("GetFederationToken", "GetScopedCredentials", "helper programs", "cache of sessions"),
    *("Event writes", "session token inside a presigned URL", "failurePolicy Ignore"),
)


class Attack(NamedTuple):
    """A row: what it says, and the tests that it names."""

    cells: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]


@cache
def attacks() -> tuple[Attack, ...]:
    found: list[Attack] = []
    inside = False
    for line in PAGE.read_text("utf-8").splitlines():
        if line == HEADER:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            named = tuple((file, name) for file, name in _TEST.findall(cells[-1]))
            found.append(Attack(cells, named))
    return tuple(found)


@cache
def collected() -> frozenset[str]:
    """The tests that a run of all tests would run, without their parameters."""
    files = sorted({file for attack in attacks() for file, _ in attack.tests})
    flags = ("--collect-only", "--quiet", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    names = (line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line)
    # Some are methods: `file::class::name`.
    return frozenset(f"{name.split('::')[0]}::{name.split('::')[-1]}" for name in names)


def skipped(file: str, name: str) -> bool:
    """Whether a test, or all of its file, may be skipped."""
    text = (ROOT / file).read_text("utf-8")
    tree = ast.parse(text)
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    marks = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == "pytestmark" for one in node.targets)
    ]
    parts = [ast.unparse(node) for node in (*functions, *marks)]
    return not functions or any(_SKIPPED.search(part) for part in parts)


def test_there_are_attacks_of_every_kind() -> None:
    assert len(attacks()) > 40
    attackers = {attack.cells[1] for attack in attacks()}
    assert attackers >= {"stranger", "caller", "insider", "editor", "peer", "host user", "agent"}
    text = PAGE.read_text("utf-8")
    assert [subject for subject in SUBJECTS if subject not in text] == []


def test_every_asset_and_attacker_is_explained() -> None:
    text = PAGE.read_text("utf-8")
    for attack in attacks():
        assert f"| **{attack.cells[0]}**" in text, attack.cells
        assert f"\n| {attack.cells[1]} |" in text, attack.cells


@pytest.mark.slow
def test_every_attack_names_tests_that_exist_and_run() -> None:
    wrong = []
    for attack in attacks():
        assert len(attack.cells) == 5, attack.cells
        if not attack.tests:
            wrong.append(f"no test: {attack.cells[2]}")
        for file, name in attack.tests:
            if not Path(ROOT, file).is_file():
                wrong.append(f"no file {file}")
            elif f"{file}::{name}" not in collected():
                wrong.append(f"not run: {file}::{name}")
            elif skipped(file, name):
                wrong.append(f"may be skipped: {file}::{name}")
    assert wrong == []
