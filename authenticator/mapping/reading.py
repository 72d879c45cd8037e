"""One entry of a document becomes one rule, or is refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

from pydantic import ValidationError

from authenticator.aws.arns import PrincipalKind
from authenticator.mapping.entries import (
    Entry,
    IdentityEntry,
    PermissionSet,
    RoleEntry,
    Shape,
    UserEntry,
    reasons,
)
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import Fields, Items, Node, Text
from authenticator.mapping.problems import Origin, shortened
from authenticator.mapping.rules import CANONICAL_ARN, Match, Rule
from authenticator.mapping.selectors import Selector
from authenticator.mapping.templates import Placeholder

_ROLES = frozenset({PrincipalKind.ROLE, PrincipalKind.ASSUMED_ROLE})
_SESSION_NAMES = (Placeholder.SESSION_NAME, Placeholder.SESSION_NAME_RAW)


@dataclass(slots=True)
class EntryReader:
    """Reads one entry.

    Attributes:
        shape: which keys the entry may have.
        origin: where it stands.
        guard: what its source may not grant.
        by_user_id: whether it must have a `userid` and may do without an ARN.
        notes: what was put right or ignored, filled while reading.
    """

    shape: type[Entry]
    origin: Origin
    guard: Guard
    by_user_id: bool = False
    notes: list[str] = field(default_factory=list)

    def rule(self, node: Node) -> Rule:
        """The rule that the entry stands for.

        Raises:
            ValueError: the entry cannot be used; the message says why and what to do.
        """
        fields = self._fields(node, self.shape)
        groups = fields.get("groups")
        if isinstance(groups, str) and not {",", " "} & set(groups.strip()):
            self.notes.append("groups is a single value and is read as a list of one")
            fields["groups"] = [groups]
        try:
            entry = self.shape.model_validate(fields)
        except ValidationError as error:
            raise ValueError(reasons(error)) from None
        selector = self._selector(entry)
        if entry.username is None:
            self.notes.append("username is missing, so that it is {{CanonicalARN}}")
        username = entry.username or CANONICAL_ARN
        heads = tuple(group.head for group in entry.groups)
        if reason := self.guard.refusal(username.head, heads):
            raise ValueError(reason)
        self._compare_with_kind(selector, entry)
        if any(" - " in head for head in heads):
            # YAML takes an item that is indented too far for more words of the item before it.
            self.notes.append("a group has ' - ' in it; is the line after it indented too far?")
        match = Match(self.origin, username, entry.groups, self.guard)
        return Rule(selector, match, entry.userid, entry.expires)

    def _selector(self, entry: Entry) -> Selector | None:
        selectors = entry.selectors()
        if len(selectors) > 1:
            raise ValueError("it has both rolearn and sso; keep one")
        if self.by_user_id and not entry.userid:
            raise ValueError("it has no userid, which this source is set to require")
        if not selectors and not self.by_user_id:
            raise ValueError(f"it names nobody; give it {_NAMING_KEYS[self.shape]}")
        return selectors[0] if selectors else None

    def _compare_with_kind(self, selector: Selector | None, entry: Entry) -> None:
        """Note what is allowed but hardly meant."""
        if selector is None:
            return
        is_role = selector.kind in _ROLES
        if (self.shape is RoleEntry and not is_role) or (self.shape is UserEntry and is_role):
            self.notes.append(
                f"its ARN names a {selector.kind.value}, which belongs in"
                f" {'mapRoles' if is_role else 'mapUsers'}"
            )
        if selector.kind is PrincipalKind.ASSUMED_ROLE:
            self.notes.append("the session in its ARN is ignored: all sessions of the role match")
        if selector.kind is PrincipalKind.USER and _asks_for_session(entry):
            self.notes.append("{{SessionName}} is empty for IAM users")

    def _fields(self, node: Node, shape: type[Shape]) -> dict[str, object]:
        """The values of a map by lower-case key, without nulls and unknown keys."""
        if not isinstance(node, Fields):
            raise ValueError(f"it must be a map with keys such as {_NAMING_KEYS[shape]}")  # noqa: TRY004
        found: dict[str, object] = {}
        seen = {shortened(key).lower() for key in node.repeated}
        known = shape.model_fields
        for key, value in node.values.items():
            word = shortened(key.strip())
            name = word.lower()
            if name in seen:
                raise ValueError(f"the key {name} stands in it twice; keep one")
            seen.add(name)
            if name not in known:
                self._unknown(word, shape)
            elif name == "sso" and isinstance(value, Fields):
                found[name] = self._fields(value, PermissionSet)
            else:
                found[name] = self._plain(value)
        # Empty is absent, but an expiry that came out empty must not mean "never".
        return {
            key: "" if value is None else value
            for key, value in found.items()
            if value not in (None, "") or key == "expires"
        }

    def _unknown(self, key: str, shape: type[Shape]) -> None:
        known = sorted(shape.model_fields)
        near = get_close_matches(key.lower().replace("_", ""), known, n=1, cutoff=0.75)
        meant = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        if key.lower().startswith("expir") or (near and near[0] in Entry.narrowing):
            # Ignored, it would leave the entry wider than it was meant to be.
            raise ValueError(f"it has the unknown key {key!r}{meant}")
        self.notes.append(f"the unknown key {key!r} is ignored{meant}")

    def _plain(self, node: Node) -> object:
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Items):
            values = [self._plain(item) for item in node.values]
            if None in values:
                self.notes.append("an empty item of a list is ignored")
            return [value for value in values if value is not None]
        return {key: self._plain(value) for key, value in node.values.items()}


def _asks_for_session(entry: Entry) -> bool:
    return any(name in (entry.username or CANONICAL_ARN) for name in _SESSION_NAMES)


_NAMING_KEYS: dict[type[Shape], str] = {
    RoleEntry: "rolearn or sso",
    UserEntry: "userarn",
    IdentityEntry: "arn",
    PermissionSet: "permissionSetName and accountID",
}
