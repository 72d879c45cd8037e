"""The plugin as one file that is downloaded and run."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import setup
from dev import zipapp
from tests.client.running import PREFIX, Outcome, python
from tests.client.test_imports import ALLOWED


@pytest.fixture(scope="module")
def single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dist") / "aws-iam-authenticator.pyz"
    zipapp.build(file)
    return file


@pytest.fixture(params=["executed", "given to Python", "given to an isolated Python"])
def command(request: pytest.FixtureRequest, single_file: Path, tmp_path: Path) -> list[str]:
    """Each way to start it; `env` finds the interpreter under test."""
    if request.param == "executed":
        return [str(single_file)]
    flags = ["-I", "-S"] if "isolated" in request.param else []
    return [sys.executable, *flags, str(single_file)]


def run(command: list[str], *arguments: str, directory: Path | None = None) -> Outcome:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "PATH": path},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(finished.returncode, finished.stdout, finished.stderr)


@pytest.mark.usefixtures("keys")
def test_prints_a_token(command: list[str]) -> None:
    outcome = run(command, "token", "-i", "c", "--token-only")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("k8s-aws-v1.")


@pytest.mark.usefixtures("keys")
def test_refuses_like_the_command(command: list[str]) -> None:
    outcome = run(command, "token")

    assert outcome.refusal().startswith("no cluster id")


def test_finds_botocore_when_it_needs_it(command: list[str], home: Path) -> None:
    """Nothing but botocore can tell that there is nothing."""
    (home / ".aws" / "config").write_text("[default]\ncredential_process = /absent/process\n")

    assert "/absent/process" in run(command, "token", "-i", "c").refusal()


def test_has_the_verbs_for_people(command: list[str]) -> None:
    assert "complete -o default" in run(command, "completion", "bash").out


@pytest.mark.usefixtures("keys")
def test_imports_nothing_from_the_working_directory(single_file: Path, tmp_path: Path) -> None:
    for name in ("client", "os", "time", "binascii", "site"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')\n")

    outcome = run([str(single_file)], "token", "-i", "c", directory=tmp_path)

    assert (outcome.code, outcome.err) == (0, "")


def test_says_which_package_is_missing(single_file: Path, home: Path) -> None:
    """An interpreter of an environment without botocore."""
    environment = home / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"

    outcome = run([str(python), "-I", "-S", str(single_file)], "token", "-i", "c")

    assert outcome.code == 1
    assert outcome.err.startswith(f"{PREFIX}these credentials need botocore")
    assert f"`{python} -m pip install botocore`" in outcome.err


def test_finds_botocore_where_pip_without_root_installs_it(single_file: Path, home: Path) -> None:
    environment = home / "environment"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", environment],
        check=True,
    )
    python = str(environment / "bin" / "python")
    place = run([python], "-c", "import site; print(site.getusersitepackages())").out.strip()
    package = Path(place, "botocore")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('it is the one of the user')")

    outcome = run([python, "-I", "-S", str(single_file)], "token", "-i", "c")

    assert "it is the one of the user" in outcome.refusal()


def test_other_versions_of_python_run_the_sources(single_file: Path, tmp_path: Path) -> None:
    """As those do that cannot read this version's compiled files."""
    sources = tmp_path / "sources.pyz"
    with zipfile.ZipFile(single_file) as archive, zipfile.ZipFile(sources, "w") as target:
        for name in archive.namelist():
            if not name.endswith(".pyc"):
                target.writestr(name, archive.read(name))

    outcome = run([sys.executable, "-I", "-S", str(sources)], "token", "-i", "c")

    assert outcome.refusal().startswith("no AWS credentials found")


def test_what_is_in_one_piece_is_what_a_token_loads() -> None:
    """The package itself is made by the start of the file."""
    hot = {f"client.{name}" for name in setup.hot_names()}
    assert {"client", *hot} == {name for name in ALLOWED if name.partition(".")[0] == "client"}


def test_the_same_sources_make_the_same_file(single_file: Path, tmp_path: Path) -> None:
    zipapp.build(tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == single_file.read_bytes()


def test_the_first_line_fits_old_kernels(single_file: Path) -> None:
    assert single_file.read_bytes().index(b"\n") < 127


def test_the_help_lists_its_own_verbs() -> None:
    outcome = python("-m", "client", "--help")

    assert (outcome.code, outcome.err) == (0, "")
    for verb in ("token", "kubeconfig", "whoami", "doctor", "completion", "version"):
        assert f"\n  {verb} " in outcome.out
