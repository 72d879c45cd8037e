"""An explanation for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from authenticator.admin.explain.report import ALLOWED, UNDECIDED, UNKNOWN, Explanation, named
from authenticator.admin.in_force import InForce, counted
from authenticator.admin.tables import moment
from authenticator.admin.verify_steps import Step, identity_fields
from authenticator.display import printable
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
        "Sources, in their order": _sources(explanation.in_force),
        "Mappings evaluated, in order": _mappings(explanation),
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


def _sources(in_force: InForce) -> Iterator[str]:
    if in_force.administrators:
        yield f"bootstrapAdministrators: {counted(len(in_force.administrators))}, read"
    for state in in_force.status.sources:
        count = len(state.rules) + len(state.accounts)
        read = "read" if state.synced else click.style("NOT READ", fg="red")
        stale = ""
        if state.stale_since is not None:
            stale = f"; in part an older version, kept since {rfc3339(state.stale_since)}"
        yield f"{state.name}: {counted(count)}, {read}{stale}"
        for problem in state.faults:
            yield click.style(f"  {printable(str(problem))}", fg="yellow")
    for place in in_force.left_out:
        yield f"left out: {place}"


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
    yield f"not evaluated, since they name other principals or come later: {others}"


def _nearest(explanation: Explanation) -> Iterator[str]:
    for miss in explanation.near:
        yield f"{miss.origin} ({miss.names}): {miss.reason}"


def _answer(explanation: Explanation) -> Iterator[str]:
    decision, verdict = explanation.trace.decision, explanation.verdict
    if verdict == UNKNOWN:
        yield (
            click.style(UNKNOWN, fg="red")
            + ": a source could not be read, and may name the caller:"
        )
        for reason in explanation.in_force.unread:
            yield f"  {printable(reason)}"
        if decision is None:
            yield f"With what was read: not let in, {explanation.trace.error}"
            return
        yield f"With what was read: let in by {decision.match.origin}"
    elif decision is None:
        http = f", HTTP {explanation.http_status}" if verdict == UNDECIDED else ""
        reason = f"{verdict}{http} ({explanation.result}): {explanation.trace.error}"
        yield click.style(printable(reason), fg="red")
        if explanation.trace.identity is not None and explanation.in_force.left_out:
            yield "That is the answer of the sources read, without those that were left out."
        return
    else:
        yield click.style(ALLOWED, fg="green") + f" by {decision.match.origin}"
    applying = next(
        (attempt.rule for attempt in explanation.trace.tried if not attempt.refusal), None
    )
    if applying and applying.expires is not None:
        yield f"until     {moment(applying.expires, explanation.now)}"
    if decision.match.reason:
        yield f"reason    {printable(decision.match.reason)}"
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
