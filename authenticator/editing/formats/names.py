"""Names for IAMIdentityMapping objects: readable, stable, and in the order that entries need.

Custom resources apply in the order of their names (docs/adr/0002), which is why two entries for the
same callers need names that sort as the entries stood.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from authenticator.mapping.precedence import meet
from authenticator.mapping.selectors import Selector

# A label of a DNS name (RFC 1123) has no dot: what follows one is a number of ours. With it, a name
# stays below the 253 characters that Kubernetes allows.
_MAX_LENGTH = 200
_PLAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9]+", re.ASCII)
_DIGITS = 8


def names(selectors: Sequence[Selector]) -> list[str]:
    """A name for each entry, by whom it names.

    The name of an entry depends on the others only if it is for the same principal as an earlier
    one, or if both are patterns that are asked in the order of their names.
    """
    found: list[str] = []
    numbers: dict[str, int] = {}
    patterns: list[int] = []
    for selector in selectors:
        name = natural_name(selector)
        rivals = [
            found[place] for place in patterns if _in_order_of_names(selectors[place], selector)
        ]
        floor = max(rivals, default="")
        if name in numbers or name <= floor:
            base = max(name, floor).partition(".")[0]
            numbers[base] = numbers.get(base, 1) + 1
            name = f"{base}.{numbers[base]:05d}"
        else:
            numbers[name] = 1
        if selector.is_pattern:
            patterns.append(len(found))
        found.append(name)
    return found


def natural_name(selector: Selector) -> str:
    """The name of an entry that is alone for its principal, such as `role-111122223333-dev`."""
    kind, _, rest = selector.resource.partition("/")
    plain = "-".join(filter(None, (kind, selector.account_id, rest)))
    if selector.partition == "aws" and _PLAIN.fullmatch(plain) and len(plain) <= _MAX_LENGTH:
        return plain
    # Different ARNs may look alike once what no name can hold is gone: the digest tells them apart.
    digest = hashlib.sha256(selector.key.encode()).hexdigest()[:_DIGITS]
    return f"{_OTHER.sub('-', plain)[:_MAX_LENGTH].strip('-')}-{digest}"


def _in_order_of_names(one: Selector, other: Selector) -> bool:
    return other.is_pattern and one.literal == other.literal and meet(one, other)
