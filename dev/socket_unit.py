"""Passes listening sockets to a program as systemd does for a socket unit (sd_listen_fds(3)).

python dev/socket_unit.py DESCRIPTOR[,DESCRIPTOR...] PROGRAM [ARGUMENT...]
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST = 3


def command(descriptors: Sequence[int], program: Sequence[str]) -> list[str]:
    """Give the command that runs `program` with descriptors that it has inherited."""
    return [sys.executable, __file__, ",".join(map(str, descriptors)), *program]


def _main() -> None:
    descriptors = [int(part) for part in sys.argv[1].split(",")]
    # Out of the way first: a target may be another one's source.
    copies = [os.dup(descriptor) for descriptor in descriptors]
    for target, copy in enumerate(copies, _FIRST):
        os.dup2(copy, target)
        os.set_inheritable(target, True)  # which dup2 leaves as it is if the two are the same
    # It is for the process that listens, and the program replaces this one.
    os.environ |= {"LISTEN_FDS": str(len(copies)), "LISTEN_PID": str(os.getpid())}
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    _main()
