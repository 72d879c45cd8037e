"""The hosts that the double answers for, against what botocore resolves."""

from __future__ import annotations

import botocore.loaders
import pytest
from botocore.endpoint_provider import EndpointProvider

from dev.aws_double.hosts import Endpoint, Service, find_endpoint

UUID = "a103a2cc-b461-473d-84fe-6c4f6d45af88"


def sts_hosts_of_botocore() -> dict[str, Endpoint]:
    loader = botocore.loaders.Loader()
    partitions = loader.load_data("partitions")
    rules = loader.load_service_model("sts", "endpoint-rule-set-1")
    provider = EndpointProvider(rules, partitions)
    hosts = {}
    for partition in partitions["partitions"]:
        for region in partition["regions"]:
            if "global" in region:
                continue
            for fips in (False, True):
                for dual_stack in (False, True):
                    endpoint = provider.resolve_endpoint(
                        Region=region,
                        UseFIPS=fips,
                        UseDualStack=dual_stack,
                        UseGlobalEndpoint=False,
                    )
                    host = endpoint.url.removeprefix("https://")
                    hosts[host] = Endpoint(Service.STS, partition["id"], region)
    return hosts


def test_every_sts_host_that_botocore_resolves_is_answered() -> None:
    hosts = sts_hosts_of_botocore()
    assert len(hosts) > 150
    assert {host: find_endpoint(host) for host in hosts} == hosts


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("sts.amazonaws.com", Endpoint(Service.STS, "aws", "us-east-1", regional=False)),
        (
            "vpce-0123-abcd.sts.eu-west-1.vpce.amazonaws.com",
            Endpoint(Service.STS, "aws", "eu-west-1"),
        ),
        ("portal.sso.eu-west-1.amazonaws.com", Endpoint(Service.SSO, "aws", "eu-west-1")),
        ("oidc.eu-west-1.amazonaws.com", Endpoint(Service.SSO_OIDC, "aws", "eu-west-1")),
        ("iam.amazonaws.com", Endpoint(Service.IAM, "aws", "us-east-1", regional=False)),
        (f"{UUID}.tokens.sts.global.api.aws", Endpoint(Service.ISSUER, "aws", "")),
        (
            f"{UUID}.tokens.sts.global.api.amazonwebservices.com.cn",
            Endpoint(Service.ISSUER, "aws-cn", ""),
        ),
    ],
    ids=["global", "vpc-endpoint", "sso", "oidc", "iam", "issuer", "issuer-cn"],
)
def test_other_hosts_are_answered(host: str, endpoint: Endpoint) -> None:
    assert find_endpoint(host) == endpoint


@pytest.mark.parametrize(
    "host",
    [
        "sts.bogus.amazonaws.com",
        "sts.eu-west-1.amazonaws.com.example",
        "sts.eu-west-1.amazonaws.com.cn",
        "sts.cn-north-1.amazonaws.com",
        "sts.eu-west-1xamazonaws.com",
        "ec2.eu-west-1.amazonaws.com",
        "STS.eu-west-1.amazonaws.com",
        "tokens.sts.global.api.aws",
        f"{UUID}.tokens.sts.global.api.aws.example",
        f"{UUID}x.tokens.sts.global.api.aws",
        "localhost",
        "",
    ],
)
def test_no_other_host_is_answered(host: str) -> None:
    assert find_endpoint(host) is None
