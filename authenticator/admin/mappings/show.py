"""The output of the verbs `mappings list`, `get` and `history`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from authenticator.admin.in_force import InForce
from authenticator.admin.mappings.everything import YES, Claim
from authenticator.admin.stores.history import Version
from authenticator.admin.tables import (
    JSON,
    NAME,
    NONE,
    WIDE,
    YAML,
    listed,
    moment,
    show_table,
    show_values,
)
from authenticator.display import printable
from authenticator.editing.listing import Listing, Row
from authenticator.options import COMMAND, colour
from authenticator.timestamps import parse_rfc3339

# What names an entry, in the columns of a table.
_HEADER = ("ENTRY", "PRINCIPAL", "USERNAME", "GROUPS", "EXPIRES", "IN FORCE")
_WIDE = ("ENTRY", "PRINCIPAL", "USERNAME", "GROUPS", "USERID", "LINE", "EXPIRES", "IN FORCE")


def show_listing(title: str, found: Listing, output: str, now: float) -> None:
    """Print entries, and what is wrong with them.

    Args:
        title: where they are.
        found: the entries.
        output: the form of the output.
        now: Unix time.
    """
    if output in (JSON, YAML):
        entries = [row.plain() for row in found.rows]
        show_values({"source": title, "entries": entries, "problems": list(found.problems)}, output)
        return
    if output == NAME:
        click.echo("".join(f"{printable(row.id)}\n" for row in found.rows), nl=False)
        return
    if found.rows:
        header = _WIDE if output == WIDE else _HEADER
        cells = [_cells(row, now, wide=output == WIDE) for row in found.rows]
        if any(row.accessPolicies for row in found.rows):
            header = (*header, "ACCESS POLICIES")
            policies = [" ".join(row.accessPolicies) or NONE for row in found.rows]
            cells = [(*row, each) for row, each in zip(cells, policies, strict=True)]
        show_table(header, cells, [_colour(row) for row in found.rows])
    else:
        click.echo(f"{title} has no entries.")
    lines = [click.style(f"! {printable(problem)}", fg="red") for problem in found.problems]
    for row in found.rows:
        line = f", line {row.line}" if row.line else ""
        for problem in row.problems:
            text = f"! {printable(row.id)}{line}: {printable(problem)}"
            lines.append(click.style(text, fg="yellow" if row.inForce else "red"))
    if lines:
        click.echo("\n".join(("", *lines)), color=colour())


def _cells(row: Row, now: float, *, wide: bool) -> tuple[str, ...]:
    return (
        *(row.id, row.principal, row.username or NONE, listed(row.groups)),
        *((row.userid or NONE, str(row.line or NONE)) if wide else ()),
        expiry(row.expires, now),
        "yes" if row.inForce else "no",
    )


def expiry(text: str, now: float) -> str:
    """Show when an entry ends, as it is written and from now (Unix time)."""
    try:
        return moment(parse_rfc3339(text), now) if text else NONE
    except ValueError:
        return text


def show_rows(rows: Sequence[Row], output: str, now: float) -> None:
    """Print all there is to some entries at a Unix time."""
    if output in (JSON, YAML):
        show_values([row.plain() for row in rows], output)
        return
    if output in (NAME, WIDE):
        show_listing("", Listing(tuple(rows), ()), output, now)
        return
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for name, value in {
            **row.plain(),
            "expires": row.expires and expiry(row.expires, now),
        }.items():
            if name != "sso" and value not in ("", [], 0):
                text = ", ".join(value) if isinstance(value, list) else _word(value)
                click.echo(f"{_NAMES.get(name, name):<10} {printable(text)}")


def show_claims(found: InForce, claims: Sequence[Claim], output: str, now: float) -> None:
    """Print the mappings of all sources, and which sources those are.

    Args:
        found: what was read.
        claims: the mappings to show.
        output: the form of the output.
        now: Unix time.
    """
    if output in (JSON, YAML):
        entries = [claim.plain() for claim in claims]
        read, unread, left_out = list(found.sources), list(found.unread), list(found.left_out)
        values = {"read": read, "unread": unread, "leftOut": left_out, "entries": entries}
        show_values(values, output)
        return
    if output == NAME:
        names = dict.fromkeys(printable(claim.principal) for claim in claims)
        click.echo("".join(f"{name}\n" for name in names), nl=False)
    else:
        show_table(
            ("PRINCIPAL", "USERNAME", "GROUPS", "SOURCE", "EXPIRES", "DECIDES"),
            [_claim(claim, now) for claim in claims],
            ["green" if claim.verdict == YES else "yellow" for claim in claims],
        )
    click.echo(f"{COMMAND}: note: {printable(found.coverage)}", err=True)


def _claim(claim: Claim, now: float) -> tuple[str, ...]:
    groups, expires = claim.filtered
    username = claim.match.username.written
    place = str(claim.match.origin)
    return (
        claim.principal,
        username,
        listed(groups),
        place,
        expiry(expires, now),
        claim.verdict,
    )


def show_version(version: Version, flags: str, now: float) -> None:
    """Print the head of one edit.

    Args:
        version: the edit.
        flags: those of the verb that say which mappings are meant.
        now: Unix time.
    """
    undo = f"{COMMAND} mappings rollback {version.number}{flags}"
    facts = {
        "Edit": str(version.number),
        "When": when(version, now),
        "Who": version.user,
        "What": version.edit,
        "Undo": undo,
    }
    for name, text in facts.items():
        click.echo(f"{click.style(f'{name:<5}', bold=True)} {printable(text)}", color=colour())
    click.echo()


def show_history(versions: Sequence[Version], output: str, now: float) -> None:
    """Print the versions, newest first; `now` is Unix time."""
    newest_first = list(reversed(versions))
    if output in (JSON, YAML):
        show_values([version_values(version) for version in newest_first], output)
        return
    if output == NAME:
        click.echo("".join(f"{version.number}\n" for version in newest_first), nl=False)
        return
    if not versions:
        click.echo("No edits are remembered.")
        return
    header = ("EDIT", "WHEN", "WHO", "WHAT", "UNDO")
    show_table(
        header,
        [
            (str(v.number), when(v, now), v.user, v.edit, f"rollback {v.number}")
            for v in newest_first
        ],
    )


def when(version: Version, now: float) -> str:
    """Show when an edit was made."""
    return expiry(version.time, now)


def version_values(version: Version) -> dict[str, Any]:
    """Give a version for programs; its keys are documented and stay."""
    return {
        "version": version.number,
        "time": version.time,
        "user": version.user,
        "edit": version.edit,
        "texts": dict(version.texts),
    }


_NAMES = {"inForce": "in force", "accessPolicies": "policies"}


def _colour(row: Row) -> str:
    if not row.inForce:
        return "red"
    return "yellow" if row.problems else "green"


def _word(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
