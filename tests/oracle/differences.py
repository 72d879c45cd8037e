"""The table of differences between the reference and us: all that are meant, and nothing else.

docs/migrating.md shows it. A difference that a test meets must be the one of a row, and the row's
condition must hold for the documents and the caller; a row that no test needs fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from authenticator.display import is_printable
from dev.oracle import Caller
from tests.oracle.cases import Case
from tests.oracle.reading import Found, entries, has_key_twice, parsed


@dataclass(frozen=True)
class Situation:
    """A case and who asks in it."""

    case: Case
    caller: Caller

    @cached_property
    def all(self) -> list[Found]:
        """All items of the last step."""
        return list(entries(self.case.modes, self.case.steps[-1]))

    @cached_property
    def claims(self) -> list[Found]:
        """The items that name the caller."""
        return [found for found in self.all if found.claims(self.caller)]

    @property
    def mode(self) -> str:
        """The first source."""
        return self.case.modes[0]

    def texts(self) -> list[str]:
        """The texts of aws-auth in the last step."""
        return [*(self.case.steps[-1].aws_auth or {}).values()]

    def unread(self) -> list[str]:
        """Those that are no list."""
        return [text for text in self.texts() if not isinstance(parsed(text), list)]

    def odd_json(self) -> bool:
        """Whether the dynamic file has a value of a type that its key cannot have."""
        try:
            content = json.loads(self.case.steps[-1].dynamic or b"{}")
        except ValueError:
            return False
        return isinstance(content, dict) and any(map(_is_odd, content.items()))

    def is_not_json(self) -> bool:
        """Whether the dynamic file is no JSON."""
        try:
            json.loads((self.case.steps[-1].dynamic or b"").decode())
        except ValueError:
            return True
        return False

    def has_bare_word(self) -> bool:
        """Whether a text has `n`, or a number that begins with zero, without quotes.

        To the YAML reader of these conditions they are texts, to the reference's they are not.
        """
        texts = [*self.texts(), (self.case.steps[-1].config or b"").decode()]
        return any(re.search(r"[\[ ](n|0\d+)[],]", text) for text in texts)

    def has_key_twice(self) -> bool:
        """Whether a key of some text stands twice in a map, in any case."""
        step = self.case.steps[-1]
        files = [(content or b"").decode() for content in (step.config, step.dynamic)]
        return any(map(has_key_twice, [*self.texts(), *files]))


def _is_odd(item: tuple[str, object]) -> bool:
    key, value = item
    if key.lower() in ("version", "lastupdateddatetime"):
        return not isinstance(value, str)
    if not key.lower().startswith("map"):
        return False
    if not isinstance(value, list):
        return value is not None
    return any(map(_is_odd_entry, value))


def _is_odd_entry(entry: object) -> bool:
    if not isinstance(entry, dict):
        return not isinstance(entry, str)
    groups = entry.get("groups")
    texts = (entry.get(key, "") for key in ("rolearn", "userarn", "username", "userid"))
    return (
        not (groups is None or isinstance(groups, list))
        or any(not isinstance(group, str) for group in groups or ())
        or any(not isinstance(text, str) for text in texts)
    )


Condition = Callable[[Situation], bool]


@dataclass(frozen=True, slots=True)
class Difference:
    """One row.

    Attributes:
        id: names it in the tests.
        what: what both read.
        reference: what the reference makes of it.
        here: what we make of it, and why.
        holds: the condition on the documents and the caller under which it may be met.
    """

    id: str
    what: str
    reference: str
    here: str
    holds: Condition


def _any(of: Callable[[Found], bool]) -> Condition:
    """One of the entries that name the caller is so."""
    return lambda situation: any(map(of, situation.claims))


def _anywhere(of: Callable[[Found], bool], *modes: str) -> Condition:
    """One of all entries is so, in one of these sources."""
    return lambda situation: any(
        of(found) for found in situation.all if not modes or found.mode in modes
    )


_PLACEHOLDERS = (
    "AccountID",
    "SessionName",
    "SessionNameRaw",
    "AccessKeyID",
    "EC2PrivateDNSName",
    "CanonicalARN",
)


def _is_unusable(name: str) -> bool:
    """A username or group that may not go to the API server."""
    known = re.sub(r"\{\{(\w+)\}\}", lambda m: "x" if m[1] in _PLACEHOLDERS else m[0], name)
    # {{SessionName}} alone is empty for who has no session.
    alone = re.fullmatch(r"(\{\{SessionName(Raw)?\}\})+", name) is not None
    bad = "{{" in known or "}}" in known or name != name.strip() or not is_printable(name)
    return alone or bad or len(name) > 1024


def _has_unusable_name(found: Found) -> bool:
    # A text of groups is split at its commas in the config file.
    split = [part for name in found.names for part in name.split(",")]
    return any(map(_is_unusable, split))


def _is_no_name(value: object) -> bool:
    """A value that is no text, or that means nothing to YAML."""
    return not isinstance(value, str) or value in ("", "null", "~")


def _has_no_group(found: Found) -> bool:
    groups = found.fields.get("groups")
    return isinstance(groups, list) and any(map(_is_no_name, groups))


def _has_no_username(found: Found) -> bool:
    return found.section != "mapAccounts" and _is_no_name(found.fields.get("username", ""))


def _has_group_twice(found: Found) -> bool:
    return len(set(found.names[1:])) < len(found.names[1:])


def _is_loose(found: Found) -> bool:
    """An ARN that the reference does not compare as canonical."""
    session = found.mode == "EKSConfigMap" and ":assumed-role/" in found.arn
    return session or found.arn != found.arn.strip()


def _says(*values: str) -> Callable[[Found], bool]:
    return lambda found: any(value in str(found.item) for value in values)


def _is_number(found: Found) -> bool:
    """A value that is a number, a boolean or a date to YAML."""
    return bool(found.types - {str, list, dict, type(None)})


def _has_half_a_pair(found: Found) -> bool:
    return any("\ud800" <= letter <= "\udfff" for name in found.names for letter in name)


def _is_bad(found: Found) -> bool:
    """An item for which the reference refuses the whole file."""
    if found.section == "mapAccounts":
        return not isinstance(found.item, str) or not found.item.isdigit()
    fields = found.fields
    if "sso" in fields:
        sso = fields["sso"]
        return "rolearn" in fields or not isinstance(sso, dict) or len(sso) < 2
    wrong = any(isinstance(fields.get(key), list | dict) for key in ("username", "userarn"))
    key = "userarn" if found.section == "mapUsers" else "rolearn"
    named = isinstance(fields.get(key), str) and found.arn.strip().startswith("arn:")
    return wrong or not named or isinstance(fields.get("groups"), dict) or found.arn[0] == " "


def _is_refused_as_whole(situation: Situation) -> bool:
    """The config file or the dynamic file has something for which the reference refuses all."""
    if situation.mode not in ("MountedFile", "DynamicFile"):
        return False
    lacks_an_id = situation.case.strict and not all(f.fields.get("userid") for f in situation.all)
    return any(map(_is_bad, situation.all)) or situation.odd_json() or lacks_an_id


def _shares_its_id(situation: Situation) -> bool:
    """Two entries of a strict dynamic file have the caller's id."""
    return situation.case.strict and len(situation.claims) > 1


TABLE: tuple[Difference, ...] = (
    Difference(
        "kept-section",
        "A section of `aws-auth` that does not parse",
        "is emptied",
        "keeps its last good version: no bad edit locks anyone out",
        lambda s: len(s.case.steps) > 1 and any(text.strip() != "{}" for text in s.unread()),
    ),
    Difference(
        "empty-map",
        "`{}` for a section of `aws-auth`",
        "empties the section",
        "counts as broken and keeps the last good version; `[]` empties it",
        lambda s: len(s.case.steps) > 1 and any(text.strip() == "{}" for text in s.unread()),
    ),
    Difference(
        "deleted-file",
        "A dynamic file that is deleted",
        "maps nobody",
        "keeps what it said, since that is how mounts and editors fail",
        lambda s: (
            s.mode == "DynamicFile"
            and s.case.steps[-1].dynamic is None
            and s.case.steps[0].dynamic is not None
        ),
    ),
    Difference(
        "lone-surrogate",
        "Half of a surrogate pair in JSON (`\\ud83d`)",
        "becomes U+FFFD",
        "makes its entry unusable",
        _any(_has_half_a_pair),
    ),
    Difference(
        "dynamic-yaml",
        "A dynamic file in YAML, or in JSON with comments, a byte order mark or a comma too many",
        "is refused as a whole",
        "is read: every reader of files takes YAML",
        lambda s: (
            s.mode == "DynamicFile" and s.case.steps[-1].dynamic is not None and s.is_not_json()
        ),
    ),
    Difference(
        "key-twice",
        "A key that stands twice in an entry or a file, also in another case",
        "its last value counts, or the server does not start",
        "makes the entry or the section unusable: which of the two is meant cannot be told",
        lambda s: s.has_key_twice(),
    ),
    Difference(
        "unusable-tags",
        "A YAML tag of an application (`!mine`)",
        "is ignored",
        "makes the section unreadable",
        lambda s: any(" !mine " in text for text in s.texts()),
    ),
    Difference(
        "two-principals",
        "An entry of the dynamic file with both `rolearn` and `sso`",
        "counts for `rolearn`",
        "is left out, as in the other sources",
        _any(lambda f: f.mode == "DynamicFile" and {"rolearn", "sso"} <= set(f.fields)),
    ),
    Difference(
        "pins",
        "`userid` in `aws-auth`, custom resources and the config file; in the dynamic file without"
        " `dynamicfileUserIDStrict`",
        "is ignored",
        "must be the caller's; an entry with another's, or with one that is no id, refuses them",
        lambda s: not s.case.strict and _any(lambda f: bool(f.fields.get("userid")))(s),
    ),
    Difference(
        "strict-ids",
        "Two entries of a strict dynamic file with one `userid` and different ARNs",
        "the last counts, for its own ARN only",
        "each counts for its own ARN",
        _shares_its_id,
    ),
    Difference(
        "expires",
        "`expires`",
        "is ignored",
        "ends the entry",
        _any(lambda f: "expires" in f.fields),
    ),
    Difference(
        "permission-sets",
        "`sso`",
        "matches any role whose name begins so, never with a `partition`, and not in a dynamic"
        " file; chance decides between it and an exact ARN, and between two",
        "matches the roles of this permission set, in any partition and source, after exact ARNs",
        lambda s: "AWSReservedSSO_" in s.caller.arn and _anywhere(lambda f: "sso" in f.fields)(s),
    ),
    Difference(
        "wildcards",
        "`*` and `?` in the name of a role or user",
        "are letters",
        "are wildcards",
        _any(lambda f: bool(set("*?") & set(f.arn))),
    ),
    Difference(
        "role-paths",
        "An entry whose `rolearn` has a path",
        "matches nobody",
        "matches where no entry names the role to the letter",
        _any(lambda f: re.search(r":role/.*/", f.arn) is not None),
    ),
    Difference(
        "loose-arns",
        "Blanks or line breaks around an ARN; in `aws-auth`, the ARN of a session",
        "match nobody",
        "match where no entry names the principal to the letter",
        _any(_is_loose),
    ),
    Difference(
        "federated-session",
        "`{{SessionName}}` of a federated user",
        "is empty",
        "is the user's name",
        lambda s: ":federated-user/" in s.caller.arn and _any(_says("{{SessionName"))(s),
    ),
    Difference(
        "canonical-arn",
        "`{{CanonicalARN}}`",
        "is literal text",
        "is the ARN without session and path",
        _any(_says("{{CanonicalARN}}")),
    ),
    Difference(
        "names",
        "A username or group with an unknown placeholder, control characters, blanks around it or"
        " more than 1,024 characters, or that comes out empty",
        "is granted as it is",
        "makes the entry unusable: it refuses its callers",
        _any(_has_unusable_name),
    ),
    Difference(
        "no-username",
        "An entry without `username`, or with null or nothing",
        "has the empty username",
        "maps to the canonical ARN",
        _any(_has_no_username),
    ),
    Difference(
        "groups-once",
        "A group that an entry names twice",
        "is in the answer twice",
        "is in the answer once",
        _any(_has_group_twice),
    ),
    Difference(
        "empty-group",
        'An empty group (`""`, null)',
        "is in the answer",
        "is ignored",
        _any(_has_no_group),
    ),
    Difference(
        "as-written",
        "A number or boolean without quotes as username, group or account id",
        "is empty in `aws-auth`, refuses a dynamic file, and is rewritten (`1.5`, `1`) in the"
        " config file",
        "is the text that was written",
        lambda s: _any(_is_number)(s) or s.has_bare_word(),
    ),
    Difference(
        "reserved-accounts",
        "`reservedPrefixConfig` and `mapAccounts`",
        "account mappings are exempt",
        "the prefixes hold for all usernames",
        lambda s: (
            b"reservedPrefixConfig" in (s.case.steps[-1].config or b"")
            and any(found.section == "mapAccounts" for found in s.claims)
        ),
    ),
    Difference(
        "left-out",
        "An entry or section of the config file or the dynamic file that cannot be used",
        "the server does not start, or keeps the file's last content",
        "is left out by itself, and reported; all others apply",
        _is_refused_as_whole,
    ),
    # No document meets these two: tests/oracle/test_tokens.py does.
    Difference(
        "strict-tokens",
        "A token that no AWS SDK makes: another host, version, algorithm or order of signed"
        " headers, escapes that are not needed, a date that is not of its scope or lies ahead",
        "is sent to STS, which decides",
        "is refused by its text",
        lambda _: False,
    ),
    Difference(
        "long-tokens",
        "A token of more than 4 KiB, as long session tokens make it",
        "is refused",
        "is accepted, up to 16 KiB",
        lambda _: False,
    ),
)

ROWS = {row.id: row for row in TABLE}


def page() -> str:
    """The table as docs/migrating.md shows it."""
    head = "| what | the reference | here |\n|---|---|---|\n"
    return head + "".join(f"| {row.what} | {row.reference} | {row.here} |\n" for row in TABLE)
