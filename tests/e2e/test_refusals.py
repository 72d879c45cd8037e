"""Callers who may not enter: Unauthorized to kubectl, with the reason in the server's audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from dev.server import COMMAND, WebhookServer, now
from tests.e2e import callers
from tests.e2e.callers import ALICE, CLUSTER_ID, STRANGER, exec_user, variables
from tests.e2e.logins import UNAUTHORIZED, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.aws_double import AwsDouble
    from dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

NO_SIGNATURE = "https://{host}/?{query_without_signature}&X-Amz-Signature="

MISMATCH = "the signature does not match"
CLAIMS = {
    "unproven_access_key_id": ALICE.principal.access_key_id,
    "unproven_host": f"sts.{callers.REGION}.amazonaws.com",
    "unproven_region": callers.REGION,
}


@dataclass(frozen=True)
class Refusal:
    """A token, made when it is needed, and what the audit log says of it.

    `claims` tells whether its text names a signer whom STS has not proven.
    """

    token: Callable[[], str]
    result: str
    check: str = ""
    reason: str = ""
    claims: bool = True


REFUSALS = {
    "unmapped": Refusal(
        lambda: callers.fresh_token(STRANGER),
        "unknown_user",
        reason=f"no mapping names {STRANGER.arn}",
        claims=False,
    ),
    "other-cluster": Refusal(
        lambda: callers.fresh_token(ALICE.principal, cluster_id="another-cluster"),
        "invalid_token",
        reason=MISMATCH,
    ),
    "other-cluster-by-boto3": Refusal(
        lambda: callers.boto3_token(ALICE.principal, cluster_id="another-cluster"),
        "invalid_token",
        reason=MISMATCH,
    ),
    "forged": Refusal(
        lambda: callers.fresh_token(ALICE.principal, url=NO_SIGNATURE + 64 * "0"),
        "invalid_token",
        reason=MISMATCH,
    ),
    "expired": Refusal(
        lambda: callers.fresh_token(ALICE.principal, age_seconds=901),
        "invalid_token",
        check="expired",
    ),
    "garbage": Refusal(lambda: f"garbage-{uuid4()}", "invalid_token", check="prefix", claims=False),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_kubectl_is_told_unauthorized_and_the_audit_log_why(
    plane: ControlPlane, server: WebhookServer, name: str
) -> None:
    refusal = REFUSALS[name]
    kubeconfig = plane.kubeconfig("refused", {"token": refusal.token()})
    since = now()
    kubectl = plane.kubectl("auth", "whoami", kubeconfig=kubeconfig, check=False)
    assert (kubectl.returncode, kubectl.stdout) == (1, "")
    assert kubectl.stderr.strip() == UNAUTHORIZED, server.log.tail
    record = server.audited(since)
    assert (record["decision"], record["result"]) == ("deny", refusal.result)
    assert record.get("check", "") == refusal.check
    assert refusal.reason in record["reason"]
    claimed = {name: text for name, text in record.items() if name.startswith("unproven_")}
    assert claimed == (CLAIMS if refusal.claims else {})
    assert ("access_key_id" in record) is (refusal.result == "unknown_user")


def test_a_refused_plugin_user_is_told_unauthorized(
    plane_v1: ControlPlane, aws: AwsDouble, server: WebhookServer
) -> None:
    user = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID)
    kubectl = plane_v1.kubectl(
        *("auth", "whoami"),
        kubeconfig=plane_v1.kubeconfig("stranger", user),
        env=variables(STRANGER, aws.environment()),
        check=False,
    )
    assert (kubectl.returncode, kubectl.stdout) == (1, "")
    assert kubectl.stderr.strip() == UNAUTHORIZED, server.log.tail


def test_the_api_server_remembers_a_denial(plane_v1: ControlPlane, server: WebhookServer) -> None:
    token = callers.fresh_token(STRANGER)
    since = now()
    assert log_in(plane_v1, token) == 401
    assert server.audited(since)["result"] == "unknown_user"
    since = now()
    assert log_in(plane_v1, token) == 401
    assert log_in(plane_v1, callers.fresh_token(ALICE.principal)) == 201
    # The second denial was not asked for: Alice's is the next review.
    assert server.audited(since)["username"] == ALICE.username
