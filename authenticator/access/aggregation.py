"""ClusterRoles that are put together from others by label.

The aggregation controller writes the sum into `rules`; where none runs (or has yet to), `rules`
are empty. What it would write is computed here, and what it wrote is kept.

Source: Kubernetes, `pkg/controller/clusterroleaggregation` and label selectors of
`k8s.io/apimachinery`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from authenticator.access.rules import PolicyRule

Labels = Mapping[str, str]

_OPERATORS: MappingProxyType[str, Callable[[str | None, Sequence[str]], bool]] = MappingProxyType(
    {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _: value is not None,
        "DoesNotExist": lambda value, _: value is None,
    }
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One element of `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def admits(self, labels: Labels) -> bool:
        """Whether `labels` meet it; an unknown operator is met by nothing."""
        test = _OPERATORS.get(self.operator)
        return test is not None and test(labels.get(self.key), self.values)


@dataclass(frozen=True, slots=True)
class ClusterRole:
    """A ClusterRole before aggregation.

    Attributes:
        rules: as they are stored.
        labels: its labels.
        selectors: those of its aggregation rule, each a conjunction; none if it has no such rule.
    """

    rules: tuple[PolicyRule, ...]
    labels: Labels
    selectors: tuple[tuple[Requirement, ...], ...] = ()

    def selects(self, other: ClusterRole) -> bool:
        """Whether the rules of `other` are to become its own."""
        return any(
            all(requirement.admits(other.labels) for requirement in selector)
            for selector in self.selectors
        )


def aggregated(roles: Mapping[str, ClusterRole]) -> dict[str, tuple[PolicyRule, ...]]:
    """The rules of each ClusterRole by name, once the controller has nothing more to do."""
    sources = {
        name: [other for other in roles if other != name and role.selects(roles[other])]
        for name, role in roles.items()
        if role.selectors
    }
    found = {name: dict.fromkeys(role.rules) for name, role in roles.items()}
    # Roles may aggregate aggregated ones, in circles too: until nothing is added any more.
    growing = True
    while growing:
        growing = False
        for name, others in sources.items():
            before = len(found[name])
            for other in others:
                found[name] |= found[other]
            growing |= len(found[name]) > before
    return {name: tuple(rules) for name, rules in found.items()}
