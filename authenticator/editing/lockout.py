"""The access that no edit of mappings may remove, unless it is forced: the way back in.

    own-access          the editor's own rights
    last-administrator  the last mapping that grants system:masters
    node-roles          the last mapping that makes nodes

The mappings before and after are asked as a login would ask them (`RuleSet.find`), so that
precedence, patterns, expiry, `userid` and accounts count here as they do there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from authenticator.aws.arns import CallerIdentity, PrincipalArn, PrincipalKind
from authenticator.editing.editor import Editor
from authenticator.errors import UnknownUser
from authenticator.mapping.rules import MASTERS, Rule, genuine_path
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section
from authenticator.mapping.templates import Template

# Mappings of one kind are tried until one of them grants access. Thousands that shadow one another
# would each cost a look at all the others; no administrator's only way in is hidden behind so many.
_TRIED = 100
# In seconds, a week: a mapping that ends before is lost to an administrator who notices too late.
_SOON = 7 * 24 * 3600.0
# A session as EC2 names it, so that whatever asks for a session or an instance gets one.
_SESSION = "i-0123456789abcdef0"
_INSTANCE_NAME = "ip-192-0-2-1.ec2.internal"
# These replace wildcards: allowed in names, and rare. Another mapping may name one of them.
_FILLINGS = tuple(str.maketrans("*?", letter * 2) for letter in "=,")
_ANY_ROLE = "arn:aws:iam::000000000000:role/="
_SSO_DIGITS = "0" * 16

# A username and groups.
_Granted = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an edit is refused. Its texts are constant: they tell nothing of any mapping.

    Attributes:
        id: `own-access`, `last-administrator` or `node-roles`.
        reason: what would be lost, in a sentence.
        advice: what to do first, for the edit to pass without force.
    """

    id: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The mappings in force in addition to the source that is edited.

    Attributes:
        administrators: the rules of `bootstrapAdministrators`, which come before everything.
        earlier: the sections of the sources before it, in order.
        later: those of the sources after it.
        break_glass: those of the break-glass file, which come after everything.
    """

    administrators: tuple[Rule, ...] = ()
    earlier: tuple[Section, ...] = ()
    later: tuple[Section, ...] = ()
    break_glass: tuple[Section, ...] = ()


NOWHERE = Elsewhere()


def refusals(
    before: Sequence[Section],
    after: Sequence[Section],
    editor: Editor,
    now: float,
    elsewhere: Elsewhere = NOWHERE,
) -> tuple[Refusal, ...]:
    """Return the reasons to refuse an edit; empty if it may go ahead.

    Args:
        before: the sections of the edited source in force now.
        after: its sections as the edit makes them; none when the object is deleted. One that is
            broken leaves the one before in force, as it does in the server.
        editor: whose edit it is.
        now: Unix time.
        elsewhere: the mappings in force in addition to the edited source.
    """
    kept = {section.name: section for section in before}
    lasting = [kept.get(found.name, found) if found.broken else found for found in after]
    old, new = _InForce(before, elsewhere), _InForce(lasting, elsewhere)
    found = [_own_access(editor, old, new, now)]
    found += [path.refusal for path in _PATHS if path.lost(old, new, now)]
    return tuple(filter(None, found))


class _InForce:
    """All mappings together, at one moment."""

    def __init__(self, sections: Iterable[Section], elsewhere: Elsewhere) -> None:
        chain = [*elsewhere.earlier, *sections, *elsewhere.later]
        listed = (rule for part in (*chain, *elsewhere.break_glass) for rule in part.rules)
        self.rules = [*elsewhere.administrators, *listed]
        self._rule_set = RuleSet.of(elsewhere.administrators, chain, elsewhere.break_glass)

    def granted(self, identity: CallerIdentity, now: float) -> _Granted | None:
        """Return the username and groups of `identity` at a login; None if it would be denied."""
        match = self._rule_set.find(identity, now)
        try:
            return match.render(identity, _INSTANCE_NAME) if match else None
        except UnknownUser:
            return None


@dataclass(frozen=True, slots=True)
class _Path:
    """A way in that must stay open.

    Attributes:
        group: the group that it leads to.
        head: what the username must begin with.
        refusal: what is said when the last such way goes.
    """

    group: str
    head: str
    refusal: Refusal

    def lost(self, old: _InForce, new: _InForce, now: float) -> bool:
        """Whether there was such a way, and is none now, in a week, or for good."""
        moments = (now, now + _SOON, math.inf)
        return any(self._open(old, at) and not self._open(new, at) for at in moments)

    def _open(self, mappings: _InForce, now: float) -> bool:
        wanted = Template.parse(self.group)
        likely = (rule for rule in mappings.rules if wanted in rule.match.groups)
        tried = islice(likely, _TRIED)
        granted = (mappings.granted(one, now) for rule in tried for one in _examples(rule))
        return any(
            found is not None and found[0].startswith(self.head) and self.group in found[1]
            for found in granted
        )


_PATHS = (
    _Path(
        MASTERS,
        "",
        Refusal(
            "last-administrator",
            "this would remove the last permanent administrator (system:masters) mapping",
            "map another administrator to system:masters first",
        ),
    ),
    _Path(
        "system:nodes",
        "system:node:",
        Refusal(
            "node-roles",
            "this would remove the last permanent mapping for nodes (system:nodes)",
            "map the new node role to system:node:{{EC2PrivateDNSName}} and system:nodes first",
        ),
    ),
)

_ASK_ANOTHER = "ask an administrator who keeps access to make this edit"
_NO_ENTRY = Refusal(
    "own-access",
    "you would lose access: no mapping would apply to you",
    _ASK_ANOTHER,
)
_NO_MASTERS = Refusal(
    "own-access", "you would no longer be in system:masters, as you are now", _ASK_ANOTHER
)
_OTHER_NAMES = Refusal(
    "own-access",
    "you would lose the username or a group that you have now, and with it maybe the right to"
    " edit this",
    _ASK_ANOTHER,
)


def _own_access(editor: Editor, old: _InForce, new: _InForce, now: float) -> Refusal | None:
    """Return the access that the editor would lose, if these mappings grant it.

    Which group lets them edit is up to RBAC, which is not asked here: without system:masters, it
    may be each.
    """
    found = ((one, old.granted(one, now)) for one in _identities(editor, old))
    # The API server does not tell all claims of a JWT: those with which the entries in force make
    # the editor whom they are.
    known = ((one, granted) for one, granted in found if granted and _may_be(editor, granted))
    identity, had = next(known, (None, None))
    if identity is None or had is None:
        return None
    groups = set(editor.groups)
    if groups and (not groups.issuperset(had[1]) or MASTERS in groups.difference(had[1])):
        return None  # another authenticator (EKS access entries, say) has let them in
    has = new.granted(identity, now)
    if has is None:
        return _NO_ENTRY
    if MASTERS in has[1]:
        return None
    if MASTERS in had[1]:
        return _NO_MASTERS
    return None if had[0] == has[0] and set(had[1]) <= set(has[1]) else _OTHER_NAMES


def _identities(editor: Editor, mappings: _InForce) -> Iterator[CallerIdentity]:
    """Yield the editor, and for a JWT the editor with the claims that each entry demands."""
    identity = editor.identity
    if identity is None:
        return
    yield identity
    for rule in islice((rule for rule in mappings.rules if rule.covers(identity)), _TRIED):
        claims = rule.conditions.claims()
        if identity.claims is not None and claims is not None:
            told = identity.claims
            claims = replace(
                claims,
                identity_store_user_id=told.identity_store_user_id,
                source_identity=told.source_identity,
            )
            yield replace(identity, claims=claims)


def _may_be(editor: Editor, granted: _Granted) -> bool:
    """Whether an editor with a JWT has the name that is granted."""
    return editor.claims is None or granted[0] == editor.username


def _examples(rule: Rule) -> Iterator[CallerIdentity]:
    """Yield callers that the rule is meant for, if no other applies to them."""
    selector = rule.selector
    if selector is None:
        yield _example(_ANY_ROLE, rule)
    elif selector.permission_set:
        yield _example(selector.head + _SSO_DIGITS, rule)
    elif selector.is_pattern:
        yield from (_example(selector.key.translate(filling), rule) for filling in _FILLINGS)
    else:
        yield _example(selector.key, rule)


def _example(key: str, rule: Rule) -> CallerIdentity:
    arn = PrincipalArn.parse(key)
    if arn.kind is PrincipalKind.ROLE:
        arn = replace(arn, kind=PrincipalKind.ASSUMED_ROLE, path="", session=_SESSION)
    claims = rule.claims_of_a_caller()
    if claims is not None and arn.kind is PrincipalKind.ASSUMED_ROLE:
        arn = replace(arn, kind=PrincipalKind.ROLE, path=genuine_path(rule.selector), session="")
    return CallerIdentity(arn, rule.user_id, access_key_id="-", claims=claims)
