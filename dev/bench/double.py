"""The STS double of the benchmarks (dev/bench/stsdouble): a process, and how to tell it things."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How STS is to be: its latency, its quota (calls a second and burst), its fault."""

    latency: str = "0s"
    rate: int = 0
    burst: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What STS saw: new connections, calls, different tokens, peak calls in a second, answers."""

    connections: int
    calls: int
    tokens: int
    peak_per_second: int
    answers: dict[str, int]


@dataclass(frozen=True, slots=True)
class StsDouble:
    """A running double."""

    pid: int
    proxy: str
    ca: Path

    def behave(self, behaviour: Behaviour) -> None:
        """Set how STS answers from now on, and set its counts to nothing."""
        told = {
            "latency": behaviour.latency,
            "rate": str(behaviour.rate),
            "burst": str(behaviour.burst),
            "fault": behaviour.fault,
        }
        body = urllib.parse.urlencode(told).encode()
        self._ask("behave", body)

    def counts(self) -> Counts:
        """Return the counts since the last `behave`."""
        return Counts(**json.loads(self._ask("counts")))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        # An opener without proxies: the environment's are for the programs under test.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.proxy}/{path}", body, timeout=10) as response:
            answer: bytes = response.read()
        return answer


@contextmanager
def sts_double(program: Path, directory: Path) -> Iterator[StsDouble]:
    """Run a double; its CA is in `directory`/ca.pem."""
    command = [str(program), "-dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            yield StsDouble(process.pid, f"http://{address}", directory / "ca.pem")
        finally:
            process.kill()
