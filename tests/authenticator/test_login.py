"""The use case: who is let in, as whom, by which mappings, and what is learnt from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import Denied, NamesUnavailable, NotProven, StsUnavailable, UnknownUser
from authenticator.login import Login
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from authenticator.review import Decision
from authenticator.verdicts.verdict import Proof, Source
from tests.authenticator.mapping.callers import role

NOW = 1_800_000_000.0
ALICE = replace(role("Dev", "alice"), access_key_id="ASIAALICEALICEALICE0")
NODE = role("Node", "i-0123456789abcdef0")


def ruleset(**usernames: str) -> RuleSet:
    """Rules that give sessions of roles these usernames."""
    entries = [
        {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": username, "groups": ["g"]}
        for name, username in usernames.items()
    ]
    section = read_data({"mapRoles": json.dumps(entries)}, SectionReader("Test", Guard()))[0]
    return RuleSet((section.rules,))


class Prover:
    """Proves as told: at once if it is given a proof, later if it is given how to get one."""

    def __init__(self, outcome: Proof | Callable[[], Proof] | Exception) -> None:
        self.outcome = outcome
        self.logins: list[str] = []

    def begin(self, token: str) -> Proof | Callable[[], Proof]:
        assert token == "the token"
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def remember_login(self, access_key_id: str) -> None:
        self.logins.append(access_key_id)


class World:
    """A login and all that it asks."""

    def __init__(self, outcome: Proof | Callable[[], Proof] | Exception) -> None:
        self.prover = Prover(outcome)
        self.rules = ruleset(Dev="dev:{{SessionName}}", Node="system:node:{{EC2PrivateDNSName}}")
        self.name: str | Exception = "ip-10-0-0-1.ec2.internal"
        self.named: list[CallerIdentity] = []
        self.login = Login(
            prover=self.prover,
            rules=lambda: self.rules,
            name_instance=self._name,
            clock=lambda: NOW,
        )

    def _name(self, identity: CallerIdentity) -> str:
        self.named.append(identity)
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


def later(proof: Proof) -> Callable[[], Proof]:
    return partial(lambda given: given, proof)


@pytest.mark.parametrize("source", list(Source))
def test_who_is_proven_and_mapped_is_let_in(source: Source) -> None:
    decision = World(Proof(ALICE, source)).login.decide("the token")
    assert (decision.username, decision.groups) == ("dev:alice", ("g",))
    assert (decision.identity, decision.source) == (ALICE, source)


def test_what_is_remembered_is_decided_at_once() -> None:
    assert isinstance(World(Proof(ALICE, Source.CACHE)).login.begin("the token"), Decision)


def test_what_sts_must_be_asked_for_is_decided_later() -> None:
    finish = World(later(Proof(ALICE, Source.STS))).login.begin("the token")
    assert not isinstance(finish, Decision)
    assert finish().username == "dev:alice"


def test_an_edit_counts_at_once_even_during_the_call_of_sts() -> None:
    world = World(later(Proof(ALICE, Source.STS)))
    finish = world.login.begin("the token")
    world.rules = ruleset(Dev="edited")
    assert not isinstance(finish, Decision)
    assert finish().username == "edited"
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser):
        world.login.decide("the token")


@pytest.mark.parametrize("outcome", [Proof(ALICE, Source.CACHE), later(Proof(ALICE, Source.STS))])
def test_who_is_proven_and_not_mapped_is_denied_by_name(
    outcome: Proof | Callable[[], Proof],
) -> None:
    world = World(outcome)
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser, match="arn:aws:iam::111122223333:role/Dev") as caught:
        world.login.decide("the token")
    assert (caught.value.arn, caught.value.access_key_id) == (str(ALICE.arn), ALICE.access_key_id)


@pytest.mark.parametrize("error", [NotProven("x", "no"), StsUnavailable("away")])
@pytest.mark.parametrize("when", ["at once", "later"])
def test_what_the_prover_raises_goes_through(error: Exception, when: str) -> None:
    def fail() -> Proof:
        raise error

    world = World(error if when == "at once" else fail)
    with pytest.raises(type(error)) as caught:
        world.login.decide("the token")
    assert caught.value is error
    assert world.prover.logins == []


def test_naming_an_instance_is_never_waited_for_at_once() -> None:
    world = World(Proof(NODE, Source.CACHE))
    finish = world.login.begin("the token")
    assert world.named == []
    assert not isinstance(finish, Decision)
    assert finish().username == "system:node:ip-10-0-0-1.ec2.internal"
    assert world.named == [NODE]


def test_an_instance_is_named_for_whom_the_mapping_asks_only() -> None:
    world = World(Proof(ALICE, Source.STS))
    world.login.decide("the token")
    assert world.named == []


@pytest.mark.parametrize("error", [UnknownUser("no such instance"), NamesUnavailable("away")])
def test_an_instance_without_a_name_is_not_let_in(error: Exception) -> None:
    world = World(Proof(NODE, Source.STS))
    world.name = error
    with pytest.raises(type(error)) as caught:
        world.login.decide("the token")
    if isinstance(error, Denied):
        assert isinstance(caught.value, UnknownUser)
        assert caught.value.arn == str(NODE.arn)
    assert world.prover.logins == []


def test_only_who_is_let_in_is_known_from_then_on() -> None:
    """Anyone with an AWS account can be proven."""
    world = World(later(Proof(ALICE, Source.STS)))
    world.login.decide("the token")
    assert world.prover.logins == [ALICE.access_key_id]
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser):
        world.login.decide("the token")
    assert world.prover.logins == [ALICE.access_key_id]


@pytest.mark.parametrize("source", [Source.CACHE, Source.DEGRADED])
def test_a_login_from_memory_teaches_nothing_new(source: Source) -> None:
    world = World(Proof(ALICE, source))
    world.login.decide("the token")
    assert world.prover.logins == []
