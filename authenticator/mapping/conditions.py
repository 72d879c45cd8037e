"""What an entry demands of a caller apart from the ARN: conditions that only ever narrow it.

All of a JWT's claims are absent from a presigned token, and an absent claim meets no condition.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from authenticator.aws.arns import CallerIdentity, ProofKind, SignedClaims

# The keys of an entry, as documents spell them.
PROOF, ORGANIZATION = "proof", "organization"
ORGANIZATIONAL_UNIT, PRINCIPAL_TAGS = "organizationalUnit", "principalTags"
CONDITION_KEYS = (PROOF, ORGANIZATION, ORGANIZATIONAL_UNIT, PRINCIPAL_TAGS)

_ORGANIZATION = re.compile(r"o-[a-z0-9]{1,32}", re.ASCII)
_UNIT = re.compile(r"ou-[a-z0-9]{1,32}-[a-z0-9]{1,32}", re.ASCII)
# IAM: the longest key and value of a tag, and how many a principal has.
_TAG_KEY_LENGTH, _TAG_VALUE_LENGTH, _MOST_TAGS = 128, 256, 50


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of an entry. Each that is not set is met by every caller.

    Attributes:
        proof: the kind of token.
        organization: the organization of the caller's account.
        organizational_unit: a unit that the account is in, at any depth.
        principal_tags: tags that the principal has, with exactly these values, sorted by key.
    """

    proof: ProofKind | None = None
    organization: str = ""
    organizational_unit: str = ""
    principal_tags: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return self != NONE

    @property
    def on_claims(self) -> bool:
        """Whether a condition is on a claim, which only a JWT has."""
        return bool(self.organization or self.organizational_unit or self.principal_tags)

    @property
    def effective_proof(self) -> ProofKind | None:
        """The kind of token that alone can meet them; None for either."""
        return ProofKind.JWT if self.on_claims else self.proof

    def unmet(self, identity: CallerIdentity) -> str:
        """Why a caller does not meet them; "" if they are met."""
        if self.proof is not None and identity.proof is not self.proof:
            return f"its {PROOF} is {self.proof.value}, and the token is {_article(identity)}"
        claims = identity.claims
        if claims is None:
            return "it has a condition on claims, which a presigned token has not" * self.on_claims
        if self.organization and claims.organization != self.organization:
            return f"its {ORGANIZATION} is {self.organization}, and the account is in another"
        units = claims.organizational_units
        if self.organizational_unit and self.organizational_unit not in units:
            unit = self.organizational_unit
            return f"its {ORGANIZATIONAL_UNIT} is {unit}, and the account is not in it"
        missing = [
            key for key, value in self.principal_tags if (key, value) not in claims.principal_tags
        ]
        if missing:
            return f"its {PRINCIPAL_TAGS} want another value of the tag {missing[0]!r}"
        return ""

    def claims(self) -> SignedClaims | None:
        """Return claims that meet them, of a made-up caller; None for a presigned token."""
        if self.effective_proof is not ProofKind.JWT:
            return None
        units = frozenset(filter(None, (self.organizational_unit,)))
        return SignedClaims(
            organization=self.organization,
            organizational_units=units,
            principal_tags=self.principal_tags,
        )

    def shown(self) -> dict[str, str | dict[str, str]]:
        """The conditions that are set, by their keys in documents."""
        values: dict[str, str | dict[str, str]] = {
            PROOF: self.proof.value if self.proof else "",
            ORGANIZATION: self.organization,
            ORGANIZATIONAL_UNIT: self.organizational_unit,
            PRINCIPAL_TAGS: dict(self.principal_tags),
        }
        return {key: value for key, value in values.items() if value}

    def __str__(self) -> str:
        """`proof: jwt, principalTags: {team: data}`."""
        shown = []
        for key, value in self.shown().items():
            if isinstance(value, Mapping):
                tags = ", ".join(f"{name}: {tag}" for name, tag in value.items())
                value = f"{{{tags}}}"  # noqa: PLW2901 (a map as YAML writes it)
            shown.append(f"{key}: {value}")
        return ", ".join(shown)

    def narrowing(self, implied: ProofKind | None) -> Hashable:
        """A value that is the same for conditions that the same callers meet; NONE without any.

        Args:
            implied: the only kind of token with which the entry can be used; None for either.
        """
        return replace(self, proof=self.proof or self.effective_proof or implied)


NONE = Conditions()


def _article(identity: CallerIdentity) -> str:
    return "a JWT" if identity.proof is ProofKind.JWT else "presigned"


def proof(text: str) -> ProofKind:
    """Read the condition `proof`.

    Raises:
        ValueError: it is something else.
    """
    try:
        return ProofKind(text)
    except ValueError:
        raise ValueError(f"it must be {' or '.join(kind.value for kind in ProofKind)}") from None


def organization(text: str) -> str:
    """Read the condition `organization`.

    Raises:
        ValueError: it is something else.
    """
    if not _ORGANIZATION.fullmatch(text):
        raise ValueError("it must be the id of an organization: o-...")
    return text


def organizational_unit(text: str) -> str:
    """Read the condition `organizationalUnit`.

    Raises:
        ValueError: it is something else.
    """
    if not _UNIT.fullmatch(text):
        raise ValueError("it must be the id of an organizational unit: ou-...-...")
    return text


def principal_tags(values: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Read the condition `principalTags`.

    Raises:
        ValueError: it is something else.
    """
    if not 0 < len(values) <= _MOST_TAGS:
        raise ValueError(f"it must be a map of 1 to {_MOST_TAGS} tags")
    for key, value in values.items():
        if not isinstance(value, str):
            raise ValueError("each tag must have a single value")  # noqa: TRY004 (one kind)
        fits = 0 < len(key) <= _TAG_KEY_LENGTH and len(value) <= _TAG_VALUE_LENGTH
        if not fits or not (key.isprintable() and value.isprintable()):
            raise ValueError("a tag has 1 to 128 printable characters, and its value up to 256")
    return tuple(sorted((key, str(value)) for key, value in values.items()))
