"""docs/benchmarks.md keeps what was not measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dev.bench import report

if TYPE_CHECKING:
    from pathlib import Path

WAITING = {name: f"no {name} yet" for name in ("startup", "new", "again")}


def test_a_new_document_has_an_introduction_and_every_section() -> None:
    document = report.updated("", WAITING, {"new": "## New\n\nfigures"})
    assert document.startswith("# Benchmarks\n")
    assert report.existing(document) == WAITING | {"new": "## New\n\nfigures"}


def test_a_section_that_was_not_run_again_is_kept() -> None:
    before = report.updated("", WAITING, {"startup": "old startup", "new": "old new"})
    after = report.updated(before, WAITING, {"new": "new new"})
    assert report.existing(after) == WAITING | {"startup": "old startup", "new": "new new"}


def test_sections_stand_in_the_order_of_the_scenarios_whatever_ran_first() -> None:
    document = report.updated("", WAITING, {"again": "c", "startup": "a"})
    document = report.updated(document, WAITING, {"new": "b"})
    assert list(report.existing(document).items()) == [
        ("startup", "a"),
        ("new", "b"),
        ("again", "c"),
    ]


def test_a_section_of_a_scenario_that_is_gone_is_dropped() -> None:
    document = report.updated("", {"gone": "figures"}, {})
    assert report.existing(report.updated(document, WAITING, {})) == WAITING


def test_writing_the_same_figures_again_changes_nothing() -> None:
    sections = {"new": "## New\n\n| a |\n| --- |", "again": "text\n"}
    once = report.updated("", WAITING, sections)
    assert report.updated(once, WAITING, sections) == once


def test_save_makes_the_file_and_then_updates_it(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    report.save(path, WAITING, {"new": "first"})
    report.save(path, WAITING, {"again": "second"})
    text = path.read_text(encoding="utf-8")
    assert report.existing(text) == WAITING | {"new": "first", "again": "second"}


def test_a_section_says_what_when_and_how() -> None:
    text = report.section(title="T", about="why", taken="Taken today", body="| a |")
    assert text == "## T\n\nwhy\n\nTaken today\n\n| a |"


def test_a_section_without_figures_says_how_to_get_them() -> None:
    text = report.not_taken(name="soak", title="T", about="why")
    assert text == "## T\n\nwhy\n\nNot taken yet; `python -m dev.bench soak` does."
