"""The verbs `add role` and `add user`, as the reference has them: `mappings add` for aws-auth."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from authenticator.admin.connection import connection_options
from authenticator.admin.mappings.change import add_entry
from authenticator.admin.mappings.edit import Flags, Manner, complaining
from authenticator.admin.mappings.fields import (
    fields,
    groups_option,
    role_entry,
    role_options,
    user_entry,
)
from authenticator.admin.mappings.where import CONFIG_MAP, Where
from authenticator.options import Verbs, run_verb

# The reference's flags that every verb has. None of them concerns an edit.
_GLOBAL_FLAGS = (
    ("-c", "--config"),
    ("-i", "--cluster-id"),
    ("--feature-gates",),
    ("-l", "--log-format"),
    ("-v", "--log-verbosity"),
)
_FLAGS = Flags(
    confirm="pass --prompt=false to apply",
    force="'aws-iam-authenticator mappings add --force' applies it anyway",
)


def _global_options() -> list[click.Parameter]:
    """Options that are accepted and have no effect; they may stand before and after the verb."""
    return [click.Option([*names], hidden=True, expose_value=False) for names in _GLOBAL_FLAGS]


_group = Verbs(
    "add",
    params=_global_options(),
    help="Add an entry to the ConfigMap aws-auth.\n\n'mappings' can do more: other places,"
    " updates, rollback.",
)


def add(arguments: list[str]) -> int:
    """Run the verb and return its exit code."""
    return run_verb(_group, "add", arguments)


def _reference_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the reference's flags, and `where`, `manner` and `given` made of them."""

    @wraps(function)
    def run(  # click passes by name
        *,
        kubeconfig: str | None,
        context: str | None,
        master_url: str | None,
        prompt: bool,
        username: str | None,
        groups: tuple[str, ...],
        **rest: Any,
    ) -> int:
        return function(
            where=Where(CONFIG_MAP, kubeconfig, context, master_url),
            manner=Manner(yes=not prompt, piped=True, flags=_FLAGS),
            given=fields(username, groups, None, None),
            **rest,
        )

    decorated: Callable[..., int] = connection_options(run)
    for option in (
        click.option(
            "--prompt",
            type=bool,
            is_flag=False,
            flag_value="true",
            default=True,
            metavar="[BOOL]",
            help="Ask before writing. Default: true.",
        ),
        groups_option,
        click.option("--username", metavar="NAME", help="The Kubernetes username."),
    ):
        decorated = option(decorated)
    return decorated


@_group.command("role", help="Add a role, or a permission set of IAM Identity Center.")
@role_options
@_reference_options
@complaining
def _role(
    where: Where,
    *,
    manner: Manner,
    given: Any,
    arn: str | None,
    rolearn: str | None,
    sso: str | None,
) -> int:
    return add_entry(where.store(), role_entry(arn, rolearn, sso, given), manner)


@_group.command("user", help="Add an IAM user or a federated user.")
@click.argument("arn", metavar="[ARN]", required=False)
@click.option("--userarn", metavar="ARN", help="The same as ARN: the user.")
@_reference_options
@complaining
def _user(where: Where, *, manner: Manner, given: Any, arn: str | None, userarn: str | None) -> int:
    return add_entry(where.store(), user_entry(arn, userarn, given), manner)


for _verb in _group.commands.values():
    _verb.params += _global_options()
