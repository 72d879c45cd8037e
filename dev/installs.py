"""Regular installs of our wheel in clean environments: what users of a release start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from dev import locked
from dev.gotools import CACHE

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "aws-iam-authenticator"

_DISTRIBUTION = "kube-iam-authenticator"

_INSTALLS = CACHE / "installs"

# Installs of each kind that are kept; every change of the sources makes another.
_KEPT = 2

# The wheel is built from these.
_SOURCES = (
    *("setup.py", "setup.cfg", "pyproject.toml", "docs/package.md", "docs/lint.md", "LICENSE"),
    *("authenticator", "client", "scripts"),
)

# How each installer is told to install into an environment.
_ARGUMENTS = {
    "pip": ("--python", "{environment}", "install"),
    "uv": ("pip", "install", "--python", "{environment}"),
}


class InstallError(Exception):
    """A wheel could not be built or installed; the message is that of pip, uv or git."""


@dataclass(frozen=True, slots=True)
class Installer:
    """A release of pip or uv.

    Attributes:
        package: its name on PyPI.
        version: its version.
        hashes: SHA-256 of its wheels; empty for the one that is installed here.
    """

    package: str
    version: str
    hashes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in tables."""
        return f"{self.package} {self.version}"


CURRENT_PIP = Installer("pip", version("pip"))
UV = Installer(
    "uv",
    "0.13.9",
    (  # manylinux x86_64, aarch64; musllinux x86_64; macOS arm64, x86_64
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
)
INSTALLERS = (
    # Comes with Python 3.11.
    Installer(
        "pip", "23.2.1", ("7ccf472345f20d35bdc9d1841ff5f313260c2c33fe417f48c30ac46cccabf5be",)
    ),
    # The last whose wrapper of an entry point imports `re`.
    Installer(
        "pip", "24.3.1", ("3790624780082365f47549d032f3770eeb2b1e8bd1f7b2e02dace1afa361b4ed",)
    ),
    CURRENT_PIP,
    UV,
)


def install(
    ref: str | None = None,
    *,
    installer: Installer = CURRENT_PIP,
    python: Path | None = None,
    extra: str = "",
) -> Path:
    """Return the directory of commands of a clean environment with our wheel.

    An install is made once for its sources and kept in `.cache`.

    Args:
        ref: the commit to build; None builds the working tree.
        installer: installs the wheel.
        python: the interpreter of the environment; None takes the running one.
        extra: an extra of the distribution, such as `server`; empty installs the client's
            dependencies only.

    Raises:
        InstallError: a step failed.
    """
    interpreter = python or Path(sys.executable)
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch) / "sources"
        sources.mkdir()
        _copy_sources(ref, sources)
        kind = _INSTALLS / _kind(installer, interpreter, extra)
        environment = kind / _digest(sources)
        start = [*program(installer), *_ARGUMENTS[installer.package]]
        with _lock():
            if not environment.exists():
                built = _build(sources, Path(scratch) / "wheels")
                _fill(
                    environment, interpreter, start, f"{_DISTRIBUTION}[{extra}] @ {built.as_uri()}"
                )
                _prune(kind)
    return environment / "bin"


def copy_sources(target: Path) -> None:
    """Copy what the wheel is built from to a new directory."""
    target.mkdir()
    _copy_sources(None, target)


def development(directory: Path, python: Path) -> None:
    """Make or update an environment as `make` does, with another Python; uv does it in seconds.

    Args:
        directory: the environment.
        python: its interpreter, if it is made.

    Raises:
        InstallError: a step failed.
    """
    if not (directory / "bin" / "python").exists():
        _run([str(python), "-m", "venv", "--without-pip", str(directory)])
    install = [*program(UV), "pip", "install", "--quiet", "--no-deps", "--python", str(directory)]
    _run([*install, "--require-hashes", "--requirement", str(locked.DEVELOPMENT)])
    with tempfile.TemporaryDirectory() as scratch:
        _run([*install, "--reinstall", str(wheel(Path(scratch)))])


def wheel(target: Path) -> Path:
    """Build the wheel of the working tree in `target`. Raises InstallError."""
    with tempfile.TemporaryDirectory() as scratch:
        _copy_sources(None, Path(scratch))
        return _build(Path(scratch), target)


def program(installer: Installer) -> list[str]:
    """Return the command line that starts an installer, fetched first if need be.

    Raises:
        InstallError: it cannot be fetched.
    """
    if not installer.hashes:
        return [sys.executable, "-m", "pip"]
    directory = CACHE / "installers" / f"{installer.package}-{installer.version}"
    with _lock():
        if not directory.exists():
            _fetch(installer, directory)
    if installer.package == "uv":
        return [str(directory / "bin" / "uv")]
    return [sys.executable, str(directory / "pip")]


def commit_of(ref: str) -> str:
    """Return the short id of a commit. Raises InstallError."""
    return _run(["git", "rev-parse", "--short", f"{ref}^{{commit}}"]).decode().strip()


def _copy_sources(ref: str | None, target: Path) -> None:
    if ref is not None:
        archive = _run(["git", "archive", "--format=tar", ref])
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
        return
    for name in _SOURCES:
        source = ROOT / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=unwanted)
        else:
            shutil.copy(source, target / name)


def _kind(installer: Installer, interpreter: Path, extra: str) -> str:
    which = hashlib.sha256(str(interpreter).encode()).hexdigest()[:6]
    return f"{installer.package}-{installer.version}-{extra or 'client'}-{which}"


def _digest(sources: Path) -> str:
    digest = hashlib.sha256(f"{sys.version}\0{locked.constraints()}".encode())
    for name in _SOURCES:
        path = sources / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(sources)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _fill(environment: Path, interpreter: Path, install: list[str], requirement: str) -> None:
    environment.parent.mkdir(parents=True, exist_ok=True)
    constraints = environment.with_name("constraints.txt")
    constraints.write_text(locked.constraints(), "utf-8")
    # Scripts hold the path of their interpreter, so the environment is made at its final path.
    try:
        _run([str(interpreter), "-m", "venv", "--without-pip", str(environment)])
        target = [argument.format(environment=environment) for argument in install]
        _run([*target, "--quiet", "--constraint", str(constraints), requirement])
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise


def _build(sources: Path, target: Path) -> Path:
    build = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target)]
    _run([sys.executable, "-m", "pip", "wheel", *build, str(sources)])
    (built,) = target.glob("*.whl")
    return built


def _fetch(installer: Installer, directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    hashes = "".join(f" --hash=sha256:{each}" for each in installer.hashes)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        pinned = Path(scratch) / "requirements.txt"
        pinned.write_text(f"{installer.package}=={installer.version}{hashes}\n")
        target = Path(scratch) / "target"
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        install = [sys.executable, "-m", "pip", "install", *options]
        _run([*install, "--target", str(target), "--requirement", str(pinned)])
        target.rename(directory)


def _prune(kind: Path) -> None:
    """Remove the oldest installs of a kind."""
    installs = [path for path in kind.iterdir() if path.is_dir()]
    by_age = sorted(installs, key=lambda path: path.stat().st_mtime)
    for stale in by_age[:-_KEPT]:
        shutil.rmtree(stale)


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process at a time write to the cache. Not reentrant."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "installs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> bytes:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    if result.returncode:
        told = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InstallError(f"{Path(command[0]).name} {command[1]} failed: {' '.join(told)}")
    return result.stdout
