"""The versions that are locked: for the image (dev/image) and for development (dev/)."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

LOCK = Path(__file__).parent / "image" / "requirements.txt"
# For every Python and platform, so that lines can have environment markers.
DEVELOPMENT = Path(__file__).with_name("requirements.txt")

_PIN = re.compile(r"([a-z0-9-]+)==([a-z0-9.]+) \\", re.ASCII)


class OutdatedError(Exception):
    """What is installed is not what is locked."""


def locked(lock: Path = LOCK) -> dict[str, str]:
    """The version of each distribution, by its normalized name."""
    pins = map(_PIN.fullmatch, lock.read_text("utf-8").splitlines())
    return {pin[1]: pin[2] for pin in pins if pin is not None}


def constraints(lock: Path = DEVELOPMENT) -> str:
    """Return the lines of a lock without their hashes, as `pip install --constraint` reads them."""
    lines = lock.read_text("utf-8").splitlines()
    pins = [line.removesuffix(" \\") for line in lines if line and line[0] not in "# "]
    return "\n".join([*pins, ""])


def installed() -> list[Distribution]:
    """What is locked, as it is installed here.

    Raises:
        OutdatedError: something is missing, or there in another version.
    """
    return [_installed(name, version) for name, version in locked().items()]


def _installed(name: str, version: str) -> Distribution:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise OutdatedError(f"{name} is not installed; run: make install") from None
    if found.version != version:
        raise OutdatedError(
            f"{name} {found.version} is installed and {version} locked; run: make install, or make"
            f" {LOCK.name} anew as its first lines say"
        )
    return found
