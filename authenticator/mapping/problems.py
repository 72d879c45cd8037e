"""Where a mapping stands, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a mapping, precise enough for an administrator to find it.

    Attributes:
        source: the name of the source: "EKSConfigMap", "MountedFile", ...
        section: "mapRoles", "mapUsers", "mapAccounts", or the name of a custom resource.
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
        return f"{self.source} {self.section}{entry}{line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an administrator should put right.

    Attributes:
        origin: where it stands.
        reason: what is wrong and what to do.
        in_force: whether the entry applies all the same, so that this is a warning only.
    """

    origin: Origin
    reason: str
    in_force: bool = False

    def __str__(self) -> str:
        """One line for logs, Events and readiness detail."""
        outcome = "in force all the same" if self.in_force else "not in force"
        return f"{self.origin} ({outcome}): {self.reason}"
