"""Random configurations, environments and caches: ours signs as a fresh botocore session would.

Each home directory sees several steps, so that what an earlier step kept meets another
environment, an edited file or a process that changes its answer. Compared are the principal (the
double's session for a role tells who asked, for what, and of whom), the session token, and the
host. Three orders are the Go program's and not botocore's; the oracle is told of the choice
(docs/migrating.md).
"""

import base64
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, parse_qsl, urlsplit

import botocore.exceptions
import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

import client
from client import ClientError
from client.roles import Role
from tests.client.sts import at, response
from tests.examples import examples

BATCHES = examples(5)
HOMES = 25
STEPS = 4
ROLES = [f"arn:aws:iam::111122223333:role/{name}" for name in ("a", "team/b", "c")]
REGIONS = ("us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-3")
NAMES = ("default", "one", "two", "three")
ENDPOINTS = ("https://sts.one.example", "https://sts.two.example")


class World:
    """One home directory and one environment, changed step by step."""

    def __init__(self, home: Path, dice: random.Random) -> None:
        self.home = home
        self.dice = dice
        self.profiles: dict[str, dict[str, str]] = {}
        self.environ = {"HOME": str(home), "PATH": os.environ["PATH"], "WHO": "admin"}
        self.environ |= {"AWS_EC2_METADATA_DISABLED": "true"}
        (home / ".aws").mkdir()
        process = home / "process"
        process.write_text(
            "#!/bin/sh\n"
            'printf \'{"Version": 1, "AccessKeyId": "ASIA%s", "SecretAccessKey": "s",'
            ' "SessionToken": "t-%s", "Expiration": "2099-01-01T00:00:00Z"}\' "$WHO" "$WHO"\n'
        )
        process.chmod(0o755)
        for name in NAMES:
            self.change_profile(name)

    def change_profile(self, name: str) -> None:
        others = [other for other in NAMES if other != name]
        kind = self.dice.choice(("keys", "keys", "session", "role", "role", "process", "env-role"))
        key = f"AKIA{name.upper()}{self.dice.randrange(3)}"
        settings = {
            "keys": {"aws_access_key_id": key, "aws_secret_access_key": "s"},
            "session": {
                "aws_access_key_id": key,
                "aws_secret_access_key": "s",
                "aws_session_token": f"token-{self.dice.randrange(3)}",
            },
            "role": {
                "role_arn": self.dice.choice(ROLES),
                "source_profile": self.dice.choice(others),
            },
            "env-role": {
                "role_arn": self.dice.choice(ROLES),
                "credential_source": "Environment",
            },
            "process": {"credential_process": str(self.home / "process")},
        }[kind]
        optional = {
            "region": self.dice.choice(REGIONS),
            "sts_regional_endpoints": self.dice.choice(("legacy", "regional")),
            "use_fips_endpoint": self.dice.choice(("true", "false")),
        }
        chosen = {key: value for key, value in optional.items() if self.dice.random() < 0.3}
        if "role_arn" in settings and self.dice.random() < 0.3:
            chosen["role_session_name"] = self.dice.choice(("me", "you"))
        if "role_arn" in settings and self.dice.random() < 0.2:
            chosen["external_id"] = self.dice.choice(("x1", "x2"))
        self.profiles[name] = {**settings, **chosen}
        self.write()

    def change_environment(self, likely: float) -> None:
        number = self.dice.randrange(3)
        for variable, values in (
            ("AWS_PROFILE", (*NAMES, "", None, None)),
            ("AWS_DEFAULT_PROFILE", (*NAMES, "", None, None, None, None)),
            ("AWS_REGION", (*REGIONS, "", None, None)),
            ("AWS_DEFAULT_REGION", (*REGIONS, None, None)),
            ("AWS_ENDPOINT_URL_STS", (*ENDPOINTS, None, None, None)),
            ("AWS_ENDPOINT_URL", (*ENDPOINTS, None, None, None, None)),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ("true", None, None, None, None)),
            ("AWS_STS_REGIONAL_ENDPOINTS", ("legacy", "regional", None, None, None)),
            ("AWS_USE_DUALSTACK_ENDPOINT", ("true", None, None, None, None)),
            ("AWS_ACCESS_KEY_ID", (f"AKIAENV{number}", None, None, None)),
            ("AWS_SESSION_TOKEN", (f"env-token-{number}", None, None)),
            ("AWS_SECURITY_TOKEN", ("old-token", None, None, None, None)),
            ("AWS_ROLE_SESSION_NAME", ("from-env", None, None)),
            ("WHO", ("admin", "dev", "ops")),
        ):
            if self.dice.random() < (likely if variable != "WHO" else 0.5):
                value = self.dice.choice(values)
                if value is None:
                    self.environ.pop(variable, None)
                else:
                    self.environ[variable] = value
        if "AWS_ACCESS_KEY_ID" in self.environ:
            self.environ["AWS_SECRET_ACCESS_KEY"] = "s"
        else:
            for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
                self.environ.pop(variable, None)

    def write(self) -> None:
        config, credentials = [], []
        for name, settings in self.profiles.items():
            header = name if name == "default" else f"profile {name}"
            keys = {key: value for key, value in settings.items() if key.startswith("aws_")}
            rest = {key: value for key, value in settings.items() if key not in keys}
            config += [f"[{header}]", *[f"{key} = {value}" for key, value in rest.items()]]
            if keys:
                credentials += [f"[{name}]", *[f"{key} = {value}" for key, value in keys.items()]]
        (self.home / ".aws" / "config").write_text("\n".join(config) + "\n")
        (self.home / ".aws" / "credentials").write_text("\n".join(credentials) + "\n")


def assume(request: Any, **_: object) -> Any:
    """Answer AssumeRole with a session whose key tells who asked, for what, and of which host."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    asked = dict(parse_qsl(body))
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    caller = text.partition("Credential=")[2].partition("/")[0]
    name = asked["RoleSessionName"]
    chosen = name if name in {"me", "you", "flag", "aws-iam-authenticator"} else ""
    host = urlsplit(request.url).netloc
    parts = (caller, asked["RoleArn"], chosen, asked.get("ExternalId"), host)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16].upper()
    return response(
        request.url,
        200,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>ASIA{digest}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        f"<SessionToken>session-{digest}</SessionToken><Expiration>{at(3600)}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
    )


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    make = botocore.session.Session
    loader = Loader()

    def session(**options: object) -> Any:
        made = make(**options)
        # Reading botocore's models again for each session would take most of the time.
        made.register_component("data_loader", loader)
        made.register("before-send.sts.AssumeRole", assume)
        return made

    monkeypatch.setattr(botocore.session, "Session", session)


@pytest.fixture(scope="module")
def rules() -> EndpointProvider:
    loader = Loader()
    return EndpointProvider(
        loader.load_service_model("sts", "endpoint-rule-set-1", "2011-06-15"),
        loader.load_data("partitions"),
    )


Signed = tuple[str, str, str]


def ours(profile: str | None, role: str | None, region: str | None) -> Signed | None:
    try:
        made = client.mint(
            "c",
            profile=profile,
            region=region,
            role=Role(role, session_name="flag") if role else None,
            warn=lambda message: None,
        )
    except ClientError:
        return None
    return signed(made.value)


def signed(value: str) -> Signed:
    text = value.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    query = parse_qs(url.query)
    [credential] = query["X-Amz-Credential"]
    [token] = query.get("X-Amz-Security-Token", [""])
    return credential.partition("/")[0], token, url.netloc


def theirs(
    rules: EndpointProvider, profile: str | None, role: str | None, region: str | None
) -> Signed | None:
    environ = os.environ
    # The orders of the Go program.
    chosen = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        environ.pop(variable, None)
    if chosen:
        environ["AWS_PROFILE"] = chosen
    if environ.get("AWS_SESSION_TOKEN"):
        environ.pop("AWS_SECURITY_TOKEN", None)
    session = botocore.session.Session(profile=profile)
    try:
        settings = session.get_scoped_config()
        named = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        used = named or settings.get("region") or "us-east-1"
        session.set_config_variable("region", used)
        found = session.get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        if role:
            sts = session.create_client("sts", region_name=used)
            answer = sts.assume_role(RoleArn=role, RoleSessionName="flag")["Credentials"]
            caller = (answer["AccessKeyId"], answer["SessionToken"])
        else:
            caller = (frozen.access_key, frozen.token or "")
        style = session.get_config_variable("sts_regional_endpoints")
        url = rules.resolve_endpoint(
            Region=used,
            UseFIPS=bool(session.get_config_variable("use_fips_endpoint")),
            UseDualStack=bool(session.get_config_variable("use_dualstack_endpoint")),
            # A Region on the command line is meant, as in the Go program.
            UseGlobalEndpoint=style == "legacy" and not region,
        ).url
    except (botocore.exceptions.BotoCoreError, ValueError, KeyError):
        return None
    return (*caller, urlsplit(url).netloc)


def steps(world: World) -> Iterator[tuple[str | None, str | None, str | None]]:
    dice = world.dice
    arguments: tuple[str | None, str | None, str | None] = (None, None, None)
    for number in range(STEPS):
        # Mostly little changes, so that an earlier step's session is likely to be found.
        world.change_environment(0.05 if number else 0.4)
        if dice.random() < 0.2:
            world.change_profile(dice.choice(NAMES))
        if not number or dice.random() < 0.2:
            arguments = (
                dice.choice((None, None, *NAMES)),
                dice.choice((None, None, *ROLES)),
                dice.choice((None, None, *REGIONS)),
            )
        yield arguments


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_signs_as_a_fresh_session_of_botocore(
    batch: int, rules: EndpointProvider, tmp_path: Path
) -> None:
    both = 0
    for case in range(HOMES):
        seed = batch * 1000 + case
        home = tmp_path / str(case)
        home.mkdir()
        world = World(home, random.Random(seed))
        for number, arguments in enumerate(steps(world)):
            with patch.dict(os.environ, world.environ, clear=True):
                expected = theirs(rules, *arguments)
            with patch.dict(os.environ, world.environ, clear=True):
                found = ours(*arguments)
            if expected and found:
                both += 1
                assert found == expected, (seed, number, arguments, world.environ, world.profiles)
    # The cases would say nothing if most of them could not sign.
    assert both > HOMES * STEPS // 3
