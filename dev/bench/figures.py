"""The arithmetic of the benchmarks: ratios of pairs, shares, and how figures are written."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one contender's figures stand to another's, measured in pairs one after the other.

    A machine drifts over minutes; the two halves of a pair see the same drift, so the median
    of the pairs' ratios holds where a ratio of two medians would not.
    """

    middle: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


def ratio_of_pairs(ours: Sequence[float], theirs: Sequence[float]) -> Ratio | None:
    """Return ours / theirs pair by pair, or None where no pair can be divided."""
    pairs = sorted(a / b for a, b in zip(ours, theirs, strict=False) if b)
    return Ratio(median(pairs), pairs[0], pairs[-1]) if pairs else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; the first column is text, the others line up to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shares(outcomes: dict[str, int]) -> str:
    """Write counted outcomes as percentages, the most frequent first."""
    total = sum(outcomes.values())
    ordered = sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {percent(count, total)}" for name, count in ordered) or "none"


def percent(count: int, total: int) -> str:
    """Write a share so that 100 % means all, and 0 % means none."""
    if count in {0, total}:
        return "100 %" if count else "0 %"
    return f"{min(max(100 * count / total, 0.1), 99.9):.1f} %"
