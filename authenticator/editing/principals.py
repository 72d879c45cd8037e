"""Which entries of a document are meant by an ARN, an account id, or the place of an entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import ACCOUNT, MappingEntry, is_grant
from authenticator.editing.located import Located
from authenticator.mapping.conditions import CONDITION_KEYS
from authenticator.mapping.precedence import in_order
from authenticator.mapping.rules import Rule
from authenticator.mapping.selectors import by_arn, by_permission_set


def identity(entry: MappingEntry) -> str:
    """Whom an entry names, so that two entries for the same callers give the same text.

    ARNs are compared as the server does: whatever their case, and roles whatever their path. An
    entry that cannot be used is named by its own words.
    """
    fields = entry.fields
    arn = fields.get("rolearn") or fields.get("userarn") or ""
    sso = fields.get("sso")
    if isinstance(account := fields.get(ACCOUNT), str):
        return account.strip()
    if isinstance(sso, Mapping) and not arn:
        return _permission_set(sso)
    return _arn(arn) if isinstance(arn, str) else ""


def callers(entry: MappingEntry) -> tuple[str, str]:
    """What tells entries apart: `identity`, and what narrows it.

    The same name with another `userid` may be another principal, and with other conditions it is
    for other logins.
    """
    return identity(entry), _narrowing(entry)


def _narrowing(entry: MappingEntry) -> str:
    """The `userid` and the conditions of an entry, as a text."""
    fields = {key.lower(): value for key, value in entry.fields.items()}
    userid = fields.get("userid", "")
    parts = [userid if isinstance(userid, str) else ""]
    for key in map(str.lower, CONDITION_KEYS):
        value = fields.get(key)
        if isinstance(value, Mapping):
            parts.append(f"{key}: {sorted(value.items())}")
        elif value:
            parts.append(f"{key}: {value}")
    return "\n".join(parts)


def callers_of(document: Document) -> Iterator[tuple[Located, tuple[str, str]]]:
    """The entries of a document, each with its `callers`."""
    # The server's reader has parsed the ARNs of thousands of entries already.
    keys = {
        _origin(rule): rule.selector.key
        for section in document.sections()
        for rule in (*section.rules, *section.denials)
        if rule.selector
    }
    for located in document.entries():
        key = keys.get(located.origin)
        if key is None:
            yield located, callers(located.entry)
        else:
            yield located, (key, _narrowing(located.entry))


def matching(entries: Sequence[Located], wanted: str) -> list[Located]:
    """The entries that `wanted` means.

    Args:
        entries: where to look.
        wanted: an ARN or pattern, an account id, a permission set as it is shown or as `--sso`
            takes it, or an entry's own id.
    """
    name = " ".join(wanted.split()).lower()
    by_name = [
        located
        for located in entries
        if name and name in (located.id.lower(), *_permission_set_names(located.entry))
    ]
    if by_name:
        return by_name
    key = _arn(wanted)
    if not key:  # an unset variable of a shell is not the entry that names nobody
        return []
    return [located for located in entries if identity(located.entry) == key]


def one(entries: Sequence[Located], wanted: str) -> Located:
    """The entry that `wanted` means.

    Raises:
        EditError: there is none, or more than one.
    """
    return _only(matching(entries, wanted), wanted)


def _only(found: Sequence[Located], wanted: str) -> Located:
    if len(found) > 1:
        places = ", ".join(located.id for located in found)
        raise EditError(
            f"several entries name {wanted}: {places}; say which one you mean. Once the one that"
            " applies is removed, another one applies"
        )
    if not found:
        raise EditError(f"no entry names {wanted!r}; 'mappings list' shows what there is")
    return found[0]


def in_force(document: Document, found: Sequence[Located], now: float) -> list[Located]:
    """Of entries for the very same callers the one that applies; else all of them.

    Args:
        document: where they stand.
        found: entries.
        now: Unix time.
    """
    if len({callers(located.entry) for located in found}) != 1:
        return list(found)
    by_origin = {located.origin: located for located in found}
    rules = [
        rule
        for section in document.sections()
        for rule in (*section.rules, *section.denials)
        if _origin(rule) in by_origin and not rule.has_expired(now)
    ]
    return [by_origin[_origin(rule)] for rule in in_order(rules)[:1]] or list(found)


def _origin(rule: Rule) -> tuple[str, int]:
    return rule.match.origin.section, rule.match.origin.index


class Chosen:
    """The entries that somebody chose, found again in each newer version of the document."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """Choose by ARN, account id, or the id of an entry."""
        self._wanted = wanted
        self._identities: dict[str, str] = {}

    def find(self, document: Document, *, applying_at: float | None = None) -> list[Located]:
        """The entries chosen, in the order of the document.

        Args:
            document: where to look.
            applying_at: the Unix time at which the entry chosen applies, where several are for the
                same callers, those of `mappings grant` apart; None if it has to be the only one.

        Raises:
            EditError: one is missing or not the only one, or its id is now that of another entry.
        """
        entries = document.entries()
        found: dict[str, Located] = {}
        for name in self._wanted:
            same = matching(entries, name)
            if applying_at is not None and len(same) > 1:
                # What is changed in a grant would be lost at its end.
                same = [one for one in same if not is_grant(one.entry)] or same
                same = in_force(document, same, applying_at)
            located = _only(same, name)
            now = identity(located.entry)
            if self._identities.setdefault(name, now) != now:
                raise EditError(
                    f"somebody else has edited meanwhile, and {name} is another entry now;"
                    " look again with 'mappings list'"
                )
            found[located.id] = located
        return [located for located in entries if located.id in found]


def _permission_set_names(entry: MappingEntry) -> Iterator[str]:
    """Yield the texts, in lower case, by which people name the permission set of an entry."""
    sso = entry.fields.get("sso")
    if not isinstance(sso, Mapping):
        return
    name, account = sso.get("permissionSetName", ""), sso.get("accountID", "")
    yield entry.principal.lower()
    yield f"permissionsetname={name},accountid={account}".lower()


def _arn(text: str) -> str:
    try:
        return by_arn(text).key
    except ValueError:
        return text.strip().lower()


def _permission_set(sso: Mapping[str, str]) -> str:
    name, account = sso.get("permissionSetName", ""), sso.get("accountID", "")
    try:
        return by_permission_set(name, account, sso.get("partition", "aws").lower()).key
    except ValueError:
        return f"sso {name} in {account}".lower()
