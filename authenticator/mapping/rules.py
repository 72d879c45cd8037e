"""One mapping in force: whom it applies to, and what it makes of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

from authenticator.aws.arns import CallerIdentity, ProofKind, SignedClaims
from authenticator.errors import UnknownUser
from authenticator.mapping.conditions import NONE, PROOF, Conditions
from authenticator.mapping.guards import Guard, unusable
from authenticator.mapping.problems import Origin
from authenticator.mapping.selectors import Selector, by_arn
from authenticator.mapping.templates import ONLY_WITH, Placeholder, Template
from authenticator.timestamps import rfc3339

# Of the roles that IAM Identity Center makes; IAM reserves it.
_PERMISSION_SET_PATH = "aws-reserved/sso.amazonaws.com/"
MASTERS = "system:masters"
CANONICAL_ARN = Template((Placeholder.CANONICAL_ARN,))


@dataclass(frozen=True, slots=True)
class Match:
    """What a mapping grants.

    Attributes:
        origin: where the mapping stands.
        username: the Kubernetes username.
        groups: the Kubernetes groups.
        guard: what the mapping's source may not grant.
        reason: why it was made, as its entry says; "" for none.
    """

    origin: Origin
    username: Template
    groups: tuple[Template, ...]
    guard: Guard
    reason: str = ""

    @property
    def needs_instance_name(self) -> bool:
        """Whether `render` needs the private DNS name of the caller's EC2 instance."""
        return any(
            Placeholder.EC2_PRIVATE_DNS_NAME in template
            for template in (self.username, *self.groups)
        )

    @property
    def only_with(self) -> dict[ProofKind, Placeholder]:
        """The kinds of token that its placeholders demand, each with one that does."""
        return {ONLY_WITH[part]: part for part in self._limiting()}

    def _limiting(self) -> Iterator[Placeholder]:
        for template in (self.username, *self.groups):
            for part in template.parts:
                if isinstance(part, Placeholder) and part in ONLY_WITH:
                    yield part

    @property
    def claims(self) -> tuple[Placeholder, ...]:
        """The placeholders that claims of a JWT fill."""
        return tuple(part for part in self._limiting() if ONLY_WITH[part] is ProofKind.JWT)

    def contradicts(self, conditions: Conditions, *, pinned: bool) -> str:
        """Why no token can meet an entry's conditions and fill its placeholders; "" if one can.

        Args:
            conditions: those of the entry.
            pinned: whether it has a `userid`, which a JWT has not.
        """
        wanted = {kind: f"{{{{{part.value}}}}}" for kind, part in self.only_with.items()}
        if pinned:
            wanted.setdefault(ProofKind.PRESIGNED, "userid")
        if conditions.on_claims:
            wanted.setdefault(ProofKind.JWT, "a condition on claims")
        if conditions.proof:
            wanted.setdefault(conditions.proof, f"{PROOF}: {conditions.proof.value}")
        if len(wanted) < len(ProofKind):
            return ""
        presigned, jwt = wanted[ProofKind.PRESIGNED], wanted[ProofKind.JWT]
        return f"no token has both: {presigned} needs a presigned one, and {jwt} a JWT"

    def lacks(self, identity: CallerIdentity) -> str:
        """Why the caller's token cannot fill its placeholders; "" if it can."""
        for part in self._limiting():
            name = f"{{{{{part.value}}}}}"
            if ONLY_WITH[part] is not identity.proof:
                other = "a JWT" if identity.claims else "a presigned token"
                return f"it needs {name}, which {other} does not have"
            if identity.claims and not Template((part,)).render(identity, ""):
                return f"it needs {name}, which this token does not have"
        return ""

    def render(self, identity: CallerIdentity, instance_name: str) -> tuple[str, tuple[str, ...]]:
        """The username and groups of `identity`.

        Args:
            identity: the caller.
            instance_name: the private DNS name if `needs_instance_name`; unused otherwise.

        Raises:
            UnknownUser: what it renders is empty, unusable or reserved, or `instance_name` is
                needed and empty (`system:node:` alone would be nobody's node).
        """
        if self.needs_instance_name and not instance_name:
            raise UnknownUser(f"{self.origin} needs the name of the caller's instance")
        username = self.username.render(identity, instance_name)
        # A group named twice is granted once.
        groups = tuple(
            dict.fromkeys(group.render(identity, instance_name) for group in self.groups)
        )
        for name in (username, *groups):
            if reason := unusable(name):
                raise UnknownUser(f"{self.origin} makes a name that cannot be used: {reason}")
        if reason := self.guard.refusal(username, groups):
            raise UnknownUser(f"{self.origin} grants what is reserved: {reason}")
        return username, groups


def genuine_path(selector: Selector | None) -> str:
    """Return the path that a role of a JWT must have; "" for any."""
    return _PERMISSION_SET_PATH if selector and selector.permission_set else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A mapping entry.

    Attributes:
        selector: the callers by ARN; None for an entry that names its caller by `user_id` alone.
        match: what it grants.
        user_id: the unique id that the caller must have; "" for any. A principal that is deleted
            and recreated has another one.
        expires: the Unix time from which the entry no longer applies; None for never.
        to_the_letter: whether the ARN was written in the canonical form in which callers are
            compared, so that other authenticators find the entry as well.
        denied: why the rest of the entry cannot be used, so that it refuses its callers: it may
            have been to grant less than what comes after it. "" for an entry that can be used.
        conditions: what else it demands. A caller who does not meet them is refused.
    """

    selector: Selector | None
    match: Match
    user_id: str = ""
    expires: float | None = None
    to_the_letter: bool = True
    denied: str = ""
    conditions: Conditions = NONE

    def covers(self, identity: CallerIdentity) -> bool:
        """Whether the rule names `identity`, its conditions apart.

        A permission set names roles with the path that AWS alone can give, which a JWT tells and a
        presigned token does not.
        """
        selector = self.selector
        if selector is None:
            return True
        if selector.permission_set and identity.claims is not None:
            genuine = identity.arn.path.lower().startswith(genuine_path(selector))
            return genuine and selector.covers(identity.canonical_arn.lower())
        return selector.covers(identity.canonical_arn.lower())

    def claims_of_a_caller(self) -> SignedClaims | None:
        """Return the claims of a made-up caller who can use the rule; None for a presigned one."""
        if ProofKind.JWT in self.match.only_with:
            met = replace(self.conditions, proof=ProofKind.JWT).claims() or SignedClaims()
            return replace(met, identity_store_user_id="user", source_identity="source")
        return self.conditions.claims()

    @property
    def narrowing(self) -> Hashable:
        """A value that is the same for rules that the same tokens can use; NONE for every token."""
        found = self.conditions.narrowing(next(iter(self.match.only_with), None))
        # A JWT may lack a claim, and then another entry for the same callers can apply.
        claims = frozenset(self.match.claims)
        return (found, claims) if claims else found

    def has_expired(self, now: float) -> bool:
        """Whether the rule counts as absent at the Unix time `now`."""
        return self.expires is not None and now >= self.expires

    def pins_another(self, identity: CallerIdentity) -> bool:
        """Whether the rule's `userid` is that of another principal."""
        return bool(self.user_id) and self.user_id != identity.principal_id

    def refusal(self, identity: CallerIdentity, now: float) -> str:
        """Why the rule does not apply to `identity`; "" if it does.

        Args:
            identity: the caller.
            now: Unix time.
        """
        if not self.covers(identity):
            return "its pattern begins like the caller's ARN and does not cover it"
        if self.expires is not None and self.has_expired(now):
            return f"it expired at {rfc3339(self.expires)}"
        if self.denied:
            return self.denied
        if self.pins_another(identity):
            if identity.claims is not None:
                return "it has a userid, which a JWT does not tell"
            return "its userid is another principal's (recreated under the same name?)"
        return self.unusable_with(identity)

    def unusable_with(self, identity: CallerIdentity) -> str:
        """Why the caller's token does not meet the rule's conditions or needs; "" if it does."""
        return self.conditions.unmet(identity) or self.match.lacks(identity)


def administrator(arn: str, origin: Origin) -> Rule:
    """The rule for the cluster's creator: `system:masters`, whatever any document says.

    Raises:
        ValueError: `arn` is not the ARN of one principal.
    """
    selector = by_arn(arn)
    if selector.is_pattern:
        raise ValueError("it must be the ARN of one principal, without wildcards")
    return Rule(selector, Match(origin, CANONICAL_ARN, (Template.parse(MASTERS),), Guard()))
