"""The hook for pre-commit: what it runs exists, and which files it takes."""

from __future__ import annotations

import re
from configparser import ConfigParser

import pytest
import yaml

from authenticator.__main__ import COMMAND
from dev.installs import ROOT
from tests.docs.test_commands import help_of

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def test_its_command_and_its_extra_exist() -> None:
    command, verb = HOOK["entry"].split()
    assert (
        f"{command} = authenticator.__main__:main"
        in SETUP["options.entry_points"]["console_scripts"]
    )
    assert help_of(verb).startswith(f"Usage: {COMMAND} {verb} ")
    (extra,) = HOOK["additional_dependencies"]
    assert extra.removeprefix(".[").removesuffix("]") in SETUP["options.extras_require"]


@pytest.mark.parametrize(
    ("file", "taken"),
    [
        ("aws-auth.yaml", True),
        ("clusters/prod/aws-auth-cm.yml", True),
        ("iam-mappings/dev.yaml", False),
        ("iam-identity-mapping.yaml", True),
        ("iamidentitymappings.json", True),
        ("docs/aws-auth.md", False),
        ("my-aws-auth.yaml", False),
    ],
)
def test_the_files_that_it_takes(file: str, taken: bool) -> None:
    assert bool(re.search(HOOK["files"], file)) is taken
