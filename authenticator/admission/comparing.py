"""Which findings an edit brings, and which were there before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from authenticator.admission.objects import UNREADABLE
from authenticator.lint import Finding, Severity

# Where another entry stands that a message names.
_PLACE = re.compile(r"\[[0-9]+\](?:, line [0-9]+)?")


def compared(old: Iterable[Finding], new: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Split the findings on an object after an edit.

    Whoever repairs a part of a broken object must be able to store it: what was wrong before is
    not held against them. Nor is what is found in a section that could not be read before; it was
    there, unseen.

    Args:
        old: the findings on the object before.
        new: those on the object after.

    Returns:
        what the edit brings, and what was there before; both the worst first, without notes, which
        are left to lint.
    """
    seen = list(_visible(old))
    before = Counter(map(_key, seen))
    unread = {finding.place.section for finding in seen if finding.rule.id == UNREADABLE}
    fresh: list[Finding] = []
    known: list[Finding] = []
    for finding in _visible(new):
        key = _key(finding)
        before[key] -= 1
        is_known = before[key] >= 0 or finding.place.section in unread
        (known if is_known else fresh).append(finding)
    return sorted(fresh, key=_rank), sorted(known, key=_rank)


def shown(finding: Finding) -> str:
    """`mapRoles[2], line 14: it names nobody [no-principal]`."""
    line = f", line {finding.place.line}" if finding.place.line else ""
    entry = f"{finding.place.entry}{line}: " if finding.place.section else ""
    return f"{entry}{finding.message} [{finding.rule.id}]"


def _visible(findings: Iterable[Finding]) -> Iterable[Finding]:
    return (finding for finding in findings if finding.severity is not Severity.NOTE)


def _rank(finding: Finding) -> int:
    return finding.severity.rank


def _key(finding: Finding) -> tuple[str, str, str]:
    """What a finding is about, wherever the edit has moved it to."""
    unreadable = finding.rule.id == UNREADABLE
    message = "" if unreadable else _PLACE.sub("", finding.message)
    return finding.rule.id, finding.place.section, message
