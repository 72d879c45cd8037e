"""STS's answers come late, twice or odd: each concerns the caller who asked, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.aws_double.faults import Fault, Repeat, Stray, TimeOut
from dev.aws_double.principals import lasting, user
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ACCOUNT, ALICE, DEPLOYER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.attacks import Attack

UNASKED: dict[str, Fault] = {
    "the same answer again": Repeat(),
    "the same answer again, later": Repeat(seconds=0.05),
    "stray bytes": Stray(),
    "408 and the end": TimeOut(),
}
# A kind of principal that AWS has added, one with an id of another form, and one that no mapping
# can name.
ODD = {
    "a new kind": lasting(f"arn:aws:iam::{ACCOUNT}:workload/pipeline-7", "AWLDEXAMPLEEXAMPLE000"),
    "a new service": lasting(
        f"arn:aws:signin:us-east-1:{ACCOUNT}:session/al", "ASGNEXAMPLEEXAMPLE000"
    ),
    "a new id": lasting(f"arn:aws:iam::{ACCOUNT}:user/staff/newid", "AIDAEXAMPLEEXAMPLE000:new"),
    "an instance": lasting(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-instance/i-0123456789abcdef0", "i-0123"
    ),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsDouble]:
    with AwsDouble([*callers.PRINCIPALS, *ODD.values()]) as double:
        yield double


@pytest.fixture(scope="module")
def server(aws: AwsDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookServer]:
    """A server that asks STS for every review."""
    configuration = callers.configuration()
    configuration["server"] |= {"verdictSeconds": 0, "degradedSeconds": 0}
    config = write_config(tmp_path_factory.mktemp("answers"), configuration)
    with WebhookServer(config, aws.environment()) as running:
        yield running


def username(server: WebhookServer, token: str) -> str:
    """The username, `denied`, or the status of a fault."""
    with server.poster() as poster:
        answer = poster.review(token)
    if answer.status != 200:
        return str(answer.status)
    return str((answer.user or {"username": "denied"})["username"])


@pytest.mark.attack("Answers of STS that no one asked for")
@pytest.mark.parametrize("fault", UNASKED.values(), ids=UNASKED)
def test_an_unsolicited_answer_names_no_caller(
    aws: AwsDouble, server: WebhookServer, fault: Fault, attack: Attack
) -> None:
    """Once, the next token on the connection was proven to be the last one's caller."""
    attack.load("15 rounds: a known user, a forgery, another known user")
    attack.bound("each is answered as themselves, each forgery is denied")
    stranger = user(ACCOUNT, "a-key-that-nobody-has")
    aws.faults.start(fault)
    try:
        for _ in range(15):
            asked = (ALICE.principal, stranger, DEPLOYER.principal)
            answered = [username(server, callers.fresh_token(each)) for each in asked]
            attack.saw(", ".join(answered))
            assert answered == [ALICE.username, "denied", DEPLOYER.username]
    finally:
        aws.faults.stop_all()


@pytest.mark.attack("Identities of kinds that are not known")
@pytest.mark.parametrize("principal", ODD.values(), ids=ODD)
def test_an_odd_identity_is_denied_and_is_not_an_outage_for_others(
    aws: AwsDouble, server: WebhookServer, principal: callers.Principal, attack: Attack
) -> None:
    """Once, five such answers opened the circuit for everybody."""
    attack.load("8 tokens of one signer with an odd answer")
    attack.bound("each is denied, and a known user is let in")
    since = server.log.end
    answered = [username(server, callers.fresh_token(principal)) for _ in range(8)]
    known = username(server, callers.fresh_token(ALICE.principal))
    attack.saw(f"{answered.count('denied')} denied; {known}")
    assert (set(answered), known) == ({"denied"}, ALICE.username)
    server.log.wait_for(lambda line: "STS proved" in line or None, since=since, count=8)
