"""Usernames and groups with placeholders, such as `system:node:{{EC2PrivateDNSName}}`.

The names are those of aws-iam-authenticator and Amazon EKS, plus `{{CanonicalARN}}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from authenticator.aws.arns import CallerIdentity, PrincipalKind, ProofKind
from authenticator.display import is_printable
from authenticator.mapping.guards import MAX_LENGTH

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class Placeholder(str, Enum):
    """What a template may ask for."""

    ACCOUNT_ID = "AccountID"
    SESSION_NAME = "SessionName"
    SESSION_NAME_RAW = "SessionNameRaw"
    ACCESS_KEY_ID = "AccessKeyID"
    EC2_PRIVATE_DNS_NAME = "EC2PrivateDNSName"
    CANONICAL_ARN = "CanonicalARN"
    IDENTITY_STORE_USER_ID = "IdentityStoreUserID"
    SOURCE_IDENTITY = "SourceIdentity"


def session_name(identity: CallerIdentity) -> str:
    """The session of an assumed role, the name of a federated user, "" for anyone else."""
    arn = identity.arn
    return arn.name if arn.kind is PrincipalKind.FEDERATED_USER else arn.session


_VALUES: dict[Placeholder, Callable[[CallerIdentity, str], str]] = {
    Placeholder.ACCOUNT_ID: lambda identity, _: identity.arn.account_id,
    Placeholder.SESSION_NAME: lambda identity, _: session_name(identity).replace("@", "-"),
    Placeholder.SESSION_NAME_RAW: lambda identity, _: session_name(identity),
    Placeholder.ACCESS_KEY_ID: lambda identity, _: identity.access_key_id,
    Placeholder.EC2_PRIVATE_DNS_NAME: lambda _, instance_name: instance_name,
    Placeholder.CANONICAL_ARN: lambda identity, _: identity.canonical_arn,
    Placeholder.IDENTITY_STORE_USER_ID: lambda identity, _: (
        identity.claims.identity_store_user_id if identity.claims else ""
    ),
    Placeholder.SOURCE_IDENTITY: lambda identity, _: (
        identity.claims.source_identity if identity.claims else ""
    ),
}
# The placeholders that one kind of token alone can fill in.
ONLY_WITH = MappingProxyType(
    {
        Placeholder.SESSION_NAME: ProofKind.PRESIGNED,
        Placeholder.SESSION_NAME_RAW: ProofKind.PRESIGNED,
        Placeholder.ACCESS_KEY_ID: ProofKind.PRESIGNED,
        Placeholder.IDENTITY_STORE_USER_ID: ProofKind.JWT,
        Placeholder.SOURCE_IDENTITY: ProofKind.JWT,
    }
)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed username or group.

    Attributes:
        parts: literal text and placeholders, in order; never empty.
    """

    parts: tuple[str | Placeholder, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse one username or group.

        Raises:
            ValueError: it is empty or longer than `MAX_LENGTH`, holds an unknown placeholder, or
                unprintable characters.
        """
        # Before the cache, which would keep thousands of long texts.
        if len(text) > MAX_LENGTH:
            raise ValueError(f"it is longer than {MAX_LENGTH} characters")
        return cls._parsed(text)

    @classmethod
    @lru_cache(maxsize=4096)
    def _parsed(cls, text: str) -> Template:
        if not text:
            raise ValueError("it is empty")
        parts: list[str | Placeholder] = []
        for number, piece in enumerate(_PLACEHOLDER.split(text)):
            if number % 2:
                parts.append(_placeholder(piece))
            elif "{{" in piece or "}}" in piece:
                raise ValueError("it has {{ without }}, or }} without {{")
            elif piece:
                _check_printable(piece)
                parts.append(piece)
        return cls(tuple(parts))

    def __contains__(self, placeholder: Placeholder) -> bool:
        """Whether the template asks for `placeholder`."""
        return any(part is placeholder for part in self.parts)

    @property
    def head(self) -> str:
        """The literal text that every rendered value begins with; "" if there is none."""
        first = self.parts[0]
        return "" if isinstance(first, Placeholder) else first

    @property
    def written(self) -> str:
        """The text of which it was parsed."""
        return "".join(
            f"{{{{{part.value}}}}}" if isinstance(part, Placeholder) else part
            for part in self.parts
        )

    def render(self, identity: CallerIdentity, instance_name: str) -> str:
        """Fill in the placeholders, in a single pass: what is filled in is never scanned again."""
        return "".join(
            _VALUES[part](identity, instance_name) if isinstance(part, Placeholder) else part
            for part in self.parts
        )


def _placeholder(name: str) -> Placeholder:
    try:
        return Placeholder(name)
    except ValueError:
        known = ", ".join(f"{{{{{placeholder.value}}}}}" for placeholder in Placeholder)
        raise ValueError(f"it has an unknown placeholder; the known ones are {known}") from None


def _check_printable(text: str) -> None:
    # Control characters could forge log lines, and invisible ones (bidirectional marks, zero-width
    # spaces) a name that looks like another.
    if not is_printable(text):
        raise ValueError("it has control or invisible characters")
