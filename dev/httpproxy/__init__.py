"""Which proxy Go programs use, by Go's own package; an oracle for our two readers of NO_PROXY."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import gotools


def ask(questions: Sequence[tuple[Mapping[str, str], str]]) -> list[str]:
    """Return the proxy that Go uses for each question, "" for none.

    Args:
        questions: pairs of an environment and a URL.

    Raises:
        gotools.GoBuildError: the program cannot be built.
        subprocess.CalledProcessError: Go cannot read a question.
    """
    program = gotools.build(gotools.Program("httpproxy", Path(__file__).parent, "./."))
    lines = [
        json.dumps({"environment": dict(environment), "url": url}) for environment, url in questions
    ]
    done = subprocess.run(
        [program], input="\n".join(lines), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.splitlines()
