"""The sources of a server, put together from its options."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authenticator.errors import ConfigError, UnknownUser
from authenticator.mapping.guards import Guard
from authenticator.sources.chain import StoreStatus
from authenticator.sources.mappings import Mappings, SourceOptions
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.mapping.callers import role

Start = Callable[..., Mappings]


def write(path: Path, under: str = "", **roles: str) -> Path:
    """Write a file that maps each role to a username."""
    sections = {
        "mapRoles": [
            {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": username}
            for name, username in roles.items()
        ]
    }
    path.write_text(json.dumps({under: sections} if under else sections))
    return path


def username(mappings: Mappings, name: str) -> str | None:
    match = mappings.current().find(role(name), now=0)
    return match.render(role(name), "")[0] if match else None


class Changes:
    """Waits for changes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def __call__(self, _: StoreStatus) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, wanted: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(wanted, PATIENCE_SECONDS)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def start(tmp_path: Path, changes: Changes) -> Iterator[Start]:
    started: list[Mappings] = []
    (tmp_path / "state").mkdir()

    def build(*modes: str, **options: Any) -> Mappings:
        chosen = SourceOptions(modes=modes, state_dir=tmp_path / "state", **options)
        started.append(Mappings(chosen, on_change=changes))
        started[-1].start()
        return started[-1]

    yield build
    for mappings in started:
        mappings.stop()


def test_files_are_in_force_when_start_returns(start: Start, tmp_path: Path) -> None:
    mappings = start(
        "MountedFile",
        "DynamicFile",
        config=write(tmp_path / "config", "server", Dev="mounted"),
        dynamic_file=write(tmp_path / "dynamic", Dev="dynamic", Ops="dynamic"),
        break_glass=write(tmp_path / "glass", Dev="glass", Help="glass"),
        administrators=("arn:aws:iam::111122223333:role/Creator",),
    )
    found = [username(mappings, name) for name in ("Dev", "Ops", "Help", "Creator", "Nobody")]
    creator = "arn:aws:iam::111122223333:role/Creator"
    assert found == ["mounted", "dynamic", "glass", creator, None]
    assert mappings.status().ready


def test_without_a_config_file_nobody_is_mapped_and_nothing_is_wrong(start: Start) -> None:
    status = start("MountedFile").status()
    assert status.ready
    assert status.sources[0].faults == ()


def test_each_mode_has_its_own_guard(start: Start, tmp_path: Path) -> None:
    mappings = start(
        "MountedFile",
        "DynamicFile",
        config=write(tmp_path / "config", "server", Dev="reserved:x"),
        dynamic_file=write(tmp_path / "dynamic", Ops="reserved:x"),
        guards={"DynamicFile": Guard(("reserved:",))},
    )
    assert username(mappings, "Dev") == "reserved:x"
    assert username(mappings, "Ops") is None


def test_strict_user_ids_are_for_the_dynamic_file_alone(start: Start, tmp_path: Path) -> None:
    mappings = start(
        "MountedFile",
        "DynamicFile",
        config=write(tmp_path / "config", "server", Dev="mounted"),
        dynamic_file=write(tmp_path / "dynamic", Ops="dynamic"),
        user_id_strict=True,
    )
    assert username(mappings, "Dev") == "mounted"
    assert username(mappings, "Ops") is None


def test_the_chain_is_switched_while_running(
    start: Start, changes: Changes, tmp_path: Path
) -> None:
    modes = tmp_path / "modes"
    mappings = start(
        "MountedFile",
        config=write(tmp_path / "config", "server", Dev="mounted", Ops="mounted"),
        dynamic_file=write(tmp_path / "dynamic", Dev="dynamic"),
        modes_file=modes,
    )
    assert username(mappings, "Dev") == "mounted"
    modes.write_text('{"backendMode": "DynamicFile File"}')
    changes.wait(lambda: username(mappings, "Dev") == "dynamic")
    assert username(mappings, "Ops") == "mounted"
    modes.write_text('{"backendMode": "DynamicFile"}')
    changes.wait(lambda: username(mappings, "Ops") is None)
    modes.write_text('{"backendMode": "MountedFile"}')
    changes.wait(lambda: username(mappings, "Ops") == "mounted")


def test_the_modes_file_counts_from_the_start(start: Start, tmp_path: Path) -> None:
    modes = tmp_path / "modes"
    modes.write_text('{"backendMode": "DynamicFile"}')
    mappings = start(
        "MountedFile",
        config=write(tmp_path / "config", "server", Dev="mounted"),
        dynamic_file=write(tmp_path / "dynamic", Dev="dynamic"),
        modes_file=modes,
    )
    assert username(mappings, "Dev") == "dynamic"


def test_a_switch_to_what_is_not_configured_is_ignored(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    modes = tmp_path / "modes"
    modes.write_text('{"backendMode": "DynamicFile"}')
    mappings = start(
        "MountedFile",
        config=write(tmp_path / "config", "server", Dev="mounted"),
        modes_file=modes,
    )
    assert username(mappings, "Dev") == "mounted"
    assert "dynamicfilepath" in caplog.text


def test_a_break_glass_file_ends_access_when_it_is_removed(
    start: Start, changes: Changes, tmp_path: Path
) -> None:
    glass = write(tmp_path / "glass", Help="glass")
    mappings = start("MountedFile", break_glass=glass)
    assert username(mappings, "Help") == "glass"
    glass.unlink()
    changes.wait(lambda: username(mappings, "Help") is None)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"modes": ("DynamicFile",)}, "dynamicfilepath"),
        ({"modes": (), "administrators": ("nobody",)}, "'nobody' cannot be used"),
        (
            {"modes": (), "administrators": ("arn:aws:iam::111122223333:role/*",)},
            "without wildcards",
        ),
    ],
)
def test_options_that_cannot_be_used(
    options: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Mappings(SourceOptions(state_dir=tmp_path, **options))


def test_a_rendered_name_is_guarded(start: Start, tmp_path: Path) -> None:
    mappings = start(
        "MountedFile",
        config=write(tmp_path / "config", "server", Dev="{{SessionName}}"),
        guards={"MountedFile": Guard(("eks-",))},
    )
    identity = role("Dev", "eks-admin")
    match = mappings.current().find(identity, now=0)
    assert match
    with pytest.raises(UnknownUser, match="reserved"):
        match.render(identity, "")


def test_a_break_glass_file_that_was_deleted_does_not_come_back_with_a_restart(
    start: Start, changes: Changes, tmp_path: Path
) -> None:
    glass = write(tmp_path / "glass", Help="glass")
    before = start("MountedFile", break_glass=glass)
    glass.unlink()
    changes.wait(lambda: username(before, "Help") is None)
    before.stop()
    glass.mkdir()  # it cannot be read now, so that what was kept of it is in force
    assert username(start("MountedFile", break_glass=glass), "Help") is None
