"""Memory and threads of the processes of a server."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dev.server import WebhookServer

_MEMORY = re.compile(r"^Pss(_Anon|):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """Memory and threads of the processes of a server.

    Attributes:
        memory: MiB, with their part of what they share.
        own: MiB that are neither files nor shared.
        threads: how many.
    """

    memory: float
    own: float
    threads: int


def sample(server: WebhookServer) -> Sample:
    """Read it from /proc (proc(5)); a process that ends meanwhile has nothing."""
    memory: Counter[str] = Counter()
    threads = 0
    for pid in (server.pid, *server.workers):
        process = Path(f"/proc/{pid}")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = _MEMORY.findall((process / "smaps_rollup").read_text())
            memory.update({kind: int(size) for kind, size in found})
            threads += len(list((process / "task").iterdir()))
    return Sample(memory[""] / 1024, memory["_Anon"] / 1024, threads)
