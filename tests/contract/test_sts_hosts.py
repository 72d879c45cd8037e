"""The table of STS hosts is botocore's, host by host."""

import gzip
import json
from pathlib import Path
from urllib.parse import urlsplit

import botocore
import pytest
from botocore.endpoint_provider import EndpointProvider

from authenticator.aws.arns import PARTITIONS
from authenticator.aws.sts_hosts import sts_hosts

DATA = Path(botocore.__file__).parent / "data"


def botocore_hosts() -> dict[str, dict[str, str]]:
    """By partition, every host that botocore's rules give, with its signing region."""
    partitions = json.loads((DATA / "partitions.json").read_text())
    packed = (DATA / "sts/2011-06-15/endpoint-rule-set-1.json.gz").read_bytes()
    provider = EndpointProvider(json.loads(gzip.decompress(packed)), partitions)
    hosts: dict[str, dict[str, str]] = {}
    for partition in partitions["partitions"]:
        known = hosts.setdefault(partition["id"], {})
        # A pseudo-region with "global" in its name resolves to a host that does not exist.
        for region in (name for name in partition["regions"] if "global" not in name):
            for fips in (False, True):
                for dual_stack in (False, True):
                    endpoint = provider.resolve_endpoint(
                        Region=region,
                        UseFIPS=fips,
                        UseDualStack=dual_stack,
                        UseGlobalEndpoint=False,
                    )
                    known[str(urlsplit(endpoint.url).hostname)] = region
    hosts["aws"]["sts.amazonaws.com"] = "us-east-1"
    return hosts


def test_the_table_is_botocores() -> None:
    ours = {
        partition: {host.name: host.region for host in sts_hosts(partition).values()}
        for partition in PARTITIONS
    }
    assert ours == botocore_hosts()
    assert sum(map(len, ours.values())) == 191


def test_a_host_knows_its_partition() -> None:
    for partition in PARTITIONS:
        assert {host.partition for host in sts_hosts(partition).values()} == {partition}


def test_no_such_partition() -> None:
    with pytest.raises(ValueError, match="aws-iso-b"):
        sts_hosts("aws-mars")
