"""A real Chromium, driven through Debian's chromedriver.

Without them these tests fail; they are never skipped, lest a run without them look green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from dev import debian

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Nothing but the page: no updates, no telemetry, no first-run pages.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
)


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser with a fresh profile, until the session ends."""
    try:
        chromium, driver = debian.find("chromium"), debian.find("chromedriver")
    except debian.MissingProgramsError as error:
        pytest.fail(str(error), pytrace=False)
    profile: Path = tmp_path_factory.mktemp("chromium")
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Named, so that selenium looks nowhere else for a driver.
    with Chrome(options=options, service=ChromeService(driver)) as browser:
        yield browser
