"""Where several processes count together.

Each worker counts in files of its own in one directory in memory, and whoever answers `/metrics`
adds up all of them (prometheus-client, "Multiprocess Mode"). A dead worker's files stay, so that no
counter ever falls.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from authenticator.atomic import hold

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "aws-iam-authenticator-metrics-"
_ORPHAN_SECONDS = 60.0


def share_between_workers() -> Path:
    """Prepare for counting in several processes; call once, before any `Metrics` is made.

    Returns:
        the directory of the counters, readable by us alone; `discard` it at the end.

    Raises:
        RuntimeError: prometheus-client has been imported already, and counts in one process only.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before its directory was known")
    memory = "/dev/shm"  # noqa: S108 (only the parent of a directory that mkdtemp makes for us)
    parent = memory if os.access(memory, os.W_OK) else tempfile.gettempdir()
    _discard_orphans(Path(parent))
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    # As long as this process, or one forked from it, lives.
    hold(directory)
    # Whatever an operator's environment says: a directory of an earlier run holds its counters.
    os.environ[DIRECTORY_VARIABLE] = str(directory)
    return directory


def _discard_orphans(parent: Path) -> None:
    """Remove what servers left that were killed, or memory would fill up with their counters."""
    for directory in parent.glob(f"{_PREFIX}*"):
        # One that is in use is locked (OSError), and one just made is about to be.
        with suppress(OSError):
            if time.time() - directory.stat().st_mtime > _ORPHAN_SECONDS:
                descriptor = hold(directory)
                discard(directory)
                os.close(descriptor)


def discard(directory: Path) -> None:
    """Remove what `share_between_workers` made."""
    shutil.rmtree(directory, ignore_errors=True)


def mark_dead(pid: int) -> None:
    """Forget what only a living worker can say (gauges); its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (its import decides how it counts)

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
