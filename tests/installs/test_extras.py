"""What each extra brings, and the second command by which uvx and pipx start us."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dev import installs

pytestmark = pytest.mark.installs

SECOND = "kube-iam-authenticator"
ABSENT = ("flask", "gunicorn", "prometheus_client", "boto3")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_administrators_install_nothing_of_the_server(tmp_path: Path) -> None:
    """To list mappings took 51 packages."""
    commands = installs.install(installer=installs.UV, extra="admin")
    for module in ABSENT:
        found = run(commands / "python", "-c", f"import {module}", cwd=tmp_path)
        assert f"No module named '{module}'" in found.stderr
    (tmp_path / "m.yaml").write_text("mapAccounts: ['111122223333']\n")

    for command in (installs.COMMAND, SECOND):
        linted = run(commands / command, "lint", "m.yaml", cwd=tmp_path)
        assert (linted.returncode, linted.stdout) == (0, "nothing found in 1 entry\n")
        explained = run(commands / command, "lint", "--explain", "bad-arn", cwd=tmp_path)
        assert explained.stdout.startswith("bad-arn (error): ")
        refused = run(commands / command, "server", cwd=tmp_path)
        assert "server needs the extra 'server'" in refused.stderr


def test_the_client_alone_says_what_is_missing(tmp_path: Path) -> None:
    commands = installs.install(installer=installs.UV)

    refused = run(commands / SECOND, "lint", "m.yaml", cwd=tmp_path)

    assert refused.returncode == 1
    assert "lint needs the extra 'admin'" in refused.stderr


def test_uvx_starts_it_without_an_install(tmp_path: Path) -> None:
    """uvx and pipx look for a command of the distribution's name."""
    wheel = installs.wheel(tmp_path / "wheels")
    start = [*installs.program(installs.UV), "tool", "run", "--no-config", "--isolated"]

    shown = run(*start, "--from", wheel, SECOND, "--version", cwd=tmp_path)

    assert (shown.returncode, shown.stdout[:1]) == (0, "v"), shown.stderr
