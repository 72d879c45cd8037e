"""Starts a command under the restrictions of a systemd unit, without a systemd. Needs root.

    unit.py UNIT BIND[:BIND...] COMMAND ARGUMENT...

Each BIND is DIRECTORY=PLACE: the directory is seen at the place, which can be written if the unit
says so. Directives are applied as systemd.exec(5) describes them. Those of a control group or of
systemd itself are in `_ELSEWHERE`, and any other is an error.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import struct
import subprocess
import sys
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_EPERM = 1
_EAFNOSUPPORT = 97

# Not restrictions of the process, or those of a control group.
_ELSEWHERE = {
    *("ExecStart", "ExecReload", "Restart", "RestartSec", "TimeoutStopSec", "OOMPolicy"),
    *("LogRateLimitIntervalSec", "MemoryMax", "RemoveIPC", "KeyringMode", "ProtectControlGroups"),
    *("SystemCallErrorNumber", "Group"),
}
# Of each further one: the value that is applied below.
_APPLIED = {
    "User": "aws-iam-authenticator",
    "TasksMax": None,
    "LimitNOFILE": None,
    "UMask": None,
    "ReadWritePaths": None,
    "SystemCallFilter": None,
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "SystemCallArchitectures": "native",
    **dict.fromkeys(
        (
            *("ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "PrivateIPC"),
            *("ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
            *("ProtectKernelTunables", "MemoryDenyWriteExecute", "NoNewPrivileges"),
            *("LockPersonality", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        ),
        "yes",
    ),
}
_ID = 10000


class Unit(dict[str, str]):
    """The directives of [Service]; those that are given more than once are joined by lines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        section = ""
        for line in path.read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and not line.startswith("#"):
                name, _, value = line.partition("=")
                self[name] = f"{self[name]}\n{value}" if name in self else value
        for name, value in self.items():
            if name in _ELSEWHERE:
                continue
            if name not in _APPLIED:
                raise SystemExit(f"{name}: this program does not know how to apply it")
            if _APPLIED[name] not in (None, value):
                raise SystemExit(f"{name}: this program applies {_APPLIED[name]!r} only")
        missing = [name for name in _APPLIED if name not in self]
        if missing:
            raise SystemExit(f"{missing[0]}: the unit does not have what is applied here")


def _check(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _check(_LIBC.mount(*arguments), f"mount {target}")


_BIND, _REC, _PRIVATE, _MOVE = 4096, 16384, 1 << 18, 8192
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_MOUNT_SETATTR = 442
_RDONLY = 1


def _read_only(target: str, *, on: bool = True) -> None:
    """mount_setattr(2), recursive."""
    attributes = struct.pack("QQQQ", _RDONLY if on else 0, 0 if on else _RDONLY, 0, 0)
    buffer = ctypes.create_string_buffer(attributes)
    at_fdcwd, at_recursive = -100, 0x8000
    _check(
        _LIBC.syscall(
            _MOUNT_SETATTR, at_fdcwd, target.encode(), at_recursive, buffer, len(attributes)
        ),
        f"mount_setattr {target}",
    )


def _mounts(unit: Unit, binds: list[tuple[str, str]]) -> None:
    _mount("none", "/", "none", _REC | _PRIVATE)
    held = [os.open(directory, os.O_PATH) for directory, _ in binds]
    # ProtectSystem=strict, ProtectKernelTunables, ProtectControlGroups: nothing can be written.
    _read_only("/")
    # ProtectHome, PrivateTmp.
    for place in ("/home", "/root", "/run"):
        if Path(place).exists():
            _mount("tmpfs", place, "tmpfs", _RDONLY, "mode=0000")
    for place in ("/tmp", "/var/tmp"):
        _mount("tmpfs", place, "tmpfs", 0, "mode=1777")
    for place in ("/mnt", "/opt"):
        _mount("tmpfs", place, "tmpfs", 0, "mode=0755")
    for descriptor, (_, place) in zip(held, binds, strict=True):
        Path(place).mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", place, "none", _BIND | _REC)
        os.close(descriptor)
    for place in ("/mnt", "/opt"):
        _read_only(place)
    for path in unit["ReadWritePaths"].split():
        place = f"/mnt{path}"
        if not Path(place).is_dir():
            raise SystemExit(f"{place}: ReadWritePaths names it, and it does not exist")
        _mount(place, place, "none", _BIND)
        _read_only(place, on=False)
    _devices()
    # ProtectProc, ProcSubset.
    _mount("proc", "/proc", "proc", _NOSUID_NODEV_NOEXEC, "hidepid=invisible,subset=pid")


def _devices() -> None:
    """PrivateDevices: a /dev with pseudo devices alone."""
    new = Path("/tmp/dev")
    new.mkdir()
    _mount("tmpfs", str(new), "tmpfs", 2, "mode=0755")
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(new / name, 0o20666, os.makedev(1, minor))
        (new / name).chmod(0o666)
    (new / "shm").mkdir()
    _mount("tmpfs", str(new / "shm"), "tmpfs", _NOSUID_NODEV_NOEXEC, "mode=1777,size=64m")
    _mount(str(new), "/dev", "none", _MOVE)
    _read_only("/dev")
    _read_only("/dev/shm", on=False)


# Classic BPF (linux/bpf_common.h), over struct seccomp_data (seccomp(2)).
_LOAD, _EQUAL, _SET, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

Instruction = tuple[int, int, int, int]


def _numbers() -> dict[str, int]:
    """The numbers of system calls, by the kernel's headers."""
    headers = subprocess.run(
        ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    defined = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", headers, re.MULTILINE))
    return {name: int(number) for name, number in defined.items()}


def _group(name: str) -> set[str]:
    """The system calls of a group of systemd's."""
    shown = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    calls: set[str] = set()
    for line in shown.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= _group(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def _refuse(number: int, argument: int, tests: list[Instruction], error: int) -> list[Instruction]:
    """Refuse a call if its argument passes the tests, the last of which skips the refusal."""
    block = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *tests, (_RETURN, 0, 0, _ERRNO | error)]
    block.append((_LOAD, 0, 0, _NUMBER))
    return [(_EQUAL, 0, len(block), number), *block]


def _filter(unit: Unit) -> list[Instruction]:
    numbers = _numbers()
    allowed: set[str] = set()
    for word in unit["SystemCallFilter"].split():
        if word.startswith("~"):
            allowed -= _group(word[1:])
        else:
            allowed |= _group(word)
    # RestrictNamespaces, LockPersonality, RestrictRealtime: as systemd, by the call's arguments
    # where a server has another use of the call, and else altogether.
    allowed -= {"unshare", "setns", "personality", "sched_setscheduler", "sched_setattr", "clone3"}
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT_ARCHITECTURE[platform.machine()]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    namespaces = 0x7E020080  # every CLONE_NEW... of linux/sched.h
    program += _refuse(numbers["clone"], 0, [(_SET, 0, 1, namespaces)], _EPERM)
    # MemoryDenyWriteExecute.
    write_and_execute = [(_AND, 0, 0, 6), (_EQUAL, 0, 1, 6)]
    program += _refuse(numbers["mmap"], 2, write_and_execute, _EPERM)
    for call in ("mprotect", "pkey_mprotect"):
        program += _refuse(numbers[call], 2, [(_SET, 0, 1, 4)], _EPERM)
    # RestrictAddressFamilies: AF_UNIX, AF_INET, AF_INET6.
    families = [(_EQUAL, 3, 0, 1), (_EQUAL, 2, 0, 2), (_EQUAL, 1, 0, 10)]
    program += _refuse(numbers["socket"], 0, families, _EAFNOSUPPORT)
    # RestrictSUIDSGID.
    for call, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2)):
        if call in numbers:
            program += _refuse(numbers[call], argument, [(_SET, 0, 1, 0o6000)], _EPERM)
    for name in sorted(allowed & numbers.keys()):
        program += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ALLOW)]
    # glibc uses clone where the kernel has no clone3.
    enosys = 38
    program += [(_EQUAL, 0, 1, numbers["clone3"]), (_RETURN, 0, 0, _ERRNO | enosys)]
    return [*program, (_RETURN, 0, 0, _ERRNO | _EPERM)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _restrict_calls(instructions: list[Instruction]) -> None:
    data = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(data, len(data))
    program = _Program(len(instructions), ctypes.addressof(buffer))
    set_seccomp, mode_filter = 22, 2
    _check(_LIBC.prctl(set_seccomp, mode_filter, ctypes.byref(program), 0, 0), "seccomp")


_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER = 0x20000, 0x4000000, 0x8000000, 0x10000000
_CAPBSET_DROP, _SET_NO_NEW_PRIVS = 24, 38


def main(unit_file: str, places: str, *command: str) -> None:
    unit = Unit(Path(unit_file))
    instructions = _filter(unit)
    binds = [(one.partition("=")[0], one.partition("=")[2]) for one in places.split(":")]
    _check(_LIBC.unshare(_NEW_NS | _NEW_UTS | _NEW_IPC), "unshare")
    _mounts(unit, binds)
    os.umask(int(unit["UMask"], 8))
    files = int(unit["LimitNOFILE"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    # The nearest to a limit of tasks: the processes and threads of a user.
    tasks = int(unit["TasksMax"])
    resource.setrlimit(resource.RLIMIT_NPROC, (tasks, tasks))
    os.setgroups([])
    os.setresgid(_ID, _ID, _ID)
    os.setresuid(_ID, _ID, _ID)
    # PrivateUsers: this user alone. A change of user makes /proc/self root's, until the next exec.
    dumpable = 4
    _check(_LIBC.prctl(dumpable, 1, 0, 0, 0), "dumpable")
    _check(_LIBC.unshare(_NEW_USER), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{_ID} {_ID} 1"),
        ("uid_map", f"{_ID} {_ID} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)
    for capability in range(64):
        _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    os.chdir("/")
    _check(_LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _restrict_calls(instructions)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
