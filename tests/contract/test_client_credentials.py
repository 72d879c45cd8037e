"""Ready credentials are those that botocore would have chosen, or none, which asks botocore."""

import os
from pathlib import Path

import botocore.session
import pytest

from client.credentials import Credentials, ready
from client.profiles import SharedFiles

KEYS = "aws_access_key_id = {0}KEY\naws_secret_access_key = {0}SECRET\n"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "ENVSECRET"}
Case = tuple[dict[str, str], str, str, str | None]

# Environment, credentials file, config file, profile asked for by name.
READY: dict[str, Case] = {
    "environment": (ENVIRONMENT, "", "", None),
    "environment with a session token": (
        {**ENVIRONMENT, "AWS_SESSION_TOKEN": "T"},
        "",
        "",
        None,
    ),
    "environment with the old name of the token": (
        {**ENVIRONMENT, "AWS_SECURITY_TOKEN": "OLD"},
        "",
        "",
        None,
    ),
    "environment before files": (ENVIRONMENT, "[default]\n" + KEYS.format("A"), "", None),
    "environment before AWS_PROFILE": (
        {**ENVIRONMENT, "AWS_PROFILE": "b"},
        "[b]\n" + KEYS.format("B"),
        "",
        None,
    ),
    "environment before a role in the profile": (
        ENVIRONMENT,
        "",
        "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = default\n",
        None,
    ),
    "environment before web identity": (
        {**ENVIRONMENT, "AWS_WEB_IDENTITY_TOKEN_FILE": "/absent", "AWS_ROLE_ARN": "x"},
        "",
        "",
        None,
    ),
    "named profile before the environment": (ENVIRONMENT, "[b]\n" + KEYS.format("B"), "", "b"),
    "named profile before web identity": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/absent", "AWS_ROLE_ARN": "x"},
        "[b]\n" + KEYS.format("B"),
        "",
        "b",
    ),
    "default profile": ({}, "[default]\n" + KEYS.format("A"), "", None),
    "AWS_PROFILE": (
        {"AWS_PROFILE": "b"},
        "[default]\n" + KEYS.format("A") + "[b]\n" + KEYS.format("B"),
        "",
        None,
    ),
    "AWS_DEFAULT_PROFILE before AWS_PROFILE": (
        {"AWS_PROFILE": "b", "AWS_DEFAULT_PROFILE": "c"},
        "[b]\n" + KEYS.format("B") + "[c]\n" + KEYS.format("C"),
        "",
        None,
    ),
    "empty access key in the environment": (
        {"AWS_ACCESS_KEY_ID": ""},
        "[default]\n" + KEYS.format("A"),
        "",
        None,
    ),
    "keys in the config file": ({}, "", "[default]\n" + KEYS.format("A"), None),
    "keys in both files": (
        {},
        "[default]\n" + KEYS.format("A"),
        "[default]\naws_session_token = T\n" + KEYS.format("B"),
        None,
    ),
    "keys here, settings there": (
        {"AWS_PROFILE": "b"},
        "[b]\naws_session_token = T\n" + KEYS.format("B"),
        "[profile b]\nregion = eu-west-1\noutput = json\ns3 =\n  a = b\n",
        None,
    ),
    "both names of the token": (
        {},
        "[default]\naws_session_token = T\naws_security_token = OLD\n" + KEYS.format("A"),
        "",
        None,
    ),
    "other profiles are nobody's business": (
        {},
        "[default]\n" + KEYS.format("A"),
        "[profile b]\nrole_arn = x\nsource_profile = c\n[sso-session d]\nsso_region = x\n",
        None,
    ),
}
ROLE = "role_arn = arn:aws:iam::111122223333:role/x\nsource_profile = default\n"
LEFT_TO_BOTOCORE: dict[str, Case] = {
    "nothing at all": ({}, "", "", None),
    "role beside keys": ({}, "[default]\n" + KEYS.format("A"), "[default]\n" + ROLE, None),
    "role in the credentials file": ({}, "[default]\n" + ROLE + KEYS.format("A"), "", None),
    "single sign-on": ({}, "", "[default]\nsso_session = s\nsso_account_id = 1\n", None),
    "single sign-on beside keys": (
        {},
        "[default]\n" + KEYS.format("A"),
        "[default]\nsso_start_url = x\n",
        None,
    ),
    "process": ({}, "", "[default]\ncredential_process = x\n", None),
    "login session beside keys": (
        {},
        "",
        "[default]\nlogin_session = x\n" + KEYS.format("A"),
        None,
    ),
    "web identity before files": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/absent"},
        "[default]\n" + KEYS.format("A"),
        "",
        None,
    ),
    "web identity in the profile": (
        {},
        "[default]\n" + KEYS.format("A"),
        "[default]\nweb_identity_token_file = x\n",
        None,
    ),
    "a setting nobody knows yet": (
        {},
        "[default]\ncredential_oracle = x\n" + KEYS.format("A"),
        "",
        None,
    ),
    "an end that only botocore can read": (
        {**ENVIRONMENT, "AWS_CREDENTIAL_EXPIRATION": "Jan 1 2099"},
        "",
        "",
        None,
    ),
    "keys of the wrong shape": (
        {},
        "[default]\naws_access_key_id =\n  a = b\naws_secret_access_key = x\n",
        "",
        None,
    ),
}


def surroundings(case: Case, directory: Path) -> dict[str, str]:
    environ, credentials, config, _ = case
    (directory / "credentials").write_text(credentials)
    (directory / "config").write_text(config)
    return {
        **environ,
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "AWS_CONFIG_FILE": str(directory / "config"),
    }


def ours(case: Case, environ: dict[str, str]) -> Credentials | None:
    named = case[3] or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
    return ready(
        environ,
        SharedFiles.read(environ),
        profile=named or "default",
        explicit=case[3] is not None,
    )


@pytest.mark.parametrize("case", READY.values(), ids=READY.keys())
def test_chooses_as_botocore_does(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = surroundings(case, tmp_path)
    monkeypatch.setattr(os, "environ", environ)
    theirs = botocore.session.Session(profile=case[3]).get_credentials().get_frozen_credentials()

    found = ours(case, environ)

    assert found is not None
    assert (found.access_key, found.secret_key, found.session_token) == tuple(theirs)[:3]


@pytest.mark.parametrize("case", LEFT_TO_BOTOCORE.values(), ids=LEFT_TO_BOTOCORE.keys())
def test_leaves_the_rest_to_botocore(case: Case, tmp_path: Path) -> None:
    assert ours(case, surroundings(case, tmp_path)) is None
