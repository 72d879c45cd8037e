"""The flags that say what is in an entry, with the reference's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from authenticator.editing.entry import SSO_KEYS, MappingEntry, Value
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS

F = TypeVar("F", bound=Callable[..., Any])

groups_option = click.option(
    "--groups", multiple=True, metavar="A,B", help="The Kubernetes groups. Repeatable."
)


def field_options(function: F) -> F:
    """Give a command `--username`, `--groups`, `--userid` and `--expires`."""
    for option in (
        click.option("--expires", metavar="TIME", help="When it ends, as 2030-01-31T18:00:00Z."),
        click.option("--userid", metavar="ID", help="The unique id that the principal must have."),
        groups_option,
        click.option(
            "--username",
            metavar="NAME",
            help="The Kubernetes username; it may hold {{SessionName}} and the like.",
        ),
    ):
        function = option(function)
    return function


def role_options(function: F) -> F:
    """Give a command `--rolearn` and `--sso`."""
    for option in (
        click.option(
            "--sso",
            metavar="permissionSetName=..,accountID=..[,partition=..]",
            help="A permission set of IAM Identity Center.",
        ),
        click.option("--rolearn", metavar="ARN", help="The role; * and ? may stand in its name."),
    ):
        function = option(function)
    return function


def fields(
    username: str | None, groups: tuple[str, ...], userid: str | None, expires: str | None
) -> dict[str, Value | None]:
    """The fields that flags give: empty ones are to be taken out."""
    given: dict[str, Value | None] = {}
    if username is not None:
        given["username"] = username or None
    if groups:
        given["groups"] = split(groups) or None
    if userid is not None:
        given["userid"] = userid or None
    if expires is not None:
        given["expires"] = expires or None
    return given


def split(groups: Iterable[str]) -> list[str]:
    """Each name once, of texts that may have several with commas between them."""
    names = (name.strip() for text in groups for name in text.split(","))
    return list(dict.fromkeys(filter(None, names)))


def role_entry(
    rolearn: str | None, sso: str | None, given: dict[str, Value | None]
) -> MappingEntry:
    """The entry that `add role` asks for.

    Raises:
        click.UsageError: it names no role, or two.
    """
    if bool(rolearn) == bool(sso):
        raise click.UsageError("give either --rolearn or --sso")
    named: dict[str, Value] = {"rolearn": rolearn} if rolearn else {"sso": _sso(sso or "")}
    return _entry(MAP_ROLES, named, given)


def user_entry(userarn: str, given: dict[str, Value | None]) -> MappingEntry:
    """The entry that `add user` asks for."""
    return _entry(MAP_USERS, {"userarn": userarn}, given)


def _entry(section: str, named: dict[str, Value], given: dict[str, Value | None]) -> MappingEntry:
    said = {key: value for key, value in given.items() if value is not None}
    return MappingEntry(section, {**named, **said})


def _sso(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        key = SSO_KEYS.get(name.strip().lower())
        if not equals or key is None or key in found:
            raise click.UsageError(
                f"--sso has {part.strip()!r} where one of permissionSetName=NAME,"
                " accountID=DIGITS and partition=NAME is needed"
            )
        found[key] = value.strip()
    return found
