"""Which subjects of RBAC a principal is, or may become."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from authenticator.access.names import Names
from authenticator.access.principals import Principal
from authenticator.access.rbac import AUTHENTICATED, MASTERS_GROUP, Rbac, Subject, SubjectKind
from authenticator.access.risk_table import MASTERS, NODE
from authenticator.access.risks import Risks

_NODES = Subject(SubjectKind.GROUP, "system:nodes")
_EVERYBODY = Subject(SubjectKind.GROUP, AUTHENTICATED)
# What has rights without a binding.
UNBOUND: Mapping[Subject, Risks] = {
    MASTERS_GROUP: {MASTERS.id: MASTERS.severity},
    _NODES: {NODE.id: NODE.severity},
}


class How(str, Enum):
    """Why a principal counts as a subject."""

    NAME = "name"  # the mapping says so
    SESSION = "session"  # it depends on the session's name, which the caller may choose
    PATTERN = "pattern"  # it depends on the caller's ARN, key or instance


@dataclass(frozen=True, slots=True)
class Link:
    """A subject of RBAC that a principal is, or may be."""

    subject: Subject
    how: How


class Joiner:
    """Finds the links of principals; made once for a cluster."""

    def __init__(self, rbac: Rbac) -> None:
        """Index the subjects that have rights."""
        self._everybody = (_EVERYBODY,) if _EVERYBODY in rbac.by_subject else ()
        self._users = _Index(rbac, SubjectKind.USER)
        self._groups = _Index(rbac, SubjectKind.GROUP)

    def links(self, principal: Principal) -> tuple[Link, ...]:
        """The links of a principal, each subject once; what is certain goes before what may be."""
        found: dict[Subject, How] = {}
        for link in self._links(principal):
            if found.get(link.subject) is not How.NAME:
                found[link.subject] = link.how
        return tuple(Link(subject, how) for subject, how in found.items())

    def _links(self, principal: Principal) -> Iterator[Link]:
        yield from self._users.links(principal.username)
        for group in principal.groups:
            yield from self._groups.links(group)
        for subject in self._everybody:
            yield Link(subject, How.NAME)


class _Index:
    """The subjects of one kind that have rights, by the beginning of their names."""

    def __init__(self, rbac: Rbac, kind: SubjectKind) -> None:
        subjects = {*rbac.by_subject, *UNBOUND}
        self._kind = kind
        self._names = sorted(
            (subject.name.casefold(), subject.name) for subject in subjects if subject.kind is kind
        )
        self._known = {name for _, name in self._names}

    def links(self, names: Names) -> Iterator[Link]:
        """Those that a username or group can be."""
        if names.literal is not None:
            if names.literal in self._known:
                yield Link(Subject(self._kind, names.literal), How.NAME)
            return
        how = How.SESSION if names.chosen else How.PATTERN
        for place in range(bisect_left(self._names, (names.head, "")), len(self._names)):
            folded, name = self._names[place]
            if not folded.startswith(names.head):
                return
            if names.cover(name):
                yield Link(Subject(self._kind, name), how)
