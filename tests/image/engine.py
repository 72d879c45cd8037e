"""Builds the image of the Dockerfile without a container engine and without a registry of images.

buildah does it, with storage and isolation that need no more than root in a container. The two
images that the Dockerfile asks for are made of Debian's packages: the first has a shell and pip,
the second has Python, what that needs, and nothing else, as in distroless images.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import debian

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# Where the interpreter of these images is; that of the Dockerfile's defaults is there, too.
PYTHON = "/usr/bin/python3"

_CACHE = ROOT / ".cache" / "image"
# Debian 12 has Python 3.11, like the Dockerfile's defaults. Another name makes the images anew.
_SUITE, _RECIPE = "bookworm", "1"
_BUILD_IMAGE = f"localhost/build-base:{_SUITE}-{_RECIPE}"
_FINAL_IMAGE = f"localhost/final-base:{_SUITE}-{_RECIPE}"
_BUILD_FILES = ("--exclude=./usr/share/doc", "--exclude=./usr/share/locale", "--exclude=./var", ".")
_FINAL_FILES = (
    *("--exclude=./usr/lib/python3/dist-packages", "--exclude=./usr/lib/apt"),
    *("./bin", "./dev", "./etc", "./lib", "./lib64", "./proc", "./sys", "./tmp"),
    *("./usr/bin/python3", "./usr/bin/python3.11", "./usr/lib", "./usr/lib64"),
)
# What pip may need to know of this machine, to reach an index of packages.
_PIP_SETTINGS = frozenset(
    {"default-timeout", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host"}
)
_PATIENCE_SECONDS = 500


class EngineError(AssertionError):
    """A command failed; the message holds the end of what it said."""


@contextlib.contextmanager
def built(version: str) -> Iterator[tuple[dict[str, Any], Path]]:
    """Build the checkout's Dockerfile; give the image's configuration and its files, to be read.

    Raises:
        MissingProgramsError: buildah or debootstrap is not installed.
        EngineError: it cannot be built.
    """
    if os.geteuid() != 0:
        raise EngineError("the image's files have owners, which only root can give: run it as root")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock, tempfile.TemporaryDirectory() as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make_bases(Path(directory))
        image = _build(version, Path(directory))
        try:
            (inspected,) = [json.loads(_buildah("inspect", "--type", "image", image))]
            container = _buildah("from", image)
            try:
                yield inspected["Docker"]["config"], Path(_buildah("mount", container))
            finally:
                _buildah("rm", container)
        finally:
            _buildah("rmi", "--force", image)


def _build(version: str, directory: Path) -> str:
    pip = _CACHE / "pip"
    pip.mkdir(exist_ok=True)
    # A volume leaves nothing in the image, as --env would.
    volumes = [*_pip_configuration(directory), f"{pip}:/pip-cache"]
    arguments = {
        "BUILD_IMAGE": _BUILD_IMAGE,
        "FINAL_IMAGE": _FINAL_IMAGE,
        "FINAL_PYTHON": PYTHON,
        "VERSION": version,
        "REVISION": "a-revision",
        "SOURCE": "https://git.example.com/kube-iam-authenticator",
    }
    return _buildah(
        # The OCI's form of an image has no health check.
        *("build", "--quiet", "--pull-never", "--format=docker", "--network=host"),
        *(f"--volume={volume}" for volume in volumes),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        str(ROOT),
    )


def _pip_configuration(directory: Path) -> list[str]:
    """This machine's pip configuration, as volumes."""
    listed = _run(sys.executable, "-m", "pip", "config", "list").splitlines()
    # A line is "global.timeout='180'", or ":env:.timeout='180'", which wins and comes later.
    pairs = (line.split("=", 1) for line in sorted(listed, reverse=True))
    settings = {name.rpartition(".")[2]: value.strip("'") for name, value in pairs}
    volumes = []
    lines = ["cache-dir = /pip-cache"]
    lines += [f"{name} = {settings[name]}" for name in _PIP_SETTINGS.intersection(settings)]
    if certificates := settings.get("cert"):
        lines.append("cert = /run/certificates.pem")
        volumes.append(f"{certificates}:/run/certificates.pem:ro")
    file = directory / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    return [f"{file}:/etc/pip.conf:ro", *volumes]


def _make_bases(directory: Path) -> None:
    there = _buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
    if {_BUILD_IMAGE, _FINAL_IMAGE}.issubset(there):
        return
    tree = directory / "tree"
    packages = "--include=ca-certificates,python3,python3-pip"
    _run(debian.find("debootstrap"), "--variant=minbase", packages, _SUITE, str(tree))
    for image, files in ((_BUILD_IMAGE, _BUILD_FILES), (_FINAL_IMAGE, _FINAL_FILES)):
        archive = directory / "base.tar"
        _run("tar", "--create", f"--file={archive}", f"--directory={tree}", *files)
        container = _buildah("from", "scratch")
        _buildah("add", "--quiet", container, str(archive), "/")
        _buildah("commit", "--quiet", "--rm", container, image)


def _buildah(verb: str, *arguments: str) -> str:
    storage = (
        "--storage-driver=vfs",
        f"--root={_CACHE / 'storage'}",
        f"--runroot={_CACHE / 'run'}",
    )
    isolation = ("--isolation=chroot",) if verb in ("build", "from") else ()
    return _run(debian.find("buildah"), *storage, verb, *isolation, *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
    )
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}"[-4000:]
        raise EngineError(f"{' '.join(command[:8])} ...: {said}")
    return done.stdout.strip()
