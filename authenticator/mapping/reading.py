"""One entry of a document becomes one rule, or is refused with the reason."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple

from authenticator.aws.arns import PrincipalKind
from authenticator.display import is_printable
from authenticator.mapping.conditions import CONDITION_KEYS
from authenticator.mapping.entries import (
    NARROWING,
    PERMISSION_SET,
    ROLE,
    USER,
    BadValues,
    Entry,
    Shape,
)
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import Fields, Items, Node, Text
from authenticator.mapping.problems import Code, Origin, shortened
from authenticator.mapping.rules import CANONICAL_ARN, Match, Rule
from authenticator.mapping.selectors import Selector
from authenticator.mapping.templates import Placeholder
from authenticator.mapping.unrendered import unrendered

# The keys that say whom an entry names.
_NAMES = ("rolearn", "userarn", "arn", "sso")
_CONDITIONS = frozenset(key.lower() for key in CONDITION_KEYS)
_NEVER_EMPTY = _CONDITIONS | {"expires"}
# Other words for what narrows an entry, which no typing error would make of the right ones.
_OTHER_WORDS = frozenset(
    {
        *("condition", "conditions", "jwt", "requireproof", "tokenproof"),
        *("org", "orgid", "orgunit", "ou"),
        *("notafter", "ttl", "until", "validuntil"),
    }
)
# The same, if the value is a map: a list of tags is a remark, as tools write it.
_OTHER_MAPS = frozenset({"tag", "tags"})
_LOOK_ALIKE_SCRIPTS = frozenset({"ARMENIAN", "CHEROKEE", "CYRILLIC", "GREEK"})
# In characters; the longest known key has 18.
_MOST_COMPARED = 100
_SESSION_NAMES = (Placeholder.SESSION_NAME, Placeholder.SESSION_NAME_RAW)


# What is wrong if the value of a key cannot be used.
_VALUES = MappingProxyType(
    {
        "rolearn": Code.BAD_ARN,
        "userarn": Code.BAD_ARN,
        "arn": Code.BAD_ARN,
        "sso": Code.BAD_PERMISSION_SET,
        "username": Code.BAD_USERNAME,
        "groups": Code.BAD_GROUPS,
        "userid": Code.BAD_USER_ID,
        "expires": Code.BAD_EXPIRY,
        **dict.fromkeys((key.lower() for key in CONDITION_KEYS), Code.BAD_CONDITION),
    }
)


class EntryRefused(ValueError):
    """An entry that cannot be used; the message says why and what to do.

    Attributes:
        code: what kind of problem it is.
        key: the key that it is about; "" for the entry as a whole.
    """

    def __init__(self, code: Code, reason: str, key: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.key = key


class Note(NamedTuple):
    """What was put right or ignored in an entry; as in `EntryRefused`."""

    code: Code
    reason: str
    key: str = ""


@dataclass(slots=True)
class EntryReader:
    """Reads one entry.

    Attributes:
        shape: which keys the entry may have.
        origin: where it stands.
        guard: what its source may not grant.
        by_user_id: whether it must have a `userid` and may do without an ARN.
        literal_arns: see `authenticator.mapping.sections.SectionReader`.
        loose: likewise.
        notes: what was put right or ignored, filled while reading.
    """

    shape: Shape
    origin: Origin
    guard: Guard
    by_user_id: bool = False
    literal_arns: bool = False
    loose: bool = False
    notes: list[Note] = field(default_factory=list)

    def rule(self, node: Node) -> Rule:
        """The rule that the entry stands for.

        Raises:
            EntryRefused: the entry cannot be used.
        """
        fields = self._fields(node, self.shape)
        if "groups" in fields:
            fields["groups"] = self._groups(fields["groups"])
        try:
            entry = Entry(**self.shape.read(fields))
        except BadValues as error:
            reason = unrendered(str(fields.get(error.key))) or str(error)
            raise EntryRefused(_VALUES[error.key], reason, error.key) from None
        selector = self._selector(entry)
        conditions = entry.conditions
        if entry.username is None:
            self._note(Code.MISSING_USERNAME, "username is missing, so that it is {{CanonicalARN}}")
        username = entry.username or CANONICAL_ARN
        heads = tuple(group.head for group in entry.groups)
        if reason := self.guard.refusal(username.head, heads):
            raise EntryRefused(Code.RESERVED_NAME, reason)
        self._compare_with_kind(selector, entry)
        if any(" - " in head for head in heads):
            # YAML takes an item that is indented too far for more words of the item before it.
            reason = "a group has ' - ' in it; is the line after it indented too far?"
            self._note(Code.RUN_ON_GROUP, reason, "groups")
        match = Match(self.origin, username, entry.groups, self.guard, entry.reason)
        to_the_letter = selector is None or self._is_to_the_letter(selector, fields)
        if reason := match.contradicts(conditions, pinned=bool(entry.userid)):
            raise EntryRefused(Code.BAD_CONDITION, reason)
        return Rule(
            selector, match, entry.userid, entry.expires, to_the_letter, conditions=conditions
        )

    def denial(self, node: Node, reason: str) -> Rule | None:
        """The rule that refuses the callers of an entry that cannot be used for a reason.

        None if the entry does not say whom it names, or names its callers by their ids.
        """
        if self.by_user_id or not isinstance(node, Fields):
            return None
        named = [
            (key.lower(), value)
            for key, value in node.values.items()
            if key.lower() in _NAMES and self._plain(value)
        ]
        if len(named) != 1 or named[0][0] not in self.shape.readers:
            return None
        try:
            # All of an entry's own keys may be missing.
            (selector,) = Entry(**self.shape.read(self._one(*named[0]))).selectors()
        except (BadValues, EntryRefused):
            return None
        match = Match(self.origin, CANONICAL_ARN, (), self.guard)
        return Rule(selector, match, denied=f"it cannot be used and refuses the caller: {reason}")

    def _one(self, key: str, value: Node) -> dict[str, object]:
        if isinstance(value, Fields):
            return {key: self._fields(value, PERMISSION_SET)}
        return {key: self._plain(value)}

    def _is_to_the_letter(self, selector: Selector, fields: dict[str, object]) -> bool:
        arn = next((fields[key] for key in _NAMES if key in fields), None)
        if isinstance(arn, str):
            session = self.literal_arns and selector.kind is PrincipalKind.ASSUMED_ROLE
            return not (selector.has_role_path or session or arn != arn.strip())
        # The reference forgets the partition that is given, and matches nobody.
        return not (isinstance(arn, dict) and arn.get("partition"))

    def _groups(self, value: object) -> list[object]:
        """The groups of an entry; of what is no list none, as in the reference and Amazon EKS."""
        if self.loose and isinstance(value, str):
            return list(value.split(","))
        if not isinstance(value, list):
            reason = "groups is not a list, so that the entry grants no group"
            self._note(Code.SINGLE_GROUP, reason, "groups")
            return []
        groups: list[object] = [group for group in value if isinstance(group, str) and group]
        if len(groups) < len(value):
            self._note(Code.EMPTY_ITEM, "an item of groups that is no name is ignored", "groups")
        return groups

    def _selector(self, entry: Entry) -> Selector | None:
        selectors = entry.selectors()
        if len(selectors) > 1:
            raise EntryRefused(Code.TWO_PRINCIPALS, "it has both rolearn and sso; keep one")
        if self.by_user_id and not entry.userid:
            raise EntryRefused(
                Code.MISSING_USER_ID, "it has no userid, which this source is set to require"
            )
        if not selectors and not self.by_user_id:
            raise EntryRefused(Code.NO_PRINCIPAL, f"it names nobody; give it {self.shape.naming}")
        return selectors[0] if selectors else None

    def _compare_with_kind(self, selector: Selector | None, entry: Entry) -> None:
        """Note what is allowed but hardly meant."""
        if selector is None:
            return
        is_role = selector.is_role
        if (self.shape is ROLE and not is_role) or (self.shape is USER and is_role):
            self._note(
                Code.WRONG_SECTION,
                f"its ARN names a {selector.kind.value}, which belongs in"
                f" {'mapRoles' if is_role else 'mapUsers'}",
            )
        if selector.kind is PrincipalKind.ASSUMED_ROLE:
            reason = "the session in its ARN is ignored: all sessions of the role match"
            self._note(Code.ASSUMED_ROLE, reason)
        if selector.kind is PrincipalKind.USER and _asks_for_session(entry):
            self._note(
                Code.EMPTY_SESSION_NAME, "{{SessionName}} is empty for IAM users", "username"
            )

    def _fields(self, node: Node, shape: Shape) -> dict[str, object]:
        """The values of a map by lower-case key, without nulls and unknown keys."""
        if not isinstance(node, Fields):
            reason = f"it must be a map with keys such as {shape.naming}"
            raise EntryRefused(Code.BAD_ENTRY, reason)
        found: dict[str, object] = {}
        seen = {shortened(key).lower() for key in node.repeated}
        known = shape.readers
        for key, value in node.values.items():
            word = shortened(key)
            name = word.lower()
            if name in seen:
                reason = f"the key {name} stands in it twice; keep one"
                raise EntryRefused(Code.DUPLICATE_KEY, reason, name)
            seen.add(name)
            if name not in known:
                self._unknown(word, key[:_MOST_COMPARED], shape, value)
            elif name == "sso" and isinstance(value, Fields):
                found[name] = self._fields(value, PERMISSION_SET)
            else:
                found[name] = self._plain(value)
        # Empty is absent, but an expiry that came out empty must not mean "never", nor a condition
        # that came out empty "any".
        return {
            key: "" if value is None else value
            for key, value in found.items()
            if value not in (None, "") or key in _NEVER_EMPTY
        }

    def _unknown(self, key: str, written: str, shape: Shape, value: Node) -> None:
        known = sorted(shape.readers)
        word = _as_read(written)
        near = get_close_matches(word, known, n=1, cutoff=0.75)
        usual = [name for name in known if name not in _CONDITIONS]
        meant = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(usual)}"
        limits = word in _OTHER_WORDS or word.startswith("expir") or _is_mixed(written)
        limits = limits or (word in _OTHER_MAPS and isinstance(value, Fields))
        if limits or (near and near[0] in NARROWING):
            # Ignored, it would leave the entry wider than it was meant to be.
            reason = f"it has the unknown key {key!r}{meant}"
            raise EntryRefused(Code.MISTYPED_LIMIT, reason, key.lower())
        self._note(Code.UNKNOWN_KEY, f"the unknown key {key!r} is ignored{meant}", key.lower())

    def _note(self, code: Code, reason: str, key: str = "") -> None:
        self.notes.append(Note(code, reason, key))

    def _plain(self, node: Node) -> object:
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Items):
            values = [self._plain(item) for item in node.values]
            if None in values:
                self._note(Code.EMPTY_ITEM, "an empty item of a list is ignored")
            return [value for value in values if value is not None]
        for key in node.repeated:
            # Of two values of a tag, the one that is overlooked may be the narrower one.
            reason = f"the key {shortened(key)!r} stands twice in one map; keep one"
            raise EntryRefused(Code.DUPLICATE_KEY, reason)
        return {key: self._plain(value) for key, value in node.values.items()}


def _as_read(key: str) -> str:
    """Return the word that a reader takes a key for, without letters that draw nothing."""
    word = "".join(filter(is_printable, unicodedata.normalize("NFKC", key)))
    return word.lower().replace("_", "").replace("-", "").strip()


def _is_mixed(key: str) -> bool:
    """Return whether a key mixes Latin letters with those of a script that look alike."""
    if key.isascii():
        return False
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in key}
    return "LATIN" in scripts and not scripts.isdisjoint(_LOOK_ALIKE_SCRIPTS)


def _asks_for_session(entry: Entry) -> bool:
    return any(name in (entry.username or CANONICAL_ARN) for name in _SESSION_NAMES)
