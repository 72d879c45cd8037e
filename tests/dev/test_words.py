"""The phrases that are counted, and where."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dev import words


def found(name: str, content: str) -> list[tuple[int, str]]:
    return [
        (place.line, place.phrase)
        for text in words.texts(name, content)
        for place in words.places(text)
    ]


@pytest.mark.parametrize(
    ("sentence", "phrase"),
    [
        ("Nobody reads it.", "nobody, somebody, anybody"),
        ("It serves whoever asks.", "whoever"),
        ("the one of whom it is", "whom"),
        ("this is as good as done", "as good as"),
        ("it can hardly be meant", "hardly"),
        ("the file goes\nbefore the flag", "goes before"),
        ("who lets it fall", "lets fall"),
        ("the flag stands in for it", "stands in"),
        ("beside the file", "beside, besides"),
        ("lest it fail", "lest"),
        ("for its own sake", "for ... 's sake"),
        ("made anew", "anew"),
        ("Default: found out.", "found out"),
        ("a test of ours", "of ours"),
        ("a process of its own", "of its own"),
        ("a made-up name", "made up"),
        ("it is no file", "is no X"),
        ("there is no `file`", "is no X"),
        ("What was posted is kept.", "What ... as a subject"),
        ("It fails. What was posted is kept.", "What ... as a subject"),
        ("one\n\n- What was posted", "What ... as a subject"),
        ("| What | Why |", "What ... as a subject"),
    ],
)
def test_a_phrase_is_found(sentence: str, phrase: str) -> None:
    assert [name for _, name in found("docs/a.md", sentence)] == [phrase]


@pytest.mark.parametrize(
    "sentence",
    [
        "What is kept? Everything.",
        "Say what was posted, and What it is.",
        "It is no longer kept, and no more than that.",
        "It is not a file.",
        "`nobody` is a user, as is ``whoever``",
        "```\nnobody\n```",
        "find out which",
        "anybodys",
    ],
)
def test_plain_words_are_not_found(sentence: str) -> None:
    assert found("docs/a.md", sentence) == []


PYTHON = '''\
"""A module for nobody."""

x = 1  # not for nobody
# A comment that says
# whoever
# as good as
# nothing
y = "nobody"
z = f"there is no {x} for somebody"


def test_anybody_logs_in():
    """Do.

    Lest it fail.
    """
'''


def test_every_kind_of_prose_in_python_is_read_with_its_line() -> None:
    assert sorted(found("dev/a.py", PYTHON)) == [
        (1, "nobody, somebody, anybody"),
        (3, "nobody, somebody, anybody"),
        (5, "whoever"),
        (6, "as good as"),
        (9, "is no X"),
        (9, "nobody, somebody, anybody"),
        (12, "nobody, somebody, anybody"),
        (15, "lest"),
    ]


def test_literals_of_tests_are_data() -> None:
    assert 9 not in [line for line, _ in found("tests/test_a.py", PYTHON)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifests/a.yaml", "a: nobody\n# for\n# nobody\n"),
        ("authenticator/a.js", "x = 'nobody';\n/* for\n * nobody */\n"),
        ("dev/a.go", "package nobody\n// for\n// nobody\n"),
    ],
)
def test_comments_of_other_languages_are_read(name: str, content: str) -> None:
    assert found(name, content) == [(3, "nobody, somebody, anybody")]


def test_words_are_counted_without_code_and_quotations() -> None:
    (text,) = words.texts("docs/a.md", "Don't read `this file`:\n```\nmany words\n```\nor that")
    assert words.words(text) == 4


def test_it_fails_above_the_ceiling_and_names_the_worst_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "CEILING", 10.0)
    phrases, worst = Counter({"lest": 2}), Counter({"docs/a.md": 2})
    assert words._verdict(2000, phrases, worst) == 0
    assert words._verdict(1999, phrases, worst) == 1
    assert "docs/a.md" in capsys.readouterr().out


def test_places_are_listed_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.md"
    file.write_text("One.\n\nFor nobody.\n")
    words.main([str(file)])
    assert capsys.readouterr().out == f"{file}:3: nobody, somebody, anybody: One. For nobody.\n"


def test_the_project_is_read() -> None:
    names = set(words.files())
    assert {
        "README.md",
        "dev/locked.py",
        "docs/architecture.md",
        "tests/dev/test_locked.py",
    } <= names
    assert {name for name in names if name.startswith((".venv", ".cache"))} == set()
