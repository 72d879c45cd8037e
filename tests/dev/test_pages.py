"""The documents that are made from code are made from today's."""

from types import ModuleType

import pytest

from dev import errors_page, metrics_page, settings_page


@pytest.mark.parametrize(
    "made", [errors_page, settings_page, metrics_page], ids=lambda made: made.PAGE.name
)
def test_the_page_is_current(made: ModuleType) -> None:
    assert made.PAGE.read_text() == made.page(), f"run: .venv/bin/python -m {made.__name__}"
