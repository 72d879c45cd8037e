"""The mappings that nearly name a caller: what an administrator most likely meant.

A mapping is asked again with parts of the caller replaced by its own (the account, say): if it
would apply then, those parts are the difference. Failing that, names are compared as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nsmallest

from authenticator.aws.arns import CallerIdentity, PrincipalArn, PrincipalKind
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.selectors import PERMISSION_SET_ROLE, Selector

MOST = 3
# Of two names, from which on one may be a slip of the other: `Dve` and `Dev` have 0.67.
_ALIKE = 0.65
# An account id in which two digits were swapped, or one is wrong.
_ALIKE_DIGITS = 0.9
_SSO = re.compile(r"awsreservedsso_(?P<name>.+)_[0-9a-f*]+", re.ASCII | re.IGNORECASE)
_WILDCARD = re.compile(r"[*?]")
_KINDS = {
    PrincipalKind.ROLE: "a role",
    PrincipalKind.USER: "a user",
    PrincipalKind.FEDERATED_USER: "a federated user",
    PrincipalKind.ROOT: "root",
}


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A mapping that nearly applies.

    Attributes:
        origin: where it stands.
        names: the principal as the mapping has it.
        reason: why it does not apply.
        distance: how far off it is; 0 for one that names the caller.
    """

    origin: Origin
    names: str
    reason: str
    distance: float


@dataclass(frozen=True, slots=True)
class _Parts:
    """A canonical ARN, or a pattern, in lower case.

    Attributes:
        shown: the name as it is written.
    """

    partition: str
    account: str
    kind: PrincipalKind
    path: str
    name: str
    shown: str

    @classmethod
    def of_caller(cls, identity: CallerIdentity) -> _Parts:
        arn = PrincipalArn.parse(identity.canonical_arn)
        path, name = arn.path.lower(), arn.name.lower()
        return cls(arn.partition, arn.account_id, arn.kind, path, name, arn.name)

    @classmethod
    def of(cls, selector: Selector) -> _Parts:
        kind = PrincipalKind.ROLE if selector.is_role else selector.kind
        name = selector.name if kind is not PrincipalKind.ROOT else ""
        path = selector.user_path
        return cls(selector.partition, selector.account_id, kind, path, name, _shown(selector))

    def key(self, name: str) -> str:
        """The ARN with another name."""
        return str(PrincipalArn(self.partition, self.account, self.kind, self.path, name))


def _shown(selector: Selector) -> str:
    """The name in a selector as the mapping has it; of a permission set, as its role has it."""
    if selector.permission_set:
        name = selector.written.removeprefix("permission set ").rpartition(" in ")[0]
        return f"{PERMISSION_SET_ROLE}{name}_*"
    return selector.written.rpartition("/")[2]


def nearest(identity: CallerIdentity, rules: RuleSet, now: float) -> tuple[NearMiss, ...]:
    """The mappings nearest to a caller whom none of them maps, the nearest first.

    Args:
        identity: the caller.
        rules: the rules in force.
        now: Unix time.
    """
    key = identity.canonical_arn.lower()
    found = (miss for rule in rules if (miss := _near(identity, key, rule, now)) is not None)
    misses = nsmallest(MOST, found, key=_order)
    return tuple(misses) or tuple(_accounts(identity.arn.account_id, rules))[:MOST]


def _order(miss: NearMiss) -> tuple[float, str]:
    return (miss.distance, str(miss.origin))


def _near(identity: CallerIdentity, key: str, rule: Rule, now: float) -> NearMiss | None:
    selector = rule.selector
    if selector is None:
        return None
    if selector.covers(key):
        return NearMiss(rule.match.origin, selector.written, rule.refusal(identity, now), 0)
    differences = list(_differences(_Parts.of_caller(identity), _Parts.of(selector), selector))
    if not differences:
        return None
    reason = " and ".join(text for _, text in differences)
    return NearMiss(rule.match.origin, selector.written, reason, sum(far for far, _ in differences))


def _differences(caller: _Parts, mapped: _Parts, selector: Selector) -> Iterator[tuple[float, str]]:
    """Each part that differs, and how far; none if it is not near at all."""
    name = _name_difference(caller, mapped, selector)
    if name is None:
        return
    if name[0]:
        yield name
    if caller.partition != mapped.partition:
        yield 1, f"it is for the partition {mapped.partition}, the caller is of {caller.partition}"
    if caller.account != mapped.account:
        yield 1, f"it is for the account {mapped.account}, the caller is of {caller.account}"
    if caller.kind != mapped.kind:
        yield 1, f"it names {_KINDS[mapped.kind]}, the caller is {_KINDS[caller.kind]}"
    elif caller.path != mapped.path:
        yield 0.5, f"its path is {_path(mapped)}, the caller's is {_path(caller)}"


def _path(parts: _Parts) -> str:
    return f"/{parts.path}"


def _name_difference(
    caller: _Parts, mapped: _Parts, selector: Selector
) -> tuple[float, str] | None:
    """How far the names are apart, from 0 for equal ones; None for two that are not alike."""
    if selector.covers(mapped.key(caller.name)):
        return 0, ""
    ours, theirs = _SSO.fullmatch(caller.name), _SSO.fullmatch(mapped.name)
    if ours and theirs and ours["name"] == theirs["name"]:
        return 0.5, (
            "the permission set is the same, but its role's random end is another one since it was"
            " provisioned anew; name it with sso instead of its ARN"
        )
    if bool(ours) != bool(theirs):
        return None
    # Without what all permission sets have in common, which would make them all alike.
    names = (ours["name"], theirs["name"]) if ours and theirs else (caller.name, mapped.name)
    alike = _alike(*_literal(*names), _ALIKE)
    if not alike:
        return None
    written: tuple[str, ...] = (caller.shown, mapped.shown)
    if ours and theirs:
        found = (_SSO.fullmatch(name) for name in written)
        written = tuple(match["name"] if match else "" for match in found)
    return 2 * (1 - alike), f"its name is {written[1]}, the caller's is {written[0]}"


def _literal(name: str, pattern: str) -> tuple[str, str]:
    """What of two names can be compared: of a pattern, what stands before its first wildcard."""
    fixed = _WILDCARD.split(pattern, maxsplit=1)[0]
    return (name, pattern) if fixed == pattern else (name[: len(fixed)], fixed)


def _accounts(account: str, rules: RuleSet) -> Iterator[NearMiss]:
    for other, match in rules.accounts.items():
        if alike := _alike(account, other, _ALIKE_DIGITS):
            reason = f"the account {other} is mapped as a whole, the caller is of {account}"
            yield NearMiss(match.origin, other, reason, 2 * (1 - alike))


def _alike(one: str, other: str, least: float) -> float:
    """How alike two texts are, up to 1; 0 if less than `least`."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    # The quick ones are upper bounds, and there may be ten thousand rules.
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0
