"""Cold start of `token`: what every kubectl command waits for.

Contenders take turns, so that each pair of runs sees the same machine.
"""

from __future__ import annotations

import json
import marshal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from dev.aws_double import Principal
from dev.bench import spawner
from dev.bench.figures import ratio_of_pairs, table

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = "reference"
PRESIGNED = "presigned"

# The AWS CLI is slow and far off: few runs tell enough.
_FEW = 10

_ACCESS_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
CALLER = Principal("arn:aws:iam::111122223333:user/bench", "AIDAEXAMPLEEXAMPLE000", *_ACCESS_KEY)
ROLE = "arn:aws:iam::111122223333:role/bench"

# As kubectl writes it.
_EXEC_INFO = (
    '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1",'
    '"spec":{"interactive":false}}'
)


@dataclass(frozen=True, slots=True)
class Command:
    """A way to get a token; `few` runs it in the first rounds only.

    With `bare` it gets none, and shows what its interpreter takes. `role` are the arguments with
    which it gets the token of a role, whose session it keeps between runs; None if it does not.
    """

    name: str
    arguments: tuple[str, ...]
    few: bool = False
    bare: bool = False
    role: tuple[str, ...] | None = None

    def in_role(self) -> Command:
        """The same with the arguments for the role."""
        return replace(self, arguments=(*self.arguments, *(self.role or ())))

    def of_each_kind(self) -> list[Command]:
        """The same for a presigned token and for a JWT, which it keeps between runs."""
        return [
            replace(self, name=PRESIGNED),
            replace(self, name="JWT", arguments=(*self.arguments, "--jwt")),
        ]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took: seconds and MiB."""

    wall: float
    cpu: float
    memory: float


class StartupError(Exception):
    """A command failed while it was measured."""


def environments(home: Path) -> dict[str, dict[str, str]]:
    """Return the environment of each kind of ready credentials, by its name in the tables."""
    key, secret = _ACCESS_KEY
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text("[profile bench]\nregion = us-east-1\n")
    (folder / "credentials").write_text(
        f"[bench]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    common = {
        "HOME": str(home),
        # The single file starts the first python3 that it finds: the one that the others have.
        "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "AWS_EC2_METADATA_DISABLED": "true",
        "KUBERNETES_EXEC_INFO": _EXEC_INFO,
    }
    keys = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return {"environment": common | keys, "profile": common | {"AWS_PROFILE": "bench"}}


def fault(command: Command, environment: dict[str, str]) -> str | None:
    """Run the command once and tell what is wrong with its answer, or None."""
    try:
        done = subprocess.run(
            command.arguments, env=environment, capture_output=True, text=True, check=False
        )
        if command.bare and not done.returncode:
            return None
        token = json.loads(done.stdout)["status"]["token"] if not done.returncode else ""
    except OSError as error:
        # Without the path, which is this machine's.
        return error.strerror
    except (ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    # A JWT's header begins so.
    if token.startswith(("k8s-aws-v1.", "eyJ")):
        return None
    last = done.stderr.strip().splitlines()[-1:] or ["no token, and no reason given"]
    return last[0]


def measure(
    commands: Sequence[Command], environment: dict[str, str], rounds: int
) -> dict[str, list[Run]]:
    """Run the commands in turns. Raises StartupError when one of the runs fails."""
    order = [
        index
        for turn in range(rounds)
        for index, command in enumerate(commands)
        if not command.few or turn < _FEW
    ]
    plan = ([(list(command.arguments), environment) for command in commands], order)
    # The interpreter itself, not the link in an environment, so that nothing else is loaded.
    interpreter = [str(Path(sys.executable).resolve()), "-I", "-S", str(spawner.__file__)]
    done = subprocess.run(interpreter, input=marshal.dumps(plan), capture_output=True, check=True)
    runs: dict[str, list[Run]] = {command.name: [] for command in commands}
    for line in done.stdout.splitlines():
        index, wall, user, system, peak, status = map(int, line.split())
        if status:
            raise StartupError(f"{commands[index].name} ended with exit code {status}")
        run = Run(wall=wall / 1e9, cpu=(user + system) / 1e6, memory=peak / 1024)
        runs[commands[index].name].append(run)
    return runs


def results(runs: dict[str, list[Run]], against: str = REFERENCE) -> str:
    """Write the table of one kind of credentials; `against` is what the others are compared to."""
    base = runs.get(against, [])
    rows = [_row(name, measured, base) for name, measured in runs.items() if measured]
    head = ("command", "wall, ms", "CPU, ms", "peak memory, MiB", "runs")
    compared = (f"wall / {against}", f"CPU / {against}", f"memory / {against}")
    return table((*head, *compared), rows)


def _row(name: str, runs: list[Run], base: list[Run]) -> tuple[str, ...]:
    figures = (
        f"{1000 * median(run.wall for run in runs):.1f}",
        f"{1000 * median(run.cpu for run in runs):.1f}",
        f"{median(run.memory for run in runs):.1f}",
        str(len(runs)),
    )
    if runs is base:
        return (name, *figures, "1", "1", "1")
    ratios = (
        ratio_of_pairs([run.wall for run in runs], [run.wall for run in base]),
        ratio_of_pairs([run.cpu for run in runs], [run.cpu for run in base]),
        ratio_of_pairs([run.memory for run in runs], [run.memory for run in base]),
    )
    return (name, *figures, *(f"{ratio.middle:.2f}" if ratio else "" for ratio in ratios))
