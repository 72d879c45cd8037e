"""Regular installs of our wheel in clean environments: what users of a release start."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from dev import locked
from dev.gotools import CACHE

ROOT = Path(__file__).resolve().parents[2]

# Installs kept in .cache; each is 30 MB, and every change of the sources makes one.
_KEPT = 4

# What a wheel is made of.
_SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "authenticator", "client")


class InstallError(Exception):
    """A wheel could not be built or installed; the message is pip's or git's."""


def install(ref: str | None = None) -> Path:
    """Return the directory of commands of a clean environment with only the client's wheel.

    `ref` names the commit; without it, the sources are those of the working tree. An install
    is made once for its sources and kept in `.cache`. Raises InstallError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch) / "sources"
        sources.mkdir()
        _copy_sources(ref, sources)
        environment = CACHE / "bench" / f"install-{_digest(sources)}"
        if not environment.exists():
            _install_wheel(sources, environment)
            _prune(environment.parent)
    return environment / "bin"


def commit_of(ref: str) -> str:
    """Return the short id of a commit. Raises InstallError."""
    return _run(["git", "rev-parse", "--short", f"{ref}^{{commit}}"]).decode().strip()


def _copy_sources(ref: str | None, target: Path) -> None:
    if ref is not None:
        archive = _run(["git", "archive", "--format=tar", ref, "--", *_SOURCES])
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
        return
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=unwanted)
        else:
            shutil.copy(source, target / name)


def _digest(sources: Path) -> str:
    digest = hashlib.sha256(sys.version.encode() + locked.constraints().encode())
    for path in sorted(sources.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(sources)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _install_wheel(sources: Path, environment: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = sources.parent / "wheels"
    constraints = sources.parent / "constraints.txt"
    constraints.write_text(locked.constraints(), "utf-8")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    _run([*pip, *build, str(sources)])
    environment.parent.mkdir(parents=True, exist_ok=True)
    # Scripts carry the path of their interpreter: the environment is made where it stays.
    try:
        _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
        target = ["--python", str(environment), "install", "--constraint", str(constraints)]
        _run([*pip, *target, *map(str, wheels.iterdir())])
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise


def _prune(installs: Path) -> None:
    """Remove the oldest installs."""
    by_age = sorted(installs.glob("install-*"), key=lambda path: path.stat().st_mtime)
    for stale in by_age[:-_KEPT]:
        shutil.rmtree(stale)


def _run(command: list[str]) -> bytes:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if result.returncode:
        told = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InstallError(f"{Path(command[0]).name} {command[1]} failed: {' '.join(told)}")
    return result.stdout
