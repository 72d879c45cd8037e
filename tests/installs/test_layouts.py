"""The command finds its packages wherever an installer put them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev import installs, locked
from dev.installs import COMMAND, ROOT
from tests.installs.test_installers import PLANTED, check, shadows  # noqa: F401 (a fixture)

pytestmark = pytest.mark.installs


def pip(*arguments: str | Path, **variables: str) -> None:
    """Install without dependencies, which a token from ready credentials does not need."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *map(str, arguments)], env={**os.environ, **variables}, check=True)


def test_target(wheel: Path, shadows: Path, tmp_path: Path) -> None:  # noqa: F811
    """No variable has to name the folder."""
    target = tmp_path / "target"
    pip("install", "--no-deps", "--target", target, wheel)
    check(target / "bin" / COMMAND, tmp_path)
    check(target / "bin" / COMMAND, tmp_path, PYTHONPATH=f"{shadows}:{target}")


def test_prefix(wheel: Path, shadows: Path, tmp_path: Path) -> None:  # noqa: F811
    prefix = tmp_path / "prefix"
    pip("install", "--no-deps", "--ignore-installed", "--prefix", prefix, wheel)
    check(prefix / "bin" / COMMAND, tmp_path, PYTHONPATH=str(shadows))


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder that shadows our packages only, for environments whose .pth files import others."""
    folder = tmp_path / "packages"
    for package in ("authenticator", "client"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(PLANTED)
    return folder


def test_user(wheel: Path, packages: Path, tmp_path: Path) -> None:
    interpreter = Path(sys.executable).resolve()
    base = tmp_path / "user"
    command = [interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run(
        [*command, "--user", "--no-deps", "--no-warn-script-location", wheel],
        env={**os.environ, "PYTHONUSERBASE": str(base)},
        check=True,
    )
    check(base / "bin" / COMMAND, tmp_path, PYTHONPATH=str(packages))


def test_editable(python: Path, packages: Path, tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    installs.copy_sources(copy)
    pip("--python", python, "install", "--no-deps", "--editable", copy)
    check(python.with_name(COMMAND), tmp_path, PYTHONPATH=str(packages))


def test_uv_tool(wheel: Path, shadows: Path, tmp_path: Path) -> None:  # noqa: F811
    uv = installs.program(installs.UV)
    directories = {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    command = [*uv, "tool", "install", "--quiet", "--python", sys.executable, str(wheel)]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(locked.constraints())
    subprocess.run(
        [*command, "--constraints", constraints], env={**os.environ, **directories}, check=True
    )
    check(tmp_path / "bin" / COMMAND, tmp_path, PYTHONPATH=str(shadows))


def test_a_copy_of_the_script_elsewhere(wheel: Path, python: Path, tmp_path: Path) -> None:
    pip("--python", python, "install", "--no-deps", wheel)
    copy = tmp_path / "copied" / COMMAND
    copy.parent.mkdir()
    copy.write_bytes(python.with_name(COMMAND).read_bytes())
    copy.chmod(0o755)
    check(copy, tmp_path)


def test_a_path_with_spaces(wheel: Path, tmp_path: Path) -> None:
    """pip writes a first line that the kernel cannot start; its wrapper of an entry point works."""
    environment = tmp_path / "with spaces"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip("--python", environment / "bin" / "python", "install", "--no-deps", wheel)
    check(environment / "bin" / "kube-iam-authenticator", tmp_path)

    uv = installs.program(installs.UV)
    install = [*uv, "pip", "install", "--quiet", "--no-deps", "--reinstall", "--python"]
    subprocess.run([*install, str(environment), str(wheel)], check=True)
    check(environment / "bin" / COMMAND, tmp_path)


def test_from_a_checkout(tmp_path: Path) -> None:
    check([sys.executable, str(ROOT / "scripts" / COMMAND)], tmp_path)
