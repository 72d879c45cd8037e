"""The settings' flags for click, made from the table in `authenticator.settings`.

A switch may be given as the reference's users write it: `--flag`, `--flag=true`, `--flag=false`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from authenticator.config import load
from authenticator.display import printable_lines
from authenticator.errors import ConfigError
from authenticator.settings import places, variable

COMMAND = "aws-iam-authenticator"
_SHORT = {
    "cluster_id": "-i",
    "log_format": "-l",
    "log_verbosity": "-v",
}


def command(
    name: str,
    text: str,
    settings: frozenset[str],
    *further: click.Parameter,
    otherwise: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Callable[..., int]], Callable[[list[str]], int]]:
    """Make a verb: a function of its arguments that returns its exit code.

    The decorated function is called with `loaded`, what the flags, the environment and the config
    file say, and with the values of `further`.

    Args:
        name: the verb.
        text: its help.
        settings: the fields of `Settings` whose flags it has, besides those that every verb has.
        further: flags of its own.
        otherwise: by field, what stands in for a required setting that is given nowhere.
    """
    options = _options(settings)

    def decorate(run: Callable[..., int]) -> Callable[[list[str]], int]:
        def callback(config: str | None, **values: Any) -> int:
            # Not all that are called like a setting: --kubeconfig can be a verb's own.
            flags = {option.name: values.pop(option.name) for option in options if option.name}
            loaded = load(flags, os.environ, Path(config) if config else None, otherwise)
            for warning in loaded.warnings:
                click.echo(printable_lines(f"{COMMAND}: warning: {warning}"), err=True)
            return run(loaded, **values)

        config = click.Option(["-c", "--config"], metavar="FILE", help="The config file (YAML).")
        parameters = [config, *further, *options]
        verb = click.Command(
            name,
            params=parameters,
            callback=callback,
            help=text,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )
        return lambda arguments: run_verb(verb, name, arguments)

    return decorate


def _options(settings: frozenset[str]) -> list[click.Parameter]:
    options: list[click.Parameter] = []
    for name, field, place in places():
        if place.flag is None or not (place.top or name in settings):
            continue
        spellings = [_SHORT[name]] if name in _SHORT else []
        is_switch = field.annotation is bool
        default = "" if field.is_required() else f" Default: {_shown(field.default)}."
        options.append(
            click.Option(
                [*spellings, place.flag, name],
                metavar="[BOOL]" if is_switch else "VALUE",
                help=f"{field.description}{default} [{variable(name)}]",
                # click's own switches refuse `--flag=true`.
                is_flag=False,
                flag_value="true" if is_switch else None,
            )
        )
    return options


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default or "none")


def colour() -> bool | None:
    """What `click.echo` takes for `color`: never with NO_COLOR, else None: on a terminal only."""
    return False if os.environ.get("NO_COLOR") else None


def run_verb(verb: click.Command, name: str, arguments: list[str]) -> int:
    """Run a verb's click command, show its errors, and return its exit code."""
    try:
        code = verb.main(arguments, prog_name=f"{COMMAND} {name}", standalone_mode=False)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(printable_lines(f"{COMMAND}: {problem}"), err=True)
        return 1
    except click.ClickException as error:
        # It quotes the command line, which may have been pasted.
        shown = io.StringIO()
        error.show(shown)
        click.echo(printable_lines(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    # What --help returns is 0 too.
    return code if isinstance(code, int) else 0
