"""The command as pip and uv install it: our own script, which nothing shadows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev import installs
from dev.installs import COMMAND, INSTALLERS, ROOT, Installer

pytestmark = pytest.mark.installs

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "us-east-1",
}
PLANTED = "raise SystemExit('planted')\n"
TOKEN = ("token", "-i", "c", "--token-only")


@pytest.fixture(params=INSTALLERS, ids=lambda installer: installer.name)
def command(request: pytest.FixtureRequest) -> Path:
    installer: Installer = request.param
    return installs.install(installer=installer) / COMMAND


@pytest.fixture
def one() -> Path:
    """The command as the current pip leaves it, where the installer makes no difference."""
    return installs.install() / COMMAND


@pytest.fixture
def shadows(tmp_path: Path) -> Path:
    """A folder with modules named like ours and like those that the command imports."""
    folder = tmp_path / "shadows"
    for name in ("authenticator", "client"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(PLANTED)
        (folder / name / "__main__.py").write_text(PLANTED)
    for name in ("argparse", "binascii", "botocore", "json", "time"):
        (folder / f"{name}.py").write_text(PLANTED)
    return folder


def run(command: Path | list[str], *arguments: str, cwd: Path, **variables: str) -> str:
    """Return what a command prints that succeeds without a word on stderr."""
    start = command if isinstance(command, list) else [str(command)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), **KEYS, **variables}
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    done = subprocess.run(
        [*start, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check(command: Path | list[str], cwd: Path, **variables: str) -> None:
    """See that the verbs of both packages work, and a process for credentials."""
    assert run(command, *TOKEN, cwd=cwd, **variables).startswith("k8s-aws-v1.")
    assert "Version" in run(command, "version", "-o", "json", cwd=cwd, **variables)
    assert "complete -o default" in run(command, "completion", "bash", cwd=cwd, **variables)


def test_the_command_is_our_own_script(command: Path) -> None:
    """The wrapper of pip 24.3.1 and older imports `re`."""
    first, _, rest = command.read_text().partition("\n")
    assert first == f"#!{command.with_name('python')}"
    assert rest == (ROOT / "scripts" / COMMAND).read_text().partition("\n")[2]


def test_folders_of_pythonpath_shadow_nothing(command: Path, shadows: Path, tmp_path: Path) -> None:
    check(command, tmp_path, PYTHONPATH=str(shadows))


@pytest.mark.parametrize("entry", ["", ".", ":/nonexistent"])
def test_folders_of_the_working_directory_shadow_nothing(
    one: Path, shadows: Path, entry: str
) -> None:
    check(one, shadows, PYTHONPATH=entry)


def test_an_own_entry_of_pythonpath_after_a_shadow(
    one: Path, shadows: Path, tmp_path: Path
) -> None:
    (own,) = one.parents[1].glob("lib/python3*/site-packages")
    check(one, tmp_path, PYTHONPATH=f"{shadows}:{own}")


def test_credentials_that_need_botocore(command: Path, shadows: Path, tmp_path: Path) -> None:
    """A folder on PYTHONPATH is not taken for a package that the command needs."""
    process = tmp_path / "process"
    process.write_text(
        "#!/bin/sh\n"
        'echo \'{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret"}\'\n'
    )
    process.chmod(0o755)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(f"[profile p]\ncredential_process = {process}\n")
    printed = run(command, *TOKEN, "--profile", "p", cwd=tmp_path, PYTHONPATH=str(shadows))
    assert printed.startswith("k8s-aws-v1.")


def test_python_runs_the_package(one: Path, tmp_path: Path) -> None:
    check([str(one.with_name("python")), "-m", "authenticator"], tmp_path)


@pytest.mark.parametrize("flags", [[], ["-I"], ["-P"], ["-S"], ["-E", "-s"]], ids=" ".join)
def test_flags_of_the_interpreter(
    one: Path, shadows: Path, tmp_path: Path, flags: list[str]
) -> None:
    if flags == ["-P"] and sys.version_info < (3, 11):
        flags = ["-E"]
    start = [str(one.with_name("python")), *flags, str(one)]
    check(start, tmp_path, PYTHONPATH=str(shadows))


def test_a_working_directory_that_is_gone(one: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    start = ["/bin/sh", "-c", f'rmdir "{gone}" && exec "{one}" "$@"', "sh"]
    environment = {**KEYS, "PATH": os.environ["PATH"], "PYTHONPATH": "/nonexistent"}
    done = subprocess.run(
        [*start, *TOKEN], cwd=gone, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_link_to_it_from_another_folder(one: Path, shadows: Path, tmp_path: Path) -> None:
    """As pipx and `uv tool` make it."""
    link = shadows / COMMAND
    link.symlink_to(one)
    check(link, tmp_path, PYTHONPATH=str(shadows))
