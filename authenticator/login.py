"""The use case: a bearer token goes in, a decision comes out. No I/O of its own.

    token -> PresignedRequest or UnprovenJwt -> Proof -> Match -> Decision

A login that has to wait is a value in between: a `Question` for STS, a `KeyWait` for an issuer's
keys, or a `Naming` for EC2.

Each step takes what the step before has proven and nothing less. The mappings are taken once, as
an immutable snapshot, at the moment that STS has answered, so that an edit counts at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import UnknownUser
from authenticator.mapping.rules import Match
from authenticator.mapping.ruleset import RuleSet, Tried
from authenticator.review import Decision
from authenticator.verdicts.prover import Question
from authenticator.verdicts.verdict import Proof, Source
from authenticator.verdicts.web_identity import KeyWait


class ProvesCallers(Protocol):
    """Says who signed a token. `authenticator.verdicts.prover.Prover` does, and `Provers`."""

    def recall(self, token: str, /) -> Proof | Question | KeyWait:
        """Return the proof if nothing has to be asked, and otherwise what to ask. Never waits.

        Raises:
            Denied: the token is refused already.
            Unavailable: it could not be decided now.
        """
        ...

    async def ask(self, question: Any, /) -> Proof:
        """Return the proof, asking what `recall` has returned.

        Raises:
            Denied: the token is refused.
            Unavailable: it could not be decided now.
        """
        ...

    def remember_login(self, identity: CallerIdentity, /) -> None:
        """Take note that a caller was let in."""
        ...


class NamesInstances(Protocol):
    """Finds the private DNS names of EC2 instances."""

    async def __call__(self, identity: CallerIdentity, /) -> str:
        """Return the private DNS name of the instance that `identity` is a session of; never empty.

        Raises:
            UnknownUser: there is no such instance for this caller.
            NamesUnavailable: EC2 could not be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Naming:
    """A caller who is proven and mapped, and whose instance EC2 has to name.

    Attributes:
        proof: who the caller is.
        match: the mapping that applies.
    """

    proof: Proof
    match: Match


# What a login waits for.
Pending: TypeAlias = Question | KeyWait | Naming


class Login:
    """Decides reviews. It holds no state that changes.

    Args:
        prover: says who signed a token.
        rules: the rules in force at the moment of the call.
        name_instance: finds the names of EC2 instances.
        clock: Unix seconds.
        tried: told of each rule that is asked; for `explain`.
    """

    def __init__(
        self,
        *,
        prover: ProvesCallers,
        rules: Callable[[], RuleSet],
        name_instance: NamesInstances,
        clock: Callable[[], float],
        tried: Tried | None = None,
    ) -> None:
        self._prover = prover
        self._rules = rules
        self._name_instance = name_instance
        self._clock = clock
        self._tried = tried

    def begin(self, token: str) -> Decision | Pending:
        """Decide a review at once if nothing has to be waited for.

        Args:
            token: the bearer token, as posted.

        Returns:
            the decision; or what `finish` has to wait for.

        Raises:
            Denied: the caller is refused; the kind says at which step.
            Unavailable: it could not be decided now.
        """
        proof = self._prover.recall(token)
        return self._match(proof) if isinstance(proof, Proof) else proof

    async def finish(self, pending: Pending) -> Decision:
        """Decide a review that has to wait.

        Raises:
            Denied: the caller is refused; the kind says at which step.
            Unavailable: it could not be decided now.
        """
        if not isinstance(pending, Naming):
            decided = self._match(await self._prover.ask(pending))
            if isinstance(decided, Decision):
                return decided
            pending = decided
        identity = pending.proof.identity
        try:
            name = await self._name_instance(identity)
        except UnknownUser as error:
            raise _of(identity, error)  # noqa: B904 (the same error)
        return self._admit(pending.proof, pending.match, name)

    async def decide(self, token: str) -> Decision:
        """Decide a review, waiting for whatever has to be asked.

        Raises:
            Denied: the caller is refused; the kind says at which step.
            Unavailable: it could not be decided now.
        """
        decided = self.begin(token)
        return decided if isinstance(decided, Decision) else await self.finish(decided)

    def _match(self, proof: Proof) -> Decision | Naming:
        """Find the mapping that applies, and decide unless an instance has to be named."""
        identity = proof.identity
        rules, now = self._rules(), self._clock()
        match = rules.find(identity, now, self._tried)
        if match is None:
            raise _of(identity, UnknownUser(_refusal(rules, identity, now)))
        if match.needs_instance_name:
            return Naming(proof, match)
        return self._admit(proof, match, "")

    def _admit(self, proof: Proof, match: Match, instance_name: str) -> Decision:
        identity = proof.identity
        try:
            username, groups = match.render(identity, instance_name)
        except UnknownUser as error:
            raise _of(identity, error)  # noqa: B904 (the same error)
        if proof.source is Source.STS:
            self._prover.remember_login(identity)
        return Decision(username, groups, identity, match, proof.source)


def _refusal(rules: RuleSet, identity: CallerIdentity, now: float) -> str:
    """Return why a proven caller is denied: by an entry that names them, or for want of one."""
    refusing = rules.refusing(identity, now)
    if refusing is None:
        return f"no mapping names {identity.canonical_arn}"
    rule, reason = refusing
    return f"{rule.match.origin} names {identity.canonical_arn}: {reason}"


def _of(identity: CallerIdentity, error: UnknownUser) -> UnknownUser:
    error.arn, error.access_key_id = str(identity.arn), identity.access_key_id
    return error
