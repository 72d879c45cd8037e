"""5,000 nodes that join within 10 s: how many calls of EC2's that costs, and how long they wait."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.batching import Batcher, Turns
from authenticator.aws.ec2 import MAX_IDS, Instance
from authenticator.aws.instance_names import InstanceNames
from dev.bench.figures import table
from dev.bench.progress import progress

TITLE = "5,000 nodes join within 10 s"
ABOUT = (
    "Of ours alone, in one process: the lookups of two workers stand side by "
    "side, each with its own names and its share of the rate (15 calls a second, burst 5, the "
    "defaults). EC2 answers after 100 ms. A node waits from its arrival to its name."
)
NODES = 5_000
SECONDS = 10.0
WORKERS = 2
RATE = 15.0
BURST = 5
_EC2_SECONDS = 0.1
_ACCOUNT = "111122223333"


class Figures(NamedTuple):
    """What was measured.

    Attributes:
        calls: calls of DescribeInstances.
        p50_seconds: from a node's arrival to its name, median.
        p99_seconds: the same, 99th percentile.
        longest_seconds: the longest.
        seconds: from the first arrival to the last name.
    """

    calls: int
    p50_seconds: float
    p99_seconds: float
    longest_seconds: float
    seconds: float


def measure() -> Figures:
    """Let the nodes join once."""
    calls: list[int] = []

    def describe(ids: Sequence[str]) -> Mapping[str, Instance]:
        calls.append(len(ids))
        time.sleep(_EC2_SECONDS)
        return {key: Instance(_ACCOUNT, f"{key}.internal", has_profile=True) for key in ids}

    workers = []
    for _ in range(WORKERS):
        turns = Turns(RATE / WORKERS, max(1, BURST // WORKERS), time.monotonic)
        batcher = Batcher(describe, turns, size=MAX_IDS, callers=2)
        workers.append(InstanceNames(batcher, time.monotonic))
    began = time.perf_counter()
    waits = asyncio.run(_join(workers, began))
    seconds = time.perf_counter() - began
    for names in workers:
        names.stop()
    percentiles = statistics.quantiles(waits, n=100)
    return Figures(len(calls), statistics.median(waits), percentiles[98], max(waits), seconds)


async def _join(workers: Sequence[InstanceNames], began: float) -> list[float]:
    """Let the nodes arrive one after the other, at the workers in turn; how long each waited."""

    async def name(number: int) -> float:
        due = began + number * SECONDS / NODES
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await workers[number % WORKERS](_node(number))
        return time.perf_counter() - due

    return await asyncio.gather(*(name(number) for number in range(NODES)))


def _node(number: int) -> CallerIdentity:
    session = f"i-{number:017x}"
    arn = PrincipalArn.parse(f"arn:aws:sts::{_ACCOUNT}:assumed-role/Node/{session}")
    return CallerIdentity(arn, f"AROAEXAMPLE:{session}", "ASIAEXAMPLE")


def results() -> str:
    """Measure, and write the figures as a table."""
    progress("nodes")
    figures = measure()
    head = ("nodes", "calls of DescribeInstances", "p50, s", "p99, s", "longest, s", "all named, s")
    row = (
        f"{NODES:,}",
        f"{figures.calls:,}",
        f"{figures.p50_seconds:.2f}",
        f"{figures.p99_seconds:.2f}",
        f"{figures.longest_seconds:.2f}",
        f"{figures.seconds:.1f}",
    )
    return table(head, [row])
