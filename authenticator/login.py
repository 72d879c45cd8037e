"""The use case: a bearer token goes in, a decision comes out. No I/O of its own.

    token -> PresignedRequest -> CallerIdentity -> Match -> Decision

Each step takes what the step before has proven and nothing less. The mappings are taken once, as
an immutable snapshot, at the moment that STS has answered, so that an edit counts at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import UnknownUser
from authenticator.mapping.ruleset import RuleSet
from authenticator.review import Decision
from authenticator.tokens.presigned import PresignedRequest


class ChecksTokens(Protocol):
    """Says what a bearer token claims, by its text alone."""

    def __call__(self, token: str, /) -> PresignedRequest:
        """Check every part of `token`.

        Raises:
            TokenRefused: a check failed.
        """
        ...


class ProvesCallers(Protocol):
    """Asks STS who signed a request."""

    def __call__(self, request: PresignedRequest, /) -> CallerIdentity:
        """Have STS prove `request`.

        Raises:
            NotProven: STS refused it.
            Unavailable: STS could not be asked, or gave no answer of STS's.
        """
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
    """Decides reviews. Safe to use from many threads: it holds no state that changes."""

    def __init__(
        self,
        *,
        check: ChecksTokens,
        prove: ProvesCallers,
        rules: Callable[[], RuleSet],
        name_instance: NamesInstances,
        clock: Callable[[], float],
    ) -> None:
        self._check = check
        self._prove = prove
        self._rules = rules
        self._name_instance = name_instance
        self._clock = clock

    def decide(self, token: str) -> Decision:
        """Decide one review.

        Args:
            token: the bearer token, as posted.

        Raises:
            Denied: the caller is refused; the kind says at which step.
            Unavailable: it could not be decided now.
        """
        return self.admit(self._prove(self._check(token)))

    def admit(self, identity: CallerIdentity) -> Decision:
        """Map a caller whom STS has proven.

        Raises:
            UnknownUser: no mapping names the caller, or what it would grant is reserved.
            NamesUnavailable: the mapping needs an instance name that could not be had now.
        """
        match = self._rules().find(identity, self._clock())
        if match is None:
            raise UnknownUser(f"no mapping names {identity.canonical_arn}")
        instance_name = self._name_instance(identity) if match.needs_instance_name else ""
        username, groups = match.render(identity, instance_name)
        return Decision(username, groups, identity, match)
