"""5,000 nodes that join within 10 s: how many calls of EC2's that costs, and how long they wait."""

from __future__ import annotations

import queue
import statistics
import threading
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
    "Of ours alone, in one process: the lookups of two workers (32 threads each) stand side by "
    "side, each with its own names and its share of the rate (15 calls a second, burst 5, the "
    "defaults). EC2 answers after 100 ms. A node waits from its arrival to its name."
)
NODES = 5_000
SECONDS = 10.0
WORKERS = 2
THREADS = 32
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

    arrivals: queue.Queue[tuple[float, CallerIdentity] | None] = queue.Queue()
    waits: list[float] = []

    def serve(names: InstanceNames) -> None:
        while (arrival := arrivals.get()) is not None:
            names(arrival[1])
            waits.append(time.perf_counter() - arrival[0])

    workers = []
    for _ in range(WORKERS):
        turns = Turns(RATE / WORKERS, max(1, BURST // WORKERS), time.monotonic)
        batcher = Batcher(describe, turns, size=MAX_IDS, callers=2)
        workers.append(InstanceNames(batcher, time.monotonic))
    threads = [
        threading.Thread(target=serve, args=(names,)) for names in workers for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    for number in range(NODES):
        due = began + number * SECONDS / NODES
        time.sleep(max(0.0, due - time.perf_counter()))
        arrivals.put((due, _node(number)))
    for _ in threads:
        arrivals.put(None)
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for names in workers:
        names.stop()
    percentiles = statistics.quantiles(waits, n=100)
    return Figures(len(calls), statistics.median(waits), percentiles[98], max(waits), seconds)


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
