"""The import contracts of pyproject.toml find what they are there to find."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages and of the contracts."""
    for package in ("authenticator", "client"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=_no_caches)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


_no_caches = shutil.ignore_patterns("__pycache__")


def lint(root: Path) -> tuple[int, str]:
    program = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    ran = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def append(file: Path, text: str) -> None:
    file.write_text(f"{file.read_text('utf-8')}\n{text}\n", "utf-8")


def test_the_code_keeps_the_contracts(copy: Path) -> None:
    code, output = lint(copy)
    assert code == 0, output
    assert "0 broken" in output


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("client/sigv4.py", "from . import token"),
        ("authenticator/mapping/globs.py", "from authenticator.mapping import selectors"),
        # In a function and for type checkers only: a circle all the same.
        (
            "authenticator/serving/metrics.py",
            "def late():\n    import authenticator.serving.service",
        ),
        (
            "authenticator/mapping/globs.py",
            "if TYPE_CHECKING:\n    from authenticator.mapping.selectors import Selector",
        ),
    ],
)
def test_a_planted_circle_is_found(copy: Path, file: str, line: str) -> None:
    append(copy / file, line)
    code, output = lint(copy)
    assert code == 1
    assert "No cycles are allowed" in output


@pytest.mark.parametrize("package", ["authenticator", "client"])
def test_a_module_without_a_layer_is_found(copy: Path, package: str) -> None:
    (copy / package / "planted.py").touch()
    code, output = lint(copy)
    assert code == 1
    assert f"{package}.planted" in output


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("client/clock.py", "import authenticator.atomic"),
        ("authenticator/config.py", "import client.clock"),
    ],
)
def test_an_import_between_client_and_authenticator_is_found(
    copy: Path, file: str, line: str
) -> None:
    append(copy / file, line)
    code, output = lint(copy)
    assert code == 1
    assert "do not import each other BROKEN" in output
