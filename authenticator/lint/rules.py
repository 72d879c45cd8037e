"""The rules of lint: a table of ids, each with a section of its own in docs/lint.md.

Ids are stable: they stand in `--disable` flags, in CI and in SARIF results that are compared over
time. What the server itself refuses or puts right has the server's own code
(`authenticator.mapping.problems.Code`) as its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from authenticator import REPOSITORY, __version__


class Severity(str, Enum):
    """How bad it is.

    An error is what the server leaves out; a warning is in force and hardly meant; a note is worth
    knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _WORST_FIRST.index(self)


_WORST_FIRST = tuple(Severity)


@dataclass(frozen=True, slots=True)
class LintRule:
    """One kind of finding.

    Attributes:
        id: its stable name.
        severity: of all its findings.
        title: what it finds, in a few words.
    """

    id: str
    severity: Severity
    title: str

    @property
    def page(self) -> str:
        """The URL of its explanation, of the version that is installed."""
        return f"{REPOSITORY}/blob/v{__version__}/docs/lint.md#{self.id}"


_TITLES: dict[Severity, dict[str, str]] = {
    Severity.ERROR: {
        "unreadable": "A document or section that cannot be read",
        "unknown-section": "A section whose name looks mistyped",
        "unread-document": "Content after the first YAML document",
        "bad-entry": "An entry that is not a map",
        "bad-arn": "An ARN that names no principal",
        "bad-permission-set": "A permission set that cannot be used",
        "bad-account": "An account id that is not 12 digits",
        "bad-username": "A username that cannot be used",
        "bad-groups": "Groups that cannot be used",
        "bad-userid": "A unique id that cannot be used",
        "bad-expires": "An expiry that is not a time with a zone",
        "bad-condition": "A condition that cannot be used, or that no token meets",
        "no-principal": "An entry that names nobody",
        "two-principals": "An entry with both an ARN and a permission set",
        "missing-userid": "An entry without the unique id that its source requires",
        "duplicate-key": "A key that stands twice",
        "mistyped-limit": "A mistyped key that would have narrowed the entry",
        "reserved-name": "A name that its source may not grant",
        "conflicting-entry": "Two entries for the same callers that grant different things",
        "unknown-sts-region": "A Region that the partition does not have",
    },
    Severity.WARNING: {
        "no-mappings": "A file without any mapping",
        "single-group": "Groups that are not a list",
        "missing-username": "An entry without a username",
        "run-on-group": "A group that swallowed the next one",
        "wrong-section": "A user under mapRoles, or a role under mapUsers",
        "assumed-role": "The ARN of a session instead of its role",
        "empty-session-name": "A session name for principals that have none",
        "unknown-key": "A key that means nothing",
        "empty-item": "An empty item of a list",
        "duplicate-entry": "An entry that another one always precedes",
        "revived-entry": "An entry that grants more once another one has expired",
        "shadowed-entry": "A pattern that an earlier one covers",
        "never-matches": "An entry that no caller can fit",
        "expired": "An entry that has expired",
        "account-root": "The root user, where the whole account may be meant",
        "permission-set-by-arn": "A permission set's role named by its ARN",
        "wide-pattern": "A pattern that covers every principal of an account",
        "masters-by-pattern": "system:masters for whoever fits a pattern",
        "built-in-group": "A group that Kubernetes itself hands out",
        "node-identity": "A node with half of a node's identity",
        "system-username": "The username of a Kubernetes component",
        "node-by-session-name": "A node's name taken from the session",
        "federated-system-name": "A name of Kubernetes for a federated user",
        "caller-chosen-username": "A username that callers choose themselves",
        "caller-chosen-group": "A group that callers choose themselves",
        "look-alike-name": "A name that looks like another one",
        "mixed-partitions": "An ARN of another partition than the rest",
        "near-miss-account": "An account id one digit off from another",
        "near-miss-known": "An ARN one letter off from one that is known",
        "anonymous-admission": "An admission webhook that answers unauthenticated peers",
        "untrusted-webhook": "An admission webhook that the API server does not trust",
        "missing-sts-region": "A Region whose tokens are denied, though clients sign for it",
    },
    Severity.NOTE: {
        "overlap": "Entries that name some of the same callers",
        "condition-refuses": "Conditions that keep callers from a wider entry",
        "role-path": "A role path, which takes no part",
        "expires-soon": "An entry that expires within a week",
        "near-miss-name": "Two names that differ in one letter",
        "same-username": "One username for several principals",
        "global-sts-host": "The global STS host is left out",
    },
}
RULES = MappingProxyType(
    {
        name: LintRule(name, severity, title)
        for severity, titles in _TITLES.items()
        for name, title in titles.items()
    }
)
