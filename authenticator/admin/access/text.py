"""The answers of `access` as tables for people and as values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from authenticator.access.document import rules_of, values_of
from authenticator.access.impersonation import Impersonated
from authenticator.access.join import How, Link
from authenticator.access.principals import Principal
from authenticator.access.rbac import Binding, Rbac
from authenticator.access.report import Grant, Report, Standing
from authenticator.access.risk_table import BY_ID, Severity
from authenticator.access.risks import headlines
from authenticator.admin.tables import NONE, listed, moment, show_table
from authenticator.display import printable
from authenticator.mapping.conditions import NONE as NO_CONDITIONS

EVERYWHERE = "everywhere"
_COLOURS = {
    Severity.CRITICAL: "red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
Answers = Sequence[tuple[Principal, tuple[Grant, ...]]]


def show_report(report: Report, now: float, *, wide: bool) -> None:
    """Print all principals, those with the severest risks first.

    Args:
        report: the report.
        now: Unix time.
        wide: whether to name all risks of a principal, its kind, its mapping and when that ends.
    """
    further = ("KIND", "MAPPING", "EXPIRES") if wide else ()
    header = ("RISK", "PRINCIPAL", "USERNAME", "GROUPS", *further, "CAN")
    rows: list[Sequence[str]] = []
    colours: list[str | None] = []
    for principal, standing in report.principals:
        titles = [BY_ID[name].title for name in headlines(standing.risks)]
        named = titles if wide else titles[:1]
        more = [f"{len(titles) - 1} more"] if len(titles) > len(named) else []
        nothing = "nothing risky" if standing.links else "nothing"
        cells = (
            max(standing.risks.values()).word if standing.risks else "none",
            principal.written,
            principal.username.text,
            listed(group.text for group in principal.groups),
        )
        meant = (principal.kind, str(principal.origin), _end(principal, now)) if wide else ()
        rows.append((*cells, *meant, "; ".join((*named, *more)) or nothing))
        colours.append(_COLOURS[max(standing.risks.values())] if standing.risks else None)
    show_table(header, rows, colours, "RISK")


def show_who(answers: Answers, now: float, *, wide: bool) -> None:
    """Print who may do what was asked, where, and by which way.

    Args:
        answers: the principals with their grants.
        now: Unix time.
        wide: whether to name the mapping as well, and when it ends.
    """
    further = ("MAPPING", "EXPIRES") if wide else ()
    header = ("PRINCIPAL", "USERNAME", *further, "WHERE", "THROUGH")
    rows = [
        (
            principal.written,
            principal.username.text,
            *((str(principal.origin), _end(principal, now)) if wide else ()),
            grant.namespace or EVERYWHERE,
            _way(grant.link, grant.binding, grant.impersonated),
        )
        for principal, grants in answers
        for grant in grants
    ]
    show_table(header, rows)


def show_what(rbac: Rbac, principal: Principal, standing: Standing, now: float) -> None:
    """Print all rights of one principal at a Unix time."""
    title = f"{principal.written} as {principal.username.text} ({principal.origin})"
    until = f", until {_end(principal, now)}" if principal.expires is not None else ""
    if principal.conditions != NO_CONDITIONS:
        until += f", only with {principal.conditions}"
    click.echo(printable(f"{title}{until}"))
    rows = [
        (
            ",".join(rule.get("verbs", ())),
            _resources(rule),
            _place(binding),
            _way(link, binding),
        )
        for link in standing.links
        for binding in rbac.by_subject.get(link.subject, ())
        for rule in rules_of(rbac.roles.get(binding.role, ()))
    ]
    show_table(("VERBS", "RESOURCES", "WHERE", "THROUGH"), rows)


def _end(principal: Principal, now: float) -> str:
    return NONE if principal.expires is None else moment(principal.expires, now)


def _resources(rule: dict[str, list[str]]) -> str:
    groups = rule.get("apiGroups", [])
    group = "" if groups == [""] else f" of {', '.join(name or 'core' for name in groups)}"
    names = f" named {', '.join(rule['resourceNames'])}" if "resourceNames" in rule else ""
    resources = ", ".join(rule.get("resources", ()))
    return f"{resources}{group}{names}" if resources else ", ".join(rule.get("nonResourceURLs", ()))


def _place(binding: Binding | None) -> str:
    return (binding.namespace if binding else "") or EVERYWHERE


_CONDITIONS = {
    How.NAME: "",
    How.SESSION: " (if the session's name makes it so)",
    How.PATTERN: " (if its ARN, key or instance is named so)",
}


def _way(link: Link, binding: Binding | None, impersonated: Impersonated | None = None) -> str:
    steps = [f"{link.subject}{_CONDITIONS[link.how]}"]
    steps += [str(binding), str(binding.role)] if binding else ["no binding needed"]
    if impersonated:
        steps.append(f"by impersonation ({impersonated.mode}) of {impersonated.target}")
        through = impersonated.through
        steps += [str(through), str(through.role)] if through else ["no binding needed"]
    return " > ".join(steps)


def who_values(answers: Answers) -> list[dict[str, Any]]:
    """What `show_who` prints, for programs."""
    return [
        values_of(principal) | {"grants": [_grant_values(grant) for grant in grants]}
        for principal, grants in answers
    ]


def _grant_values(grant: Grant) -> dict[str, Any]:
    values: dict[str, Any] = _grant(grant.link, grant.binding) | {"namespace": grant.namespace}
    if way := grant.impersonated:
        values["impersonation"] = {
            "mode": way.mode,
            "target": str(way.target),
            "on": str(way.on) if way.on else "",
            "binding": str(way.through) if way.through else "",
            "role": str(way.through.role) if way.through else "",
        }
    return values


def _grant(link: Link, binding: Binding | None) -> dict[str, str]:
    return {
        "subject": str(link.subject),
        "how": link.how.value,
        "namespace": binding.namespace if binding else "",
        "binding": str(binding) if binding else "",
        "role": str(binding.role) if binding else "",
    }


def what_values(rbac: Rbac, found: Iterable[tuple[Principal, Standing]]) -> list[dict[str, Any]]:
    """What `show_what` prints, for programs."""
    return [
        values_of(principal)
        | {
            "risks": {name: severity.word for name, severity in standing.risks.items()},
            "grants": [
                _grant(link, binding) | {"rules": rules_of(rbac.roles.get(binding.role, ()))}
                for link in standing.links
                for binding in rbac.by_subject.get(link.subject, ())
            ],
        }
        for principal, standing in found
    ]
