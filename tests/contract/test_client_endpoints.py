"""Our table of STS hosts and botocore's endpoint rules agree on every real region."""

import itertools
from urllib.parse import urlsplit

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from client import endpoints


def real_regions() -> list[str]:
    partitions = Loader().load_data("partitions")["partitions"]
    return sorted(
        region
        for partition in partitions
        for region in partition["regions"]
        if "global" not in region
    )


@pytest.fixture(scope="module")
def rules() -> EndpointProvider:
    loader = Loader()
    return EndpointProvider(
        loader.load_service_model("sts", "endpoint-rule-set-1", "2011-06-15"),
        loader.load_data("partitions"),
    )


FLAGS = list(itertools.product((False, True), repeat=3))


def test_there_are_regions_to_compare() -> None:
    assert len(real_regions()) > 40


@pytest.mark.parametrize(
    ("legacy", "fips", "dual_stack"),
    FLAGS,
    ids=[
        "-".join(name for name, on in zip(("legacy", "fips", "dual"), flags, strict=True) if on)
        or "plain"
        for flags in FLAGS
    ],
)
def test_every_real_region_resolves_as_botocore_has_it(
    rules: EndpointProvider, legacy: bool, fips: bool, dual_stack: bool
) -> None:
    for region in [*real_regions(), "aws-global"]:
        if region == "aws-global" and (fips or dual_stack):
            continue  # There botocore names hosts that do not exist.
        endpoint = rules.resolve_endpoint(
            Region=region, UseFIPS=fips, UseDualStack=dual_stack, UseGlobalEndpoint=legacy
        )
        schemes = endpoint.properties.get("authSchemes") or [{"signingRegion": region}]

        ours = endpoints.resolve(region, legacy=legacy, fips=fips, dual_stack=dual_stack)

        assert (ours.host, ours.region) == (
            urlsplit(endpoint.url).hostname,
            schemes[0].get("signingRegion", region),
        )
