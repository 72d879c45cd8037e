"""Turns the samples of a server scenario into the tables of the report."""

from __future__ import annotations

import os
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from dev.bench.figures import percent, ratio_of_pairs, shares, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dev.bench.scenarios import Scenario
    from dev.bench.server import Load, Sample

REFERENCE = "reference"
OURS = "ours"
OURS_WITH_JWTS = "ours, JWTs"

_LOAD_HEAD = (
    "load",
    "server",
    "reviews/s",
    "p50, ms",
    "p99, ms",
    "answers",
    "STS calls a token",
    "most STS calls in 1 s",
    "STS calls throttled",
    "CPU a review, µs",
    "memory at rest and after, MiB",
)
_OUTAGE_HEAD = (
    "STS",
    "stream",
    "server",
    "answers",
    "p99, ms",
    "recovered after, s",
    "memory at rest, most, MiB",
    "threads at rest, most",
)


# A window so short has nothing to say of its middle.
_FEW_LOOKS = 5


def results(scenario: Scenario, cases: dict[str, dict[str, list[Sample]]]) -> str:
    """Write what a scenario has to show: its samples by case, then by server, in pairs."""
    rows: list[tuple[str, ...]] = []
    for label, servers in cases.items():
        for server, samples in servers.items():
            if scenario.outage:
                rows += _outage_rows(label, server, samples, scenario)
            else:
                rows += _load_rows(label, server, samples)
    parts = [table(_OUTAGE_HEAD if scenario.outage else _LOAD_HEAD, rows)]
    if not scenario.outage:
        parts += [
            _comparison(label, servers, ours)
            for label, servers in cases.items()
            for ours in (OURS, OURS_WITH_JWTS)
        ]
    return "\n\n".join(part for part in parts if part)


def _load_rows(label: str, server: str, samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for stream in samples[0].loads:
        loads = [sample.loads[stream] for sample in samples]
        row = (
            label if len(samples[0].loads) == 1 else f"{label}: {stream}",
            server,
            f"{median(load.per_second for load in loads):,.0f}",
            f"{median(load.p50_ms for load in loads):.1f}",
            f"{median(load.p99_ms for load in loads):.1f}",
            shares(_sum(load.outcomes for load in loads)),
            f"{median(_calls_a_token(sample) for sample in samples):.2f}",
            f"{max(sample.sts.peak_per_second for sample in samples):,}",
            _throttled(samples),
            f"{median(sample.cpu_per_review for sample in samples):,.0f}",
            _memory(samples),
        )
        rows.append(row)
    return rows


def _comparison(label: str, servers: dict[str, list[Sample]], ours: str) -> str:
    """Write how ours stands to the reference, and what the harness itself took."""
    if not {REFERENCE, ours} <= set(servers):
        return ""
    servers = {REFERENCE: servers[REFERENCE], ours: servers[ours]}
    stream = next(iter(servers[ours][0].loads))
    rate, p50, p99, memory = (
        ratio_of_pairs(mine, theirs)
        for mine, theirs in zip(
            _compared(servers[ours], stream), _compared(servers[REFERENCE], stream), strict=True
        )
    )
    beside = ", ".join(f"{_beside(samples)} beside {name}" for name, samples in servers.items())
    opened = ", ".join(f"{_connections(samples)} by {name}" for name, samples in servers.items())
    return (
        f"{ours[0].upper()}{ours[1:]} / reference, {label}: reviews/s {rate}; p50 {p50}; "
        f"p99 {p99}; memory {memory}. "
        f"New connections for 100 calls to STS: {opened}. "
        f"The load generator and the STS double took of the machine: {beside}."
    )


def _compared(samples: Sequence[Sample], stream: str) -> tuple[list[float], ...]:
    loads = [sample.loads[stream] for sample in samples]
    return (
        [load.per_second for load in loads],
        [load.p50_ms for load in loads],
        [load.p99_ms for load in loads],
        [sample.looks[-1].memory for sample in samples],
    )


def _outage_rows(
    label: str, server: str, samples: Sequence[Sample], scenario: Scenario
) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for stream in samples[0].loads:
        loads = [sample.loads[stream] for sample in samples]
        looks = [look for sample in samples for look in sample.looks]
        row = (
            label,
            stream,
            server,
            shares(_sum(load.outcomes for load in loads)),
            f"{median(load.p99_ms for load in loads):,.0f}",
            _recovery(loads, scenario.outage),
            f"{samples[0].looks[0].memory:.0f}, {max(look.memory for look in looks):.0f}",
            f"{samples[0].looks[0].threads}, {max(look.threads for look in looks):,}",
        )
        rows.append(row)
    return rows


def _recovery(loads: Sequence[Load], outage: float) -> str:
    times = [recovery(load, outage) for load in loads]
    known = [time for time in times if time is not None]
    return f"{max(known):.2f}" if len(known) == len(times) else "never"


def recovery(load: Load, outage: float) -> float | None:
    """Return the seconds after which every review due was authenticated; None for never.

    The time counts from the outage's end, `outage` seconds into the timeline; reviews due
    before that do not matter.
    """
    first = round(1000 * outage / load.slice_ms)
    wrong = [
        index
        for index, outcomes in enumerate(load.timeline)
        if index >= first and set(outcomes) - {"authenticated"}
    ]
    last = len(load.timeline) - 1
    if last < first or last in wrong:
        return None
    if not wrong:
        return 0.0
    return (wrong[-1] + 1 - first) * load.slice_ms / 1000


def _calls_a_token(sample: Sample) -> float:
    return sample.sts.calls / max(1, sample.sts.tokens)


def _connections(samples: Sequence[Sample]) -> str:
    each = (100 * sample.sts.connections / max(1, sample.sts.calls) for sample in samples)
    return f"{median(each):.0f}"


def _throttled(samples: Sequence[Sample]) -> str:
    answers = _sum(sample.sts.answers for sample in samples)
    return percent(answers.get("Throttling", 0), sum(answers.values()))


def _sum(many: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for outcomes in many:
        total.update(outcomes)
    return dict(total)


def _memory(samples: Sequence[Sample]) -> str:
    """Write the memory at rest, half-way if the load was long enough to look, and at its end."""
    moments = []
    for looks in (sample.looks for sample in samples):
        halfway = [looks[len(looks) // 2]] if len(looks) > _FEW_LOOKS else []
        moments.append([look.memory for look in (looks[0], *halfway, looks[-1])])
    return " → ".join(f"{median(values):.0f}" for values in zip(*moments, strict=False))


def _beside(samples: Sequence[Sample]) -> str:
    cores = len(os.sched_getaffinity(0))
    used = median(sample.cpu_beside / (sample.seconds * cores) for sample in samples)
    return f"{100 * used:.0f} %"
