"""The locks of the image and of development: complete, hashed, and of the same versions."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev import locked
from dev.locked import DEVELOPMENT, LOCK, OutdatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0", "sys_platform": "linux"}
BUILD_LOCK = LOCK.with_name("build-requirements.txt")


FUZZ_LOCK = DEVELOPMENT.parent / "fuzz" / "requirements.txt"


def pinned(environment: dict[str, str]) -> dict[str, str]:
    """The version of each distribution that development has in an environment."""
    lines = map(Requirement, locked.constraints(DEVELOPMENT).splitlines())
    return {
        line.name: str(line.specifier).removeprefix("==")
        for line in lines
        if line.marker is None or line.marker.evaluate({**environment, "extra": ""})
    }


def needed(name: str, extra: str = "", environment: dict[str, str] = PYTHON) -> Iterator[str]:
    """What a distribution needs there, and what that needs as far as it is installed here."""
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({**environment, "extra": extra}):
            own = canonicalize_name(requirement.name) == name  # an extra that includes another
            if not own:
                yield canonicalize_name(requirement.name)
                yield from needed(requirement.name, environment=environment)
            for included in requirement.extras:
                yield from needed(requirement.name, included, environment)


def test_it_is_what_the_server_needs_and_no_more() -> None:
    own = {
        name for extra in ("server", "tracing") for name in needed("kube-iam-authenticator", extra)
    }
    assert set(locked.locked()) == own, f"make it anew as {LOCK} says"


@pytest.mark.parametrize("lock", [LOCK, BUILD_LOCK], ids=["server", "build"])
def test_the_versions_are_those_of_the_constraints(lock: Path) -> None:
    versions = locked.locked(lock)
    tested = pinned(PYTHON)
    assert versions == {name: tested.get(name) for name in versions}, f"make {lock} anew"


@pytest.mark.parametrize(
    "lock",
    [LOCK, BUILD_LOCK, DEVELOPMENT, FUZZ_LOCK],
    ids=["server", "build", "development", "fuzz"],
)
def test_every_line_is_a_version_or_a_hash(lock: Path) -> None:
    """A line that is neither could fetch from anywhere."""
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    pin = r"[a-z0-9-]+==[a-z0-9.]+(?: ; [a-z0-9_ '.*=<>!()A-Z]+)? \\"
    form = re.compile(pin + r"|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    assert [line for line in lines if not form.fullmatch(line)] == []
    assert len(lines) > len(locked.constraints(lock).splitlines()) > 0


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_development_has_what_every_python_needs(minor: int) -> None:
    """`make` resolves no dependencies: one that is not in the lock would be missing."""
    version = f"3.{minor}"
    python = {**PYTHON, "python_version": version, "python_full_version": f"{version}.0"}
    own = {
        name
        for extra in ("server", "dev", "tracing")
        for name in needed("kube-iam-authenticator", extra, python)
    }
    lines = DEVELOPMENT.read_text().splitlines()
    assert own - pinned(python).keys() == set(), f"run the command that is in {lines[1]}"


def test_nothing_in_it_depends_on_the_architecture() -> None:
    assert ";" not in LOCK.read_text()


def test_another_version_here_is_not_taken_for_the_locked_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locked, "locked", lambda: {"flask": "0.1"})
    with pytest.raises(OutdatedError, match=r"flask [0-9.]+ is installed and 0.1 locked"):
        locked.installed()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "locked", lambda: {"no-such-thing": "1"})
    with pytest.raises(OutdatedError, match="no-such-thing is not installed; run: make install"):
        locked.installed()
