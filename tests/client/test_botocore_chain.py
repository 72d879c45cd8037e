"""What botocore decides differently from the SDKs, and which sessions may be kept."""

import botocore.credentials
import botocore.session
import pytest

from client import botocore_chain
from client.cli_cache import CliCache

KEYS = {"aws_access_key_id": "A", "aws_secret_access_key": "s"}
PROCESS = {"credential_process": "x"}
WEB = {"role_arn": "arn:aws:iam::111122223333:role/Web", "web_identity_token_file": "x"}


def test_botocore_still_has_what_is_adjusted() -> None:
    session = botocore.session.Session()

    made = botocore_chain.resolver(session, "eu-west-1")

    by_type = {type(provider): provider for provider in made.providers}
    environment = by_type[botocore.credentials.EnvProvider]
    instance = by_type[botocore.credentials.InstanceMetadataProvider]
    role = by_type[botocore.credentials.AssumeRoleProvider]
    assert environment._mapping["token"][0] == "AWS_SESSION_TOKEN"
    assert instance._role_fetcher._session._proxy_config.proxy_url_for("http://x") is None
    assert role._prompter is botocore_chain._ask_for_code
    assert not isinstance(role.cache, CliCache)
    assert {source.METHOD for source in role._credential_sourcer._providers} == {
        "container-role",
        "env",
        "iam-role",
    }


@pytest.mark.parametrize(
    ("profiles", "keyed"),
    [
        ({"me": {"source_profile": "me", **KEYS}}, True),
        ({"me": {"source_profile": "b"}, "b": KEYS}, True),
        ({"me": {"source_profile": "b"}, "b": {"source_profile": "c"}, "c": KEYS}, True),
        ({"me": {"source_profile": "b"}, "b": {"sso_session": "s"}}, True),
        ({"me": {"credential_source": "Environment"}}, True),
        ({"me": {"credential_source": "Ec2InstanceMetadata"}}, False),
        ({"me": {"credential_source": "EcsContainer"}}, False),
        ({"me": {"source_profile": "b"}, "b": {"credential_process": "x"}}, False),
        ({"me": {"source_profile": "b"}, "b": {**KEYS, "credential_process": "x"}}, False),
        ({"me": {"source_profile": "b"}, "b": {**KEYS, "web_identity_token_file": "x"}}, False),
        (
            {"me": {"source_profile": "b"}, "b": {**PROCESS, "source_profile": "c"}, "c": KEYS},
            False,
        ),
        ({"me": {"source_profile": "b"}, "b": {**WEB, "source_profile": "c"}, "c": KEYS}, False),
        ({"me": {"source_profile": "b"}, "b": {"credential_source": "EcsContainer"}}, False),
        ({"me": {"source_profile": "b"}, "b": {"source_profile": "me"}}, False),
        ({"me": {"source_profile": "b"}, "b": {}}, False),
        ({"me": {"source_profile": "absent"}}, False),
    ],
)
def test_a_role_is_kept_only_where_the_key_holds_its_source(
    profiles: dict[str, dict[str, str]], keyed: bool
) -> None:
    assert botocore_chain.is_keyed("assume-role", profiles, "me") is keyed


@pytest.mark.parametrize("method", ["custom-process", "container-role", "iam-role", "new"])
def test_what_the_key_does_not_hold_is_never_kept(method: str) -> None:
    assert not botocore_chain.is_keyed(method, {"me": KEYS}, "me")
