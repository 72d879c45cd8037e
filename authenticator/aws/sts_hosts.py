"""The STS hosts that exist: a table, so that no name from a token is ever resolved to find out.

The table is botocore's (`partitions.json` and STS's endpoint rules), and
`tests/contract/test_sts_hosts.py` proves it equal to the installed botocore's. Asking botocore's
rules about a region that a token names would not do: they turn an unknown region into a host of
the commercial partition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StsHost:
    """One host name that STS answers under.

    Attributes:
        name: the host name, lower case.
        region: the region that requests to it are signed for.
        partition: the partition of the principals it knows.
    """

    name: str
    region: str
    partition: str


@dataclass(frozen=True, slots=True)
class _Partition:
    suffix: str
    dual_stack_suffix: str
    regions: str


_PARTITIONS = {
    "aws": _Partition(
        "amazonaws.com",
        "api.aws",
        "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1"
        " ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5"
        " ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2"
        " eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1"
        " me-central-1 me-south-1 me-west-1 mx-central-1 sa-east-1 sa-west-1 us-east-1 us-east-2"
        " us-west-1 us-west-2",
    ),
    "aws-cn": _Partition(
        "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1 cn-northwest-1"
    ),
    "aws-eusc": _Partition("amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"),
    "aws-iso": _Partition("c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1 us-iso-west-1"),
    "aws-iso-b": _Partition("sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1 us-isob-west-1"),
    "aws-iso-e": _Partition("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"),
    "aws-iso-f": _Partition(
        "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-east-1 us-isof-south-1"
    ),
    "aws-us-gov": _Partition("amazonaws.com", "api.aws", "us-gov-east-1 us-gov-west-1"),
}

# The global endpoint exists in the commercial partition only, and is signed for us-east-1.
_GLOBAL = StsHost("sts.amazonaws.com", "us-east-1", "aws")


def regions_of(partition: str) -> frozenset[str]:
    """Return the regions of a partition; none if it does not exist."""
    known = _PARTITIONS.get(partition)
    return frozenset(known.regions.split() if known else ())


def sts_hosts(
    partition: str, further: Iterable[StsHost] = (), regions: Collection[str] = ()
) -> Mapping[str, StsHost]:
    """The hosts that tokens of one partition may name, by name.

    Args:
        partition: a partition id, such as `aws`.
        further: hosts that the operator lists, such as the explicit names of VPC endpoints.
        regions: the regions whose hosts count; empty for all. `further` counts in any case. The
            global endpoint belongs to us-east-1.

    Raises:
        ValueError: the partition does not exist.
    """
    known = _PARTITIONS.get(partition)
    if known is None:
        raise ValueError(f"it is not one of {', '.join(sorted(_PARTITIONS))}")
    chosen = [region for region in known.regions.split() if not regions or region in regions]
    hosts = {}
    if partition == _GLOBAL.partition and _GLOBAL.region in chosen:
        hosts[_GLOBAL.name] = _GLOBAL
    for region in chosen:
        for name in (
            f"sts.{region}.{known.suffix}",
            f"sts.{region}.{known.dual_stack_suffix}",
            f"sts-fips.{region}.{known.dual_stack_suffix}",
            # In GovCloud the plain host is the FIPS host, and there is no other.
            *((f"sts-fips.{region}.{known.suffix}",) if partition != "aws-us-gov" else ()),
        ):
            hosts[name] = StsHost(name, region, partition)
    for host in further:
        hosts[host.name] = host
    return hosts
