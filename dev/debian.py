"""Makes sure of the programs that some tests drive and that come from Debian's packages.

    python -m dev.debian

Programs that are present, from any source, are left alone. Missing ones are installed with apt-get
where that needs no password; elsewhere an error names the packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Each program, and the package that has it. A test that needs another program adds it here and has
# the marker `debian`; programs written in Go are built by dev/gotools instead.
PROGRAMS = {
    "buildah": "buildah",
    "cargo": "cargo",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "debootstrap": "debootstrap",
    "fish": "fish",
    "ip": "iproute2",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "node": "nodejs",
    "npm": "npm",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "zsh": "zsh",
}
# Unpacked into .cache: installing it would start a server.
_ONLY_UNPACKED = frozenset({"prometheus"})
_UNPACKED = Path(__file__).resolve().parents[1] / ".cache" / "debian"
# Debian keeps some of them where an ordinary user's PATH does not look.
_FURTHER_PLACES = (str(_UNPACKED / "usr" / "bin"), "/usr/sbin", "/sbin")


class MissingProgramsError(Exception):
    """Programs are missing; the message names the packages that have them."""


def find(program: str) -> str:
    """The path of one of `PROGRAMS`.

    Raises:
        MissingProgramsError: it is not installed.
    """
    path = _which(program)
    if path is None:
        raise MissingProgramsError(_advice([program]))
    return path


def install() -> None:
    """Install what is missing.

    Raises:
        MissingProgramsError: this cannot be done here, or has failed.
    """
    wanted = _missing()
    if not wanted:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingProgramsError(_advice(wanted))
    packages = _packages(wanted)
    print(f"Installing {', '.join(packages)} (once; a minute or two)", flush=True)
    _run("apt-get", "--quiet=2", "update")
    if installed := [name for name in packages if name not in _ONLY_UNPACKED]:
        _run("apt-get", "--quiet=2", "install", "--yes", "--no-install-recommends", *installed)
    for package in _ONLY_UNPACKED.intersection(packages):
        _unpack(package)
    if wanted := _missing():
        raise MissingProgramsError(_advice(wanted))


def _missing() -> list[str]:
    return [program for program in PROGRAMS if _which(program) is None]


def _which(program: str) -> str | None:
    places = [os.environ.get("PATH", os.defpath), *_FURTHER_PLACES]
    return shutil.which(program, path=os.pathsep.join(places))


def _packages(programs: list[str]) -> list[str]:
    return sorted({PROGRAMS[program] for program in programs})


def _unpack(package: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        # apt-get would fetch as the user _apt, who may not write into a directory of root's.
        as_root = ("--option", "APT::Sandbox::User=root")
        _run("apt-get", "--quiet=2", *as_root, "download", package, cwd=directory)
        (file,) = Path(directory).glob("*.deb")
        _run("dpkg-deb", "--extract", str(file), str(_UNPACKED))


def _run(*command: str, cwd: str | None = None) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingProgramsError(f"{' '.join(command)}: {done.stderr.strip()}")


def _advice(programs: list[str]) -> str:
    packages = " ".join(_packages(programs))
    return (
        f"the tests need {', '.join(programs)};"
        f" on Debian and Ubuntu: sudo apt-get install {packages}"
    )


if __name__ == "__main__":
    try:
        install()
    except MissingProgramsError as error:
        sys.exit(f"dev.debian: {error}")
