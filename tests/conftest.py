"""Options and settings of the whole test suite."""

import os

import pytest
from hypothesis import settings

# No process that a test starts may look for instance metadata.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# Examples have no deadline: on a busy machine they take longer. `make bench` measures durations.
settings.register_profile("patient", deadline=None)
# tests/examples.py multiplies the numbers that tests set themselves in the same way.
settings.register_profile("nightly", deadline=None, max_examples=2_000)

# Tests with one of these markers need more than one Python and its packages, or more seconds.
_NOT_QUICK = ("cluster", "reference", "image", "debian", "installs", "slow")
# These have the longest fixtures: started first, they do not keep one worker busy at the end.
_FIRST = ("image", "cluster")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `make quick` and `make nightly` use."""
    parser.addoption(
        "--quick",
        action="store_true",
        help=f"leave out the tests marked {', '.join(_NOT_QUICK)}",
    )
    parser.addoption(
        "--nightly",
        action="store_true",
        help="run the tests marked nightly, too, and generate 20 times as many examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples to generate; test modules read it when they are imported."""
    settings.load_profile("nightly" if config.getoption("--nightly") else "patient")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what the options leave out, and put the longest fixtures first."""
    left_out = set[str]()
    if config.getoption("--quick"):
        left_out.update(_NOT_QUICK)
    if not config.getoption("--nightly"):
        left_out.add("nightly")
    deselected = [item for item in items if _has_any(item, left_out)]
    config.hook.pytest_deselected(items=deselected)
    kept = [item for item in items if not _has_any(item, left_out)]
    items[:] = sorted(kept, key=_turn)


def _has_any(item: pytest.Item, markers: set[str]) -> bool:
    return any(mark.name in markers for mark in item.iter_markers())


def _turn(item: pytest.Item) -> int:
    """Return the item's place by its marker; those alike stay in their order."""
    turns = (turn for turn, name in enumerate(_FIRST) if item.get_closest_marker(name))
    return next(turns, len(_FIRST))
