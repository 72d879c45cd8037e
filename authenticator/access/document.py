"""The report as one JSON document, for programs and for the page.

What principals have in common is said once: principals with the same rights share a standing,
standings name subjects, subjects bindings, and bindings roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from authenticator.access.join import Link
from authenticator.access.principals import Principal
from authenticator.access.rbac import Binding
from authenticator.access.report import Report, Standing
from authenticator.access.risk_table import RISKS
from authenticator.access.risks import Risks
from authenticator.access.rules import PolicyRule
from authenticator.timestamps import rfc3339

# Grows when the meaning of a key changes, not when one is added.
VERSION = 1
_REFUSED = (
    "Parts of the mappings cannot be used (a server that runs may know an older version of a"
    " section)"
)
_IDLE = (
    "Entries let nobody in, since they have expired or another for the same principal comes first"
)
_DANGLING = "Bindings name roles that do not exist, and will grant what whoever makes these writes"
# How many places a note names: enough to begin with.
_NAMED = 5
_RULE_KEYS = (
    ("verbs", "verbs"),
    ("apiGroups", "groups"),
    ("resources", "resources"),
    ("resourceNames", "names"),
    ("nonResourceURLs", "paths"),
)


def document(report: Report, *, cluster: str, now: float) -> dict[str, Any]:
    """All of a report.

    Args:
        report: the report.
        cluster: what the mappings and RBAC were read from, in words.
        now: the Unix time at which they were.
    """
    numbers: dict[tuple[Link, ...], int] = {}
    standings: list[Standing] = []
    for _, standing in report.principals:
        if standing.links not in numbers:
            numbers[standing.links] = len(standings)
            standings.append(standing)
    subjects = sorted({link.subject for standing in standings for link in standing.links})
    bindings = sorted(
        {binding for subject in subjects for binding in report.rbac.by_subject.get(subject, ())},
        key=str,
    )
    return {
        "version": VERSION,
        "cluster": cluster,
        "generated": rfc3339(now),
        "notes": notes(report),
        "risks": [
            {"id": risk.id, "title": risk.title, "why": risk.why, "severity": risk.severity.word}
            for risk in RISKS
        ],
        "roles": {
            str(key): rules_of(report.rbac.roles[key])
            for key in sorted({binding.role for binding in bindings})
            if key in report.rbac.roles
        },
        "bindings": {
            str(binding): _binding(binding, report.binding_risks[binding]) for binding in bindings
        },
        "subjects": {
            str(subject): {
                "bindings": [str(own) for own in report.rbac.by_subject.get(subject, ())],
                "risks": _words(report.subject_risks(subject)),
            }
            for subject in subjects
        },
        "standings": [
            {
                "subjects": {str(link.subject): link.how.value for link in standing.links},
                "risks": _words(standing.risks),
            }
            for standing in standings
        ],
        "principals": [
            values_of(principal) | {"standing": numbers[standing.links]}
            for principal, standing in report.principals
        ],
    }


def notes(report: Report) -> list[str]:
    """What a reader of the report should know of its limits."""
    found = (
        (_REFUSED, [f"{problem.origin}: {problem.reason}" for problem in report.entrants.refused]),
        (_IDLE, [str(origin) for origin in report.entrants.idle]),
        (_DANGLING, [str(binding) for binding in report.rbac.dangling()]),
    )
    coverage = [report.coverage] if report.coverage else []
    return coverage + [
        f"{text}: {', '.join(places[:_NAMED])}{', ...' if len(places) > _NAMED else ''}"
        for text, places in found
        if places
    ]


def _words(risks: Risks) -> dict[str, str]:
    return {name: severity.word for name, severity in risks.items()}


def rules_of(rules: Iterable[PolicyRule]) -> list[dict[str, list[str]]]:
    """Rules as Kubernetes spells them, without what is empty."""
    return [
        {key: sorted(values) for key, name in _RULE_KEYS if (values := getattr(rule, name))}
        for rule in rules
    ]


def _binding(binding: Binding, risks: Risks) -> dict[str, Any]:
    return {
        "role": str(binding.role),
        "namespace": binding.namespace,
        "risks": _words(risks),
    }


def values_of(principal: Principal) -> dict[str, Any]:
    """Who a principal is, and on what conditions."""
    shown: dict[str, Any] = {
        "arn": principal.arn_as_written,
        "principal": principal.written,
        "kind": principal.kind,
        "username": principal.username.text,
        "groups": [group.text for group in principal.groups],
        "source": str(principal.origin),
    }
    if principal.user_id:
        shown["userid"] = principal.user_id
    shown.update(principal.conditions.shown())
    if principal.expires is not None:
        shown["expires"] = rfc3339(principal.expires)
    return shown
