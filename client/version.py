"""The verb ``version``, as the reference has it: eksctl runs it and reads ``Version``."""

from __future__ import annotations

import json
import platform
from typing import Any

from . import flags

# What a build without a version says, as in the reference.
UNVERSIONED = "unversioned"


def main(arguments: list[str], number: str = UNVERSIONED) -> int:
    """Run the verb and return the exit code.

    Args:
        arguments: the command line without the verb.
        number: the version, such as 0.8.0.
    """
    return flags.run("version", arguments, _run, number)


def _run(given: Any, number: str) -> str:
    version = number if number == UNVERSIONED else f"v{number}"
    if given.short:
        return version
    python, system = platform.python_version(), platform.platform()
    if given.output == "yaml":
        lines = [f"version: {version}", 'commit: ""', 'date: ""']
        return "\n".join([*lines, f"python: {json.dumps(python)}", f"platform: {system}"])
    facts = {"Version": version, "Python": python, "Platform": system}
    return json.dumps(facts, separators=(",", ":"))
