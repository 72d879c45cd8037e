"""The written documents, by theme."""

from dataclasses import replace
from pathlib import Path

import yaml

from tests.oracle.cases import Case
from tests.oracle.documents import (
    aws_auth,
    chains,
    config_file,
    custom_resources,
    dynamic_file,
    everywhere,
    sequences,
)

# Our answers where they differ from the reference's: by case and caller the row of the table and
# the answer; under "starts" the row that says why the reference does not start.
_DIFFERENCES = Path(__file__).with_name("differences.yaml")
EXPECTED: dict[str, dict[str, list[str]]] = yaml.safe_load(_DIFFERENCES.read_text())


def _expecting(case: Case) -> Case:
    found = dict(EXPECTED.get(case.id, {}))
    refused, *_ = found.pop("starts", [""])
    differs = {caller: (row, answer) for caller, (row, answer) in found.items()}
    return replace(case, differs=differs, refused=refused)


CASES: tuple[Case, ...] = tuple(
    map(
        _expecting,
        (
            *everywhere.CASES,
            *aws_auth.CASES,
            *config_file.CASES,
            *dynamic_file.CASES,
            *custom_resources.CASES,
            *chains.CASES,
            *sequences.CASES,
        ),
    )
)
