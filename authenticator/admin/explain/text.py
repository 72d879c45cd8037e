"""An explanation for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from authenticator.admin.explain.report import Explanation, named
from authenticator.admin.verify_steps import Step, identity_fields
from authenticator.display import printable
from authenticator.sources.base import SourceState
from authenticator.timestamps import rfc3339

_YES = click.style("yes ", fg="green")
_NO = click.style("no  ", fg="yellow")
_OK = click.style("ok  ", fg="green")
_FAIL = click.style("FAIL", fg="red")


def as_text(explanation: Explanation) -> str:
    """The explanation in sections, with colours."""
    sections = {
        "Checks of the token": _checks(explanation.checks),
        "Caller": _caller(explanation),
        "Sources, in their order": _sources(explanation.in_force.status.sources),
        "Mappings asked, in order": _mappings(explanation),
        "Nearest": _nearest(explanation),
        "Answer": _answer(explanation),
    }
    if explanation.trace.identity is None:  # no mapping was asked
        sections = {title: sections[title] for title in ("Checks of the token", "Answer")}
    return "\n\n".join(
        "\n".join((click.style(title, bold=True), *(f"  {line}" for line in lines)))
        for title, made in sections.items()
        if (lines := list(made))
    )


def logged_as_text(record: Mapping[str, Any]) -> str:
    """What the audit log says of a denial."""
    title = click.style(f"In the log of {printable(str(record.get('time', '?')))}", bold=True)
    shown = {
        printable(name): value
        for name, value in record.items()
        if name not in ("time", "event", "version")
    }
    return "\n".join((title, *(f"  {line}" for line in _aligned(shown))))


def _checks(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        mark = _OK if step.passed else _FAIL
        yield f"{mark} {step.check}{': ' if step.detail else ''}{step.detail}"


def _caller(explanation: Explanation) -> Iterator[str]:
    identity = explanation.trace.identity
    if identity is None:
        return
    yield from _aligned(identity_fields(identity))
    if identity.canonical_arn != str(identity.arn):
        yield "Mappings name the canonical ARN: the role, without session and path."
    for flag, value in explanation.placeholders.items():
        yield f"{value} is a placeholder; {flag} would tell."


def _sources(states: Iterable[SourceState]) -> Iterator[str]:
    for state in states:
        count = len(state.rules) + len(state.accounts)
        read = "read" if state.synced else click.style("NOT READ", fg="red")
        stale = ""
        if state.stale_since is not None:
            stale = f"; in part an older version, kept since {rfc3339(state.stale_since)}"
        yield f"{state.name}: {count} mappings, {read}{stale}"
        for problem in state.faults:
            yield click.style(f"  {problem}", fg="yellow")


def _mappings(explanation: Explanation) -> Iterator[str]:
    tried = explanation.trace.tried
    for attempt in tried:
        mark, reason = (_NO, f": {attempt.refusal}") if attempt.refusal else (_YES, "")
        yield f"{mark} {attempt.rule.match.origin} ({named(attempt.rule)}){reason}"
    account_id, match = explanation.account_asked, explanation.account_match
    if match is not None:
        yield f"{_YES} {match.origin} ({account_id})"
    elif account_id:
        yield f"{_NO} mapAccounts: {account_id} is not listed"
    others = explanation.in_force.status.size - len(tried) - (match is not None)
    yield f"not asked, since they name other principals or come later: {others}"


def _nearest(explanation: Explanation) -> Iterator[str]:
    for miss in explanation.near:
        yield f"{miss.origin} ({miss.names}): {miss.reason}"


def _answer(explanation: Explanation) -> Iterator[str]:
    decision = explanation.trace.decision
    if decision is None:
        denied = explanation.http_status == 200  # noqa: PLR2004 (HTTP: OK)
        verdict = "DENIED" if denied else f"UNDECIDED, HTTP {explanation.http_status}"
        yield click.style(f"{verdict} ({explanation.result}): {explanation.trace.error}", fg="red")
        return
    yield click.style("ALLOWED", fg="green") + f" by {decision.match.origin}"
    user = explanation.answer["user"]
    extra = user.pop("extra", {})
    yield from _aligned(
        {name: user[name] for name in ("username", "groups", "uid") if name in user}
    )
    yield from _aligned({f"extra {name}": value for name, value in extra.items()})


def _aligned(fields: Mapping[str, Any]) -> Iterator[str]:
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value in ("", []):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield f"{name:<{width}}  {printable(text)}"
