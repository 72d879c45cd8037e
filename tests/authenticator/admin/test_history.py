"""Earlier versions, bounded in number and size."""

from __future__ import annotations

import json

import pytest

from authenticator.admin.stores.history import MAX_BYTES, MAX_VERSIONS, History


def edited(history: History, *texts: str) -> History:
    for text in texts:
        history = history.with_edit("ann", f"edit of {text[:9]}", {"mapRoles": text}, 0.0)
    return history


def test_versions_are_numbered_and_hold_what_stood_there() -> None:
    history = edited(History(), "a", "b\r\n# é\n")
    assert [(v.number, v.time, v.user, v.texts) for v in history.versions] == [
        (1, "1970-01-01T00:00:00Z", "ann", {"mapRoles": "a"}),
        (2, "1970-01-01T00:00:00Z", "ann", {"mapRoles": "b\r\n# é\n"}),
    ]
    assert history.find(2) is history.versions[1]
    assert history.find(None) is history.versions[1]
    assert history.find(3) is None
    assert History().find(None) is None


def test_what_is_written_is_read_and_what_is_foreign_is_passed_over() -> None:
    history = edited(History(), "a", "b")
    written = [version.encoded() for version in history.versions]
    assert all("\n" not in text for text in written)
    assert History.decoded([written[1], "", "{}", "[]", '{"texts": 1}', written[0]]) == history


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"number": float("inf")}, id="an infinite number"),
        pytest.param({"number": True}, id="a number that is none"),
        pytest.param({"number": 0}, id="a number that is not given"),
        pytest.param({"user": 1}, id="a user that is no text"),
        pytest.param({"edit": "\ud800"}, id="half a character"),
        pytest.param({"texts": {"mapRoles": None}}, id="a text that is none"),
        pytest.param({"texts": {"mapRoles": "\ud800"}}, id="half a character in a text"),
    ],
)
def test_a_version_that_was_tampered_with_is_passed_over(changes: dict[str, object]) -> None:
    version = {"number": 2, "time": "t", "user": "u", "edit": "e", "texts": {"mapRoles": ""}}
    assert History.decoded([json.dumps(version)]).find(2)
    assert History.decoded([json.dumps({**version, **changes}), "[" * 100_000]) == History()


def test_the_oldest_make_room_and_numbers_are_never_given_twice() -> None:
    history = edited(History(), *map(str, range(MAX_VERSIONS + 5)))
    assert [v.number for v in history.versions] == list(range(6, MAX_VERSIONS + 6))


def test_all_together_are_bounded_in_size() -> None:
    history = edited(History(), *["é" * (MAX_BYTES // 5)] * 4)
    assert [v.number for v in history.versions] == [3, 4]
    assert sum(len(v.encoded().encode()) for v in history.versions) <= MAX_BYTES


def test_a_version_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than"):
        edited(History(), "a" * MAX_BYTES)
