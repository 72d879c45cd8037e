"""Real control planes for the end-to-end tests.

Without the programs these tests fail; they are never skipped, lest a run without them look green.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, Options, binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartControlPlane = Callable[[Options], ControlPlane]


@pytest.fixture(scope="session")
def start_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartControlPlane]:
    """Start a control plane with the options given (3 s, 300 MB); it runs until the session ends.

    Its API server may be told of a webhook that does not listen yet.
    """
    try:
        programs = binaries.find()
    except binaries.MissingBinariesError as error:
        pytest.fail(str(error), pytrace=False)
    with contextlib.ExitStack() as running:

        def start(options: Options) -> ControlPlane:
            directory = tmp_path_factory.mktemp("control-plane")
            return running.enter_context(ControlPlane(programs, directory, options))

        yield start
