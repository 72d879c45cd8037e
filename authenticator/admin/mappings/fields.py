"""The flags that say what is in an entry, with the reference's names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from authenticator.admin.mappings.where import EKS, Where
from authenticator.editing.entry import ACCESS_POLICIES, ENTRY_TYPE, SSO_KEYS, MappingEntry, Value
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS
from authenticator.timestamps import ending, rfc3339

F = TypeVar("F", bound=Callable[..., Any])

groups_option = click.option(
    "--groups",
    "--group",
    multiple=True,
    metavar="A,B",
    help="The Kubernetes groups. Repeatable.",
)


class When(click.ParamType[str]):
    """When access ends: a duration, a day or a time, which becomes RFC 3339 in UTC.

    An empty text stays one: it takes the end out.
    """

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the absolute time; `Context.fail` if it is none, or in the past."""
        try:
            return rfc3339(ending(value, time.time())) if value.strip() else ""
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def field_options(function: F) -> F:
    """Give a command `--username`, `--groups`, `--userid`, `--expires` and `--access-policy`."""
    for option in (
        click.option(
            "--access-policy",
            multiple=True,
            metavar="NAME[=NAMESPACE,...]",
            help="With --source eks: an access policy, for the cluster or for namespaces."
            " Repeatable.",
        ),
        click.option(
            "--expires",
            type=When(),
            metavar="8h|7d|DATE|TIME",
            help="When it ends: after a duration, with a day in UTC (2031-01-31), or at a time with"
            " a zone (2031-01-31T18:00:00Z).",
        ),
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


type_option = click.option(
    "--type",
    "kind",
    metavar="TYPE",
    help="With --source eks: the type of the access entry, such as EC2_LINUX.",
)


def role_options(function: F) -> F:
    """Give a command an ARN, `--rolearn` and `--sso`."""
    for option in (
        click.argument("arn", metavar="[ARN]", required=False),
        click.option(
            "--sso",
            metavar="permissionSetName=..,accountID=..[,partition=..]",
            help="A permission set of IAM Identity Center.",
        ),
        click.option(
            "--rolearn", metavar="ARN", help="The same as ARN: the role, maybe with * and ?."
        ),
    ):
        function = option(function)
    return function


def fields(
    username: str | None,
    groups: tuple[str, ...],
    userid: str | None,
    expires: str | None,
    access_policy: tuple[str, ...] = (),
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
    if access_policy:
        given[ACCESS_POLICIES] = list(filter(None, access_policy)) or None
    return given


def eks_fields(where: Where, given: dict[str, Value | None], kind: str | None = None) -> None:
    """Add the type of an access entry to the fields that flags give.

    Raises:
        click.UsageError: a flag is only for EKS, and another source is meant.
    """
    if kind:
        given[ENTRY_TYPE] = kind
    if where.source != EKS and (kind or given.get(ACCESS_POLICIES)):
        raise click.UsageError("--type and --access-policy go with --source eks")


def split(groups: Iterable[str]) -> list[str]:
    """Each name once, of texts that may have several with commas between them."""
    names = (name.strip() for text in groups for name in text.split(","))
    return list(dict.fromkeys(filter(None, names)))


def role_entry(
    arn: str | None, rolearn: str | None, sso: str | None, given: dict[str, Value | None]
) -> MappingEntry:
    """The entry that `add role` asks for.

    Raises:
        click.UsageError: it names no role, or several.
    """
    named = [name for name in (arn, rolearn, sso) if name]
    if len(named) != 1:
        raise click.UsageError("give one of ARN, --rolearn and --sso")
    value: dict[str, Value] = {"sso": _sso(sso)} if sso else {"rolearn": named[0]}
    return _entry(MAP_ROLES, value, given)


def user_entry(
    arn: str | None, userarn: str | None, given: dict[str, Value | None]
) -> MappingEntry:
    """The entry that `add user` asks for.

    Raises:
        click.UsageError: it names no user, or two.
    """
    named = [name for name in (arn, userarn) if name]
    if len(named) != 1:
        raise click.UsageError("give either ARN or --userarn")
    return _entry(MAP_USERS, {"userarn": named[0]}, given)


def until(given: Mapping[str, object]) -> str:
    """Say when access with these fields ends, for the history; "" if it does not."""
    expires = given.get("expires")
    return f" until {expires}" if expires else ""


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
