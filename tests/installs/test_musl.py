"""Hosts with musl, such as Alpine: every dependency of the server has a wheel for them.

Without one, pip builds from source, for which such hosts have neither compiler nor Rust.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev import locked, pythons

pytestmark = pytest.mark.installs

_OTHERS = [
    pytest.param(version, marks=pytest.mark.nightly)
    for version in pythons.SUPPORTED
    if version != "3.11"
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("version", ["3.11", *_OTHERS])
def test_every_dependency_of_the_server_has_a_wheel_for_musl(
    version: str, machine: str, tmp_path: Path
) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--dry-run"]
    platforms = [f"--platform=musllinux_1_{minor}_{machine}" for minor in (1, 2)]
    done = subprocess.run(
        [
            *pip,
            *("--ignore-installed", "--no-deps", "--only-binary=:all:"),
            *platforms,
            *("--implementation=cp", f"--python-version={version}", f"--target={tmp_path}"),
            f"--requirement={_pins(tmp_path)}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (summary,) = (line for line in done.stdout.splitlines() if line.startswith("Would install"))
    assert len(summary.split()[2:]) == len(locked.locked())


def _pins(directory: Path) -> Path:
    """The versions of the image, without hashes: those are of the wheels for the image's Python."""
    path = directory / "pins.txt"
    path.write_text("".join(f"{name}=={pin}\n" for name, pin in locked.locked().items()))
    return path
