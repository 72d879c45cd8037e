"""What the username or a group of a mapping can become, before anybody logs in.

A template may depend on the session of the caller, who often chooses it; what is known beforehand
is then a pattern of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.mapping.selectors import Selector
from authenticator.mapping.templates import Placeholder, Template

_SESSION_NAMES = frozenset({Placeholder.SESSION_NAME, Placeholder.SESSION_NAME_RAW})
# The one who assumes a role chooses its session's name, and its source identity.
_CHOSEN = _SESSION_NAMES | {Placeholder.SOURCE_IDENTITY}


class Part(NamedTuple):
    """What is known of a placeholder's value.

    Attributes:
        pattern: a regular expression of all values.
        head: what every value begins with, case folded.
        literal: the value, if there is one only.
    """

    pattern: str
    head: str = ""
    literal: str | None = None


Parts = Mapping[Placeholder, Part]


def _literal(value: str) -> Part:
    return Part(re.escape(value), value.casefold(), value)


# As `authenticator.aws.arns` has them: STS's own alphabets, of which templates replace `@`.
_SESSION = Part(r"[\w+=,.-]{1,128}")
_SESSION_RAW = Part(r"[\w+=,.@-]{1,128}")
_ANYONE: dict[Placeholder, Part] = {
    Placeholder.ACCOUNT_ID: Part(r"[0-9]{12}"),
    Placeholder.SESSION_NAME: _SESSION,
    Placeholder.SESSION_NAME_RAW: _SESSION_RAW,
    Placeholder.ACCESS_KEY_ID: Part(r"\w{16,128}"),
    Placeholder.EC2_PRIVATE_DNS_NAME: Part(r"[\w.-]{1,255}"),
    Placeholder.CANONICAL_ARN: Part(r"arn:.+", "arn:"),
    Placeholder.IDENTITY_STORE_USER_ID: Part(r"[!-~]{0,256}"),
    Placeholder.SOURCE_IDENTITY: Part(r"[!-~]{0,256}"),
}


def parts_of_selector(selector: Selector | None) -> Parts:
    """What is known of the callers of a mapping; None for one that names them by unique id."""
    if selector is None:
        return _ANYONE
    # A selector has forgotten the case of its ARN, and usernames have one.
    known = {
        Placeholder.ACCOUNT_ID: _literal(selector.account_id),
        Placeholder.CANONICAL_ARN: Part(f"(?i:{_glob(selector.key)})", selector.head),
    }
    return _ANYONE | known | _no_session(selector.kind)


def parts_of_account(account_id: str) -> Parts:
    """What is known of the callers of an account."""
    arn = Part(rf"arn:[\w-]+:(?:iam|sts)::{account_id}:.+", "arn:")
    return _ANYONE | {Placeholder.ACCOUNT_ID: _literal(account_id), Placeholder.CANONICAL_ARN: arn}


def parts_of_arn(arn: PrincipalArn) -> Parts:
    """What is known of one caller: all but key and instance, and the session if the ARN has it."""
    known = {
        Placeholder.ACCOUNT_ID: _literal(arn.account_id),
        Placeholder.CANONICAL_ARN: _literal(arn.canonical),
    }
    session = arn.name if arn.kind is PrincipalKind.FEDERATED_USER else arn.session
    if session:
        known[Placeholder.SESSION_NAME] = _literal(session.replace("@", "-"))
        known[Placeholder.SESSION_NAME_RAW] = _literal(session)
    return _ANYONE | _no_session(arn.kind) | known


def _no_session(kind: PrincipalKind) -> dict[Placeholder, Part]:
    if kind.is_role or kind is PrincipalKind.FEDERATED_USER:
        return {}
    return dict.fromkeys(_SESSION_NAMES, _literal(""))


def _glob(key: str) -> str:
    """The pattern of a selector's key; its wildcards cross neither `:` nor `/`."""
    return re.escape(key).replace(r"\*", "[^:/]*").replace(r"\?", "[^:/]")


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a template can become.

    Attributes:
        text: the template as it was written.
        literal: the name, if there is one only.
        head: what all of them begin with, case folded.
        pattern: a regular expression of all of them; "" if there is one only.
        chosen: whether the caller's session is part of it.
    """

    text: str
    literal: str | None
    head: str
    pattern: str
    chosen: bool

    @classmethod
    def of(cls, template: Template, parts: Parts) -> Names:
        """The names that `template` can become for the callers that `parts` describes."""
        pieces = [
            parts[part] if isinstance(part, Placeholder) else _literal(part)
            for part in template.parts
        ]
        text = "".join(
            f"{{{{{part.value}}}}}" if isinstance(part, Placeholder) else part
            for part in template.parts
        )
        if all(piece.literal is not None for piece in pieces):
            literal = "".join(piece.literal or "" for piece in pieces)
            return cls(text, literal, literal.casefold(), "", chosen=False)
        chosen = any(
            isinstance(part, Placeholder) and part in _CHOSEN and parts[part].literal is None
            for part in template.parts
        )
        return cls(text, None, _head(pieces), _pattern(template, parts), chosen)

    def cover(self, name: str) -> bool:
        """Whether `name` is among them."""
        if self.literal is not None:
            return name == self.literal
        # Compiled only here: of thousands of patterns few are ever compared with a name.
        return re.fullmatch(self.pattern, name, re.ASCII) is not None


def _pattern(template: Template, parts: Parts) -> str:
    """What is filled in twice is the same both times; without that, matching takes minutes."""
    pattern = ""
    seen: set[Placeholder] = set()
    for part in template.parts:
        if not isinstance(part, Placeholder):
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part.value})"
        else:
            seen.add(part)
            pattern += f"(?P<{part.value}>{parts[part].pattern})"
    return pattern


def _head(pieces: list[Part]) -> str:
    head = ""
    for piece in pieces:
        head += piece.head
        if piece.literal is None:
            break
    return head
