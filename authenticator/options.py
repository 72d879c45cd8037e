"""The look of verbs, and the settings' flags, made from the table in `authenticator.settings`.

A switch may be given as the reference's users write it: `--flag`, `--flag=true`, `--flag=false`.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from authenticator.display import printable, printable_lines
from authenticator.errors import ConfigError

COMMAND = "aws-iam-authenticator"
_SHORT = {
    "cluster_id": "-i",
    "log_format": "-l",
    "log_verbosity": "-v",
}
# The help of a verb in a list of verbs is not cut off.
_WHOLE = 1000


class Pages(click.HelpFormatter):
    """Writes help pages without breaking paths, flags and commands at their hyphens."""

    def write_text(self, text: str) -> None:
        """Write paragraphs; the lines of one that begins with a backspace stay as they are."""
        indent = " " * self.current_indent
        parts: list[str] = []
        for paragraph in text.split("\n\n"):
            mark, _, rest = paragraph.partition("\n")
            if mark.strip() == "\b":
                parts.append(textwrap.indent(rest, indent))
            else:
                parts.append(_filled(paragraph, self.width, indent))
        self.write("\n\n".join(parts) + "\n")

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names and what they mean in two columns, as click does."""
        indent = " " * self.current_indent
        listed = list(rows)
        column = min(max(len(name) for name, _ in listed), col_max) + col_spacing
        for name, text in listed:
            head = f"{indent}{name:<{column}}"
            if len(name) > column - col_spacing:
                self.write(f"{indent}{name}\n")
                head = indent + " " * column
            rest = indent + " " * column
            self.write(_filled(text, max(self.width, column + 12), rest).replace(rest, head, 1))
            self.write("\n")


def _filled(text: str, width: int, indent: str) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


class PageContext(click.Context):
    """click's context, which makes our pages."""

    formatter_class = Pages


class Verb(click.Command):
    """A verb whose help looks like that of the client's verbs (`client.usage`)."""

    context_class = PageContext

    def __init__(self, *arguments: Any, **values: Any) -> None:
        values["context_settings"] = {
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        }
        super().__init__(*arguments, **{"options_metavar": "[flags]", **values})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the flags, and below them those that are settings."""
        flags: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                (settings if isinstance(parameter, Setting) else flags).append(record)
        with formatter.section("Flags"):
            formatter.write_dl(flags)
        if settings:
            from authenticator.settings import variable  # noqa: PLC0415 (see `_options`)

            with formatter.section("Settings"):
                formatter.write_dl(settings)
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(
                    f"Each setting is also a key of the config file, and a variable such as"
                    f" {variable('cluster_id')} for --cluster-id. A flag comes before the"
                    " variable, and both before the file."
                )


class Verbs(Verb, click.Group):
    """A verb that has verbs."""

    command_class = Verb
    group_class = type

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **{"subcommand_metavar": "VERB", **values})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs, then the flags."""
        verbs = [
            (name, command.get_short_help_str(_WHOLE))
            for name, command in self.commands.items()
            if not command.hidden
        ]
        with formatter.section("Verbs"):
            formatter.write_dl(verbs)
        super().format_options(ctx, formatter)


class Setting(click.Option):
    """The flag of a setting."""


def command(
    name: str,
    text: str,
    settings: frozenset[str],
    otherwise: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Callable[..., int]], Callable[[list[str]], int]]:
    """Make a verb with settings: a function of its arguments that returns its exit code.

    The decorated function is called with `loaded`, what the flags, the environment and the config
    file say, and with the values of its own options, which click's decorators give it.

    Args:
        name: the verb.
        text: its help.
        settings: the fields of `Settings` whose flags it has, besides those that every verb has.
        otherwise: by field, the default of a required setting.
    """
    from authenticator.config import load  # noqa: PLC0415 (see `_options`)

    options = _options(settings)

    def decorate(run: Callable[..., int]) -> Callable[[list[str]], int]:
        @wraps(run)
        def callback(config: str | None, **values: Any) -> int:
            # Not all that are called like a setting: --kubeconfig can be a verb's own.
            flags = {option.name: values.pop(option.name) for option in options if option.name}
            loaded = load(flags, os.environ, Path(config) if config else None, otherwise)
            for warning in loaded.warnings:
                click.echo(printable_lines(f"{COMMAND}: warning: {warning}"), err=True)
            return run(loaded, **values)

        config = click.option("-c", "--config", metavar="FILE", help="The config file (YAML).")
        made = click.command(name, cls=Verb, help=text, params=list(options))(config(callback))
        return lambda arguments: run_verb(made, name, arguments)

    return decorate


def _options(settings: frozenset[str]) -> list[Setting]:
    # pydantic, which the table of settings needs, takes longer to import than most verbs take.
    from authenticator.settings import places  # noqa: PLC0415

    options: list[Setting] = []
    for name, field, place in places():
        if place.flag is None or not (place.top or name in settings):
            continue
        spellings = [_SHORT[name]] if name in _SHORT else []
        is_switch = field.annotation is bool
        default = "" if field.is_required() else f" Default: {_shown(field.default)}."
        options.append(
            Setting(
                [*spellings, place.flag, name],
                metavar="[BOOL]" if is_switch else "VALUE",
                help=f"{field.description}{default}",
                # click's own switches refuse `--flag=true`.
                is_flag=False,
                flag_value="true" if is_switch else None,
            )
        )
    return options


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default) or "none"
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
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        click.echo(f"{COMMAND}: {_complaint(error)}", err=True)
        return error.exit_code
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


def _complaint(error: click.UsageError) -> str:
    """Return one line on a command line that cannot be read, as the client's verbs write it."""
    near: Sequence[str] = ()
    if isinstance(error, click.NoSuchOption):
        text, near = f"unknown flag {error.option_name}", error.possibilities or ()
    elif isinstance(error, click.exceptions.NoSuchCommand):
        text, near = f"unknown verb {error.command_name!r}", error.possibilities or ()
    else:
        text = error.format_message().rstrip(".")
    text = printable(" ".join(text.split()))
    help_of = f"{error.ctx.command_path if error.ctx else COMMAND} --help"
    if near:
        return f"{text}; did you mean {near[0]}? See {help_of}"
    return f"{text}; see {help_of}"
