"""How long 10,000 mappings take: to reload, to look up, and in memory."""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from typing import NamedTuple

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.overlaps import overlaps
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from dev.bench.figures import table
from dev.bench.progress import progress

TITLE = "10,000 mappings"
ABOUT = (
    "Of ours alone, in one process. A ConfigMap of 10,000 entries, each tenth a pattern. Reload is "
    "from its text to the rules in force, the report of overlaps included. A lookup takes one "
    "caller's identity; medians of 5 rounds of 50,000 lookups of callers chosen at random. Memory "
    "is what one worker's rules take (tracemalloc). The "
    "aims are 50 µs for an exact ARN and 1 s for a reload."
)
ENTRIES = 10_000
_ROUNDS = 5
_LOOKUPS = 50_000
_ACCOUNT = "111122223333"


class Figures(NamedTuple):
    """What was measured.

    Attributes:
        reload_seconds: from the ConfigMap's text to a new rule set, median.
        exact_microseconds: one lookup of an exact ARN, median of rounds.
        pattern_microseconds: one lookup that a pattern decides, beside 1,000 others.
        nobody_microseconds: one lookup that nothing matches.
        kibibytes: memory of the rule set and its rules.
    """

    reload_seconds: float
    exact_microseconds: float
    pattern_microseconds: float
    nobody_microseconds: float
    kibibytes: int


def document(entries: int) -> str:
    """A `mapRoles` text: nine of ten entries name one role, the tenth a pattern."""
    return "".join(
        f"- rolearn: arn:aws:iam::{_ACCOUNT}:role/team-{n:05d}{'-*' if n % 10 == 0 else ''}\n"
        f"  username: team-{n:05d}\n"
        f"  groups:\n  - team-{n % 50}\n"
        for n in range(entries)
    )


def load(text: str) -> RuleSet:
    """What a source and the chain do with a new text."""
    section = read_data({"mapRoles": text}, SectionReader("EKSConfigMap", Guard()))[0]
    overlaps(section.rules)
    return RuleSet(((), section.rules, ()))


def measure() -> Figures:
    """Measure everything once."""
    text = document(ENTRIES)
    reloads = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        load(text)
        reloads.append(time.perf_counter() - began)
    gc.collect()
    tracemalloc.start()
    ruleset = load(text)
    gc.collect()
    kibibytes = tracemalloc.get_traced_memory()[0] // 1024
    tracemalloc.stop()
    return Figures(
        statistics.median(reloads),
        _lookup(ruleset, [f"team-{n:05d}" for n in range(ENTRIES) if n % 10]),
        _lookup(ruleset, [f"team-{n:05d}-x" for n in range(0, ENTRIES, 10)]),
        _lookup(ruleset, [f"nobody-{n:05d}" for n in range(ENTRIES)]),
        kibibytes,
    )


def _lookup(ruleset: RuleSet, names: list[str]) -> float:
    callers = [
        CallerIdentity(
            PrincipalArn.parse(f"arn:aws:sts::{_ACCOUNT}:assumed-role/{name}/session"),
            "AROAEXAMPLE:session",
            "ASIAEXAMPLE",
        )
        for name in names
    ]
    rounds = []
    for _ in range(_ROUNDS):
        chosen = random.choices(callers, k=_LOOKUPS)
        began = time.perf_counter()
        for caller in chosen:
            ruleset.find(caller, 0.0)
        rounds.append((time.perf_counter() - began) / _LOOKUPS * 1e6)
    return statistics.median(rounds)


def results() -> str:
    """Measure, and write the figures as a table."""
    progress("mappings")
    figures = measure()
    rows = [
        ("reload, s", f"{figures.reload_seconds:.2f}"),
        ("lookup of an exact ARN, µs", f"{figures.exact_microseconds:.1f}"),
        ("lookup that a pattern decides, µs", f"{figures.pattern_microseconds:.1f}"),
        ("lookup of a caller whom nothing names, µs", f"{figures.nobody_microseconds:.1f}"),
        ("memory, MiB", f"{figures.kibibytes / 1024:.0f}"),
    ]
    return table(("", "ours"), rows)
