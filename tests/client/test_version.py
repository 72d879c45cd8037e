"""The verb `version`: what eksctl and people read of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

import authenticator
from dev import zipapp
from dev.bench.reference import reference_binary
from dev.server import COMMAND


def run(*arguments: str, program: Path = COMMAND) -> str:
    done = subprocess.run(
        [program, "version", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_eksctl_takes_it_for_current() -> None:
    """eksctl runs `version`, reads `Version` of a JSON object, and compares it with 0.5.3.

    Source: eksctl, pkg/utils/kubeconfig/kubeconfig.go (AWSIAMAuthenticatorMinimumBetaVersion), and
    its semver parser, which takes three numbers and a `v` before them.
    """
    version = json.loads(run())["Version"]
    assert version == f"v{authenticator.__version__}"
    numbers = version.removeprefix("v").split(".")
    assert len(numbers) == 3
    assert all(number.isdecimal() for number in numbers)
    assert Version(version) >= Version("0.5.3")


@pytest.mark.parametrize("short", ["-s", "--short", "-s=true", "--short=1"])
def test_the_number_alone(short: str) -> None:
    assert run(short) == f"v{authenticator.__version__}\n"


@pytest.mark.parametrize("flags", [(), ("-o", "json"), ("-ojson",), ("-o=json",), ("-i", "c")])
def test_json_is_the_default(flags: tuple[str, ...]) -> None:
    assert json.loads(run(*flags))["Version"] == f"v{authenticator.__version__}"
    assert run(*flags).startswith('{"Version":"v')


def test_yaml() -> None:
    lines = run("-o", "yaml").splitlines()
    assert lines[:3] == [f"version: v{authenticator.__version__}", 'commit: ""', 'date: ""']


def test_global_flags_and_further_words_are_ignored_as_by_the_reference() -> None:
    flags = ("-c", "file", "-l", "json", "-v", "debug", "--feature-gates", "AllBeta=true")
    assert run(*flags, "-s", "-i", "c") == run("word", "--short") == run("-s")


def test_an_unknown_flag_is_refused() -> None:
    done = subprocess.run(
        [COMMAND, "version", "--no-such-flag"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown flag --no-such-flag" in done.stderr


def test_an_unknown_format_is_refused() -> None:
    done = subprocess.run(
        [COMMAND, "version", "-o", "xml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid value for '-o' / '--output': 'xml' is not one of 'json', 'yaml'" in done.stderr


def test_the_single_file_has_the_verb(tmp_path: Path) -> None:
    """`pyz version` failed, and eksctl runs it where the file is installed as the command."""
    file = tmp_path / "aws-iam-authenticator.pyz"
    zipapp.build(file)
    done = subprocess.run(
        [sys.executable, file, "version"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["Version"] == f"v{authenticator.__version__}"


@pytest.mark.reference
@pytest.mark.parametrize(
    "flags", [(), ("-s",), ("-o", "yaml"), ("-o", "json"), ("-s", "-o", "yaml")]
)
def test_reads_like_the_reference(flags: tuple[str, ...]) -> None:
    """Its facts come in the same form; ours has more of them."""
    theirs, ours = run(*flags, program=reference_binary()), run(*flags)
    number = run("-s", program=reference_binary()).strip()
    assert ours.startswith(theirs.rstrip("}\n").replace(number, f"v{authenticator.__version__}"))
