"""With `--cache`, ours and the reference ask AWS once between them, and read each other's file."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import client
from dev.aws_double import AwsDouble
from dev.aws_double.principals import user
from dev.aws_double.trust import Role
from dev.bench.reference import reference_binary

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
DEV = Role(f"arn:aws:iam::{ACCOUNT}:role/team/dev", frozenset({ALICE.arn}))
OPS = Role(f"arn:aws:iam::{ACCOUNT}:role/ops", frozenset({f"arn:aws:iam::{ACCOUNT}:role/dev"}))
OURS = "ours"
# The warning is for a person: without a terminal nothing is written to stderr on success.
AT_TERMINAL = """
import sys
from client import command
command._at_terminal = lambda: True
from client.__main__ import run
sys.exit(run())
"""
REFERENCE = "reference"


@pytest.fixture(scope="module")
def commands() -> dict[str, list[str]]:
    return {OURS: [sys.executable, "-m", "client"], REFERENCE: [str(reference_binary())]}


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble([ALICE], roles=[DEV, OPS]) as double:
        yield double


@pytest.fixture
def environ(aws: AwsDouble, tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(ALICE.profile("base"))
    (tmp_path / ".aws" / "config").write_text(
        f"[profile dev]\nrole_arn = {DEV.arn}\nsource_profile = base\nregion = eu-west-1\n"
    )
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(client.__file__).parents[1]),
        "AWS_PROFILE": "dev",
        "AWS_IAM_AUTHENTICATOR_CACHE_FILE": str(tmp_path / "cache.yaml"),
        **aws.environment(),
    }


def token(command: list[str], environ: dict[str, str], *flags: str) -> str:
    finished = subprocess.run(
        [*command, "token", "-i", "c", "--cache", "--token-only", *flags],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stderr


@pytest.mark.parametrize("order", [(OURS, REFERENCE), (REFERENCE, OURS)], ids="-then-".join)
def test_the_second_program_finds_what_the_first_one_kept(
    order: tuple[str, str], commands: dict[str, list[str]], environ: dict[str, str], aws: AwsDouble
) -> None:
    first, second = order
    token(commands[first], environ)
    # The AWS CLI's cache must not be what serves.
    for file in (Path(environ["HOME"]) / ".aws").glob("cli/cache/*"):
        file.unlink()

    assert token(commands[second], environ) == ""

    assert aws.calls.counts().by_action == {"AssumeRole": 1}


@pytest.mark.parametrize("order", [(OURS, REFERENCE), (REFERENCE, OURS)], ids="-then-".join)
def test_the_entry_of_a_role_holds_who_assumes_it(
    order: tuple[str, str], commands: dict[str, list[str]], environ: dict[str, str], aws: AwsDouble
) -> None:
    first, second = order
    token(commands[first], environ, "-r", OPS.arn)
    aws.calls.clear()
    for file in (Path(environ["HOME"]) / ".aws").glob("cli/cache/*"):
        file.unlink()

    token(commands[second], environ, "-r", OPS.arn)

    callers = {aws.principals.find(call.access_key_id).arn for call in aws.calls.recent()}
    assert {arn.split("/")[-2] for arn in callers} == {"dev"}


def test_both_leave_each_others_entries(
    commands: dict[str, list[str]], environ: dict[str, str]
) -> None:
    token(commands[REFERENCE], environ)
    token(commands[OURS], environ, "-r", OPS.arn)

    text = Path(environ["AWS_IAM_AUTHENTICATOR_CACHE_FILE"]).read_text()

    assert OPS.arn in text
    assert Path(environ["AWS_IAM_AUTHENTICATOR_CACHE_FILE"]).stat().st_mode & 0o777 == 0o600


TROUBLES = {
    "open to others": (0o644, None, "others may use it"),
    "another style": (
        0o600,
        "clusters: {c: [1]}\n",
        "it is not as aws-iam-authenticator writes it",
    ),
    "no mapping": (0o600, "[1]", "it is not as aws-iam-authenticator writes it"),
    "JSON that ends early": (0o600, "{", "it is not as aws-iam-authenticator writes it"),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_a_file_that_cannot_be_trusted_is_left_alone(
    trouble: tuple[int, str | None, str], commands: dict[str, list[str]], environ: dict[str, str]
) -> None:
    mode, text, reason = trouble
    file = Path(environ["AWS_IAM_AUTHENTICATOR_CACHE_FILE"])
    if text is None:
        token(commands[REFERENCE], environ)
        text = file.read_text()
    file.write_text(text)
    file.chmod(mode)

    warnings = token([sys.executable, "-c", AT_TERMINAL], environ)

    assert f"ignoring {file}: {reason}" in warnings
    assert file.read_text() == text
