"""The use case: a bearer token goes in, a decision comes out. No I/O of its own.

    token -> Proof -> Match -> Decision

Each step takes what the step before has proven and nothing less. The mappings are taken once, as
an immutable snapshot, at the moment that STS has answered, so that an edit counts at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import UnknownUser
from authenticator.mapping.rules import Match
from authenticator.mapping.ruleset import RuleSet, Tried
from authenticator.review import Decision
from authenticator.verdicts.verdict import Proof, Source


class ProvesCallers(Protocol):
    """Says who signed a token. `authenticator.verdicts.prover.Prover` does."""

    def begin(self, token: str, /) -> Proof | Callable[[], Proof]:
        """Give the proof if it is at hand, and otherwise what will fetch it; never waits.

        Raises:
            Denied: the token is refused already.
        """
        ...

    def remember_login(self, access_key_id: str, /) -> None:
        """Take note that the holder of an access key was let in."""
        ...


class NamesInstances(Protocol):
    """Finds the private DNS names of EC2 instances."""

    def __call__(self, identity: CallerIdentity, /) -> str:
        """The private DNS name of the instance that `identity` is a session of; never empty.

        Raises:
            UnknownUser: there is no such instance for this caller.
            NamesUnavailable: EC2 could not be asked.
        """
        ...


class Login:
    """Decides reviews. Safe to use from many threads: it holds no state that changes.

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

    def begin(self, token: str) -> Decision | Callable[[], Decision]:
        """Decide a review at once if nothing has to be waited for.

        Args:
            token: the bearer token, as posted.

        Returns:
            the decision; or, when STS or EC2 must be asked, what will ask and decide. It may wait,
            and raises what `decide` raises.

        Raises:
            Denied: the caller is refused; the kind says at which step.
        """
        proof = self._prover.begin(token)
        if not isinstance(proof, Proof):
            return partial(self._finish, proof)
        match = self._match(proof.identity)
        if match.needs_instance_name:
            return partial(self._admit, proof, match)  # naming an instance may wait for EC2
        return self._admit(proof, match)

    def decide(self, token: str) -> Decision:
        """Decide a review, waiting for whatever has to be asked.

        Raises:
            Denied: the caller is refused; the kind says at which step.
            Unavailable: it could not be decided now.
        """
        decision = self.begin(token)
        return decision if isinstance(decision, Decision) else decision()

    def _finish(self, fetch: Callable[[], Proof]) -> Decision:
        proof = fetch()
        return self._admit(proof, self._match(proof.identity))

    def _match(self, identity: CallerIdentity) -> Match:
        match = self._rules().find(identity, self._clock(), self._tried)
        if match is None:
            raise _of(identity, UnknownUser(f"no mapping names {identity.canonical_arn}"))
        return match

    def _admit(self, proof: Proof, match: Match) -> Decision:
        identity = proof.identity
        try:
            name = self._name_instance(identity) if match.needs_instance_name else ""
            username, groups = match.render(identity, name)
        except UnknownUser as error:
            raise _of(identity, error)  # noqa: B904 (the same error)
        if proof.source is Source.STS:
            self._prover.remember_login(identity.access_key_id)
        return Decision(username, groups, identity, match, proof.source)


def _of(identity: CallerIdentity, error: UnknownUser) -> UnknownUser:
    error.arn, error.access_key_id = str(identity.arn), identity.access_key_id
    return error
