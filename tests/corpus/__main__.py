"""`python -m tests.corpus URL --ca FILE`: fire the corpus at a TokenReview webhook.

The webhook must let the signer's AWS identity in, and the STS that it asks must know the keys: the
defaults are those that `dev/aws_double` can be given (`tests/corpus/forge.py`). Ends with 1 if
anything was wrongly granted or wrongly refused.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.corpus import forge
from tests.corpus.runner import Target, fire

if TYPE_CHECKING:
    from tests.corpus.runner import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Fire, show what came of it, and return the exit code."""
    options = _parser().parse_args(arguments)
    results = list(fire(_target(options)))
    wrong = [result for result in results if result.wrong]
    if options.output == "json":
        shown = json.dumps({"cases": len(results), "results": [asdict(each) for each in results]})
    else:
        lines = _lines(results if options.all else wrong)
        shown = "\n".join([*lines, f"{len(results)} cases, {len(wrong)} answered wrongly"])
    sys.stdout.write(f"{shown}\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    default = forge.Signer()
    made = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    made.add_argument("url", help="where TokenReviews are posted")
    made.add_argument("--ca", required=True, help="PEM file of the webhook's certificate authority")
    made.add_argument("--cluster-id", default=default.cluster_id, help="%(default)s")
    made.add_argument("--region", default=default.region, help="of the signatures; %(default)s")
    made.add_argument("--access-key", help="whose tokens are let in; the corpus's own")
    made.add_argument("--secret-key", default="")
    made.add_argument("--session-token", default="")
    made.add_argument("--api-version", choices=["v1", "v1beta1"], default="v1")
    made.add_argument("--output", choices=["table", "json"], default="table")
    made.add_argument("--all", action="store_true", help="show what was answered rightly, too")
    return made


def _target(options: argparse.Namespace) -> Target:
    place = {"cluster_id": options.cluster_id, "region": options.region}
    signer, long = forge.Signer(**place), forge.long_session(**place)
    own = options.access_key is not None
    if own:
        keys = (options.access_key, options.secret_key, options.session_token)
        signer = forge.Signer(*keys, **place)
    context = ssl.create_default_context(cafile=options.ca)
    return Target(options.url, context, options.api_version, signer, None if own else long)


def _lines(results: Sequence[Result]) -> list[str]:
    rows = [(each.name, each.wrong or "right", str(each.status), each.why) for each in results]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
