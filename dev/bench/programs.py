"""The programs that a benchmark starts: the contenders, and our own load generator and double."""

from __future__ import annotations

import sys
from pathlib import Path

from dev import gotools, installs, zipapp
from dev.bench import reference
from dev.bench.startup import ROLE, Command

_MODULE = Path(__file__).parent

# Where `make` installed this checkout, and the AWS CLI with the other tools.
_BIN = Path(sys.prefix) / "bin"

_NAME = "aws-iam-authenticator"
_CLUSTER = "benchmark"
_TOKEN = ("token", "-i", _CLUSTER)


def own_program(name: str) -> Path:
    """Build a Go program of this directory. Raises gotools.GoBuildError."""
    return gotools.build(gotools.Program(name=name, module=_MODULE, package=f"./{name}"))


def servers() -> dict[str, str]:
    """Return the commands whose verb `server` is measured."""
    return {
        "reference": str(reference.reference_binary()),
        "ours": str(_BIN / _NAME),
    }


def token_commands() -> list[Command]:
    """Return the ways to get a token. Raises installs.InstallError and gotools.GoBuildError."""
    python = str(Path(sys.executable).resolve())
    aws = ("eks", "get-token", "--cluster-name", _CLUSTER)
    return [
        Command(
            "reference",
            (str(reference.reference_binary()), *_TOKEN),
            role=("--cache", "--role", ROLE),
        ),
        *map(_installed, installs.INSTALLERS),
        Command("ours, single file", (str(_single_file()), *_TOKEN), role=("--role", ROLE)),
        Command("`python -I -S`", (python, "-I", "-S", "-c", ""), bare=True),
        Command("AWS CLI", (str(_BIN / "aws"), *aws), few=True),
    ]


def _installed(installer: installs.Installer) -> Command:
    """Return the command as an installer leaves it."""
    command = str(installs.install(installer=installer) / _NAME)
    return Command(f"ours, {installer.name}", (command, *_TOKEN), role=("--role", ROLE))


def _single_file() -> Path:
    """Make the plugin's single file, as `make dist` does."""
    path = gotools.CACHE / "bench" / f"{_NAME}.pyz"
    zipapp.build(path)
    return path


def earlier_command(commit: str) -> Command:
    """Return our own `token` as it was at a commit. Raises installs.InstallError."""
    name = f"ours at {installs.commit_of(commit)}"
    return Command(name, (str(installs.install(commit) / _NAME), *_TOKEN))


def administrators_commands(commit: str) -> dict[str, str]:
    """Return our command with all verbs, installed here and as it was at a commit.

    Raises installs.InstallError.
    """
    earlier = installs.install(commit, extra="server") / _NAME
    return {"ours": str(_BIN / _NAME), f"ours at {installs.commit_of(commit)}": str(earlier)}
