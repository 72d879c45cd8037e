"""The benchmark of the verbs of `mappings`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from authenticator.editing.documents import MappingFile
from dev.bench import verbs

OURS = {"ours": str(Path(sys.prefix) / "bin" / "aws-iam-authenticator")}


def test_the_changes_are_of_entries_that_the_document_has() -> None:
    document = MappingFile("a", verbs.document(range(5_000), "team"))
    wanted = MappingFile("b", verbs.document(range(0, 5_000, 10), "changed"))
    arns = {located.entry.fields["rolearn"] for located in document.entries()}
    changed = {located.entry.fields["rolearn"] for located in wanted.entries()}
    assert (len(arns), len(changed)) == (5_000, 500)
    assert changed < arns
    assert not any(section.problems for section in document.sections())


def test_each_verb_is_run_on_a_file_that_no_other_has_edited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = verbs.cases

    def small(wanted: Path) -> dict[str, verbs.Case]:
        # An entry that is there already would end the second `add` with an error.
        return {n: c._replace(rounds=2, entries=20) for n, c in cases(wanted).items()}

    monkeypatch.setattr(verbs, "cases", small)
    monkeypatch.setattr(verbs, "administrators_commands", lambda _: OURS)
    lines = verbs.results("HEAD").splitlines()
    assert [line.split(" | ")[0] for line in lines[-3:]] == [f"| {name}" for name in cases(Path())]
