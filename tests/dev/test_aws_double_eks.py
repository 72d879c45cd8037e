"""EKS of the AWS double, as boto3 and the AWS CLI use it; botocore checks each answer's form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dev.aws_double import AwsDouble
from dev.aws_double.eks import POLICIES, EksCluster, policy_arn
from dev.aws_double.faults import Throttle
from dev.aws_double.principals import user

ACCOUNT, REGION = "111122223333", "eu-west-1"
ALICE = user(ACCOUNT, "alice")
MALLORY = user("444455556666", "mallory")
DEV = f"arn:aws:iam::{ACCOUNT}:role/team/Dev"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
ADMIN = policy_arn("AmazonEKSClusterAdminPolicy")
VIEW = policy_arn("AmazonEKSViewPolicy")
CLUSTER = {"type": "cluster"}


@pytest.fixture
def cluster() -> EksCluster:
    return EksCluster("prod", ACCOUNT, REGION, endpoint="https://eks.example.com")


@pytest.fixture
def aws(cluster: EksCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble([ALICE, MALLORY], eks_clusters=[cluster]) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def client(who: Any = ALICE, region: str = REGION, **config: Any) -> Any:
    config.setdefault("retries", {"total_max_attempts": 1})
    return boto3.client(
        "eks",
        region_name=region,
        aws_access_key_id=who.access_key_id,
        aws_secret_access_key=who.secret_access_key,
        config=Config(**config),
    )


@pytest.fixture
def eks(aws: AwsDouble) -> Any:
    assert aws.eks.clusters
    return client()


def code(call: Any, **values: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**values)
    return str(refused.value.response["Error"]["Code"])


def test_an_entry_from_its_making_to_its_end(eks: Any) -> None:
    made = eks.create_access_entry(
        clusterName="prod", principalArn=DEV, kubernetesGroups=["devs"], tags={"team": "data"}
    )["accessEntry"]
    assert made["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/{{{{SessionName}}}}"
    assert (made["type"], made["kubernetesGroups"]) == ("STANDARD", ["devs"])
    changed = eks.update_access_entry(clusterName="prod", principalArn=DEV, username="dev:x")
    assert changed["accessEntry"]["username"] == "dev:x"
    assert changed["accessEntry"]["kubernetesGroups"] == ["devs"]
    found = eks.describe_access_entry(clusterName="prod", principalArn=DEV)["accessEntry"]
    assert found == changed["accessEntry"]
    arn = found["accessEntryArn"]
    eks.tag_resource(resourceArn=arn, tags={"stage": "test"})
    eks.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"stage": "test"}
    eks.delete_access_entry(clusterName="prod", principalArn=DEV)
    assert eks.list_access_entries(clusterName="prod")["accessEntries"] == []
    wanted = {"clusterName": "prod", "principalArn": DEV}
    assert code(eks.describe_access_entry, **wanted) == "ResourceNotFoundException"
    assert code(eks.delete_access_entry, **wanted) == "ResourceNotFoundException"


def test_policies_are_associated_with_a_scope(eks: Any) -> None:
    entry = {"clusterName": "prod", "principalArn": BOB}
    eks.create_access_entry(**entry)
    eks.associate_access_policy(**entry, policyArn=ADMIN, accessScope=CLUSTER)
    scope = {"type": "namespace", "namespaces": ["a", "b-*"]}
    eks.associate_access_policy(**entry, policyArn=VIEW, accessScope=scope)
    found = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    assert {each["policyArn"]: each["accessScope"] for each in found} == {
        ADMIN: {"type": "cluster", "namespaces": []},
        VIEW: scope,
    }
    listed = eks.list_access_entries(clusterName="prod", associatedPolicyArn=VIEW)
    assert listed["accessEntries"] == [BOB]
    eks.disassociate_access_policy(**entry, policyArn=ADMIN)
    eks.associate_access_policy(**entry, policyArn=VIEW, accessScope=CLUSTER)
    (left,) = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    assert left["accessScope"]["type"] == "cluster"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"principalArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/x"}, "InvalidParameter"),
        ({"principalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}, "InvalidParameter"),
        ({"principalArn": DEV, "kubernetesGroups": ["system:masters"]}, "InvalidParameter"),
        ({"principalArn": DEV, "username": "eks:x"}, "InvalidParameter"),
        ({"principalArn": DEV, "type": "EC2_MACOS"}, "InvalidParameter"),
        ({"principalArn": DEV, "type": "EC2_LINUX", "username": "x"}, "InvalidParameter"),
        ({"principalArn": BOB, "type": "EC2_LINUX"}, "InvalidParameter"),
        ({"principalArn": DEV, "clusterName": "none"}, "ResourceNotFound"),
    ],
)
def test_entries_that_eks_refuses(eks: Any, values: dict[str, Any], expected: str) -> None:
    values = {"clusterName": "prod", **values}
    assert code(eks.create_access_entry, **values) == f"{expected}Exception"


def test_an_entry_is_made_once(eks: Any, cluster: EksCluster) -> None:
    wanted = {"clusterName": "prod", "principalArn": DEV, "clientRequestToken": "one"}
    first = eks.create_access_entry(**wanted)["accessEntry"]
    assert eks.create_access_entry(**wanted)["accessEntry"] == first
    assert code(eks.create_access_entry, **{**wanted, "username": "x"}) == "InvalidRequestException"
    assert code(eks.create_access_entry, clusterName="prod", principalArn=DEV) == (
        "ResourceInUseException"
    )
    cluster.most_entries = 1
    assert code(eks.create_access_entry, clusterName="prod", principalArn=BOB) == (
        "ResourceLimitExceededException"
    )


def test_nodes_have_names_and_no_policies(eks: Any) -> None:
    entry = {"clusterName": "prod", "principalArn": DEV}
    made = eks.create_access_entry(**entry, type="EC2_LINUX")["accessEntry"]
    assert made["kubernetesGroups"] == ["system:nodes"]
    wanted = {**entry, "policyArn": VIEW, "accessScope": CLUSTER}
    assert code(eks.associate_access_policy, **wanted) == "InvalidRequestException"


@pytest.mark.parametrize(
    "values",
    [
        {"policyArn": policy_arn("Made"), "accessScope": CLUSTER},
        {"policyArn": VIEW, "accessScope": {"type": "namespace"}},
        {"policyArn": VIEW, "accessScope": {"type": "cluster", "namespaces": ["a"]}},
    ],
)
def test_policies_that_eks_refuses(eks: Any, values: dict[str, Any]) -> None:
    entry = {"clusterName": "prod", "principalArn": DEV}
    eks.create_access_entry(**entry)
    assert code(eks.associate_access_policy, **entry, **values) == "InvalidParameterException"


def test_many_entries_come_in_pages(eks: Any) -> None:
    arns = [f"arn:aws:iam::{ACCOUNT}:role/r{number:03d}" for number in range(205)]
    for arn in arns:
        eks.create_access_entry(clusterName="prod", principalArn=arn)
    first = eks.list_access_entries(clusterName="prod")
    assert first["accessEntries"] == arns[:100]
    pages = eks.get_paginator("list_access_entries").paginate(clusterName="prod")
    assert [arn for page in pages for arn in page["accessEntries"]] == arns
    assert {each["name"] for each in eks.list_access_policies()["accessPolicies"]} == set(POLICIES)


def test_a_read_may_see_what_was_there_before(eks: Any, cluster: EksCluster) -> None:
    cluster.stale_reads = 2
    eks.create_access_entry(clusterName="prod", principalArn=DEV)
    seen = [eks.list_access_entries(clusterName="prod")["accessEntries"] for _ in range(3)]
    assert seen == [[], [], [DEV]]


def test_a_cluster_without_the_api_has_no_entries(eks: Any, cluster: EksCluster) -> None:
    cluster.mode = "CONFIG_MAP"
    assert code(eks.list_access_entries, clusterName="prod") == "InvalidRequestException"
    described = eks.describe_cluster(name="prod")["cluster"]
    assert described["accessConfig"]["authenticationMode"] == "CONFIG_MAP"


def test_clusters_belong_to_an_account_and_a_region(aws: AwsDouble) -> None:
    assert client().list_clusters()["clusters"] == ["prod"]
    assert client(MALLORY).list_clusters()["clusters"] == []
    assert client(region="us-east-1").list_clusters()["clusters"] == []
    assert code(client(MALLORY).describe_cluster, name="prod") == "ResourceNotFoundException"
    aws.principals.remove(MALLORY.access_key_id)
    assert code(client(MALLORY).list_clusters) == "InvalidClientTokenId"


def test_botocore_waits_and_asks_again_when_it_is_throttled(aws: AwsDouble) -> None:
    aws.faults.start(Throttle(rate=50, burst=1))
    patient = client(retries={"mode": "standard", "total_max_attempts": 5})
    for _ in range(3):
        assert patient.list_clusters()["clusters"] == ["prod"]
    assert aws.calls.counts().by_outcome["Throttling"] > 0


def test_what_is_not_in_the_model_is_refused(eks: Any) -> None:
    lax = client(parameter_validation=False)
    wanted = {"clusterName": "prod", "principalArn": DEV}
    assert code(lax.create_access_entry, **wanted, username=5) == ("InvalidParameterException")
    assert code(lax.list_access_entries, clusterName="prod", maxResults=1000) == (
        "InvalidParameterException"
    )
    assert code(eks.list_nodegroups, clusterName="prod") == "UnknownOperationException"


def test_the_aws_cli_lists_an_entry(aws: AwsDouble, eks: Any) -> None:
    eks.create_access_entry(clusterName="prod", principalArn=DEV)
    command = [Path(sys.executable).with_name("aws"), "eks", "list-access-entries"]
    environment = {
        **os.environ,
        **aws.environment(),
        "AWS_ACCESS_KEY_ID": ALICE.access_key_id,
        "AWS_SECRET_ACCESS_KEY": ALICE.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
    }
    done = subprocess.run(
        [*command, "--cluster-name", "prod"], env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["accessEntries"] == [DEV]
