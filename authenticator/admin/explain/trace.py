"""One login by the server's own use case, with a note of all that it did on the way.

Nothing is decided here: `authenticator.login.Login` decides, of the server's parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import AuthenticatorError, Denied, Unavailable
from authenticator.login import Login, NamesInstances, ProvesCallers
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.review import Decision
from authenticator.verdicts.prover import Question
from authenticator.verdicts.verdict import Proof, Source
from authenticator.verdicts.web_identity import KeyWait


@dataclass(frozen=True, slots=True)
class Attempt:
    """A rule that was asked.

    Attributes:
        rule: the rule.
        refusal: why it does not apply; "" if it does.
    """

    rule: Rule
    refusal: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A login and what it came to: either `decision` or `error` is there.

    Attributes:
        identity: the caller; None if nobody was proven.
        tried: the rules that were asked, in their order.
        decision: as whom the caller may enter.
        error: why they may not, or why that is not known now.
    """

    identity: CallerIdentity | None
    tried: tuple[Attempt, ...]
    decision: Decision | None = None
    error: AuthenticatorError | None = None

    @property
    def proof_error(self) -> AuthenticatorError | None:
        """Why nobody was proven; None if somebody was."""
        return None if self.identity else self.error


class Given:
    """Proves whoever is given: `explain --arn` asks nobody."""

    def __init__(self, identity: CallerIdentity) -> None:
        self._proof = Proof(identity, Source.STS)

    def recall(self, token: str) -> Proof:  # noqa: ARG002 (there is none)
        """See `ProvesCallers.recall`."""
        return self._proof

    async def ask(self, question: Question | KeyWait) -> Proof:  # noqa: ARG002 (it is never asked)
        """See `ProvesCallers.ask`."""
        return self._proof

    def remember_login(self, identity: CallerIdentity) -> None:
        """See `ProvesCallers.remember_login`."""


class _Noted:
    """A prover, and whom it proved."""

    def __init__(self, prover: ProvesCallers) -> None:
        self.identity: CallerIdentity | None = None
        self._prover = prover

    def recall(self, token: str) -> Proof | Question | KeyWait:
        recalled = self._prover.recall(token)
        return self._note(recalled) if isinstance(recalled, Proof) else recalled

    async def ask(self, question: Question | KeyWait) -> Proof:
        return self._note(await self._prover.ask(question))

    def remember_login(self, identity: CallerIdentity) -> None:
        self._prover.remember_login(identity)

    def _note(self, proof: Proof) -> Proof:
        self.identity = proof.identity
        return proof


def trace(
    token: str,
    *,
    prover: ProvesCallers,
    rules: RuleSet,
    name_instance: NamesInstances,
    clock: Callable[[], float],
) -> Trace:
    """Log in as the server would; the arguments but `token` are those of `Login`.

    Args:
        token: the bearer token.
        prover: says who signed it.
        rules: the rules in force.
        name_instance: finds the names of EC2 instances.
        clock: Unix seconds.
    """
    noted = _Noted(prover)
    tried: list[Attempt] = []
    login = Login(
        prover=noted,
        rules=lambda: rules,
        name_instance=name_instance,
        clock=clock,
        tried=lambda rule, refusal: tried.append(Attempt(rule, refusal)),
    )
    try:
        decision = asyncio.run(login.decide(token))
    except (Denied, Unavailable) as error:
        return Trace(noted.identity, tuple(tried), error=error)
    return Trace(noted.identity, tuple(tried), decision)
