"""What a server and its workers hold and use, read from /proc."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and all its descendants: MiB (shared pages split, PSS), CPU s, threads."""

    memory: float
    cpu: float
    threads: int


def usage(root: int) -> Usage:
    """Add up a process tree; a process that ends meanwhile no longer counts."""
    memory, cpu, threads = 0, 0, 0
    for pid in _tree(root):
        try:
            stat = _stat(pid)
            memory += _pss(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        # utime, stime, and those of children that have ended (proc(5), fields 14 to 17, 20).
        cpu += sum(map(int, stat[11:15]))
        threads += int(stat[17])
    return Usage(memory=memory / 1024, cpu=cpu / _TICK, threads=threads)


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; the second may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _pss(pid: int) -> int:
    found = re.search(
        r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
    )
    return int(found[1]) if found else 0


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found
