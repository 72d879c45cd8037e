"""A person's surroundings with nothing in them, and the plugin run within."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from client import command
from tests.client.running import Outcome, Run
from tests.client.sts import Sts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and no variable that steers the plugin."""
    for name in os.environ:
        if name.startswith(("AWS_", "KUBERNETES_")) or name == "DEFAULT_ROLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the verb as the command does, on a command line written with spaces."""

    def run(line: str = "-i my-cluster", words: tuple[str, ...] = ()) -> Outcome:
        code = command.main(line.split(), words=words)
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    double = Sts()
    make = botocore.session.Session

    def session(**options: object) -> Any:
        made = make(**options)
        made.register("before-send.sts", double.answer)
        return made

    monkeypatch.setattr(botocore.session, "Session", session)
    return double


@pytest.fixture
def files(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the shared files and choose a profile."""

    def write(config: str = "", credentials: str = "", profile: str | None = None) -> None:
        (home / ".aws" / "config").write_text(config)
        (home / ".aws" / "credentials").write_text(credentials)
        if profile:
            monkeypatch.setenv("AWS_PROFILE", profile)

    return write


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person reads stderr, so that the plugin warns of what has no consequence."""
    monkeypatch.setattr(command, "_at_terminal", lambda: True)
