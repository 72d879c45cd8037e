"""Logins with JWTs that AWS signs, on a real API server: as whom, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dev.aws_double import AwsDouble
from dev.aws_double.faults import Close, WrongKeys
from dev.aws_double.principals import Principal, assumed_role, instance, sso_user, user
from dev.cluster import KubectlError, Options, Webhook
from dev.server import COMMAND, WebhookServer, now, write_config
from dev.waiting import wait_until
from tests.corpus import forge, jwts
from tests.e2e.callers import CLUSTER_ID, REGION, exec_user, fresh_token, variables
from tests.e2e.flooding import flood
from tests.e2e.logins import UNAUTHORIZED, log_in, stream_of, user_info, whoami

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dev.aws_double.federation import Issuer
    from dev.cluster import ControlPlane
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ACCOUNT = "123456789012"  # moto's
AUDIENCE = f"urn:k8s-aws:{CLUSTER_ID}"
DEV = assumed_role(
    ACCOUNT, "Dev", "alice", path="team/", claims={"principal_tags": {"team": "data"}}
)
ALICE = user(ACCOUNT, "alice", path="staff/")
CAROL = sso_user(ACCOUNT, "Developer", "carol@example.com")
LOOK_ALIKE = assumed_role(ACCOUNT, "AWSReservedSSO_Developer_0123456789abcdef", "eve")
TAGGED = assumed_role(ACCOUNT, "Tagged", "bob", claims={"principal_tags": {"team": "data"}})
PLAIN = assumed_role(ACCOUNT, "Tagged", "mallory")
PRESIGNED_ONLY = assumed_role(ACCOUNT, "Presigned", "bob")
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
JWT = exec_user(str(COMMAND), "token", "--jwt", "-i", CLUSTER_ID)
PRESIGNED = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID)


def configuration(issuer: Issuer, **more: Any) -> dict[str, Any]:
    issuers = [{"url": issuer.url, "accountID": ACCOUNT}]
    return {
        "clusterID": CLUSTER_ID,
        "server": {
            "webIdentity": {"issuers": issuers, "algorithms": ["RS256", "ES384"], **more},
            "mapRoles": [
                {"rolearn": f"{ROLE}/Dev", "username": "dev", "groups": ["devs"]},
                {
                    "sso": {"permissionSetName": "Developer", "accountID": ACCOUNT},
                    "username": "sso:{{IdentityStoreUserID}}",
                },
                {
                    "rolearn": f"{ROLE}/Node",
                    "username": "system:node:{{EC2PrivateDNSName}}",
                    "groups": ["system:bootstrappers", "system:nodes"],
                    "proof": "jwt",
                },
                {
                    "rolearn": f"{ROLE}/Tagged",
                    "username": "tagged",
                    "organization": "o-a1b2c3d4e5",
                    "organizationalUnit": "ou-ab12-11111111",
                    "principalTags": {"team": "data"},
                },
                {"rolearn": f"{ROLE}/Presigned", "username": "key:{{SessionName}}"},
                {"rolearn": f"{ROLE}/*", "username": "anyone"},
            ],
            "mapUsers": [{"userarn": ALICE.arn, "username": "alice"}],
        },
    }


class World:
    """AWS with one account that issues JWTs."""

    def __init__(self, aws: AwsDouble, issuer: Issuer) -> None:
        self.aws, self.issuer = aws, issuer

    def token(self, principal: Principal = DEV, **given: Any) -> str:
        """A JWT that no one has seen, as STS would issue it."""
        return self.aws.federation.mint(principal, AUDIENCE, **given)

    def unknown(self, _number: int = 0) -> str:
        """A JWT of a key that the issuer does not have."""
        claims = self.aws.federation.claims(DEV, AUDIENCE)
        return self.issuer.sign(claims, header={"kid": f"x{uuid.uuid4().hex}"})

    @property
    def fetched(self) -> int:
        """How often the issuer's keys were fetched."""
        return self.aws.calls.counts().by_host[self.issuer.host]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    people = (DEV, ALICE, CAROL, LOOK_ALIKE, TAGGED, PLAIN, PRESIGNED_ONLY)
    with AwsDouble(people) as aws:
        yield World(aws, aws.federation.enable(ACCOUNT))


@pytest.fixture(scope="module")
def ec2() -> Iterator[dict[str, str]]:
    """The variables that make an AWS SDK find moto's EC2."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL_EC2": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }
    server.stop()


@pytest.fixture(scope="module")
def server(
    world: World, ec2: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookServer]:
    directory = tmp_path_factory.mktemp("web-identity")
    given = configuration(world.issuer)
    # A second issuer of the same account, for the corpus, whose keys come from a file.
    keys = directory / "keys.json"
    keys.write_text(json.dumps(jwts.own_keys().jwks()))
    corpus = {"url": jwts.ISSUER, "accountID": jwts.ACCOUNT, "keysFile": str(keys)}
    given["server"]["webIdentity"]["issuers"].append(corpus)
    given["server"]["mapAccounts"] = [jwts.ACCOUNT]
    config = write_config(directory, given)
    environment = {**world.aws.environment(), **ec2}
    with WebhookServer(config, environment, arguments=("--log-format", "json")) as running:
        running.poll_until(lambda: keys_of(running, world) > 0, "it has no keys")
        yield running


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane, server: WebhookServer) -> ControlPlane:
    """With the node authorizer, and an API server that remembers answers for 2 minutes."""
    return start_control_plane(Options(Webhook(server.kubeconfig, "v1", "2m"), nodes=True))


def readyz(server: WebhookServer) -> dict[str, Any]:
    with server.poster() as poster:
        found: dict[str, Any] = json.loads(poster.get("/readyz").body)
        return found


def keys_of(server: WebhookServer, world: World) -> int:
    states = {state["issuer"]: state["keys"] for state in readyz(server)["webIdentity"]}
    return int(states[world.issuer.url])


def review(server: WebhookServer, token: str) -> tuple[int, dict[str, Any]]:
    """The HTTP status, and the status of the TokenReview if there is one."""
    with server.poster() as poster:
        answer = poster.review(token)
    return answer.status, json.loads(answer.body)["status"] if answer.status == 200 else {}


def a_minute_passes(server: WebhookServer) -> None:
    """Let the server fetch keys again: it has noted when it did last, for restarts as well."""
    state = server.config.parent / "state" / "web-identity"
    for lock in state.glob("*.lock"):
        lock.write_text("0")
    since = server.log.end
    server.signal(signal.SIGHUP)
    server.wait_for_workers(since)


@pytest.mark.parametrize(
    ("principal", "username"),
    [
        pytest.param(DEV, "dev", id="role"),
        pytest.param(ALICE, "alice", id="user"),
        pytest.param(CAROL, f"sso:{CAROL.claims['identity_store_user_id']}", id="sso"),
        pytest.param(TAGGED, "tagged", id="conditions"),
        pytest.param(LOOK_ALIKE, "anyone", id="a-role-named-like-a-permission-set"),
    ],
)
def test_kubectl_logs_in(
    plane: ControlPlane, world: World, principal: Principal, username: str
) -> None:
    info = whoami(plane, JWT, variables(principal, world.aws.environment()))
    assert info["username"] == username
    assert info["extra"]["sigs.k8s.io/aws-iam-authenticator/proof"] == ["jwt"]
    assert info["extra"]["arn"] == [principal.subject]


@pytest.mark.parametrize("principal", [PLAIN, PRESIGNED_ONLY], ids=["tags", "session name"])
def test_no_one_falls_through_to_the_wider_entry(
    plane: ControlPlane, world: World, server: WebhookServer, principal: Principal
) -> None:
    began = now()
    with pytest.raises(KubectlError, match=r"Unauthorized"):
        whoami(plane, JWT, variables(principal, world.aws.environment()))
    reason = server.audited(began)["reason"]
    assert "principalTags" in reason or "{{SessionName}}" in reason


def test_a_presigned_token_is_not_widened_by_conditions(plane: ControlPlane, world: World) -> None:
    environment = variables(TAGGED, world.aws.environment())
    with pytest.raises(KubectlError, match=UNAUTHORIZED[:20]):
        whoami(plane, PRESIGNED, environment)
    info = whoami(plane, PRESIGNED, variables(PRESIGNED_ONLY, world.aws.environment()))
    assert info["username"] == "key:bob"


def test_a_node_is_the_instance_that_aws_names(
    plane: ControlPlane, world: World, ec2: Mapping[str, str]
) -> None:
    session = boto3.session.Session("AKIAEXAMPLE", "secret", region_name=REGION)
    endpoint = ec2["AWS_ENDPOINT_URL_EC2"]
    profile = session.client("iam", endpoint_url=endpoint).create_instance_profile(
        InstanceProfileName="web-identity-node"
    )["InstanceProfile"]
    client = session.client("ec2", endpoint_url=endpoint)
    started = client.run_instances(
        ImageId=client.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Arn": profile["Arn"]},
    )["Instances"][0]
    node = instance(ACCOUNT, "Node", started["InstanceId"])
    # Someone who can assume the role names their session after the instance.
    thief = assumed_role(ACCOUNT, "Node", started["InstanceId"])
    name = f"system:node:{started['PrivateDnsName']}"
    status, info = user_info(plane, world.token(node))
    assert (status, info.get("username")) == (201, name)
    kubeconfig = plane.kubeconfig("node", {"token": world.token(node)})
    document = {"apiVersion": "v1", "kind": "Node"}
    for other, complaint in ((started["PrivateDnsName"], ""), ("another", "is not allowed to")):
        made = json.dumps({**document, "metadata": {"name": other}})
        done = plane.kubectl(
            "create", "--filename=-", kubeconfig=kubeconfig, stdin=made, check=False
        )
        assert complaint in done.stderr
        assert bool(done.returncode) is bool(complaint)
    assert log_in(plane, world.token(thief)) == 401
    world.aws.principals.add(thief)
    assert log_in(plane, fresh_token(thief)) == 401


@pytest.mark.parametrize("case", forge.cases("jwts"), ids=lambda case: case["name"])
def test_every_case_of_the_corpus(server: WebhookServer, case: dict[str, Any]) -> None:
    status, answer = review(server, jwts.token(case))
    assert status == 200
    assert answer.get("authenticated") is bool(case.get("granted"))
    assert "error" not in answer


def test_logins_go_on_without_sts_and_never_call_it(plane: ControlPlane, world: World) -> None:
    world.aws.faults.start(Close())
    world.aws.calls.clear()
    try:
        assert [log_in(plane, world.token()) for _ in range(20)] == [201] * 20
        assert log_in(plane, world.token(algorithm="ES384")) == 201
    finally:
        world.aws.faults.stop_all()
    assert world.aws.calls.counts().total == 0


class TestRotation:
    def test_no_login_is_refused(self, server: WebhookServer, world: World) -> None:
        old = [world.token() for _ in range(3000)]
        with (
            server.poster() as poster,
            stream_of(lambda: review(server, old.pop())[1]["authenticated"], streams=2) as logins,
        ):
            logins.wait_for_more()
            world.issuer.rotate()
            a_minute_passes(server)
            # The first of the new key waits until it has been fetched, or is asked again.
            new = world.token()
            wait_until(lambda: poster.review(new).user is not None, "the new key is not known")
            logins.wait_for_more()
        assert set(logins.outcomes) == {True}

    def test_a_key_that_is_not_published_yet_is_not_remembered_as_a_denial(
        self, plane: ControlPlane, server: WebhookServer, world: World
    ) -> None:
        world.issuer.rotate(publish=False)
        token = world.token()
        assert log_in(plane, token) == 401
        status, answer = review(server, token)
        assert (status, answer["authenticated"]) == (200, False)
        assert "not known yet" in answer["error"]
        world.issuer.publish()
        a_minute_passes(server)
        # A denial would be remembered for 2 minutes, which is longer than this waits.
        server.poll_until(lambda: log_in(plane, token) == 201, "the key does not count")


def test_a_flood_of_unknown_keys_fetches_once_and_hinders_no_one(
    server: WebhookServer, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_minute_passes(server)
    before = world.fetched
    valid = [world.token() for _ in range(400)]
    unknown = [world.unknown() for _ in range(3000)]
    waited: list[float] = []

    def login() -> bool:
        began = time.monotonic()
        granted = bool(review(server, valid.pop())[1]["authenticated"])
        waited.append(time.monotonic() - began)
        return granted

    with flood(server, lambda n: unknown[n % len(unknown)], connections=8, rate=1000) as outcomes:
        with stream_of(login, streams=1) as logins:
            logins.wait_for_more(150)
        assert outcomes.total() > 0
    assert set(logins.outcomes) == {True}
    assert set(outcomes) == {"200"}  # with status.error: no fault, which would be asked again
    assert world.fetched - before <= 1
    waited.sort()
    with capsys.disabled():
        sys.stdout.write(f"[{outcomes.total()} forged, p99 {waited[-2] * 1000:.0f} ms] ")


class TestWithoutTheIssuer:
    @pytest.fixture
    def config(self, tmp_path: Path, world: World) -> Path:
        return write_config(tmp_path, configuration(world.issuer))

    def test_without_keys_the_answer_is_a_fault(self, config: Path, world: World) -> None:
        world.aws.issuer_faults.start(Close())
        try:
            with WebhookServer(config, world.aws.environment()) as server:
                assert review(server, world.token())[0] == 500
                state = readyz(server)
                assert state["ready"]
                assert state["webIdentity"][0]["keys"] == 0
                server.poll_until(
                    lambda: bool(readyz(server)["webIdentity"][0]["fault"]), "no fault is shown"
                )
                with server.poster() as poster:
                    scraped = poster.get("/metrics").body.decode()
                label = f'{{issuer="{world.issuer.url}"}}'
                assert f"aws_iam_authenticator_issuer_keys{label} 0.0" in scraped
        finally:
            world.aws.issuer_faults.stop_all()

    def test_the_last_good_keys_survive_a_restart(self, config: Path, world: World) -> None:
        with WebhookServer(config, world.aws.environment()) as server:
            server.poll_until(lambda: keys_of(server, world) > 0, "it has no keys")
            (kept,) = (config.parent / "state" / "web-identity").glob("*.json")
            assert kept.stat().st_mode & 0o777 == 0o600
            server.kill()
            world.aws.issuer_faults.start(WrongKeys("no-keys"))
            try:
                server.start()
                assert review(server, world.token())[1]["authenticated"]
            finally:
                world.aws.issuer_faults.stop_all()


def test_explain_and_verify_agree_with_the_server(
    server: WebhookServer, world: World, plane: ControlPlane
) -> None:
    environment = world.aws.environment()
    for token, code, words in (
        (world.token(), 0, "ALLOWED"),
        (world.token(PLAIN), 1, "principalTags"),
        (world.token() + "A", 1, "FAIL"),
    ):
        shown = _run(server, "explain", "--token", token, env=environment)
        assert (shown[0], words in shown[1]) == (code, True), shown
    code, text = _run(server, "verify", "-t", world.token(DEV), env=environment)
    assert code == 0
    assert "signature" in text
    assert f"{ROLE}/team/Dev" in text
    made_up = ("--arn", f"{ROLE}/Tagged", "--organization", "o-a1b2c3d4e5")
    unit = ("--organizational-unit", "ou-ab12-11111111", "--principal-tag", "team=data")
    assert _run(server, "explain", *made_up, *unit, env=environment)[0] == 0
    assert _run(server, "explain", *made_up, env=environment)[0] == 1


def _run(server: WebhookServer, *arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [str(COMMAND), *arguments, "--config", str(server.config)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
