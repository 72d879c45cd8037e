"""Which licence a distribution has, and which are allowed."""

from __future__ import annotations

from importlib.metadata import Distribution, PathDistribution
from typing import TYPE_CHECKING

import pytest

from dev import licences
from dev.locked import installed

if TYPE_CHECKING:
    from pathlib import Path


def of(directory: Path, *fields: str) -> Distribution:
    """A distribution whose metadata has some fields."""
    (directory / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", "Name: thing", "Version: 1.0", *fields, "", ""])
    )
    return PathDistribution(directory)


OSI = "Classifier: License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        (["License: BSD-3-Clause"], "BSD-3-Clause"),
        (["License: Apache License 2.0"], "Apache-2.0"),
        ([f"{OSI}MIT License"], "MIT"),
        (["License: see the file", f"{OSI}MIT License"], "MIT"),
        ([f"{OSI}MIT License", f"{OSI}Apache Software License"], "Apache-2.0 AND MIT"),
        (["License: Copyright 2026 by me", "        All rights reserved"], "Copyright 2026 by me"),
        (["License-Expression: GPL-3.0-only", f"{OSI}MIT License"], "GPL-3.0-only"),
        (["Classifier: License :: Other/Proprietary License"], "Other/Proprietary License"),
        ([], ""),
    ],
    ids=str,
)
def test_the_licence_is_what_it_states(fields: list[str], licence: str, tmp_path: Path) -> None:
    assert licences.licence_of(of(tmp_path, *fields)) == licence


@pytest.mark.parametrize(
    "expression", ["MIT", "Apache-2.0 AND MIT", "GPL-3.0-only OR MIT", "MIT OR GPL-2.0 AND ISC"]
)
def test_allows(expression: str) -> None:
    assert licences.allowed(expression)


@pytest.mark.parametrize(
    "expression",
    [
        *("", "GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0-only", "mit", "LicenseRef-MIT"),
        *(
            "GPL-2.0-only AND (MIT OR ISC)",
            "Apache-2.0 WITH some-exception",
            "Copyright 2026 by me",
        ),
    ],
)
def test_refuses(expression: str) -> None:
    assert not licences.allowed(expression)


def test_names_what_is_refused_and_why(tmp_path: Path) -> None:
    assert licences.refused([of(tmp_path)]) == ["thing 1.0: it states no licence"]
    copyleft = of(tmp_path, "License-Expression: GPL-3.0-only")
    assert licences.refused([copyleft]) == ["thing 1.0: GPL-3.0-only"]


def test_everything_that_is_locked_may_be_handed_on() -> None:
    assert licences.refused(installed()) == []


def test_ends_with_an_error_when_something_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "ALLOWED", frozenset({"MIT"}))
    with pytest.raises(SystemExit, match=r"certifi .*: MPL-2\.0"):
        licences.main()
