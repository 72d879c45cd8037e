"""Measures a scenario and writes its section of the report."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dev import installs
from dev.aws_double import AwsDouble
from dev.aws_double.trust import Role
from dev.bench import corpus, mappings, nodes, programs, report, startup, tables, verbs
from dev.bench.double import sts_double
from dev.bench.jwts import supply
from dev.bench.machine import this_machine
from dev.bench.progress import progress
from dev.bench.scenarios import SCENARIOS
from dev.bench.server import Contender, Rig, measure_in_turns
from dev.cluster import ControlPlane, Options, binaries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dev.bench.jwts import Supply
    from dev.bench.scenarios import Scenario

STARTUP = "startup"
CORPUS = "corpus"
# What is measured of ours alone, in this very process.
PARTS = {"mappings": mappings, "nodes": nodes}

_TRUSTED = frozenset({startup.CALLER.arn})

_STARTUP_TITLE = "Cold start of `token`"
_STARTUP_ABOUT = (
    "What every kubectl command waits for. The commands take turns; each run is a fresh process "
    "(posix_spawn), and its times and peak memory are those that the kernel gives (wait4). Ours "
    "is the wheel in a clean environment, as several installers leave it, and as pip installs it "
    "at an earlier commit. "
    "The credentials are ready, or a run before has cached them, and nothing asks the network. "
    "`python -I -S` makes no token: it is what the interpreter alone takes."
)


def not_taken() -> dict[str, str]:
    """Return every section by name, in order, as it is before the first measurement."""
    heads = {STARTUP: (_STARTUP_TITLE, _STARTUP_ABOUT)}
    heads |= {each.name: (each.title, each.about) for each in SCENARIOS}
    heads[CORPUS] = (corpus.TITLE, corpus.ABOUT)
    heads |= {name: (part.TITLE, part.ABOUT) for name, part in PARTS.items()}
    return {
        name: report.not_taken(name=name, title=title, about=about)
        for name, (title, about) in heads.items()
    }


def startup_section(rounds: int, baseline: str, command: str) -> str:
    """Measure the cold start of `token`; `baseline` is the commit of our earlier build.

    `command` is what the reader types to measure again.

    Raises StartupError, InstallError and GoBuildError.
    """
    commands = programs.token_commands()
    parts = []
    try:
        commands.append(programs.earlier_command(baseline))
    except installs.InstallError as error:
        parts.append(f"Not measured: our earlier build: {error}")
    with TemporaryDirectory() as home:
        for kind, environment in startup.environments(Path(home)).items():
            progress(f"startup, credentials from the {kind}: {rounds} rounds")
            parts += [f"### Credentials from the {kind}"]
            parts += _startup_part(commands, environment, rounds)
        with AwsDouble([startup.CALLER], roles=[Role(startup.ROLE, _TRUSTED)]) as aws:
            progress(f"startup, a role's session from the cache: {rounds} rounds")
            environment = startup.environments(Path(home))["environment"] | aws.environment()
            in_role = [each.in_role() for each in commands if each.role is not None]
            parts += ["### A role's session from the command's own cache"]
            parts += _startup_part(in_role, environment, rounds)
            progress(f"startup, a JWT from the cache: {rounds} rounds")
            aws.federation.enable(startup.CALLER.account)
            ours = next(each for each in commands if each.name.startswith(tables.OURS))
            parts += [f"### A JWT from the command's own cache ({ours.name})"]
            parts += _startup_part(ours.of_each_kind(), environment, rounds, startup.PRESIGNED)
    return _section(_STARTUP_TITLE, _STARTUP_ABOUT, command, parts)


def _startup_part(
    commands: Sequence[startup.Command],
    environment: dict[str, str],
    rounds: int,
    against: str = startup.REFERENCE,
) -> list[str]:
    faults = {each.name: startup.fault(each, environment) for each in commands}
    fit = [each for each in commands if faults[each.name] is None]
    missing = [f"Not measured: {name}: {why}" for name, why in faults.items() if why]
    return [startup.results(startup.measure(fit, environment, rounds), against), *missing]


def server_section(
    scenario: Scenario, connections: Sequence[int], servers: Sequence[str], command: str
) -> str:
    """Measure a scenario on the servers named. Raises LoadError and GoBuildError."""
    contenders = {name: path for name, path in programs.servers().items() if name in servers}
    cases = {}
    missing = []
    double_program = programs.own_program("stsdouble")
    with ExitStack() as running:
        scratch = Path(running.enter_context(TemporaryDirectory()))
        double = running.enter_context(sts_double(double_program, scratch))
        kubeconfig = None
        if scenario.cluster:
            plane = ControlPlane(binaries.build(), scratch, Options())
            kubeconfig = running.enter_context(plane).admin_kubeconfig
        rig = Rig(programs.own_program("loadgen"), double, kubeconfig)
        tokens = _jwts(scenario, scratch)
        for case in scenario.cases(connections):
            measured = {name: Contender(path, case) for name, path in contenders.items()}
            if tokens and tables.OURS in contenders:
                measured[tables.OURS_WITH_JWTS] = Contender(
                    contenders[tables.OURS], case.with_jwts(), tokens
                )
            outcome = measure_in_turns(measured, scenario, rig)
            cases[case.label] = outcome.samples
            missing += [
                f"Not measured ({case.label}): {name}: {why}"
                for name, why in outcome.faults.items()
            ]
    parts = [tables.results(scenario, cases), *missing]
    return _section(scenario.title, scenario.about, command, parts)


def _jwts(scenario: Scenario, directory: Path) -> Supply | None:
    """Sign what the scenario needs of JWTs: a window's, which each fresh server sees anew."""
    if not scenario.jwts:
        return None
    count = round(scenario.jwts * (scenario.warmup + scenario.seconds))
    progress(f"{scenario.name}: signing {count:,} JWTs")
    return supply(directory, count)


def corpus_section(command: str) -> str:
    """Fire the attack corpus at both servers. Raises GoBuildError."""
    return _section(corpus.TITLE, corpus.ABOUT, command, [corpus.results(programs.servers())])


def part_section(name: str, baseline: str, command: str) -> str:
    """Measure one of `PARTS`; `baseline` is the commit of our earlier build.

    Raises GoBuildError, StartupError and InstallError.
    """
    part = PARTS[name]
    parts = [part.results()]
    if part is mappings:
        parts.append(verbs.results(baseline))
    return _section(part.TITLE, part.ABOUT, command, parts)


def _section(title: str, about: str, command: str, parts: Sequence[str]) -> str:
    now = datetime.now(timezone.utc)
    machine = this_machine(programs.own_program("loadgen"))
    taken = (
        f"Taken {now:%Y-%m-%d %H:%M} UTC at commit {installs.commit_of('HEAD')} with "
        f"`{command}` on {machine}."
    )
    return report.section(title=title, about=about, taken=taken, body="\n\n".join(parts))
