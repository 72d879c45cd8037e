"""`python -m dev.fuzz [TARGET ...] --seconds 60`: fuzz with coverage as the guide (atheris).

`python -m dev.fuzz --examples 1000000` puts generated tokens through the parser instead.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from authenticator.errors import TokenRefused
from authenticator.tokens import presigned
from dev.fuzz import engine, generate, targets

_MAX_BYTES = 20_000


def main() -> int:
    """Run what was asked for, and return the exit code."""
    made = argparse.ArgumentParser(prog="python -m dev.fuzz", description=__doc__)
    made.add_argument("target", nargs="*", help=f"of {', '.join(targets.TARGETS)}; all of them")
    made.add_argument("--seconds", type=int, default=60, help="for each target; %(default)s")
    made.add_argument("--examples", type=int, help="tokens to generate instead of fuzzing")
    arguments = made.parse_args()
    if arguments.examples:
        print(generated(arguments.examples))
        return 0
    return max(fuzz(name, arguments.seconds) for name in arguments.target or targets.TARGETS)


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own, which ends at the first finding."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number, seed in enumerate(generate.seeds(name)):
            (folder / f"seed-{number}").write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-max_len={_MAX_BYTES}", "-timeout=5"]
        command = [sys.executable, "-m", engine.__name__, name, *limits, str(folder)]
        print(f"fuzzing {name} for {seconds} s", flush=True)
        return subprocess.run(command, check=False).returncode


def generated(examples: int) -> str:
    """Put generated tokens through the parser and the whole review, and count what came of it."""
    outcomes: Counter[str] = Counter()
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]

    @settings(
        max_examples=max(1, examples // generate.AT_ONCE),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=checks,
    )
    @given(generate.tokens)
    def put_through(texts: list[str]) -> None:
        for text in texts:
            outcomes[_outcome(text)] += 1

    started = time.monotonic()
    put_through()
    lines = [f"{count:>9,}  {outcome}" for outcome, count in outcomes.most_common()]
    seconds = time.monotonic() - started
    return "\n".join([*lines, f"{outcomes.total():>9,}  tokens in {seconds:,.0f} s, none granted"])


def _outcome(text: str) -> str:
    """What the parser says of a token; the whole review must refuse it in any case."""
    targets.review(targets.WRAPPED + text.encode("utf-8", "replace"))
    try:
        presigned.check(text, now=targets.NOW, hosts=targets.HOSTS)
    except TokenRefused as error:
        return error.check
    return "passed the parser; refused by STS"


if __name__ == "__main__":
    sys.exit(main())
