"""An API server that verifies JWTs by itself makes the same users as the webhook does."""

from __future__ import annotations

import itertools
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.aws_double import AwsDouble
from dev.aws_double.principals import Principal, assumed_role, sso_user, user
from dev.cluster import Options
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e.callers import CLUSTER_ID
from tests.e2e.logins import user_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import ControlPlane
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ONE, TWO, OTHER = "111122223333", "444455556666", "777788889999"
AUDIENCE = f"urn:k8s-aws:{CLUSTER_ID}"
ROLE = f"arn:aws:iam::{ONE}:role"
NAMESPACE = "https://sts.amazonaws.com/"

# In groups of rules for one question each; the order between them does not matter.
MAP_ROLES: list[dict[str, Any]] = [
    {"rolearn": f"{ROLE}/Plain", "username": "plain", "groups": ["a", "b:{{AccountID}}", "a"]},
    {"rolearn": f"{ROLE}/Arn", "username": "{{CanonicalARN}}"},
    {"rolearn": f"{ROLE}/twice", "username": "first"},
    {"rolearn": f"{ROLE}/twice", "username": "last"},
    {"rolearn": f"{ROLE}/team/Path", "username": "with-path"},
    {"rolearn": f"{ROLE}/dev-*", "username": "pattern", "groups": ["devs"]},
    {"rolearn": f"{ROLE}/dev-a?", "username": "longer-pattern"},
    {"rolearn": f"{ROLE}/dev-exact", "username": "exact"},
    {"rolearn": f"{ROLE}/Key", "username": "key:{{SessionName}}"},
    {"rolearn": f"{ROLE}/Key", "username": "jwt", "proof": "jwt"},
    {"rolearn": f"{ROLE}/Session", "username": "key:{{SessionName}}"},
    {"rolearn": f"{ROLE}/Pinned", "username": "pinned", "userid": "AROAEXAMPLEEXAMPLE123"},
    {"rolearn": f"{ROLE}/Presigned", "username": "presigned", "proof": "presigned"},
    {"rolearn": f"{ROLE}/Tagged", "username": "tagged", "principalTags": {"team": "data"}},
    {"rolearn": f"{ROLE}/Tagged", "username": "empty", "principalTags": {"none": ""}},
    {"rolearn": f"{ROLE}/Tagged", "username": "org", "organization": "o-a1b2c3d4e5"},
    {"rolearn": f"{ROLE}/Unit", "username": "unit", "organizationalUnit": "ou-ab12-11111111"},
    {"rolearn": f"{ROLE}/Unit", "username": "longer", "organizationalUnit": "ou-ab12-1111111"},
    {"rolearn": f"{ROLE}/Source", "username": "s:{{SourceIdentity}}"},
    {"rolearn": f"{ROLE}/Broken", "username": "{{NoSuchThing}}"},
    {"rolearn": f"{ROLE}/Nodes", "username": "system:admin", "groups": ["system:masters"]},
    {
        "sso": {"permissionSetName": "Admin", "accountID": ONE},
        "username": "sso:{{IdentityStoreUserID}}",
        "groups": ["admins"],
    },
    {"rolearn": f"{ROLE}/AWSReservedSSO_*", "username": "look-alike"},
]
MAP_USERS = [
    {"userarn": f"arn:aws:iam::{ONE}:user/staff/alice", "username": "alice"},
    {"userarn": f"arn:aws:iam::{ONE}:user/b*", "username": "some-user"},
]
# Names that mappings, IAM or regular expressions might take for something else.
NAMES = (
    *("Plain", "plain", "PLAIN", "Plain2", "Arn", "twice", "Path", "dev-", "dev-x", "dev-ab"),
    *("dev-exact", "dev-exacts", "Key", "Session", "Pinned", "Presigned", "Tagged", "Unit"),
    *("Source", "Broken", "Nodes", "unknown", "a+b=c,d.e@f-g_h", "AWSReservedSSO_Admin_x"),
    "AWSReservedSSO_Admin_0123456789abcdef",
)
PATHS = ("", "team/", "aws-reserved/sso.amazonaws.com/", "x/aws-reserved/sso.amazonaws.com/")
CLAIMS: tuple[dict[str, object], ...] = (
    {},
    {"principal_tags": {"team": "data"}, "source_identity": "alice"},
    {"principal_tags": {"team": "web", "none": ""}, "request_tags": {"team": "data"}},
    {"org_id": "o-other", "ou_path": "o-other/r-ab12/ou-ab12-1111111/", "source_identity": "a b"},
    {"ou_path": ["o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/"]},
    {"identity_store_user_id": "9067-1"},
)


def configuration(aws: AwsDouble) -> dict[str, Any]:
    accounts = ((ONE, aws.federation.enable(ONE)), (TWO, aws.federation.enable(TWO)))
    issuers = [{"url": issuer.url, "accountID": account} for account, issuer in accounts]
    return {
        "clusterID": CLUSTER_ID,
        "server": {
            "webIdentity": {"issuers": issuers},
            "mapRoles": MAP_ROLES,
            "mapUsers": MAP_USERS,
            "mapAccounts": [TWO],
        },
    }


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        double.federation.enable(OTHER)
        yield double


@pytest.fixture(scope="module")
def server(aws: AwsDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookServer]:
    config = write_config(tmp_path_factory.mktemp("webhook"), configuration(aws))
    with WebhookServer(config, aws.environment()) as running:
        yield running


@pytest.fixture(scope="module")
def plane(
    start_control_plane: StartControlPlane,
    server: WebhookServer,
    aws: AwsDouble,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ControlPlane]:
    """An API server without a webhook, with what our command renders of the server's config."""
    done = subprocess.run(
        [str(COMMAND), "authentication-config", "--config", str(server.config)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "does not check iat" in done.stderr
    document = yaml.safe_load(done.stdout)
    for entry in document["jwt"]:
        entry["issuer"]["certificateAuthority"] = aws.ca_bundle.read_text()
    path = tmp_path_factory.mktemp("plane") / "authentication.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.MonkeyPatch.context() as environment:
        for name, value in aws.environment().items():
            environment.setenv(name, value)
        yield start_control_plane(
            Options(extra_flags=(f"--authentication-config={path}", "--anonymous-auth=false"))
        )


def by_webhook(server: WebhookServer, token: str) -> tuple[str, tuple[str, ...]] | None:
    with server.poster() as poster:
        found = poster.review(token).user
    return None if found is None else (found["username"], tuple(found.get("groups", ())))


def by_itself(plane: ControlPlane, token: str) -> tuple[str, tuple[str, ...]] | None:
    _, found = user_info(plane, token)
    if not found:
        return None
    groups = tuple(group for group in found["groups"] if group != "system:authenticated")
    return found["username"], groups


def principals() -> Iterator[Principal]:
    yield from (
        assumed_role(ONE, name, "session", path=path, claims=claims)
        for name, path, claims in itertools.product(NAMES, PATHS, CLAIMS[:2])
    )
    yield from (
        assumed_role(ONE, name, "session", claims=claims)
        for name, claims in itertools.product(("Tagged", "Unit", "Source", "Key"), CLAIMS)
    )
    for name in ("alice", "bob", "carol"):
        yield from (user(account, name, path=path) for account in (ONE, TWO) for path in PATHS[:2])
    yield user(ONE, "alice", path="staff/")
    yield sso_user(ONE, "Admin", "carol")
    yield sso_user(ONE, "Admin_ReadOnly", "carol")
    yield assumed_role(TWO, "Any", "x", path="team/")
    yield assumed_role(OTHER, "Plain", "x")


def test_both_make_the_same_users(
    plane: ControlPlane, server: WebhookServer, aws: AwsDouble
) -> None:
    different = {}
    granted = 0
    for principal in principals():
        token = aws.federation.mint(principal, AUDIENCE)
        ours, theirs = by_webhook(server, token), by_itself(plane, token)
        granted += ours is not None
        if ours != theirs:
            different[principal.subject, str(principal.claims)] = ours, theirs
    assert different == {}
    assert granted > 50


@pytest.mark.parametrize(
    ("claims", "aws_claims"),
    [
        ({"aud": "urn:k8s-aws:other"}, {}),
        ({"aud": [AUDIENCE, "sts.amazonaws.com"]}, {}),
        ({"exp": 1}, {}),
        ({"sub": f"arn:aws:iam::{ONE}:root"}, {}),
        ({"sub": f"arn:aws:iam::{TWO}:user/bob"}, {}),
        ({"sub": f"arn:aws:sts::{ONE}:assumed-role/Plain/x"}, {}),
        ({"sub": f"arn:aws:iam::{ONE}:role/Plain\n"}, {}),
        ({"sub": "system:admin"}, {}),
        ({"subject_mode": "OriginIdentity"}, {}),
        ({}, {"subject_mode": "OriginIdentity"}),
        ({}, {"aws_account": TWO}),
        ({}, {"principal_id": f"arn:aws:iam::{TWO}:role/Plain"}),
        ({NAMESPACE: {}}, {}),
    ],
)
def test_both_refuse_a_forger_with_an_issuers_key(
    plane: ControlPlane,
    server: WebhookServer,
    aws: AwsDouble,
    claims: dict[str, object],
    aws_claims: dict[str, object],
) -> None:
    plain = assumed_role(ONE, "Plain", "x")
    usual = aws.federation.claims(plain, AUDIENCE)
    details = usual[NAMESPACE]
    assert isinstance(details, dict)
    issuer = aws.federation.find(ONE)
    assert issuer is not None
    token = issuer.sign({**usual, NAMESPACE: {**details, **aws_claims}, **claims})
    assert by_webhook(server, token) is None
    assert by_itself(plane, token) is None


def test_what_cel_cannot_express_is_named_and_refused(
    aws: AwsDouble, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given = configuration(aws)
    given["server"]["mapRoles"] = [
        {"rolearn": f"{ROLE}/*", "username": "anyone"},
        {"rolearn": f"{ROLE}/Node", "username": "system:node:{{EC2PrivateDNSName}}"},
        {"rolearn": f"{ROLE}/Ends", "username": "ends", "expires": "2099-01-31T00:00:00Z"},
    ]
    config = write_config(tmp_path_factory.mktemp("lost"), given)
    command = [str(COMMAND), "authentication-config", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "MountedFile mapRoles[1]" in done.stderr
    assert "EC2 instance" in done.stderr
    assert "CEL has no clock" in done.stderr
    # Each is in the list before the pattern, with no user.
    (first, second) = yaml.safe_load(done.stdout)["jwt"]
    username = first["claimMappings"]["username"]["expression"]
    assert username.index('role/([!-~]{1,510}/)?node$") ? "" :') < username.index("[^:/]*$")
    assert "anyone" not in second["claimMappings"]["username"]["expression"]
    strict = subprocess.run([*command, "--strict"], capture_output=True, text=True, check=False)
    assert (strict.returncode, strict.stdout) == (1, "")
