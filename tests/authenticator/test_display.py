"""Hostile text as it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.display import printable
from client.command import one_line

HOSTILE = st.text(
    st.characters(codec=None) | st.sampled_from("\x1b\x9b\u202e\u200b\ud800\r\n\u3164\u2800\ufe01")
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "arn:aws:iam::111122223333:role/Zürich 东京",
            "arn:aws:iam::111122223333:role/Zürich 东京",
        ),
        ("a\nlevel=error", r"a\nlevel=error"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("admin\u202egnp", r"admin\u202egnp"),
        ("ad\u200bmin", r"ad\u200bmin"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("\u2028", r"\u2028"),
        ("admins\u3164", r"admins\u3164"),
        ("a\ufe0f\U000e0100b", r"a\ufe0f\U000e0100b"),
    ],
)
def test_what_is_not_printable_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(HOSTILE)
def test_any_text_is_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()
    assert text != printable(text) or text.isprintable()


@given(HOSTILE, st.integers(3, 30))
def test_a_length_is_kept_whatever_is_escaped(text: str, length: int) -> None:
    shown = printable(text, length)
    assert len(shown) <= length
    assert shown == printable(text) or shown.endswith("...")


@given(HOSTILE)
def test_the_client_shows_the_same_in_its_messages(text: str) -> None:
    """It joins words by single spaces in addition, since it has messages of several lines."""
    assert one_line(text) == printable(" ".join(text.split()))
