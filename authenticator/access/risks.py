"""The risks of what is granted, by the table in `authenticator.access.risk_table`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from authenticator.access.rbac import Binding, Rbac
from authenticator.access.resources import is_cluster_wide
from authenticator.access.risk_table import (
    BY_REQUEST,
    CHOSEN_NAME,
    MASTERS,
    RISKS,
    WILD_RESOURCES,
    WILD_VERBS,
    Severity,
)
from authenticator.access.rules import ALL, Request

# By the id of a risk, how severe it is.
Risks = Mapping[str, Severity]
_EVERYTHING = (MASTERS.id, BY_REQUEST[0].id)


def risks_of(rbac: Rbac, binding: Binding) -> Risks:
    """The risks of what a binding grants, in the order of `RISKS`."""
    found = {risk.id for risk in BY_REQUEST if any(_shows(rbac, binding, risk.signs))}
    rules = rbac.roles.get(binding.role, ())
    if any(ALL in rule.resources for rule in rules):
        found.add(WILD_RESOURCES.id)
    if any(ALL in rule.verbs and rule.resources for rule in rules):
        found.add(WILD_VERBS.id)
    graded = {risk.id: risk.severity_in(binding.namespace) for risk in RISKS if risk.id in found}
    return {name: severity for name, severity in graded.items() if severity is not None}


def _shows(rbac: Rbac, binding: Binding, signs: Iterable[Request]) -> Iterator[bool]:
    for sign in signs:
        idle = bool(binding.namespace) and is_cluster_wide(sign)
        yield not idle and rbac.allows(binding, sign)


def worst(several: Iterable[Risks]) -> Risks:
    """All risks together, each as severe as it is anywhere, the severest first."""
    highest: dict[str, Severity] = {}
    for risks in several:
        for name, severity in risks.items():
            highest[name] = max(severity, highest.get(name, severity))
    order = {risk.id: place for place, risk in enumerate(RISKS)}
    return dict(sorted(highest.items(), key=lambda item: (-item[1], order[item[0]])))


def headlines(risks: Risks) -> Risks:
    """Those to name where room is short: whoever may do everything has all the others too."""
    if not any(risks.get(name) is Severity.CRITICAL for name in _EVERYTHING):
        return risks
    named = (*_EVERYTHING, CHOSEN_NAME.id)
    return {name: severity for name, severity in risks.items() if name in named}
