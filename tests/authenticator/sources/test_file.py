"""What is particular to files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import Context, SourceState
from authenticator.sources.chain import StoreStatus
from authenticator.sources.file import FileSource
from authenticator.sources.last_good import LastGoodFiles
from tests.authenticator.sources.doubles import CountedMetrics, usernames

ROLE = "arn:aws:iam::111122223333:role/Dev"
GOOD = json.dumps({"mapRoles": [{"rolearn": ROLE, "username": "dev"}]})


class Followed:
    """A file that a source follows, looked at by hand."""

    def __init__(self, directory: Path, content: str | None, under: str = "") -> None:
        self.path = directory / "mappings"
        self.metrics = CountedMetrics()
        self.states: list[SourceState] = []
        self._directory = directory
        if content is not None:
            self.path.write_text(content)
        context = Context(LastGoodFiles(directory), self.metrics, lambda: 1.0)
        reader = SectionReader("DynamicFile", Guard())
        self.source = FileSource(reader, self.path, context, under=under, interval=3600)
        self.source.start(self.states.append)

    def write(self, content: str) -> SourceState:
        """Have the file another content, and the source see it."""
        self.path.write_text(content)
        self.source._poll.look()
        self.source._poll.look()
        return self.states[-1]


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path, GOOD)


@pytest.mark.parametrize("content", ["", " \n\t\n", "\ufeff", "\ufeff\n"])
def test_a_truncated_file_keeps_what_it_said(followed: Followed, content: str) -> None:
    """A full disk, an editor or open(..., "w") leaves 0 bytes, and mapped nobody at once."""
    state = followed.write(content)
    assert usernames(state) == ["dev"]
    assert "it is empty; to map nobody, write mapRoles: []" in state.problems[0].reason
    assert followed.metrics.failures == ["DynamicFile"]
    assert StoreStatus((state,), 1).ready


def test_a_file_that_says_nobody_maps_nobody_and_is_counted(followed: Followed) -> None:
    state = followed.write('{"mapRoles": []}')
    assert usernames(state) == []
    assert followed.metrics.empties == [("DynamicFile", "mapRoles")]


@pytest.mark.parametrize("content", [None, "", "mapRoles: x", "[", '{"mapRoles": {}}'])
def test_not_ready_without_a_version_that_can_be_read(tmp_path: Path, content: str | None) -> None:
    """A roll-out went on, host by host, and locked everyone out."""
    followed = Followed(tmp_path, content)
    status = StoreStatus((followed.states[-1],), 0)
    assert not status.ready
    assert followed.states[-1].faults
    followed.write(GOOD)
    assert StoreStatus((followed.states[-1],), 1).ready


def test_a_file_that_breaks_again_before_it_was_good_is_not_ready(tmp_path: Path) -> None:
    followed = Followed(tmp_path, "mapRoles: x")
    assert not StoreStatus((followed.write("mapRoles: y"),), 0).ready


def test_a_broken_file_with_a_last_good_version_is_ready(followed: Followed) -> None:
    assert StoreStatus((followed.write("mapRoles: x"),), 1).ready


def test_json_as_python_writes_it_is_read(followed: Followed) -> None:
    r"""`"\ud83d\ude00"` made the whole file unreadable."""
    entries = [
        {"rolearn": ROLE, "username": "a"},
        {"rolearn": f"{ROLE}2", "username": "smile-\U0001f600"},
        {"rolearn": f"{ROLE}3", "username": "back\\ud83dslash"},
    ]
    text = json.dumps({"mapRoles": entries})
    assert "\\ud83d\\ude00" in text
    assert usernames(followed.write(text)) == ["a", "smile-\U0001f600", "back\\ud83dslash"]


def test_a_lone_surrogate_costs_its_own_entry_only(followed: Followed) -> None:
    text = (
        '{"mapRoles": [{"rolearn": "%s", "username": "a"}, {"rolearn": "%s2", "username": "%s"}]}'
    )
    state = followed.write(text % (ROLE, ROLE, "x\\ud83d"))
    assert usernames(state) == ["a"]
    assert "control or invisible" in state.faults[0].reason


LOOSE = {
    "groups with a comma": (f"mapRoles: [{{rolearn: '{ROLE}', username: a, groups: 'x,y'}}]", "xy"),
    "a map for a list": (f"mapRoles: {{rolearn: '{ROLE}', username: b, groups: [x]}}", "x"),
}


@pytest.mark.parametrize(("text", "groups"), LOOSE.values(), ids=LOOSE)
def test_a_config_file_may_be_loose_as_vipers_may(tmp_path: Path, text: str, groups: str) -> None:
    def granted(text: str, under: str) -> list[str]:
        rules = Followed(tmp_path, text, under).states[-1].rules
        return ["".join(group.head for group in rule.match.groups) for rule in rules]

    assert granted(f"server:\n  {text}\n", "server") == [groups]
    assert granted(text, "") != [groups]


def test_accounts_with_a_comma_are_two(tmp_path: Path) -> None:
    text = "server:\n  MAPACCOUNTS: '111122223333,444455556666'\n"
    state = Followed(tmp_path, text, under="server").states[-1]
    assert [account for account, _ in state.accounts] == ["111122223333", "444455556666"]
