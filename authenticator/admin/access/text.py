"""The answers of `access` as tables for people and as values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from authenticator.access.document import rules_of, values_of
from authenticator.access.join import How, Link
from authenticator.access.principals import Principal
from authenticator.access.rbac import Binding, Rbac
from authenticator.access.report import Grant, Report, Standing
from authenticator.access.risk_table import BY_ID, Severity
from authenticator.access.risks import headlines
from authenticator.display import printable

EVERYWHERE = "everywhere"
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
# What a table is wide where nobody looks at it: a file or a pipe.
_WIDTH = 200
Answers = Sequence[tuple[Principal, tuple[Grant, ...]]]


def console() -> Console:
    """Standard output: in colour on a terminal (not with NO_COLOR), and never cut in a pipe."""
    made = partial(Console, highlight=False, markup=False, emoji=False)
    terminal = made()
    return terminal if terminal.is_terminal else made(width=_WIDTH)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str | Text | Sequence[str]) -> None:
    """Add a row; a cell may have several lines."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(_lines(cell)) for cell in cells))


def _lines(cell: str | Sequence[str]) -> str:
    return "\n".join(printable(line) for line in ([cell] if isinstance(cell, str) else cell))


def report_table(report: Report) -> Table:
    """All principals, those with the severest risks first."""
    table = _table("", "RISK", "PRINCIPAL", "USERNAME", "GROUPS", "WHAT IT CAN DO")
    for principal, standing in report.principals:
        titles = [BY_ID[name].title for name in headlines(standing.risks)]
        _row(
            table,
            _severity(standing),
            principal.arn,
            principal.username.text,
            [group.text for group in principal.groups] or "-",
            titles or ("nothing risky" if standing.links else "nothing"),
        )
    return table


def _severity(standing: Standing) -> Text:
    if not standing.risks:
        return Text("none")
    worst = max(standing.risks.values())
    return Text(worst.word, style=_STYLES[worst])


def who_table(answers: Answers) -> Table:
    """Who may do what was asked, where, and by which way."""
    table = _table("", "PRINCIPAL", "USERNAME", "WHERE", "THROUGH")
    for principal, grants in answers:
        for number, grant in enumerate(grants):
            _row(
                table,
                "" if number else principal.arn,
                "" if number else principal.username.text,
                _place(grant.binding),
                _way(grant.link, grant.binding),
            )
    return table


def what_table(rbac: Rbac, principal: Principal, standing: Standing) -> Table:
    """All rights of one principal."""
    title = printable(f"{principal.arn} as {principal.username.text} ({principal.origin})")
    table = _table(title, "VERBS", "RESOURCES", "WHERE", "THROUGH")
    for link in standing.links:
        for binding in rbac.by_subject.get(link.subject, ()):
            for rule in rules_of(rbac.roles.get(binding.role, ())):
                _row(
                    table,
                    ", ".join(rule.get("verbs", ())),
                    _resources(rule),
                    _place(binding),
                    _way(link, binding),
                )
    return table


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


def _way(link: Link, binding: Binding | None) -> str:
    steps = [f"{link.subject}{_CONDITIONS[link.how]}"]
    steps += [str(binding), str(binding.role)] if binding else ["no binding needed"]
    return " > ".join(steps)


def who_values(answers: Answers) -> list[dict[str, Any]]:
    """What `who_table` shows, for programs."""
    return [
        values_of(principal) | {"grants": [_grant(grant.link, grant.binding) for grant in grants]}
        for principal, grants in answers
    ]


def _grant(link: Link, binding: Binding | None) -> dict[str, str]:
    return {
        "subject": str(link.subject),
        "how": link.how.value,
        "namespace": binding.namespace if binding else "",
        "binding": str(binding) if binding else "",
        "role": str(binding.role) if binding else "",
    }


def what_values(rbac: Rbac, found: Iterable[tuple[Principal, Standing]]) -> list[dict[str, Any]]:
    """What `what_table` shows, for programs."""
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
