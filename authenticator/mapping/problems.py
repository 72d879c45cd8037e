"""Where a mapping stands, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from authenticator.display import printable

# How many problems of one section are listed: enough to act on. Each is a line of the log and of
# /readyz in every worker, and a document of a ConfigMap's size has room for 100,000.
MAX_PROBLEMS = 100
# How much of a document's own words a report quotes.
_MAX_QUOTED = 64


class Code(str, Enum):
    """What kind of problem it is: the id of the lint rule that explains it (docs/lint.md)."""

    UNREADABLE = "unreadable"
    UNKNOWN_SECTION = "unknown-section"
    UNREAD = "unread-document"
    EMPTIED = "emptied-section"
    BAD_ENTRY = "bad-entry"
    BAD_ARN = "bad-arn"
    BAD_PERMISSION_SET = "bad-permission-set"
    BAD_ACCOUNT = "bad-account"
    BAD_USERNAME = "bad-username"
    BAD_GROUPS = "bad-groups"
    BAD_USER_ID = "bad-userid"
    BAD_EXPIRY = "bad-expires"
    BAD_CONDITION = "bad-condition"
    NO_PRINCIPAL = "no-principal"
    TWO_PRINCIPALS = "two-principals"
    MISSING_USER_ID = "missing-userid"
    DUPLICATE_KEY = "duplicate-key"
    MISTYPED_LIMIT = "mistyped-limit"
    RESERVED_NAME = "reserved-name"
    SINGLE_GROUP = "single-group"
    MISSING_USERNAME = "missing-username"
    RUN_ON_GROUP = "run-on-group"
    WRONG_SECTION = "wrong-section"
    ASSUMED_ROLE = "assumed-role"
    EMPTY_SESSION_NAME = "empty-session-name"
    UNKNOWN_KEY = "unknown-key"
    EMPTY_ITEM = "empty-item"
    DUPLICATE_ENTRY = "duplicate-entry"
    CONFLICTING_ENTRY = "conflicting-entry"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a mapping, precise enough for an administrator to find it.

    Attributes:
        source: the name of the source: "EKSConfigMap", "MountedFile", ...
        section: "mapRoles", "mapUsers", "mapAccounts", or the name of a custom resource; "" for the
            document as a whole.
        index: the entry's place in its section, counted from 0; -1 for the section as a whole.
        line: the line of the document (or of the ConfigMap's value), counted from 1; 0 if unknown.
    """

    source: str
    section: str
    index: int = -1
    line: int = 0

    def __str__(self) -> str:
        """`EKSConfigMap mapRoles[2], line 14`."""
        entry = f"[{self.index}]" if self.index >= 0 else ""
        line = f", line {self.line}" if self.line else ""
        return f"{self.source} {self.section}{entry}".rstrip() + line


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an administrator should put right.

    Attributes:
        origin: where it stands.
        reason: what is wrong and what to do.
        in_force: whether the entry applies all the same, so that this is a warning only.
        code: what kind of problem it is; None for one of the source itself, not of its content.
        key: the entry's key, in lower case, that it is about; "" for the entry as a whole.
        column: the column of the document, counted from 1, if it does not parse; 0 if unknown.
    """

    origin: Origin
    reason: str
    in_force: bool = False
    code: Code | None = None
    key: str = ""
    column: int = 0

    def __str__(self) -> str:
        """One line for logs, Events and readiness detail."""
        outcome = "in force all the same" if self.in_force else "not in force"
        return f"{self.origin} ({outcome}): {self.reason}"


@dataclass(slots=True)
class Problems:
    """Collects the problems of one section: no more than `most`, and how many there are.

    What keeps an entry out of force goes before what is a warning only.

    Attributes:
        section: the section as a whole.
        most: how many are kept.
    """

    section: Origin
    most: int = MAX_PROBLEMS
    _refusals: list[Problem] = field(default_factory=list)
    _warnings: list[Problem] = field(default_factory=list)
    _refused: int = 0
    _warned: int = 0

    def add(self, problem: Problem) -> None:
        """Count a problem, and keep it if there is room."""
        if problem.in_force:
            self._warned += 1
        else:
            self._refused += 1
        kept = self._warnings if problem.in_force else self._refusals
        if len(kept) < self.most:
            kept.append(problem)

    def listed(self) -> tuple[Problem, ...]:
        """Those to report, in the order of the entries; a last one says how many more there are."""
        kept = (self._refusals + self._warnings)[: self.most]
        kept.sort(key=lambda problem: problem.origin.index)
        more = self._refused + self._warned - len(kept)
        if more:
            only_warnings = self._refused <= self.most
            reason = f"{more} more problems are not listed; put right those that are"
            kept.append(Problem(self.section, reason, in_force=only_warnings))
        return tuple(kept)


def shortened(text: str) -> str:
    """Return as much of a document's own word as messages quote.

    An alias repeats a long word at no cost to the document, and each quotation would be a copy.
    """
    return printable(text, _MAX_QUOTED)
