"""`python -m dev.cluster build` makes the control plane's programs, `up` runs them until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import binaries
from dev.cluster.apiserver import Options, Webhook
from dev.cluster.controlplane import ControlPlane
from dev.cluster.process import ProcessError
from dev.gotools import GoBuildError

if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args()
    try:
        programs = binaries.build()
        if arguments.verb == "up":
            _up(programs, arguments.webhook, arguments.nodes)
    except (binaries.MissingBinariesError, GoBuildError, ProcessError) as error:
        print(f"dev.cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", help="build etcd, kube-apiserver, kubectl and kubeadm into .cache")
    up = verbs.add_parser("up", help="run etcd and kube-apiserver until Ctrl-C")
    up.add_argument("--webhook", type=Path, metavar="KUBECONFIG", help="ask this token webhook")
    up.add_argument("--nodes", action="store_true", help="authorize nodes as a real cluster does")
    return parser


def _up(programs: binaries.Binaries, webhook: Path | None, nodes: bool) -> None:
    # SIGTERM, too, must not leave them running.
    signal.signal(signal.SIGTERM, _interrupt)
    options = Options(webhook=Webhook(webhook.resolve()) if webhook else None, nodes=nodes)
    with (
        tempfile.TemporaryDirectory(prefix="cluster-") as directory,
        ControlPlane(programs, Path(directory), options) as plane,
    ):
        print(f"export KUBECONFIG={plane.admin_kubeconfig}", flush=True)
        print(f"# {programs.kubectl} get namespaces\n# Ctrl-C ends it.", flush=True)
        plane.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
