"""The commands of docs/migrating.md, followed on a real control plane.

Nobody sits at the terminal, so that `--yes` is added where the guide has somebody say yes, and what
`aws eks` would answer is a script's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from dev.aws_double import AwsDouble
from tests.docs import pages
from tests.e2e.guides.node import Node, Run
from tests.e2e.guides.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docs.pages import Block

pytestmark = pytest.mark.cluster

GUIDE = pages.read(pages.ROOT / "docs" / "migrating.md")
ROLE = "arn:aws:iam::111122223333:role/Dev"
ENTRY: dict[str, object] = {
    "principalArn": ROLE,
    "kubernetesGroups": ["developers"],
    "username": "dev:{{SessionName}}",
}
ENTRY |= {"clusterName": "prod", "type": "STANDARD", "tags": {}}
POLICIES = {"associatedAccessPolicies": [], "clusterName": "prod", "principalArn": ROLE}
# `aws eks`, of a cluster with one access entry; what is created is kept.
AWS = f"""\
#!/bin/sh
case "$2" in
list-access-entries) echo {ROLE} ;;
describe-access-entry) echo '{json.dumps({"accessEntry": ENTRY})}' ;;
list-associated-access-policies) echo '{json.dumps(POLICIES)}' ;;
create-access-entry) echo "$4" >>created ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    """Somebody whose server reads aws-auth and custom resources."""
    with AwsDouble() as aws, Node(tmp_path, aws.environment()) as node:
        walk = Walk(node, tmp_path, aws.environment())
        program = tmp_path / "bin" / "aws"
        program.write_text(AWS)
        program.chmod(0o755)
        modes = ("--cluster-id=c", "--backend-mode=EKSConfigMap,CRD")
        account = f"--kubeconfig={node.root}/etc/kubernetes/admin.conf"
        node.run_otherwise = Run(("server", *modes, account))
        yield walk


def commands(section: str) -> list[Block]:
    return [block for block in GUIDE.blocks if block.sections[-1] == section]


def follow(walk: Walk, block: Block) -> None:
    """Run a block, without its prompts."""
    lines = [line.removeprefix("$ ") for line in block.text.splitlines()]
    text = "\n".join(lines)
    for verb in ("mappings migrate", "mappings import"):
        text = text.replace(verb, f"{verb} --yes")
    walk.shell("admin", text, str(block))


def mapped(walk: Walk, kind: str) -> list[str]:
    """Whom a source maps."""
    if kind == "crd":
        listed = walk.shell("admin", "kubectl get iamidentitymappings -o json", kind)
        return [item["spec"]["arn"] for item in json.loads(listed)["items"]]
    told = walk.shell("admin", "kubectl -n kube-system get configmap aws-auth -o json", kind)
    return [one["rolearn"] for one in yaml.safe_load(json.loads(told)["data"]["mapRoles"]) or []]


def test_aws_auth_to_custom_resources(walk: Walk) -> None:
    install, remove = commands("aws-auth and custom resources")
    add = "aws-iam-authenticator mappings add role --yes --username dev --rolearn"
    walk.shell("admin", f"{add} {ROLE}", "before the guide")
    walk.settle()
    follow(walk, install)
    assert (mapped(walk, "crd"), mapped(walk, "configmap")) == ([ROLE], [ROLE])
    walk.shell("admin", "kubectl wait --for=condition=Valid iamidentitymappings --all", "in force")
    follow(walk, remove)
    assert (mapped(walk, "crd"), mapped(walk, "configmap")) == ([ROLE], [])


def test_from_eks_and_back(walk: Walk) -> None:
    # The verbs' own way to EKS is that of docs/eks.md, whose commands another test runs.
    (come,), (_, go) = commands("From EKS"), commands("To EKS")
    follow(walk, come)
    assert mapped(walk, "configmap") == [ROLE]
    follow(walk, go)
    (created,) = (walk.checkout / "created").read_text().splitlines()
    assert json.loads(created).items() >= {"principalArn": ROLE, "clusterName": "prod"}.items()
