"""`python -m dev.bench [SCENARIO ...]`: measure, and write the figures to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from dev import installs
from dev.bench import report, sections
from dev.bench.scenarios import SCENARIOS, Scenario
from dev.bench.sections import CORPUS, PARTS, STARTUP
from dev.bench.server import LoadError
from dev.bench.startup import StartupError
from dev.gotools import GoBuildError

_SERVERS = ["reference", "ours"]
_ROUNDS = 50


def main() -> int:
    """Run the scenarios named, or the routine ones."""
    arguments = parser().parse_args()
    waiting = sections.not_taken()
    if arguments.list:
        print("\n".join(waiting))
        return 0
    try:
        for name in arguments.scenario or routine():
            text = _measured(name, arguments)
            report.save(arguments.output, waiting, {name: text})
    except (GoBuildError, installs.InstallError, StartupError, LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def routine() -> list[str]:
    """Name what `make bench` measures."""
    return [STARTUP, *(scenario.name for scenario in SCENARIOS if scenario.routine), CORPUS, *PARTS]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    made.add_argument("scenario", nargs="*", type=_known, metavar="SCENARIO", help="see --list")
    made.add_argument("--list", action="store_true", help="name the scenarios and stop")
    made.add_argument("--runs", type=int, help="windows for each server, or rounds of startup")
    made.add_argument("--duration", type=float, help="seconds of a window")
    made.add_argument("--connections", type=int, nargs="+", default=[], help="instead of 8 64")
    made.add_argument("--servers", nargs="+", default=_SERVERS, choices=_SERVERS)
    made.add_argument("--baseline", default="HEAD~", help="commit of our earlier build")
    made.add_argument("--output", type=Path, default=installs.ROOT / "docs" / "benchmarks.md")
    return made


def _known(name: str) -> str:
    # Not `choices`: argparse would check the absence of names against them too.
    if name not in sections.not_taken():
        raise argparse.ArgumentTypeError(f"no scenario is called {name!r}; see --list")
    return name


def _measured(name: str, arguments: argparse.Namespace) -> str:
    if name == STARTUP:
        rounds = arguments.runs or _ROUNDS
        return sections.startup_section(rounds, arguments.baseline, _again(name, arguments))
    if name == CORPUS:
        return sections.corpus_section(_again(name, arguments))
    if name in PARTS:
        return sections.part_section(name, arguments.baseline, _again(name, arguments))
    scenario = next(each for each in SCENARIOS if each.name == name)
    sized = _sized(scenario, arguments)
    return sections.server_section(
        sized, arguments.connections, arguments.servers, _again(name, arguments)
    )


def _again(name: str, arguments: argparse.Namespace) -> str:
    """Return the command that measures this scenario in the same way."""
    sizes = [f" --runs {arguments.runs}"] if arguments.runs else []
    sizes += [f" --duration {arguments.duration:g}"] if arguments.duration else []
    if arguments.connections:
        sizes.append(f" --connections {' '.join(map(str, arguments.connections))}")
    if arguments.servers is not _SERVERS:
        sizes.append(f" --servers {' '.join(arguments.servers)}")
    return f"python -m dev.bench {name}{''.join(sizes)}"


def _sized(scenario: Scenario, arguments: argparse.Namespace) -> Scenario:
    seconds = arguments.duration or scenario.seconds
    return replace(
        scenario,
        runs=arguments.runs or scenario.runs,
        seconds=seconds,
        outage=scenario.outage * seconds / scenario.seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
