"""The use case: who is let in, as whom, by which mappings, and what is learnt from it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import cast

import pytest

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import Denied, NamesUnavailable, NotProven, StsUnavailable, UnknownUser
from authenticator.login import Login, Naming, Pending
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from authenticator.review import Decision
from authenticator.verdicts.prover import Question
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


QUESTION = cast("Question", object.__new__(Question))


class Prover:
    """Proves as told: at once or when it is asked."""

    def __init__(self, outcome: Proof | Exception, *, later: bool) -> None:
        self.outcome = outcome
        self.later = later
        self.logins: list[CallerIdentity] = []

    def recall(self, token: str) -> Proof | Question:
        assert token == "the token"
        return QUESTION if self.later else self._out()

    async def ask(self, question: Question) -> Proof:
        assert question is QUESTION
        return self._out()

    def remember_login(self, identity: CallerIdentity) -> None:
        self.logins.append(identity)

    def _out(self) -> Proof:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class World:
    """A login and all that it asks."""

    def __init__(self, outcome: Proof | Exception, *, later: bool = False) -> None:
        self.prover = Prover(outcome, later=later)
        self.rules = ruleset(Dev="dev:{{SessionName}}", Node="system:node:{{EC2PrivateDNSName}}")
        self.name: str | Exception = "ip-10-0-0-1.ec2.internal"
        self.named: list[CallerIdentity] = []
        self.login = Login(
            prover=self.prover,
            rules=lambda: self.rules,
            name_instance=self._name,
            clock=lambda: NOW,
        )

    def begin(self) -> Decision | Pending:
        return self.login.begin("the token")

    def finish(self, pending: Decision | Pending) -> Decision:
        assert not isinstance(pending, Decision)
        return asyncio.run(self.login.finish(pending))

    def decide(self) -> Decision:
        return asyncio.run(self.login.decide("the token"))

    async def _name(self, identity: CallerIdentity) -> str:
        self.named.append(identity)
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


@pytest.mark.parametrize("source", list(Source))
def test_who_is_proven_and_mapped_is_let_in(source: Source) -> None:
    decision = World(Proof(ALICE, source)).decide()
    assert (decision.username, decision.groups) == ("dev:alice", ("g",))
    assert (decision.identity, decision.source) == (ALICE, source)


def test_what_is_remembered_is_decided_at_once() -> None:
    assert isinstance(World(Proof(ALICE, Source.CACHE)).begin(), Decision)


def test_what_sts_must_be_asked_for_is_decided_later() -> None:
    world = World(Proof(ALICE, Source.STS), later=True)
    pending = world.begin()
    assert isinstance(pending, Question)
    assert world.finish(pending).username == "dev:alice"


def test_an_edit_counts_at_once_even_during_the_call_of_sts() -> None:
    world = World(Proof(ALICE, Source.STS), later=True)
    pending = world.begin()
    world.rules = ruleset(Dev="edited")
    assert world.finish(pending).username == "edited"
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser):
        world.decide()


@pytest.mark.parametrize("later", [False, True])
def test_who_is_proven_and_not_mapped_is_denied_by_name(later: bool) -> None:
    world = World(Proof(ALICE, Source.STS), later=later)
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser, match="arn:aws:iam::111122223333:role/Dev") as caught:
        world.decide()
    assert (caught.value.arn, caught.value.access_key_id) == (str(ALICE.arn), ALICE.access_key_id)


@pytest.mark.parametrize("error", [NotProven("x", "no"), StsUnavailable("away")])
@pytest.mark.parametrize("when", ["at once", "later"])
def test_what_the_prover_raises_goes_through(error: Exception, when: str) -> None:
    world = World(error, later=when == "later")
    with pytest.raises(type(error)) as caught:
        world.decide()
    assert caught.value is error
    assert world.prover.logins == []


def test_naming_an_instance_is_never_waited_for_at_once() -> None:
    world = World(Proof(NODE, Source.CACHE))
    pending = world.begin()
    assert world.named == []
    assert isinstance(pending, Naming)
    assert world.finish(pending).username == "system:node:ip-10-0-0-1.ec2.internal"
    assert world.named == [NODE]


def test_an_instance_is_named_for_whom_the_mapping_asks_only() -> None:
    world = World(Proof(ALICE, Source.STS))
    world.decide()
    assert world.named == []


@pytest.mark.parametrize("error", [UnknownUser("no such instance"), NamesUnavailable("away")])
def test_an_instance_without_a_name_is_not_let_in(error: Exception) -> None:
    world = World(Proof(NODE, Source.STS))
    world.name = error
    with pytest.raises(type(error)) as caught:
        world.decide()
    if isinstance(error, Denied):
        assert isinstance(caught.value, UnknownUser)
        assert caught.value.arn == str(NODE.arn)
    assert world.prover.logins == []


def test_only_who_is_let_in_is_known_from_then_on() -> None:
    """Anyone with an AWS account can be proven."""
    world = World(Proof(ALICE, Source.STS), later=True)
    world.decide()
    assert world.prover.logins == [ALICE]
    world.rules = ruleset(Other="x")
    with pytest.raises(UnknownUser):
        world.decide()
    assert world.prover.logins == [ALICE]


@pytest.mark.parametrize("source", [Source.CACHE, Source.DEGRADED])
def test_a_login_from_memory_teaches_nothing_new(source: Source) -> None:
    world = World(Proof(ALICE, source))
    world.decide()
    assert world.prover.logins == []
