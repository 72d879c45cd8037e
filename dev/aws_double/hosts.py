"""Which hosts the double answers for, and in which partition and Region each of them is.

Source: AWS General Reference, "AWS STS endpoints"; the Region patterns are those of the partitions
file that every AWS SDK ships. The product's own table is made another way (from botocore's endpoint
rules), so that the one tests the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Service(Enum):
    """The services that the double answers as."""

    STS = "sts"
    SSO = "sso"
    SSO_OIDC = "sso-oidc"
    ISSUER = "tokens"
    IAM = "iam"
    EKS = "eks"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host that the double answers for.

    Attributes:
        service: the service behind the host.
        partition: such as `aws-cn`; a key of another partition is unknown there.
        region: the Region that a signature for this host must name; "" where no request is signed.
        regional: whether the host is of one Region; `sts.amazonaws.com` is not.
    """

    service: Service
    partition: str
    region: str
    regional: bool = True


_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_REGIONS = {
    "aws": r"(?:us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+",
    "aws-us-gov": r"us-gov-\w+-\d+",
    "aws-cn": r"cn-\w+-\d+",
    "aws-eusc": r"eusc-de-\w+-\d+",
    "aws-iso": r"us-iso-\w+-\d+",
    "aws-iso-b": r"us-isob-\w+-\d+",
    "aws-iso-e": r"eu-isoe-\w+-\d+",
    "aws-iso-f": r"(?:us|eu)-isof-\w+-\d+",
}
_SUFFIXES = {
    "aws": ("amazonaws.com", "api.aws"),
    "aws-us-gov": ("amazonaws.com", "api.aws"),
    "aws-cn": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "aws-eusc": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "aws-iso": ("c2s.ic.gov", "api.aws.ic.gov"),
    "aws-iso-b": ("sc2s.sgov.gov", "api.aws.scloud"),
    "aws-iso-e": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "aws-iso-f": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
}
# {region} and {suffix} are filled in for each partition, {plain} with its first suffix.
_FORMS = (
    (Service.STS, r"sts(?:-fips)?\.{region}\.{suffix}"),
    (Service.STS, r"vpce-[0-9a-z-]+\.sts\.{region}\.vpce\.{plain}"),
    (Service.SSO, r"portal\.sso\.{region}\.{plain}"),
    (Service.SSO_OIDC, r"oidc\.{region}\.{plain}"),
    (Service.EKS, r"eks\.{region}\.{suffix}"),
)


# The issuers of JWTs, one for each account that has enabled outbound web identity federation.
# Seen for `aws`; that `aws-cn` has its own suffix is an assumption, the others are unknown.
_ISSUERS = {
    partition: re.compile(
        rf"{_UUID}\.tokens\.sts\.global\.{re.escape(_SUFFIXES[partition][1])}", re.ASCII
    )
    for partition in ("aws", "aws-cn")
}


def issuer_host(partition: str, identifier: str) -> str:
    """Give the host of an account's issuer; `identifier` is a UUID."""
    return f"{identifier}.tokens.sts.global.{_SUFFIXES[partition][1]}"


def _patterns() -> list[tuple[re.Pattern[str], Service, str]]:
    return [
        (
            re.compile(
                form.format(
                    region=f"(?P<region>{region})",
                    suffix=f"(?:{'|'.join(re.escape(name) for name in _SUFFIXES[partition])})",
                    plain=re.escape(_SUFFIXES[partition][0]),
                ),
                re.ASCII,
            ),
            service,
            partition,
        )
        for partition, region in _REGIONS.items()
        for service, form in _FORMS
    ]


_PATTERNS = _patterns()
_GLOBAL = {
    "sts.amazonaws.com": Endpoint(Service.STS, "aws", "us-east-1", regional=False),
    "iam.amazonaws.com": Endpoint(Service.IAM, "aws", "us-east-1", regional=False),
}


def find_endpoint(host: str) -> Endpoint | None:
    """Give the endpoint that a host name stands for, or None when the double is not it."""
    if host in _GLOBAL:
        return _GLOBAL[host]
    for partition, issuers in _ISSUERS.items():
        if issuers.fullmatch(host) is not None:
            return Endpoint(Service.ISSUER, partition, "")
    for pattern, service, partition in _PATTERNS:
        match = pattern.fullmatch(host)
        if match is not None:
            return Endpoint(service, partition, match["region"])
    return None
