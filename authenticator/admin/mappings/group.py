"""The command `mappings`, to which the other modules add its verbs."""

from __future__ import annotations

import click

from authenticator.options import Verb, Verbs

# Other names of verbs, as kubectl and shells have them.
_ALIASES = {"delete": "remove", "rm": "remove", "ls": "list"}
_DRY_RUN = "--dry-run"
DRY_RUNS = ("none", "client", "server")


class Edit(Verb):
    """A verb of which `--dry-run` without a value means `client`, as it does in kubectl."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare `--dry-run` its value, and parse the arguments."""
        given = [
            f"{_DRY_RUN}=client" if name == _DRY_RUN and value not in DRY_RUNS else name
            for name, value in zip(args, (*args[1:], ""), strict=False)
        ]
        return super().parse_args(ctx, given)


class AliasedVerbs(Verbs):
    """Verbs that have other names as well."""

    command_class = Edit
    # Groups within it are of the same class.
    group_class = type

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a verb by its name or another one."""
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))


group = AliasedVerbs(
    "mappings",
    help="List, edit and restore who may enter, wherever that is written.\n\n"
    "Every verb that writes shows the difference first, refuses to lock people out, asks, and"
    " keeps what stood there before (history, rollback).",
)
