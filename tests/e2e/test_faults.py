"""STS fails: nobody gets in, and nothing is remembered against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.aws_double.faults import Fail, Reset, Throttle
from dev.server import now
from tests.e2e import callers
from tests.e2e.callers import ALICE
from tests.e2e.logins import UNAUTHORIZED, log_in

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble
    from dev.aws_double.faults import Fault
    from dev.cluster import ControlPlane
    from dev.server import WebhookServer

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("fault", "result"),
    [(Throttle(rate=0, burst=0), "sts_throttling"), (Fail(503), "sts_error")],
    ids=["throttled", "failing"],
)
def test_the_same_token_logs_in_as_soon_as_the_fault_ends(
    plane_v1: ControlPlane, aws: AwsDouble, server: WebhookServer, fault: Fault, result: str
) -> None:
    kubeconfig = plane_v1.kubeconfig("unlucky", {"token": callers.fresh_token(ALICE.principal)})
    aws.faults.start(fault)
    since = now()
    kubectl = plane_v1.kubectl("auth", "whoami", kubeconfig=kubeconfig, check=False)
    assert (kubectl.returncode, kubectl.stderr.strip()) == (1, UNAUTHORIZED)
    record = server.audited(since)
    assert (record["decision"], record["result"]) == ("fault", result), server.log.tail
    aws.faults.stop_all()
    assert ALICE.username in plane_v1.kubectl("auth", "whoami", kubeconfig=kubeconfig).stdout


@pytest.mark.parametrize(
    "fault", [Throttle(rate=0, burst=0), Fail(500), Reset()], ids=["throttled", "failing", "reset"]
)
def test_a_fault_that_passes_is_not_noticed(
    plane: ControlPlane, aws: AwsDouble, server: WebhookServer, fault: Fault
) -> None:
    aws.faults.start(fault, times=1)
    assert log_in(plane, callers.fresh_token(ALICE.principal)) == 201, server.log.tail
