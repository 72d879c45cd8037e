"""One session, and so one MFA code, serves the AWS CLI and us."""

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

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
DEV = Role(
    f"arn:aws:iam::{ACCOUNT}:role/team/dev",
    frozenset({ALICE.arn}),
    external_id="ab",
    multi_factor=True,
)
# The code comes from a pipe, which the plugin itself never waits for.
PROGRAM = """
import sys
from client import botocore_chain
botocore_chain._ask_for_code = lambda prompt: input()
from client.__main__ import run
sys.exit(run())
"""
OURS = (sys.executable, "-c", PROGRAM, "token", "-i", "c")
AWS_CLI = (str(Path(sys.executable).with_name("aws")), "sts", "get-caller-identity")


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble([ALICE], roles=[DEV], mfa_codes={PHONE: "123456"}) as double:
        yield double


@pytest.mark.parametrize("settings", ["", "role_session_name = me\n"], ids=["plain", "named"])
@pytest.mark.parametrize(
    ("first", "second"),
    [(OURS, AWS_CLI), (AWS_CLI, OURS)],
    ids=["ours first", "the AWS CLI first"],
)
def test_the_second_finds_what_the_first_got(
    first: tuple[str, ...], second: tuple[str, ...], settings: str, aws: AwsDouble, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(ALICE.profile("base"))
    (tmp_path / ".aws" / "config").write_text(
        f"[profile dev]\nrole_arn = {DEV.arn}\nsource_profile = base\nexternal_id = ab\n"
        f"mfa_serial = {PHONE}\n{settings}"
    )
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(client.__file__).parents[1]),
        "AWS_PROFILE": "dev",
        "AWS_DEFAULT_REGION": "eu-west-1",
        **aws.environment(),
    }

    for command in (first, second):
        subprocess.run(
            command,
            env=environ,
            input=b"123456\n",
            check=True,
            capture_output=True,
            start_new_session=True,
        )

    assert aws.calls.counts().by_action["AssumeRole"] == 1
