"""Names of EC2 instances: whose they are, when they are kept, and how few calls they cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.batching import Batcher, Turns
from authenticator.aws.ec2 import Instance
from authenticator.aws.instance_names import InstanceNames
from authenticator.errors import NamesUnavailable, UnknownUser
from dev.waiting import PATIENCE_SECONDS

ID = "i-0123456789abcdef0"
NODE = Instance("111122223333", "ip-10-0-0-1.ec2.internal", has_profile=True)


def node(session: str = ID) -> CallerIdentity:
    arn = f"arn:aws:sts::111122223333:assumed-role/Node/{session}"
    return CallerIdentity(PrincipalArn.parse(arn), f"AROAEXAMPLE:{session}", "ASIAEXAMPLE")


class FakeEc2:
    """EC2 as a table, with a gate that a test may close."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {ID: NODE}
        self.calls: list[tuple[str, ...]] = []
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def describe(self, ids: Sequence[str]) -> Mapping[str, Instance]:
        self.calls.append(tuple(ids))
        self.entered.release()
        assert self.gate.wait(PATIENCE_SECONDS)
        if self.fault is not None:
            raise self.fault
        return {key: self.instances[key] for key in ids if key in self.instances}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ec2() -> FakeEc2:
    return FakeEc2()


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Blocking:
    """`InstanceNames` for tests that ask from threads, each with an event loop."""

    def __init__(self, names: InstanceNames) -> None:
        self.names = names

    def __call__(self, identity: CallerIdentity) -> str:
        return asyncio.run(self.names(identity))


Make = Callable[..., Blocking]


@pytest.fixture
def make(ec2: FakeEc2, clock: Clock) -> Iterator[Make]:
    made: list[Blocking] = []

    def build(*, callers: int = 1, burst: int = 1000) -> Blocking:
        turns = Turns(1000, burst, clock=lambda: 0.0)
        batcher = Batcher(ec2.describe, turns, size=200, callers=callers)
        made.append(Blocking(InstanceNames(batcher, clock)))
        return made[-1]

    yield build
    ec2.gate.set()
    for names in made:
        names.names.stop()


def test_the_name_of_the_callers_instance(make: Make) -> None:
    assert make()(node()) == "ip-10-0-0-1.ec2.internal"


@pytest.mark.parametrize(
    "session",
    ["alice", "i-0123456789ABCDEF0", "i-0123456789abcdef", "i-0123456789abcdeg0", "i-01234567,i-1"],
)
def test_a_session_that_is_no_instance_id_is_refused_unasked_with_a_warning(
    make: Make, ec2: FakeEc2, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnknownUser, match="no instance id"):
        make()(node(session))
    assert ec2.calls == []
    assert "somebody other than EC2 can assume it" in caplog.text
    assert "111122223333" not in caplog.text


def test_a_user_is_no_instance(make: Make) -> None:
    arn = PrincipalArn.parse("arn:aws:iam::111122223333:user/bob")
    with pytest.raises(UnknownUser):
        make()(CallerIdentity(arn, "AIDAEXAMPLE", "AKIAEXAMPLE"))


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        (None, "no instance of this id"),
        (Instance("999922223333", "ip", has_profile=True), "no instance of this id"),
        (Instance("111122223333", "ip", has_profile=False), "no instance profile"),
    ],
    ids=["absent", "another account's", "without a profile"],
)
def test_an_instance_that_cannot_be_the_callers(
    make: Make, ec2: FakeEc2, instance: Instance | None, reason: str
) -> None:
    ec2.instances = {ID: instance} if instance else {}
    with pytest.raises(UnknownUser, match=reason):
        make()(node())


def test_an_empty_name_is_neither_used_nor_kept(make: Make, ec2: FakeEc2) -> None:
    names = make()
    ec2.instances[ID] = Instance("111122223333", "", has_profile=True)
    with pytest.raises(NamesUnavailable, match="no private DNS name yet"):
        names(node())
    ec2.instances[ID] = NODE
    assert names(node()) == NODE.private_dns_name


def test_an_absent_instance_is_not_kept(make: Make, ec2: FakeEc2) -> None:
    names = make()
    ec2.instances.clear()
    with pytest.raises(UnknownUser):
        names(node())
    ec2.instances[ID] = NODE
    assert names(node()) == NODE.private_dns_name


def test_a_name_is_kept_for_a_while(make: Make, ec2: FakeEc2, clock: Clock) -> None:
    names = make()
    names(node())
    clock.now += 899
    names(node())
    assert len(ec2.calls) == 1
    clock.now += 2
    names(node())
    assert len(ec2.calls) == 2


def test_a_fault_is_no_denial_and_is_not_kept(make: Make, ec2: FakeEc2) -> None:
    names = make()
    ec2.fault = NamesUnavailable("RequestLimitExceeded")
    with pytest.raises(NamesUnavailable):
        names(node())
    ec2.fault = None
    assert names(node()) == NODE.private_dns_name


def test_no_answer_in_time_is_no_denial(
    make: Make, ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authenticator.aws.instance_names._WAIT_SECONDS", 0.05)
    ec2.gate.clear()
    with pytest.raises(NamesUnavailable, match="in time"):
        make()(node())


def test_those_who_ask_for_one_instance_at_once_share_a_call(
    make: Make, ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = make(callers=2)
    asked, ask = threading.Semaphore(0), names.names._batcher.ask

    def counted(key: str) -> Future[Instance | None]:
        future = ask(key)
        asked.release()
        return future

    monkeypatch.setattr(names.names._batcher, "ask", counted)
    ec2.gate.clear()
    with ThreadPoolExecutor(10) as pool:
        results = [pool.submit(names, node()) for _ in range(10)]
        for _ in results:
            asked.acquire()
        ec2.gate.set()
        assert {result.result() for result in results} == {NODE.private_dns_name}
    assert len(ec2.calls) == 1


def test_those_who_come_during_a_call_are_gathered_into_the_next(make: Make, ec2: FakeEc2) -> None:
    ids = [f"i-{number:017x}" for number in range(450)]
    ec2.instances = {key: Instance("111122223333", key, has_profile=True) for key in ids}
    names = make()
    ec2.gate.clear()
    with ThreadPoolExecutor(len(ids)) as pool:
        first = pool.submit(names, node(ids[0]))
        ec2.entered.acquire()
        rest = [pool.submit(names, node(key)) for key in ids[1:]]
        batcher = names.names._batcher
        while len(batcher._waiting) < len(rest):
            threading.Event().wait(0.01)
        ec2.gate.set()
        assert [first.result(), *(result.result() for result in rest)] == ids
    assert [len(call) for call in ec2.calls] == [1, 200, 200, 49]


def test_a_call_that_hangs_does_not_hold_up_the_next(make: Make, ec2: FakeEc2) -> None:
    other = "i-00000000000000001"
    ec2.instances[other] = NODE
    names = make(callers=2)
    ec2.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(names, node())
        ec2.entered.acquire()
        pool.submit(names, node(other))
        assert ec2.entered.acquire(timeout=PATIENCE_SECONDS)
        ec2.gate.set()


def test_the_rate_of_calls_is_limited() -> None:
    clock = Clock()
    turns = Turns(rate=10, burst=3, clock=clock)
    assert [turns.reserve() for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    clock.now += 10
    assert [turns.reserve() for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


def test_an_instance_whose_profile_is_still_to_come_is_asked_for_again(
    make: Make, ec2: FakeEc2
) -> None:
    """A profile takes seconds to show; remembered as missing, it kept the node out for minutes."""
    names = make()
    ec2.instances[ID] = Instance(NODE.account_id, NODE.private_dns_name, has_profile=False)
    with pytest.raises(UnknownUser, match="no instance profile"):
        names(node())
    ec2.instances[ID] = NODE
    assert names(node()) == NODE.private_dns_name
