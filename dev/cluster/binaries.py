"""Finds the programs of the control plane, or builds them as dev/cluster/go.mod pins them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dev import gotools

_MODULE = Path(__file__).parent


class MissingBinariesError(Exception):
    """A program of the control plane is missing; the message says which and how to get it."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one control plane."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


def find() -> Binaries:
    """Return the programs in KUBEBUILDER_ASSETS if that is set, else those built earlier.

    Raises MissingBinariesError, also when what was built is older than its go.mod.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _in_directory(Path(assets))
    stale = [program.name for program in _programs() if not gotools.is_current(program)]
    if stale:
        raise MissingBinariesError(
            f"{', '.join(stale)} not built, or built from an older go.mod: run `make test`, "
            "or `python -m dev.cluster build`, or set KUBEBUILDER_ASSETS"
        )
    return Binaries(*(program.binary for program in _programs()))


def kubeadm() -> Path:
    """Return kubeadm, which no control plane of ours needs, but the guide to installing on one.

    It is the one built earlier, since directories of KUBEBUILDER_ASSETS have none. Raises
    MissingBinariesError.
    """
    program = _kubeadm()
    if not gotools.is_current(program):
        raise MissingBinariesError(
            "kubeadm not built, or built from an older go.mod: run `make test`, "
            "or `python -m dev.cluster build`"
        )
    return program.binary


def build() -> Binaries:
    """Return the programs as `find` does, building first what is missing or out of date.

    Raises MissingBinariesError, gotools.GoBuildError.
    """
    if not os.environ.get("KUBEBUILDER_ASSETS"):
        for program in _programs():
            gotools.build(program)
    found = find()
    gotools.build(_kubeadm())
    return found


def _in_directory(assets: Path) -> Binaries:
    found = [assets / name for name in ("etcd", "kube-apiserver", "kubectl")]
    missing = [path.name for path in found if not os.access(path, os.X_OK)]
    if missing:
        raise MissingBinariesError(
            f"KUBEBUILDER_ASSETS is {assets}, which has no {', '.join(missing)} that can be run: "
            "correct it, or unset it to build them"
        )
    return Binaries(*found)


def _programs() -> tuple[gotools.Program, ...]:
    """Name the Go programs, in the order of the fields of Binaries."""
    etcd = gotools.Program("etcd", _MODULE, "go.etcd.io/etcd/server/v3")
    return (etcd, _of_kubernetes("kube-apiserver"), _of_kubernetes("kubectl"))


def _kubeadm() -> gotools.Program:
    return _of_kubernetes("kubeadm")


def _of_kubernetes(name: str) -> gotools.Program:
    version = gotools.module_version(_MODULE, "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    component = "k8s.io/component-base/version"
    variables = (
        (f"{component}.gitVersion", version),
        (f"{component}.gitMajor", major),
        (f"{component}.gitMinor", minor),
    )
    return gotools.Program(name, _MODULE, f"k8s.io/kubernetes/cmd/{name}", variables)
