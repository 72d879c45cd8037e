"""Names the machine that figures were taken on, and nothing about whose it is."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

_BUILD_INFO = b"\xff Go buildinf:"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader needs to compare figures with those of another machine."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    go: str

    def __str__(self) -> str:
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gib:.0f} GiB, Linux {self.kernel}, "
            f"Python {self.python}, Go {self.go}"
        )


def this_machine(go_program: Path) -> Machine:
    """Describe this machine; `go_program` tells what Go the programs were built with."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=cpu_model(Path("/proc/cpuinfo").read_text()),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        # Only the version: what follows it may name a cloud or a builder.
        kernel=".".join(platform.release().split("-")[0].split(".")[:2]),
        python=platform.python_version(),
        go=built_with(go_program.read_bytes()),
    )


def cpu_model(cpuinfo: str) -> str:
    """Find the model in the text of /proc/cpuinfo; Arm machines give numbers only."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def built_with(program: bytes) -> str:
    """Find the version of Go in a program's build information (Go 1.18 and later).

    The layout is that of Go's debug/buildinfo: 32 bytes that begin with a magic string, then
    the version with its length before it.
    """
    header = program.find(_BUILD_INFO)
    if header < 0:
        return "unknown"
    start = header + 32
    version = program[start + 1 : start + 1 + program[start]]
    return version.decode().removeprefix("go")
