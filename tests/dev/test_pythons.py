"""Finding the supported Pythons, whose pyenv shims fail when they are not selected."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dev import pythons
from dev.pythons import MissingPythonError, find

OTHER = "3.99"


def interpreter(path: Path, version: str) -> Path:
    """A program that answers as that Python does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of pyenv, and a shim that answers for no version."""
    shim = tmp_path / "shims" / f"python{OTHER}"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    return tmp_path


def test_takes_the_oldest_patch_release_of_pyenv(root: Path) -> None:
    """Not 3.99.10, which sorts before 3.99.9 as text."""
    for patch in (10, 9, 11):
        interpreter(root / "versions" / f"{OTHER}.{patch}" / "bin" / "python", OTHER)
    interpreter(root / "versions" / f"{OTHER}.0rc1" / "bin" / "python", OTHER)
    assert find(OTHER) == root / "versions" / f"{OTHER}.9" / "bin" / "python"


def test_a_shim_that_fails_is_not_taken() -> None:
    with pytest.raises(MissingPythonError, match=r"Python 3\.99 not found in .*; install it"):
        find(OTHER)


def test_takes_one_from_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = interpreter(root / "bin" / f"python{OTHER}", OTHER)
    monkeypatch.setenv("PATH", str(found.parent))
    assert find(OTHER) == found


def test_one_of_another_version_is_not_taken(root: Path) -> None:
    interpreter(root / "versions" / f"{OTHER}.1" / "bin" / "python", "3.98")
    with pytest.raises(MissingPythonError):
        find(OTHER)


def test_the_running_python_is_there() -> None:
    assert find("{}.{}".format(*sys.version_info[:2])) == Path(sys.executable)


def test_the_command_fails_where_the_python_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pythons", OTHER])
    assert pythons.main() == 1
    assert "Python 3.99 not found" in capsys.readouterr().err
