"""The module that setup.py makes of those that every token needs."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import setup
from dev import installs

NAMES = setup.hot_names()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client as the wheel has it."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(installs.wheel(folder)) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_a_module_comes_after_what_it_imports() -> None:
    assert NAMES[0] == "errors"
    assert NAMES[-1] == "command"
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_module_has_the_names_that_it_has_alone(package: Path, name: str) -> None:
    program = f"""
import json, sys
sys.path.insert(0, {str(package)!r})
import client.hot
module = sys.modules["client.{name}"]
assert sys.modules["client"].{name} is module
print(json.dumps(sorted(vars(module))))
"""
    command = [sys.executable, "-I", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    alone = vars(importlib.import_module(f"client.{name}"))
    # Those of the import system; hot modules have no file.
    without = {"__builtins__", "__cached__", "__file__", "__annotations__"}
    assert set(json.loads(done.stdout)) - without == set(alone) - without


def test_it_has_no_annotations_and_no_docstrings() -> None:
    tree = ast.parse(setup.hot_source())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AnnAssign)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert ast.get_docstring(node) is None
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node) is None


def test_an_editable_installation_runs_the_sources() -> None:
    assert not (installs.ROOT / "client" / "hot.py").exists()
