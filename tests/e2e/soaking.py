"""Faults of everything around a server come and go under a steady stream of logins.

    .venv/bin/python -m tests.e2e.soaking --seconds 600 --seed 7

A seed decides which faults come, when, and for how long. The report shows them with what logins met
meanwhile. Needs root, for mounts of the server's own, and the programs of dev/cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from dev.aws_double import AwsDouble
from dev.aws_double.faults import Fail, Hang, Reset, Throttle
from dev.cluster import ControlPlane, Options, binaries
from dev.server import WebhookServer, write_config
from dev.waiting import wait_until
from tests.e2e import bad_days, callers
from tests.e2e.ha.nodes import Pace
from tests.e2e.memory import Sample, sample

if TYPE_CHECKING:
    from typing_extensions import Self

    from dev.poster import Poster

PER_SECOND = 100
_STREAMS = 48
# An API server makes five calls, with pauses of 0.5 s and then half as much more.
_CALLS, _PAUSE, _FACTOR = 5, 0.5, 1.5
_RETRYABLE = frozenset({429, 500, 504})
# How long what a fault began may last: a call of STS, a worker's start, a review's own deadline.
_AFTERWARDS = 10.0
_KNOWN, _NEW, _FOREIGN = "known", "new", "foreign"
_AWS_AUTH = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapUsers: |
    - userarn: %s
      username: newcomer
"""


@dataclass(frozen=True)
class Fault:
    """A fault that comes and goes.

    Attributes:
        name: in the report.
        begin: causes it.
        end: ends it.
        excuses: what a login may meet meanwhile: kinds of tokens, or `reset` for a connection.
        seconds: the shortest and the longest time that it lasts.
    """

    name: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    excuses: frozenset[str] = frozenset()
    seconds: tuple[float, float] = (1.0, 4.0)


@dataclass
class Spell:
    """A fault at a time."""

    fault: Fault
    begun: float
    ended: float = float("inf")
    met: Counter[str] = field(default_factory=Counter)

    def excuses(self, what: str, began: float, now: float) -> bool:
        """Whether it may be the reason of what a login met between two times."""
        overlaps = self.begun <= now and began <= self.ended + _AFTERWARDS
        return overlaps and what in self.fault.excuses


class Soak:
    """A server, what it needs, and the stream of logins.

    Attributes:
        violations: what must not happen, and did.
        spells: the faults so far.
        outcomes: how the logins ended.
        samples: the memory of the server, in the course of time.
    """

    def __init__(self, server: WebhookServer, seed: int) -> None:
        self.server = server
        self.violations: Counter[str] = Counter()
        self.spells: list[Spell] = []
        self.outcomes: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._pace = Pace(PER_SECOND)
        self._begun = time.monotonic()

    # Logins.

    @contextlib.contextmanager
    def logins(self) -> Iterator[None]:
        """Log in from several threads for as long as the context lasts."""
        with ThreadPoolExecutor(_STREAMS) as threads:
            running = [threads.submit(self._log_in_again_and_again) for _ in range(_STREAMS - 1)]
            running.append(threads.submit(self._probe_again_and_again))
            try:
                yield
            finally:
                self._ending.set()
            for one in running:
                one.result()

    def _log_in_again_and_again(self) -> None:
        poster = self.server.poster()
        for kind, token, expected in _tokens():
            if self._ending.is_set():
                return
            self._pace.wait()
            outcome = self._log_in(poster, kind, token)
            with self._lock:
                self.outcomes[f"{kind}: {outcome}"] += 1
                if outcome != expected and not outcome.startswith("given up"):
                    self.violations[f"{kind}: {outcome}, not {expected}"] += 1

    def _probe_again_and_again(self) -> None:
        """Probe as kubelet does: no fault of the surroundings makes a restart a remedy."""
        while not self._ending.wait(_PROBE_SECONDS):
            probe = http.client.HTTPConnection("127.0.0.1", self.server.health_port, timeout=5)
            with contextlib.closing(probe), contextlib.suppress(OSError, http.client.HTTPException):
                probe.request("GET", "/healthz")
                status = probe.getresponse().status
                with self._lock:
                    self.outcomes[f"liveness: {status}"] += 1
                    if status != http.HTTPStatus.OK:
                        self.violations[f"liveness: {status}"] += 1

    def _log_in(self, poster: Poster, kind: str, token: str) -> str:
        """Ask as an API server does; return the username, `denied`, or the last failure."""
        met = ""
        pause = _PAUSE
        for call in range(_CALLS):
            if call:
                time.sleep(pause)
                pause *= _FACTOR
            began = time.monotonic()
            try:
                answer = poster.review(token)
            except (OSError, http.client.HTTPException) as error:
                met = type(error).__name__
                self._note("reset", kind, met, began)
                continue
            if answer.status == http.HTTPStatus.OK:
                return str((answer.user or {"username": "denied"})["username"])
            met = str(answer.status)
            self._note(kind if answer.status in _RETRYABLE else "never", kind, met, began)
        return f"given up after {met}"

    def _note(self, what: str, kind: str, met: str, began: float) -> None:
        """Find the fault that excuses what a login met, or count a violation."""
        now = time.monotonic()
        with self._lock:
            for spell in reversed(self.spells):
                if spell.excuses(what, began, now):
                    spell.met[f"{kind} {met}"] += 1
                    return
            at = now - self._begun
            self.violations[f"{kind} login met {met} without a fault (at {at:.0f} s)"] += 1

    # Faults.

    def run(self, faults: list[Fault], seconds: float) -> None:
        """Have faults come and go, each once before any comes again, two at a time at most."""
        end = time.monotonic() + seconds
        turns = itertools.chain.from_iterable(iter(lambda: self._shuffled(faults), None))
        while time.monotonic() < end:
            together = [next(turns) for _ in range(self._random.choice((1, 1, 2)))]
            spells = [self._begin(fault) for fault in together]
            for spell in spells:
                time.sleep(self._random.uniform(*spell.fault.seconds))
                spell.fault.end()
                if "reset" not in spell.fault.excuses:
                    spell.ended = time.monotonic()
            self._recover([spell.fault.name for spell in spells])
            for spell in spells:
                # What befalls a worker lasts until another one has taken its place.
                spell.ended = min(spell.ended, time.monotonic())
            time.sleep(self._random.uniform(0.2, 1.5))

    def _shuffled(self, faults: list[Fault]) -> list[Fault]:
        return self._random.sample(faults, len(faults))

    def _begin(self, fault: Fault) -> Spell:
        spell = Spell(fault, time.monotonic())
        with self._lock:
            self.spells.append(spell)
        fault.begin()
        return spell

    def _recover(self, names: list[str]) -> None:
        """Wait until two workers are there and no process is dead or stopped."""

        def whole() -> bool:
            states = [_state(pid) for pid in self.server.workers]
            return len(states) == _WORKERS and all(state in "RSD" for state in states)

        after = " and ".join(names)
        try:
            self.server.poll_until(whole, f"the workers are not whole after {after}")
        except AssertionError as error:
            self.violations[str(error).partition(";")[0]] += 1

    def report(self) -> str:
        """Return the table of faults, and the outcomes."""
        lines = [f"{'fault':<18} {'from':>6} {'to':>6}  logins met"]
        for spell in self.spells:
            met = ", ".join(f"{what}: {number}" for what, number in sorted(spell.met.items()))
            begun, ended = spell.begun - self._begun, spell.ended - self._begun
            lines.append(f"{spell.fault.name:<18} {begun:>5.1f}s {ended:>5.1f}s  {met or '-'}")
        lines += ["", *(f"{number:>7} {one}" for one, number in sorted(self.outcomes.items()))]
        lines += [f"VIOLATION {number} x {one}" for one, number in self.violations.items()]
        return "\n".join(lines)


_WORKERS = 2
_PROBE_SECONDS = 0.25


def _state(pid: int) -> str:
    """The state of a process (proc(5)); Z if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _tokens() -> Iterator[tuple[str, str, str]]:
    """Yield tokens without end, each with its kind and its right outcome."""
    principals = [callers.ALICE.principal, callers.NEWCOMER]
    names = [callers.ALICE.username, "newcomer"]
    while True:
        # Those of one round live for 15 minutes, and a round takes one or two.
        known = [callers.fresh_token(principal) for principal in principals]
        for number in range(_ROUND):
            for token, name in zip(known, names, strict=True):
                # The first use of it is that of a new one.
                yield (_KNOWN if number else _NEW), token, name
            if number % 4 == 0:
                yield _NEW, callers.fresh_token(callers.ALICE.principal), callers.ALICE.username
                yield _FOREIGN, f"eyJhbGciOiJSUzI1NiJ9.{number:0400d}.c2lnbmF0dXJl", "denied"


_ROUND = 200


@contextlib.contextmanager
def setting(directory: Path) -> Iterator[tuple[WebhookServer, list[Fault]]]:
    """Start a server with all that it needs; yield it with the faults that can befall it."""
    with contextlib.ExitStack() as stack:
        (directory / "plane").mkdir()
        plane = stack.enter_context(ControlPlane(binaries.find(), directory / "plane", Options()))
        plane.kubectl("apply", "-f", "-", stdin=_AWS_AUTH % callers.NEWCOMER.arn)
        aws = stack.enter_context(AwsDouble(callers.PRINCIPALS))
        log = stack.enter_context(bad_days.StalledLog(directory / "log"))
        reader = stack.enter_context(_Reader(log))
        server = stack.enter_context(
            WebhookServer(
                _configured(directory, plane),
                aws.environment(),
                wrapper=[
                    *bad_days.on_small_disk("/dev/shm"),
                    *bad_days.on_small_disk(directory / "state", "256k"),
                    *log.wrapper,
                ],
            )
        )
        yield server, _faults(server, aws, plane, reader, directory / "state")


def _configured(directory: Path, plane: ControlPlane) -> Path:
    config = write_config(directory, callers.configuration())
    document = yaml.safe_load(config.read_text())
    document["server"] |= {
        "backendMode": ["MountedFile", "EKSConfigMap"],
        "kubeconfig": str(plane.admin_kubeconfig),
    }
    config.write_text(yaml.safe_dump(document))
    return config


class _Reader:
    """Reads the server's log, unless it is told to stall."""

    def __init__(self, log: bad_days.StalledLog) -> None:
        self._log = log
        self._stalled = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def stall(self) -> None:
        self._stalled.set()
        self._log.stall()

    def go_on(self) -> None:
        self._stalled.clear()

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            if not self._stalled.is_set():
                self._log.read()


def _faults(
    server: WebhookServer, aws: AwsDouble, plane: ControlPlane, reader: _Reader, state: Path
) -> list[Fault]:
    def signal_worker(number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(min(server.workers), number)

    def remount(mode: str) -> None:
        mount = ["mount", "-o", f"remount,{mode}", str(state)]
        subprocess.run(["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", *mount], check=True)

    def fill(place: Path | str) -> Callable[[], object]:
        return lambda: bad_days.fill(bad_days.inside(server, place))

    def empty(place: Path | str) -> Callable[[], object]:
        return lambda: (bad_days.inside(server, place) / "filler").unlink(missing_ok=True)

    def starve() -> None:
        """Leave workers that start less memory than they need."""
        bad_days.limit_memory(server.pid, _LITTLE)
        signal_worker(signal.SIGKILL)

    resets = frozenset({"reset"})
    new = frozenset({_NEW})
    sts = [
        Fault(f"STS {name}", partial_start(aws, fault), aws.faults.stop_all, new)
        for name, fault in (
            ("fails", Fail(503)),
            ("resets", Reset()),
            ("hangs", Hang()),
            ("throttles", Throttle(rate=0, burst=0)),
        )
    ]
    return [
        *sts,
        Fault("disk full", fill(state), empty(state)),
        Fault("disk read-only", lambda: remount("ro"), lambda: remount("rw")),
        Fault("/dev/shm full", fill("/dev/shm"), empty("/dev/shm")),
        Fault("log stalls", reader.stall, reader.go_on),
        Fault("worker killed", lambda: signal_worker(signal.SIGKILL), excuses=resets),
        Fault("worker hangs", lambda: signal_worker(signal.SIGSTOP), excuses=resets),
        Fault("no memory", starve, lambda: bad_days.limit_memory(server.pid, None), resets),
        Fault("API server away", plane.restart_apiserver, seconds=(0.0, 0.1)),
        Fault("reload", lambda: server.signal(signal.SIGHUP), seconds=(2.0, 3.0)),
    ]


def partial_start(aws: AwsDouble, fault: object) -> Callable[[], object]:
    """Return what starts a fault of STS."""
    return lambda: aws.faults.start(fault)  # type: ignore[arg-type]


# Less than a worker has when it starts.
_LITTLE = 64 * 2**20


@dataclass(frozen=True)
class Held:
    """The files, descriptors and processes of a server, whose number stays."""

    files: tuple[str, ...]
    descriptors: int
    processes: int

    @classmethod
    def by(cls, server: WebhookServer, state: Path) -> Held:
        """Look at the server now."""
        places = [bad_days.inside(server, state), bad_days.inside(server, "/dev/shm")]
        files = sorted(path.name for place in places for path in place.iterdir())
        return cls(tuple(files), bad_days.count(f"/proc/{server.pid}/fd"), len(server.workers))


def soak(directory: Path, seconds: float, seed: int) -> tuple[Soak, list[str]]:
    """Soak a server; return the run and what was not flat."""
    parts = max(2, min(_PARTS, int(seconds / _PART_SECONDS)))
    with setting(directory) as (server, faults):
        run = Soak(server, seed)
        samples = run.samples
        state = directory / "state"
        with run.logins():
            wait_until(lambda: run.outcomes.total() > PER_SECOND, "no login succeeds")
            held = None
            for _ in range(parts):
                run.run(faults, seconds / parts)
                held = held or Held.by(server, state)
                samples.append(sample(server))
        grown = []
        wait_until(lambda: len(server.workers) == _WORKERS, "a worker is missing at the end")
        now = Held.by(server, state)
        if now != held:
            grown.append(f"held at first: {held}; at the end: {now}")
        half = len(samples) // 2
        growth = min(one.own for one in samples[half:]) - min(one.own for one in samples[:half])
        if growth > _MOST_GROWTH_MIB:
            grown.append(
                f"{growth:.1f} MiB more: " + ", ".join(f"{one.own:.1f}" for one in samples)
            )
        return run, grown


_PARTS, _PART_SECONDS = 6, 15.0
# Workers are replaced all the time, so that each part ends with workers of another age.
_MOST_GROWTH_MIB = 16.0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run, grown = soak(Path(directory), options.seconds, options.seed)
    sys.stdout.write(f"seed {options.seed}, {options.seconds:.0f} s\n\n{run.report()}\n")
    for one in run.samples:
        sys.stdout.write(f"memory {one.memory:.0f} MiB, of which its own {one.own:.0f} MiB\n")
    for one in grown:
        sys.stdout.write(f"NOT FLAT {one}\n")
    return 1 if run.violations or grown else 0


if __name__ == "__main__":
    sys.exit(main())
