"""Runs commands one after the other and prints what each took. A program of its own.

Linux gives a child's peak memory as no less than its parent's at the time of the spawn, so the
parent must be small: this runs in a bare interpreter (`python -I -S`) and imports next to
nothing. Standard input is the marshalled plan: (commands, order), where a command is
(arguments, environment) and the order lists indexes into the commands. A line is printed for
each run: index, wall ns, user us, system us, peak KiB, exit status.
"""

import marshal
import os
import sys
import time


def run(arguments: list[str], environment: dict[str, str]) -> tuple[int, int, int, int, int]:
    """Spawn one command without output and wait for its end."""
    silence = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    started = time.perf_counter_ns()
    child = os.posix_spawn(arguments[0], arguments, environment, file_actions=silence)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter_ns() - started
    user, system = round(used.ru_utime * 1e6), round(used.ru_stime * 1e6)
    return wall, user, system, used.ru_maxrss, os.waitstatus_to_exitcode(status)


def main() -> None:
    """Carry out the plan."""
    commands, order = marshal.load(sys.stdin.buffer)
    for index in order:
        print(index, *run(*commands[index]), flush=True)


if __name__ == "__main__":
    main()
