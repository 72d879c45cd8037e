"""Minting: which credentials, which host, until when."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

import client
from client import endpoints, sigv4, token
from client.credentials import Credentials
from client.errors import ClientError
from dev.aws_double import AwsDouble, Principal
from dev.aws_double.principals import assumed_role, user

NOW = 1_000_000.0
ENDPOINT = endpoints.resolve("eu-west-1")


def url_of(minted: client.Token) -> str:
    encoded = minted.value.removeprefix("k8s-aws-v1.")
    return base64.b64decode(encoded + "==", altchars=b"-_").decode()


def credentials(*, expiration: float | None = None) -> Credentials:
    return Credentials("AKIDEXAMPLE", "secret", expiration=expiration, source="a test")


class TestExpiry:
    @pytest.mark.parametrize(
        ("end", "expected"),
        [(None, 840), (3600, 840), (840, 840), (839, 839), (0.5, 0.5)],
    )
    def test_is_14_minutes_or_the_credentials_own_end(
        self, end: float | None, expected: float
    ) -> None:
        ready = credentials(expiration=None if end is None else NOW + end)

        assert token.sign(ready, "c", ENDPOINT, now=NOW).expiration == NOW + expected

    @pytest.mark.parametrize("end", [0, -1, -1e6])
    def test_no_token_for_credentials_that_have_expired(self, end: float) -> None:
        with pytest.raises(ClientError, match=r"from a test expired at 1970-01-.*; renew them"):
            token.sign(credentials(expiration=NOW + end), "c", ENDPOINT, now=NOW)

    def test_the_environment_can_tell_the_end(
        self, keys: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2001-09-09T01:46:40Z")

        with pytest.raises(ClientError, match="environment expired at 2001-09-09T01:46:40Z"):
            client.mint("c")


def test_the_token_is_url_safe_base64_without_padding() -> None:
    for length in range(1, 5):
        minted = token.sign(credentials(), "c" * length, ENDPOINT, now=NOW)

        assert minted.value.replace("k8s-aws-v1.", "").replace("-", "").replace("_", "").isalnum()
        assert url_of(minted) == sigv4.presign(
            credentials(),
            host=ENDPOINT.host,
            region=ENDPOINT.region,
            cluster_id="c" * length,
            now=NOW,
        )


# Environment, profile's settings in the config file, the host signed for.
HOSTS: dict[str, tuple[dict[str, str], str, str]] = {
    "nothing": ({}, "", "sts.us-east-1.amazonaws.com"),
    "the global one": ({"AWS_REGION": "aws-global"}, "", "sts.amazonaws.com"),
    "profile": ({}, "region = eu-west-1", "sts.eu-west-1.amazonaws.com"),
    "AWS_DEFAULT_REGION before the profile": (
        {"AWS_DEFAULT_REGION": "eu-west-2"},
        "region = eu-west-1",
        "sts.eu-west-2.amazonaws.com",
    ),
    "AWS_REGION before AWS_DEFAULT_REGION": (
        {"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "eu-west-2"},
        "",
        "sts.eu-west-3.amazonaws.com",
    ),
    "legacy": (
        {"AWS_REGION": "eu-west-1", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
        "",
        "sts.amazonaws.com",
    ),
    "legacy, region newer than that": (
        {"AWS_REGION": "il-central-1", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
        "",
        "sts.il-central-1.amazonaws.com",
    ),
    "legacy in the profile": (
        {"AWS_REGION": "eu-west-1"},
        "sts_regional_endpoints = legacy",
        "sts.amazonaws.com",
    ),
    "FIPS": (
        {"AWS_REGION": "us-west-2", "AWS_USE_FIPS_ENDPOINT": "true"},
        "",
        "sts-fips.us-west-2.amazonaws.com",
    ),
    "FIPS in the profile": (
        {},
        "region = us-west-2\nuse_fips_endpoint = True",
        "sts-fips.us-west-2.amazonaws.com",
    ),
    "no FIPS in the environment, FIPS in the profile": (
        {"AWS_USE_FIPS_ENDPOINT": "false"},
        "region = us-west-2\nuse_fips_endpoint = true",
        "sts.us-west-2.amazonaws.com",
    ),
    "dual-stack": (
        {"AWS_REGION": "eu-west-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        "",
        "sts.eu-west-1.api.aws",
    ),
    "China": ({"AWS_REGION": "cn-north-1"}, "", "sts.cn-north-1.amazonaws.com.cn"),
}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("case", HOSTS.values(), ids=HOSTS.keys())
def test_signs_for_the_host_that_the_surroundings_name(
    case: tuple[dict[str, str], str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ, settings, host = case
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (home / ".aws" / "config").write_text(f"[default]\n{settings}\n")

    url = urlsplit(url_of(client.mint("c")))

    assert url.hostname == host
    region = parse_qs(url.query)["X-Amz-Credential"][0].split("/")[2]
    assert region == ("us-east-1" if host == "sts.amazonaws.com" else host.split(".")[1])


@pytest.mark.usefixtures("keys")
def test_an_argument_comes_before_every_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")

    minted = client.mint("c", region="eu-west-2")

    assert urlsplit(url_of(minted)).hostname == "sts.eu-west-2.amazonaws.com"


@pytest.mark.usefixtures("keys")
def test_refuses_an_unknown_style_of_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "global")

    with pytest.raises(ClientError, match="'global'; set it to legacy or regional"):
        client.mint("c")


def test_a_named_profile_leaves_the_environment_out(
    keys: None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws" / "credentials").write_text(
        "[b]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = x\n"
    )

    assert "AKIDOTHER" in url_of(client.mint("c", profile="b"))
    assert "AKIDEXAMPLE" in url_of(client.mint("c"))


def test_secrets_are_in_no_representation() -> None:
    assert "secret" not in repr(credentials())
    assert "k8s-aws" not in repr(token.sign(credentials(), "c", ENDPOINT, now=NOW))


PRINCIPALS: dict[str, Callable[[], Principal]] = {
    "user": lambda: user("111122223333", "alice"),
    "session": lambda: assumed_role("111122223333", "Admin", "alice"),
    "session in China": lambda: assumed_role("111122223333", "Admin", "a", partition="aws-cn"),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsDouble]:
    with AwsDouble([make() for make in PRINCIPALS.values()]) as double:
        yield double


@pytest.mark.parametrize("place", ["environment", "profile"])
@pytest.mark.parametrize("make", PRINCIPALS.values(), ids=PRINCIPALS.keys())
def test_sts_knows_the_caller_by_the_token(
    make: Callable[[], Principal],
    place: str,
    aws: AwsDouble,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    principal = make()
    monkeypatch.setenv("AWS_REGION", {"aws": "eu-west-1"}.get(principal.partition, "cn-north-1"))
    if place == "profile":
        monkeypatch.setenv("AWS_PROFILE", "me")
        (home / ".aws" / "credentials").write_text(principal.profile("me"))
    else:
        for name, value in principal.environment().items():
            monkeypatch.setenv(name, value)
    url = url_of(client.mint("my-cluster"))

    with urllib3.ProxyManager(aws.proxy_url, ca_certs=str(aws.ca_bundle)) as http:
        proven = http.request("GET", url, headers={"x-k8s-aws-id": "my-cluster"})
        elsewhere = http.request("GET", url, headers={"x-k8s-aws-id": "other-cluster"})

    assert (proven.status, elsewhere.status) == (200, 403)
    assert principal.arn in proven.data.decode()
