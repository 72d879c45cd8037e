"""Measures a webhook server under one kind of load, on a fresh process each time."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.bench import webhook
from dev.bench.processes import Usage, usage
from dev.bench.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.bench.double import Counts, StsDouble
    from dev.bench.jwts import Supply
    from dev.bench.scenarios import Case, Scenario

# How often memory is read while the load is on; reading it costs the server a little.
_LOOK_EVERY = 5.0

# A server that answers its health check may still be starting its other workers.
_SETTLE = 1.0


class LoadError(Exception):
    """The load generator failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one stream got. Latencies in ms; `timeline` counts outcomes by when they were due."""

    total: int
    reviews: int
    per_second: float
    outcomes: dict[str, int]
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    slice_ms: int
    timeline: tuple[dict[str, int], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One window on one server.

    `loads` are by stream, the one that matters first; `looks` are the server's processes over
    time, the first one at rest; `cpu_beside` is the CPU time of load generator and double.
    """

    loads: dict[str, Load]
    sts: Counts
    looks: tuple[Usage, ...]
    seconds: float
    cpu_beside: float

    @property
    def cpu_per_review(self) -> float:
        """CPU time of the server for a review, in microseconds."""
        reviews = sum(load.total for load in self.loads.values())
        used = self.looks[-1].cpu - self.looks[0].cpu
        return 1e6 * used / reviews if reviews else 0.0


@dataclass(frozen=True, slots=True)
class Rig:
    """What every measurement uses."""

    loadgen: Path
    double: StsDouble
    kubeconfig: Path | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to measure, and the load it gets; `jwts` are the tokens where these are JWTs."""

    command: str
    case: Case
    jwts: Supply | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The samples of each server in pairs, and why a server has none or too few."""

    samples: dict[str, list[Sample]]
    faults: dict[str, str]


def measure_in_turns(servers: dict[str, Contender], scenario: Scenario, rig: Rig) -> Outcome:
    """Measure the servers one after the other, `scenario.runs` times.

    A server that does not come up is left out from then on. Raises LoadError.
    """
    outcome = Outcome({}, {})
    for run in range(scenario.runs):
        for name in [name for name in servers if name not in outcome.faults]:
            label = servers[name].case.label
            progress(f"{scenario.name}, {label}, run {run + 1} of {scenario.runs}: {name}")
            try:
                sample = measure(servers[name], scenario, rig)
            except webhook.WebhookError as error:
                outcome.faults[name] = str(error)
            else:
                outcome.samples.setdefault(name, []).append(sample)
    return outcome


def measure(contender: Contender, scenario: Scenario, rig: Rig) -> Sample:
    """Start the server, load it, and stop it. Raises WebhookError and LoadError."""
    with tempfile.TemporaryDirectory() as scratch:
        rig.double.behave(scenario.sts)
        quota = scenario.sts.rate > 0
        jwts = contender.jwts
        settings = webhook.callers(
            quota=quota,
            kubeconfig=rig.kubeconfig,
            web_identity=None if jwts is None else jwts.settings,
        )
        with webhook.running(contender.command, Path(scratch), rig.double, settings) as server:
            return _load(server, scenario, contender, rig)


def _load(server: webhook.Webhook, scenario: Scenario, contender: Contender, rig: Rig) -> Sample:
    time.sleep(_SETTLE)
    looks = [usage(server.pid)]
    double_before = usage(rig.double.pid).cpu
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as answer:
        arguments = _arguments(server, scenario, contender, rig)
        process = subprocess.Popen(arguments, stdout=answer, stderr=subprocess.PIPE, text=True)
        try:
            for step in _steps(scenario, contender.case, rig.double):
                _look_until(started + step.after, process, looks, server.pid)
                step.action()
            _look_until(float("inf"), process, looks, server.pid)
            seconds = time.monotonic() - started
            looks.append(usage(server.pid))
        finally:
            process.kill()
            _, complaint = process.communicate()
        answer.seek(0)
        text = answer.read()
    if process.returncode:
        raise LoadError(complaint.strip() or "the load generator gave up without a word")
    result: dict[str, Any] = json.loads(text)
    return Sample(
        loads={load.pop("name"): _read(load) for load in result["streams"]},
        sts=rig.double.counts(),
        looks=tuple(looks),
        seconds=seconds,
        cpu_beside=result["cpu_s"] + usage(rig.double.pid).cpu - double_before,
    )


def _read(load: dict[str, Any]) -> Load:
    return Load(**(load | {"timeline": tuple(load["timeline"] or ())}))


@dataclass(frozen=True, slots=True)
class _Step:
    after: float
    action: Callable[[], None]


def _steps(scenario: Scenario, case: Case, double: StsDouble) -> list[_Step]:
    if not case.fault:
        return []
    broken = type(scenario.sts)(latency=scenario.sts.latency, fault=case.fault)
    return [
        _Step(scenario.warmup, lambda: double.behave(broken)),
        _Step(scenario.warmup + scenario.outage, lambda: double.behave(scenario.sts)),
    ]


def _look_until(
    moment: float, process: subprocess.Popen[str], looks: list[Usage], server: int
) -> None:
    """Read the server's memory now and then until the moment, or the end of the load."""
    while (rest := moment - time.monotonic()) > 0:
        if _ended(process, min(rest, _LOOK_EVERY)):
            return
        looks.append(usage(server))


def _ended(process: subprocess.Popen[str], timeout: float) -> bool:
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True


def _arguments(
    server: webhook.Webhook, scenario: Scenario, contender: Contender, rig: Rig
) -> list[str]:
    streams = [part for stream in contender.case.streams for part in ("-stream", stream)]
    jwts = contender.jwts
    listed = [] if jwts is None else ["-tokens", str(jwts.tokens)]
    return [
        str(rig.loadgen),
        *("-url", server.url),
        *("-ca", str(server.ca)),
        *("-cluster", webhook.CLUSTER),
        *("-warmup", f"{scenario.warmup}s"),
        *("-duration", f"{scenario.seconds}s"),
        *listed,
        *streams,
    ]
