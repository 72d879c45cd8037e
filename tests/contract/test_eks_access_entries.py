"""Access entries as the real AWS CLI prints and takes them, and EKS's own service model."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import eks_types, table
from authenticator.editing.formats.conversion import Options, entry_for
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS

ROLE = "arn:aws:iam::111122223333:role/team/Dev"
USER = "arn:aws:iam::111122223333:user/bob"
NODES = ["system:bootstrappers", "system:nodes"]
ENTRIES = [
    entry_for(MAP_ROLES, rolearn=ROLE, username="dev:{{SessionName}}", groups=["a", "b"]),
    entry_for(
        MAP_ROLES,
        rolearn=f"{ROLE}Node",
        username="system:node:{{EC2PrivateDNSName}}",
        groups=NODES,
    ),
    entry_for(MAP_USERS, userarn=USER, username="bob"),
]


@cache
def _operation(name: str) -> Any:
    return botocore.session.get_session().get_service_model("eks").operation_model(name)


def _aws(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `aws eks`, which calls nobody: it validates its input and makes up an answer."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    command = [str(Path(sysconfig.get_path("scripts"), "aws")), "eks", *arguments]
    return subprocess.run(
        [*command, "--generate-cli-skeleton", "output"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _written() -> list[str]:
    return table.named("access-entries").write(ENTRIES, Options(cluster="prod")).text.splitlines()


@pytest.mark.parametrize("line", _written(), ids=["role", "nodes", "user"])
def test_the_service_model_accepts_what_is_written(line: str) -> None:
    shape = _operation("CreateAccessEntry").input_shape
    value = json.loads(line)
    assert not ParamValidator().validate(value, shape).has_errors()
    # The validator lets members pass that it does not know.
    assert value.keys() <= shape.members.keys()


def test_the_aws_cli_takes_what_is_written() -> None:
    done = _aws("create-access-entry", "--cli-input-json", _written()[0])
    assert done.returncode == 0, done.stderr
    wrong = _aws("create-access-entry", "--cli-input-json", '{"clusterName": "x", "user": "y"}')
    assert wrong.returncode != 0


def test_what_the_aws_cli_prints_is_read() -> None:
    flags = ("--cluster-name", "prod", "--principal-arn", ROLE)
    described = json.loads(_aws("describe-access-entry", *flags).stdout)
    policies = json.loads(_aws("list-associated-access-policies", *flags).stdout)
    # The CLI makes up every value; these have to mean something.
    real = {"principalArn": ROLE, "type": "STANDARD", "username": "dev", "kubernetesGroups": ["a"]}
    described["accessEntry"] |= real
    policies |= {"principalArn": ROLE}
    text = json.dumps(described, indent=4) + json.dumps(policies, indent=4)
    found = table.read(text, Options())
    fields = {"rolearn": ROLE, "username": "dev", "groups": ["a"]}
    assert found.entries == (MappingEntry(MAP_ROLES, fields),)
    words = [note.text for note in found.notes if note.subject == ROLE]
    assert [word for word in words if "tags" in word or "policyArn" in word] == words
    assert len(words) == 2


def test_all_that_the_model_says_of_an_entry_is_known_here() -> None:
    """A member that a later model adds may narrow an entry: it has to be looked at."""
    members = _operation("DescribeAccessEntry").output_shape.members["accessEntry"].members
    carried = {"principalArn", "kubernetesGroups", "username", "type"}
    of_no_account = {"clusterName", "accessEntryArn", "createdAt", "modifiedAt", "tags"}
    assert members.keys() == carried | of_no_account
    scope = _operation("AssociateAccessPolicy").input_shape.members["accessScope"]
    assert scope.members.keys() == {"type", "namespaces"}


def test_the_types_are_those_that_the_model_describes() -> None:
    documentation = _operation("CreateAccessEntry").input_shape.members["type"].documentation
    assert [t.name for t in eks_types.NODE_TYPES if t.name not in documentation] == []
