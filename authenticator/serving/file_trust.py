"""Warns of files that decide who gets in and that other users could change, as sshd's StrictModes.

A file is safe when only root and the server's own user can change it: by its mode and owner, and by
those of each directory and symbolic link on the way to it. Nothing is refused, since a server that
does not start lets nobody in; the warnings are in the log and in `/readyz`.

Volumes of a pod are safe as they are: their own directories have mode 0777, but stand in a
directory of kubelet's that only root enters, and belong to one pod.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from authenticator.background import BackgroundThread
from authenticator.display import printable
from authenticator.settings import Settings

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 60.0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# As the kernel (path_resolution(7)).
_MAX_LINKS = 40
_MAX_STATE_FILES = 256
_MOUNTS = Path("/proc/self/mountinfo")
# The root of a mount as mountinfo has it (proc_pid_mountinfo(5)); kubelet, `GetPodVolumeDir`.
_POD_VOLUME = re.compile(r"(?:^|/)pods/[^/]+/volumes/kubernetes\.io~[a-z-]+/[^/]+$", re.ASCII)
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class DecidingFile:
    """A file that decides who gets in, or a directory of such files.

    Attributes:
        use: what it is to the server.
        path: where it is, or may come to be.
        private: whether others must not read it either.
        written: whether the server writes it, and so has to own it.
    """

    use: str
    path: Path
    private: bool = False
    written: bool = False


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who may change files without a warning, and where modes do not count.

    Attributes:
        uid: the user that the server runs as.
        gids: that user's groups.
        pod_volumes: where volumes of this pod are mounted.
    """

    uid: int
    gids: frozenset[int]
    pod_volumes: frozenset[Path] = frozenset()

    @classmethod
    def current(cls) -> Viewer:
        """Return this process."""
        gids = frozenset({os.getegid(), *os.getgroups()})
        try:
            mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
        except OSError:  # without /proc there is no pod
            mounts = ""
        return cls(os.geteuid(), gids, frozenset(pod_volumes(mounts)))


def deciding_files(
    settings: Settings, config: Path | None, environment: Mapping[str, str]
) -> tuple[DecidingFile, ...]:
    """Return the files that decide, by the settings.

    Args:
        settings: what the server was told.
        config: the config file.
        environment: may name the authority of STS's certificate.
    """
    named = (
        ("config file", str(config or "")),
        ("break-glass file", settings.break_glass_path),
        ("dynamic file", settings.dynamic_file_path),
        ("file of the sources", settings.dynamic_backend_mode_path),
        ("kubeconfig", settings.kubeconfig),
        ("file of client certificates", settings.admission_client_file),
        ("authority of STS's certificate", environment.get("AWS_CA_BUNDLE", "")),
    )
    found = [DecidingFile(use, Path(path)) for use, path in named if path]
    if not settings.kubeconfig_pregenerated:
        written = DecidingFile("webhook kubeconfig", settings.generate_kubeconfig, written=True)
        found.append(written)
    if settings.admission_secret_file:
        secret = Path(settings.admission_secret_file)
        found.append(DecidingFile("secret of /validate", secret, private=True))
    found.append(DecidingFile("state directory", settings.state_dir, written=True))
    return (*found, *_in_state(settings.state_dir))


def _in_state(directory: Path) -> Iterator[DecidingFile]:
    try:
        paths = sorted(directory.iterdir())[:_MAX_STATE_FILES]
    except OSError:
        return  # it is yet to be made, or its own line says what is wrong
    for path in paths:
        if path.suffix != ".lock":
            private = path.name.endswith("key.pem")
            yield DecidingFile("state", path, private=private, written=True)


def loose(files: Iterable[DecidingFile], viewer: Viewer) -> tuple[str, ...]:
    """Return a line for each thing that lets other users change a deciding file.

    A line says what could be changed, why, and the command that puts it right.
    """
    lines: dict[Path, str] = {}
    for file in files:
        for path, reason, command in _faults(file, viewer):
            what = printable(f"{file.use} {file.path}")
            where = "" if path == file.path else f"{printable(str(path))}: "
            run = printable(f"{command} {shlex.quote(str(path))}")
            lines.setdefault(path, f"{what}: {where}{reason}; run: {run}")
    return tuple(lines.values())


_Fault = tuple[Path, str, str]


def _faults(file: DecidingFile, viewer: Viewer) -> Iterator[_Fault]:
    steps = list(_steps(file.path))
    for (path, status), following in zip(steps, [*steps[1:], None], strict=True):
        if path in viewer.pod_volumes:
            continue
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid not in (0, viewer.uid):
            owner = str(viewer.uid) if file.written and path == file.path else "root"
            yield path, f"it belongs to user {status.st_uid}", f"chown {owner}"
        elif stat.S_ISLNK(status.st_mode):
            continue  # its own mode means nothing
        elif mode & _OTHERS_WRITE and not _is_sticky(status, following, viewer):
            yield path, f"other users can change it (mode {mode:04o})", "chmod go-w"
    if file.private and steps and stat.S_ISREG(steps[-1][1].st_mode):
        path, status = steps[-1]
        mode = stat.S_IMODE(status.st_mode)
        # A Secret in a pod with an fsGroup is readable by that group, which is the server's.
        by_group = mode & stat.S_IRGRP and status.st_gid not in viewer.gids
        if mode & stat.S_IROTH or by_group:
            yield path, f"other users can read it (mode {mode:04o})", "chmod go-rwx"


def _is_sticky(
    status: os.stat_result, following: tuple[Path, os.stat_result] | None, viewer: Viewer
) -> bool:
    """Whether others cannot replace what is next in a directory that they can write (/tmp)."""
    if not status.st_mode & stat.S_ISVTX or following is None:
        return False
    return following[1].st_uid in (0, viewer.uid)


def _steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is gone through on the way to a file, from `/` to itself, links included.

    It ends at what does not exist or cannot be looked at.
    """
    here = Path("/")
    ahead = list(reversed(path.absolute().parts[1:]))
    links = 0
    try:
        yield here, here.lstat()
        while ahead:
            name = ahead.pop()
            if name == "..":
                here = here.parent
                continue
            status = (here / name).lstat()
            yield here / name, status
            if not stat.S_ISLNK(status.st_mode):
                here /= name
                continue
            links += 1
            if links > _MAX_LINKS:
                return
            target = (here / name).readlink()
            ahead += reversed(target.parts[target.is_absolute() :])
            if target.is_absolute():
                here = Path("/")
    except OSError:
        return


def pod_volumes(mountinfo: str) -> Iterator[Path]:
    """Yield where volumes of a pod are mounted, by the text of /proc/self/mountinfo."""
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and _POD_VOLUME.search(_unescaped(fields[3])):  # noqa: PLR2004
            yield Path(_unescaped(fields[4]))


def _unescaped(field: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)


class FileTrust:
    """What is loose now. Create it before the fork, which logs it; workers look again."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        """Look once, and log what is loose."""
        self._settings = settings
        self._config = config
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, "file-trust")
        self.loose: tuple[str, ...] = ()
        self.look()

    def start(self) -> None:
        """Look again from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. Without effect if not started."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Look once, and log what was not loose before."""
        files = deciding_files(self._settings, self._config, os.environ)
        found = loose(files, Viewer.current())
        for line in found:
            if line not in self.loose:
                _LOG.warning("%s", line)
        self.loose = found

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()
