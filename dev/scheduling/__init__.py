"""Whether a pod may run on a node, by the scheduler's own code; an oracle for our manifests."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import gotools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scheduler's verdict on a pod and a node.

    Attributes:
        selected: whether the pod's node selector and required affinity match the node.
        untolerated: the first taint that keeps the pod away; "" if it tolerates all.
    """

    selected: bool
    untolerated: str

    @property
    def runs(self) -> bool:
        """Whether the pod runs there."""
        return self.selected and not self.untolerated


def judge(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[Verdict]:
    """Return the verdict on each pair of a Pod and a Node.

    Raises:
        gotools.GoBuildError: the program cannot be built.
        subprocess.CalledProcessError: it cannot read a Pod or a Node.
    """
    program = gotools.build(gotools.Program("scheduling", Path(__file__).parent, "./."))
    lines = [json.dumps({"pod": dict(pod), "node": dict(node)}) for pod, node in pairs]
    done = subprocess.run(
        [program], input="\n".join(lines), stdout=subprocess.PIPE, text=True, check=True
    )
    return [Verdict(**json.loads(line)) for line in done.stdout.splitlines()]
