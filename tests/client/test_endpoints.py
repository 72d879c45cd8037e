"""What may be a region, and what stands in for one. Hosts: tests/contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import endpoints
from client.errors import ClientError


@pytest.mark.parametrize(
    ("region", "options", "host"),
    [
        (None, {}, "sts.us-east-1.amazonaws.com"),
        (None, {"legacy": True}, "sts.amazonaws.com"),
        (None, {"fips": True}, "sts-fips.us-east-1.amazonaws.com"),
        ("aws-global", {}, "sts.amazonaws.com"),
        ("aws-global", {"legacy": True}, "sts.amazonaws.com"),
        ("aws-global", {"dual_stack": True}, "sts.us-east-1.api.aws"),
        ("aws-global", {"fips": True, "legacy": True}, "sts-fips.us-east-1.amazonaws.com"),
    ],
)
def test_without_a_region_it_is_us_east_1s_or_the_global_host(
    region: str | None, options: dict[str, bool], host: str
) -> None:
    endpoint = endpoints.resolve(region, **options)

    assert (endpoint.host, endpoint.region) == (host, "us-east-1")


def test_a_region_newer_than_this_program_is_commercial() -> None:
    assert endpoints.resolve("xy-north-9").host == "sts.xy-north-9.amazonaws.com"


@pytest.mark.parametrize(
    "region",
    [
        "",
        "us-east-1a",
        "us-east1",
        "US-EAST-1",
        "us-east-\N{ARABIC-INDIC DIGIT ONE}",
        "us-east-1.evil.example",
        "evil.example/us-east-1",
        "us-east-1\n",
        "us--1",
        "-east-1",
        "us-east-",
        "a-b-c-d-1",
        "us-" + "e" * 40 + "-1",
        "us-west-2-fips",
        "eu-wset-1",
        "eu-west",
        "euw-west-1",
        "us-west-123",
    ],
    ids=repr,
)
def test_refuses_what_is_not_a_region(region: str) -> None:
    with pytest.raises(ClientError, match="is not an AWS Region"):
        endpoints.resolve(region)


@given(st.text(max_size=30) | st.from_regex(r"[a-z-]+-[0-9./@:?#]+", fullmatch=True))
def test_no_text_becomes_more_than_one_label_of_the_host(region: str) -> None:
    try:
        host = endpoints.resolve(region).host
    except ClientError:
        return
    assert host in {
        "sts.amazonaws.com",
        f"sts.{region}.amazonaws.com",
        f"sts.{region}.amazonaws.com.cn",
    }
