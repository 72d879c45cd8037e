"""Looks for known vulnerabilities in what the server needs: `python -m dev.audit [--required]`.

Asks OSV, which has the Python Packaging Advisory Database, GitHub's and others', about every locked
version in one request. Without an answer nothing is known: that is said on stderr, and is an error
where `--required` (docs/adr/0012-image.md). Where nothing may be asked outside, the variable
DEPENDENCY_AUDIT=off keeps it from trying.

Exit codes: 0 nothing known, or not asked; 1 vulnerable; 2 no answer, with `--required`.
Source: https://google.github.io/osv.dev/post-v1-querybatch/
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from dev.locked import locked

SERVICE = "https://api.osv.dev/v1/querybatch"

_SWITCH = "DEPENDENCY_AUDIT"
_TIMEOUT_SECONDS = 10

Ask = Callable[[bytes], bytes]


class NoAnswerError(Exception):
    """The service could not be asked, or gave no answer that can be read."""


def ask(question: bytes) -> bytes:
    """Post to the service. Raises NoAnswerError."""
    if os.environ.get(_SWITCH) == "off":
        raise NoAnswerError(f"{_SWITCH}=off")
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(SERVICE, question, headers)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            answer: bytes = response.read()
            return answer
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"{SERVICE}: {error}") from error


def vulnerabilities(versions: Mapping[str, str], ask: Ask) -> dict[str, list[str]]:
    """The ids of what is known, by "name version".

    Raises:
        NoAnswerError: it is not known what is known.
    """
    packages = [{"name": name, "ecosystem": "PyPI"} for name in versions]
    queries = [
        {"package": package, "version": version}
        for package, version in zip(packages, versions.values(), strict=True)
    ]
    answer = ask(json.dumps({"queries": queries}).encode())
    try:
        results = json.loads(answer)["results"]
        # One result for each query, in their order; a further page has what the first has begun.
        found = {
            f"{name} {version}": _ids(result)
            for (name, version), result in zip(versions.items(), results, strict=True)
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoAnswerError(f"{SERVICE}: not an answer of OSV's ({error!r})") from error
    return {package: ids for package, ids in found.items() if ids}


def _ids(result: dict[str, Any]) -> list[str]:
    return [vulnerability["id"] for vulnerability in result.get("vulns", [])]


def main(arguments: list[str] | None = None, ask: Ask = ask) -> int:
    """Audit the lock and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.audit", description="Audit the lock.")
    parser.add_argument("--required", action="store_true", help="no answer is an error, too")
    required: bool = parser.parse_args(arguments).required
    versions = locked()
    try:
        found = vulnerabilities(versions, ask)
    except NoAnswerError as error:
        print(f"dev.audit: NOT AUDITED, no vulnerability was looked for: {error}", file=sys.stderr)
        return 2 if required else 0
    for package, ids in found.items():
        print(f"{package}: {' '.join(ids)} (https://osv.dev/{ids[0]})", file=sys.stderr)
    if found:
        return 1
    print(f"No vulnerability is known in {len(versions)} locked dependencies.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
