"""The verb ``version``, as the reference has it: eksctl runs it and reads ``Version``."""

from __future__ import annotations

import argparse
import json
import platform

from . import command
from .errors import ClientError
from .verbs import Parser

# The flags of all verbs of the reference, which `version` does not use.
_GLOBAL_FLAGS = ("cluster-id", "config", "feature-gates", "log-format", "log-verbosity")
# What a build without a version says, as in the reference.
UNVERSIONED = "unversioned"


def main(arguments: list[str], number: str = UNVERSIONED) -> int:
    """Run the verb and return the exit code.

    Args:
        arguments: the command line without the verb.
        number: the version, such as 0.8.0.
    """
    return command.answer(_run, arguments, number)


def _run(arguments: list[str], number: str) -> str:
    parser = _parser()
    flags, rest = parser.parse_known_args(arguments)
    # The reference ignores words that are not flags, and refuses flags that it does not know.
    if unknown := [word for word in rest if word.startswith("-")]:
        parser.error(f"unknown flag: {unknown[0]}")
    version = number if number == UNVERSIONED else f"v{number}"
    if flags.short:
        return version
    python, system = platform.python_version(), platform.platform()
    if flags.output == "yaml":
        lines = [f"version: {version}", 'commit: ""', 'date: ""']
        return "\n".join([*lines, f"python: {json.dumps(python)}", f"platform: {system}"])
    facts = {"Version": version, "Python": python, "Platform": system}
    return json.dumps(facts, separators=(",", ":"))


def _parser() -> Parser:
    made = Parser(prog=f"{command.COMMAND} version", description="Show the version.")
    for name, short, value, _ in command.FLAGS:
        if name in _GLOBAL_FLAGS:
            spellings = [f"--{name}", *([f"-{short}"] if short else [])]
            made.add_argument(*spellings, metavar=value, help=argparse.SUPPRESS)
    # pflag also takes -o=json and --short=false.
    made.add_argument(
        *("-o", "--output"), type=_output, default="json", metavar="json|yaml", help="output format"
    )
    made.add_argument(
        *("-s", "--short"),
        nargs="?",
        type=lambda text: command.boolean("--short", text.removeprefix("=")),
        const="true",
        metavar="true|false",
        help="print the version number only",
    )
    return made


def _output(text: str) -> str:
    if (name := text.removeprefix("=")) not in ("json", "yaml"):
        raise ClientError(f"unknown output format {name!r}; use json or yaml")
    return name
