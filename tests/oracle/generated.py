"""Documents made at random, in which the ARNs collide often.

A document is made as values and then written as text, so that a difference that is meant can be
stated as another document: the one in which the reference says what we say (`as_reference`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dev.oracle import Caller, Question, Step
from tests.oracle.cases import ACCOUNT, CALLERS, OTHER_ACCOUNT, SSO, ZERO_ACCOUNT

FILE, AUTH, CRD, DYNAMIC = "MountedFile", "EKSConfigMap", "CRD", "DynamicFile"
ROLES, USERS, ACCOUNTS = "mapRoles", "mapUsers", "mapAccounts"

_NAMES = ("admin", "ADMIN", "Admin", "Dev", "dev", "node")
_USERS = ("alice", "Alice", "Bob", "bob", "BOB", "staff/alice")
_GROUPS = ("viewers", "system:masters", "dev:{{AccountID}}", "of:{{SessionName}}")
_USERNAMES = ("a", "b", "c", "u:{{SessionName}}", "r:{{SessionNameRaw}}", "k:{{AccessKeyID}}")
# Who asks: of each kind of principal one, so that thousands of documents stay cheap.
_ASKING = ("admin", "dev", "sso", "sso-longer", "alice", "staff-alice", "bob", "guest")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a section, or one custom resource.

    Attributes:
        arn: the ARN; "" for an entry of a permission set, or for none.
        username: the username; None for an entry without.
        groups: the groups.
        permission_set: the name of the permission set; "" for none.
        partition: of the permission set; "" for none given.
        user_id: the pin; "" for none.
    """

    arn: str
    username: str | None
    groups: tuple[str, ...]
    permission_set: str = ""
    partition: str = ""
    user_id: str = ""

    def fields(self, key: str) -> dict[str, object]:
        """The entry as a map, with its ARN under `key`."""
        fields: dict[str, object] = {}
        if self.arn:
            fields[key] = self.arn
        if self.permission_set:
            sso = {"permissionSetName": self.permission_set, "accountID": ACCOUNT}
            fields["sso"] = sso | ({"partition": self.partition} if self.partition else {})
        if self.username is not None:
            fields["username"] = self.username
        fields["groups"] = list(self.groups)
        if self.user_id:
            fields["userid"] = self.user_id
        return fields


@dataclass(frozen=True, slots=True)
class Document:
    """What one source holds; the objects of CRD are its roles, in the order of their names.

    Attributes:
        mode: the source.
        roles: the entries of mapRoles.
        users: the entries of mapUsers.
        accounts: the entries of mapAccounts.
        unread: by section of aws-auth, the text that stands in its place.
        style: which of the ways to write it.
    """

    mode: str
    roles: tuple[Entry, ...] = ()
    users: tuple[Entry, ...] = ()
    accounts: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    style: int = 0

    def map(self, kept: Iterable[Entry | None]) -> Document:
        """The document with these entries in the place of its own, None for one that is gone."""
        entries = tuple(kept)
        roles, users = entries[: len(self.roles)], entries[len(self.roles) :]
        return replace(
            self,
            roles=tuple(entry for entry in roles if entry),
            users=tuple(entry for entry in users if entry),
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A chain of sources and what they hold, one step after the other."""

    steps: tuple[tuple[Document, ...], ...]

    def question(self, callers: tuple[Caller, ...]) -> Question:
        """The documents as text."""
        modes = tuple(document.mode for document in self.steps[0])
        return Question(modes, tuple(_written(step) for step in self.steps), callers)


def callers() -> tuple[Caller, ...]:
    """Who asks in each generated case."""
    return tuple(CALLERS[name] for name in _ASKING)


def make(seed: int) -> Made:
    """The case of a number."""
    source = random.Random(seed)
    chain = source.sample((FILE, AUTH, CRD, DYNAMIC), source.choice((1, 1, 1, 1, 2, 3)))
    first = tuple(_document(mode, source) for mode in chain)
    if source.random() < 0.8:
        return Made((first,))
    second = tuple(_spoiled(_document(mode, source), source) for mode in chain)
    return Made((first, second))


def _document(mode: str, source: random.Random) -> Document:
    roles = tuple(_entry(source, mode, users=False) for _ in range(source.randint(0, 5)))
    if mode == CRD:
        # Its schema requires both.
        return Document(mode, tuple(e for e in roles if e.arn and e.username))
    users = tuple(_entry(source, mode, users=True) for _ in range(source.randint(0, 3)))
    accounts = source.sample((ACCOUNT, OTHER_ACCOUNT, ZERO_ACCOUNT), source.choice((0, 0, 0, 1, 2)))
    return Document(mode, roles, users, tuple(accounts), style=source.randrange(len(_STYLES)))


def _entry(source: random.Random, mode: str, *, users: bool) -> Entry:
    arn = _arn(source, users=users)
    username = source.choice(_USERNAMES) if source.random() < 0.96 else None
    groups = tuple(source.sample(_GROUPS, source.randint(0, 2)))
    entry = Entry(arn if source.random() < 0.98 else "", username, groups)
    if source.random() < 0.08:
        pins = (
            "AROA1ADMIN0000000000",
            "AROA1OTHER0000000000",
            "AIDA1ALICE0000000000",
            "AIDA1BOB000000000000",
        )
        entry = replace(entry, user_id=source.choice(pins))
    # The reference knows no `sso` in a dynamic file, and no custom resource has one.
    if entry.arn and not users and mode in (FILE, AUTH) and source.random() < 0.15:
        name = source.choice(("Developer", "Developer", "Developer_Extra", "Other"))
        partition = source.choice(("", "", "", "aws"))
        entry = replace(entry, arn="", permission_set=name, partition=partition)
    return entry


def _arn(source: random.Random, *, users: bool) -> str:
    account = source.choice((ACCOUNT, ACCOUNT, ACCOUNT, OTHER_ACCOUNT))
    if source.random() < 0.1:
        users = not users
    if users:
        return f"arn:aws:iam::{account}:user/{source.choice(_USERS)}"
    chance = source.random()
    if chance < 0.12:
        return f"arn:aws:iam::{account}:role/team/{source.choice(_NAMES)}"
    if chance < 0.18:
        return f"arn:aws:iam::{account}:role/{source.choice(('adm*', 'a*', '*', 'd?v'))}"
    if chance < 0.28:
        return f"arn:aws:iam::{ACCOUNT}:role/{SSO}"
    return f"arn:aws:iam::{account}:role/{source.choice(_NAMES)}"


def _spoiled(document: Document, source: random.Random) -> Document:
    """A section of aws-auth may be empty or unreadable in the second step."""
    if document.mode != AUTH or source.random() < 0.3:
        return document
    section = source.choice((ROLES, USERS, ACCOUNTS))
    text = source.choice((*EMPTY, *UNREADABLE))
    return replace(document, unread=((section, text),))


# What stands for a section without entries, and what nobody can read.
EMPTY = ("", " \n", '""', "''", "``", "[]", "[]\n", "null", "~", "# none\n", "---\n")
UNREADABLE = ("- {", "{}", "none", "{{ .Values.roles }}", "- [a", "\t- a")


def _flow(entries: list[object]) -> str:
    return json.dumps(entries)


def _block(entries: list[object]) -> str:
    return "".join(f"- {json.dumps(entry)}\n" for entry in entries) or "[]\n"


def _in_capitals(entries: list[object]) -> str:
    return _block([_capital(entry) for entry in entries])


def _capital(entry: object) -> object:
    if isinstance(entry, dict):
        return {key.upper(): value for key, value in entry.items()}
    return entry


def _with_dashes(entries: list[object]) -> str:
    return f"---\n{_block(entries)}"


def _with_more(entries: list[object]) -> str:
    return f"{_block(entries)}---\n- rolearn: not read\n"


_STYLES = (_flow, _block, _in_capitals, _with_dashes, _with_more)


def _lists(document: Document) -> dict[str, list[object]]:
    return {
        ROLES: [entry.fields("rolearn") for entry in document.roles],
        USERS: [entry.fields("userarn") for entry in document.users],
        ACCOUNTS: list(document.accounts),
    }


def _written(documents: Iterable[Document]) -> Step:
    step = Step()
    for document in documents:
        lists = _lists(document)
        if document.mode == CRD:
            specs = {f"m{number}": e.fields("arn") for number, e in enumerate(document.roles)}
            step = replace(step, objects=specs)
        elif document.mode == DYNAMIC:
            step = replace(step, dynamic=json.dumps(lists).encode())
        elif document.mode == FILE:
            server = json.dumps({"clusterID": "oracle", "server": lists})
            step = replace(step, config=server.encode())
        else:
            write = _STYLES[document.style]
            texts = {name: write(entries) for name, entries in lists.items()}
            step = replace(step, aws_auth={**texts, **dict(document.unread)})
    return step


@dataclass(frozen=True, slots=True)
class _Claim:
    """An entry that names the caller.

    Attributes:
        rank: its place in the order of docs/adr/0002: the lowest is asked first.
        document: the number of its source.
        entry: its number in the source, roles first.
        principals: whom it names, equal for entries that name the very same callers.
    """

    rank: tuple[int, ...]
    document: int
    entry: int
    principals: str


def _entries(document: Document) -> tuple[Entry, ...]:
    return (*document.roles, *document.users)


def _canonical(caller: Caller) -> str:
    role = caller.arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
    return role.rpartition("/")[0] if role != caller.arn else caller.arn


def _claims(made: Made, caller: Caller, *, everywhere: bool = False) -> list[_Claim]:
    """The entries of the last step that name the caller, in the order in which ours asks them.

    What stands in a source after one that maps the caller's account is not among them, unless
    `everywhere`.
    """
    claims = []
    for number, document in enumerate(made.steps[-1]):
        for place, entry in enumerate(_entries(document)):
            found = _named(entry, _canonical(caller).lower())
            if found is None:
                continue
            specificity, wildness, principals = found
            section = place if document.mode == CRD else int(place >= len(document.roles))
            rank = (specificity, wildness, number, section, -place)
            claims.append(_Claim(rank, number, place, principals))
        if caller.account in document.accounts and not everywhere:
            break
    return sorted(claims, key=lambda claim: claim.rank)


_EXACT, _SSO, _PATH, _PATTERN = range(4)


def _named(entry: Entry, caller: str) -> tuple[int, int, str] | None:
    """How closely an entry names the caller, given by the canonical ARN in lower case."""
    arn = entry.arn.lower()
    if entry.permission_set:
        begin = f"arn:aws:iam::{ACCOUNT}:role/awsreservedsso_{entry.permission_set.lower()}_"
        covered = fnmatchcase(caller, begin + "[0-9a-f]" * 16)
        return (_SSO, int(bool(entry.partition)), begin) if covered else None
    if arn == caller:
        return _EXACT, 0, caller
    if arn.replace(":role/team/", ":role/") == caller:
        return _PATH, 0, caller
    if {"*", "?"} & set(arn) and fnmatchcase(caller, arn):
        return _PATTERN, -sum(letter not in "*?" for letter in arn), arn
    return None


def _pins_another(entry: Entry, caller: Caller) -> bool:
    return entry.user_id not in ("", caller.user_id.partition(":")[0])


def _changed(made: Made, documents: Iterable[Document]) -> Made:
    return Made((*made.steps[:-1], tuple(documents)))


def _without(made: Made, gone: Iterable[_Claim]) -> Made:
    places = {(claim.document, claim.entry) for claim in gone}
    return _changed(
        made,
        (
            document.map(
                None if (number, place) in places else entry
                for place, entry in enumerate(_entries(document))
            )
            for number, document in enumerate(made.steps[-1])
        ),
    )


def _written_out(made: Made, caller: Caller, claims: Iterable[_Claim]) -> Made:
    """The case with the caller's own ARN in these entries."""
    places = {(claim.document, claim.entry) for claim in claims}
    return _changed(
        made,
        (
            document.map(
                replace(entry, arn=_canonical(caller), permission_set="", partition="")
                if (number, place) in places
                else entry
                for place, entry in enumerate(_entries(document))
            )
            for number, document in enumerate(made.steps[-1])
        ),
    )


def _keep_what_is_unreadable(made: Made, caller: Caller) -> Made:
    """A section that cannot be read is that of the step before."""
    earlier = made.steps[0] if len(made.steps) > 1 else (None,) * len(made.steps[-1])
    pairs = zip(earlier, made.steps[-1], strict=True)
    return _changed(made, (_kept(before or Document(AUTH), now) for before, now in pairs))


_FIELDS = {ROLES: "roles", USERS: "users", ACCOUNTS: "accounts"}


def _kept(before: Document, now: Document) -> Document:
    for section, text in now.unread:
        if text in UNREADABLE:
            field = _FIELDS[section]
            return replace(now, unread=(), **{field: getattr(before, field)})
    return now


def _drop_what_is_unread(made: Made, caller: Caller) -> Made:
    """A section that is empty has no entries: no row, but the text need not be known below."""
    return _changed(
        made,
        (
            replace(document, **{_FIELDS[section]: () for section, _ in document.unread})
            for document in made.steps[-1]
        ),
    )


def _leave_out_bad_entries(made: Made, caller: Caller) -> Made:
    return _changed(
        made,
        (
            document.map(e if e.arn or e.permission_set else None for e in _entries(document))
            for document in made.steps[-1]
        ),
    )


def _name_by_arn(made: Made, caller: Caller) -> Made:
    return _changed(
        made,
        (
            document.map(
                replace(entry, username=_canonical(caller)) if entry.username is None else entry
                for entry in _entries(document)
            )
            for document in made.steps[-1]
        ),
    )


def _heed_pins(made: Made, caller: Caller) -> Made:
    """An entry pinned to another refuses the caller, unless a further one is pinned to theirs."""
    documents = made.steps[-1]
    claims = _claims(made, caller)

    def another(claim: _Claim) -> bool:
        return _pins_another(_entries(documents[claim.document])[claim.entry], caller)

    def stays(claim: _Claim) -> bool:
        pinned = _entries(documents[claim.document])[claim.entry].user_id
        return bool(pinned) and not another(claim) and claim.principals == claims[0].principals

    if not any(map(another, claims)):
        return made
    if not another(claims[0]):
        return _without(made, filter(another, claims))
    others = [claim for claim in claims if not stays(claim)]
    if len(others) < len(claims):
        return _without(made, others)
    made = _without(made, _claims(made, caller, everywhere=True))
    return _changed(
        made,
        (
            replace(d, accounts=tuple(a for a in d.accounts if a != caller.account))
            for d in made.steps[-1]
        ),
    )


def _match_permission_sets(made: Made, caller: Caller) -> Made:
    """`sso` names one permission set, whatever its partition, and what is exact goes before it."""
    claims = _claims(made, caller)
    if claims and claims[0].rank[0] == _SSO:
        best = [claim for claim in claims if claim.rank[:2] == claims[0].rank[:2]]
        made = _written_out(made, caller, best)
    return _changed(
        made,
        (
            document.map(None if entry.permission_set else entry for entry in _entries(document))
            for document in made.steps[-1]
        ),
    )


def _match_paths(made: Made, caller: Caller) -> Made:
    claims = _claims(made, caller)
    if not claims or claims[0].rank[0] != _PATH:
        return made
    return _written_out(made, caller, (claim for claim in claims if claim.rank[0] == _PATH))


def _match_patterns(made: Made, caller: Caller) -> Made:
    claims = _claims(made, caller)
    if not claims or claims[0].rank[0] != _PATTERN:
        return made
    return _written_out(made, caller, (c for c in claims if c.rank[:2] == claims[0].rank[:2]))


# In this order, each with its row of the table of differences; no row for what changes nothing.
_STEPS = (
    ("kept-section", _keep_what_is_unreadable),
    ("", _drop_what_is_unread),
    ("left-out", _leave_out_bad_entries),
    ("no-username", _name_by_arn),
    ("pins", _heed_pins),
    ("permission-sets", _match_permission_sets),
    ("role-paths", _match_paths),
    ("wildcards", _match_patterns),
)
STEPS = {row for row, _ in _STEPS if row}


def as_reference(made: Made, caller: Caller) -> Iterator[tuple[str, Made]]:
    """The documents in which the reference says what we say to a caller, one step after the other.

    Yields:
        the row of the table of differences that a step stands for, and the case after it.
    """
    for row, step in _STEPS:
        changed = step(made, caller)
        if changed != made:
            made = changed
            yield row, made
