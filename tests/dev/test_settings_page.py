"""The documents that are made from code are made from today's."""

from dev.settings_page import PAGE, page


def test_the_settings_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: .venv/bin/python -m dev.settings_page"
