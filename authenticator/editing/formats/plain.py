"""What tools that write aws-auth for EKS can say: an ARN, a username and groups; an account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import Note, subject
from authenticator.mapping.conditions import CONDITION_KEYS
from authenticator.mapping.templates import Placeholder

_CANONICAL_ARN = f"{{{{{Placeholder.CANONICAL_ARN.value}}}}}"


def plain_refusal(usable: Usable) -> str:
    """Why such a tool cannot say an entry, and what to do; "" if it can."""
    for key in ("sso", "expires", "userid", *CONDITION_KEYS):
        if key in usable.entry.fields:
            return f"there is no place for its {key}; keep it in a source that has one"
    return ""


def remarks(usables: Iterable[Usable]) -> Iterator[Note]:
    """What of the entries only this authenticator understands, and not that of EKS."""
    for usable in usables:
        if usable.selector and usable.selector.is_pattern:
            remark = "the authenticator of EKS knows no patterns: there it maps nobody"
            yield Note(subject(usable.entry), remark)
        written = (usable.text("username") or _CANONICAL_ARN, *usable.groups)
        if usable.rule and any(_CANONICAL_ARN in text for text in written):
            remark = f"the authenticator of EKS does not know {_CANONICAL_ARN}; write the name out"
            yield Note(subject(usable.entry), remark)
