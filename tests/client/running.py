"""How tests run the plugin and what a run leaves behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import client

PREFIX = "aws-iam-authenticator: "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of the plugin left behind."""

    code: int
    out: str
    err: str

    def refusal(self, code: int = 1) -> str:
        """Return the one line of a run that failed as every failing run has to.

        Args:
            code: 2 if its command line cannot be read.
        """
        assert (self.code, self.out, self.err.count("\n")) == (code, "", 1)
        assert self.err.startswith(PREFIX)
        assert self.err.endswith("\n")
        return self.err.removeprefix(PREFIX).removesuffix("\n")


Run = Callable[..., Outcome]


def python(*arguments: str, stdout: int = subprocess.PIPE) -> Outcome:
    """Run a new interpreter that finds the client under test."""
    environ = {**os.environ, "PYTHONPATH": str(Path(client.__file__).parents[1])}
    finished = subprocess.run(
        [sys.executable, *arguments],
        env=environ,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return Outcome(finished.returncode, finished.stdout, finished.stderr)
