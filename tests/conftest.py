"""Options and settings of the whole test suite."""

import os

import pytest
from hypothesis import settings

# No process that a test starts may look for instance metadata.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# Examples have no deadline: on a busy machine they take longer. `make bench` measures durations.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Tests with one of these markers need a program that is not a Python package.
_NEEDS_PROGRAMS = ("cluster", "reference", "image", "debian", "installs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `make quick` uses."""
    parser.addoption(
        "--quick",
        action="store_true",
        help=f"leave out the tests marked {', '.join(_NEEDS_PROGRAMS)}",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what the options leave out."""
    if config.getoption("--quick"):
        _keep(config, items, [item for item in items if not _needs_programs(item)])


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    left_out = set(items).difference(kept)
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = kept


def _needs_programs(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in _NEEDS_PROGRAMS)
