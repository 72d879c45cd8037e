"""Which STS host signs for a region, in every AWS partition.

Two hundred hosts follow from one table, so that signing needs neither botocore nor its data.
``tests/contract/test_client_endpoints.py`` proves it equal to botocore's endpoint rules for every
real region and every combination of FIPS, dual-stack and legacy endpoints.
"""

from .errors import ClientError

# Stands in for a region that nobody named, as in the reference; the global endpoint is there too.
_DEFAULT_REGION = "us-east-1"
_GLOBAL_HOST = "sts.amazonaws.com"

# First match wins: (prefix of the region, suffix of its hosts, suffix of its dual-stack hosts).
# AWS grows regions with new prefixes in the commercial partition only, so that one comes last.
_PARTITIONS = (
    ("us-gov-", "amazonaws.com", "api.aws"),
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("", "amazonaws.com", "api.aws"),
)

_PLACES = frozenset({*[prefix for prefix, _, _ in _PARTITIONS], "eusc-de-"})
_DIRECTIONS = frozenset(
    {
        "central",
        "east",
        "north",
        "northeast",
        "northwest",
        "south",
        "southeast",
        "southwest",
        "west",
    }
)

# The regions that existed before STS had regional hosts: AWS_STS_REGIONAL_ENDPOINTS=legacy sends
# these, and only these, to the global host.
_LEGACY_REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)


class Endpoint:
    """An STS host and the region that a signature for it names."""

    __slots__ = ("host", "region")

    def __init__(self, host: str, region: str) -> None:
        self.host = host
        self.region = region


def resolve(
    region: str | None, *, legacy: bool = False, fips: bool = False, dual_stack: bool = False
) -> Endpoint:
    """Return the STS endpoint for ``region``, or for us-east-1 if there is none.

    The global endpoint is what ``aws-global`` means, and ``legacy`` for the oldest regions; it has
    no FIPS or dual-stack host, so that these options call for the region's own.

    Raises:
        ClientError: the region is not the name of a region.
    """
    regional = fips or dual_stack or not (legacy or region == "aws-global")
    if region in {None, "aws-global"}:
        region = _DEFAULT_REGION
    _check(region)
    if not regional and region in _LEGACY_REGIONS:
        return Endpoint(_GLOBAL_HOST, _DEFAULT_REGION)
    plain, dual = next(suffixes for prefix, *suffixes in _PARTITIONS if region.startswith(prefix))
    # GovCloud's ordinary hosts are FIPS hosts already.
    named_fips = fips and (dual_stack or not region.startswith("us-gov-"))
    service = "sts-fips" if named_fips else "sts"
    return Endpoint(f"{service}.{region}.{dual if dual_stack else plain}", region)


def hosts(region: str) -> frozenset[str]:
    """Return every STS host of a Region.

    Raises:
        ClientError: the Region is not the name of a Region.
    """
    options = [(fips, dual) for fips in (False, True) for dual in (False, True)]
    found = {resolve(region, fips=fips, dual_stack=dual).host for fips, dual in options}
    return frozenset(found | ({_GLOBAL_HOST} if region == _DEFAULT_REGION else set()))


def _check(region: str) -> None:
    """Refuse what is not the name of a Region: the text becomes part of a host name.

    A Region is two letters or a partition's prefix, a direction and a number. Regions that are
    newer than this release have that form too; a typing error seldom does.
    """
    rest, _, number = region.rpartition("-")
    place, _, direction = rest.rpartition("-")
    if not (
        _is_place(place)
        and direction in _DIRECTIONS
        and number.isascii()
        and number.isdigit()
        and len(number) <= len("00")
    ):
        raise ClientError(
            f"{region!r} is not an AWS Region; give one such as eu-west-1 with --region, AWS_REGION"
            " or `region` in the profile"
        )


def _is_place(place: str) -> bool:
    country = place.isascii() and place.isalpha() and place.islower() and len(place) == len("eu")
    return country or f"{place}-" in _PLACES
