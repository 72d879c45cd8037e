"""The verb `version`, with the reference's flags. Standard library only: the client has it too."""

from __future__ import annotations

import argparse
import json
import platform

from authenticator import __version__


def version(arguments: list[str]) -> int:
    """Run the verb and return its exit code."""
    parser = argparse.ArgumentParser(
        "aws-iam-authenticator version", description="Show the version."
    )
    parser.add_argument("-o", "--output", choices=["yaml", "json"], help="write it for machines")
    parser.add_argument("-s", "--short", action="store_true", help="the number alone")
    options = parser.parse_args(arguments)
    facts = {
        "Version": __version__,
        "Python": platform.python_version(),
        "Platform": platform.platform(),
    }
    if options.short:
        shown = __version__
    elif options.output == "json":
        shown = json.dumps(facts)
    elif options.output == "yaml":
        shown = "\n".join(f"{key}: {json.dumps(value)}" for key, value in facts.items())
    else:
        shown = f"kube-iam-authenticator {__version__} (Python {platform.python_version()})"
    print(shown)  # noqa: T201 (what was asked for)
    return 0
