"""The rules that compare entries with each other, in all documents at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from authenticator.lint.documents import Context, Entry
from authenticator.lint.findings import Finding
from authenticator.lint.lookalikes import skeletons
from authenticator.mapping.overlaps import DUPLICATES, overlaps
from authenticator.mapping.precedence import callers, in_order, revived
from authenticator.timestamps import rfc3339


def claimed_twice(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Duplicates and overlaps, as the server finds them."""
    by_origin = {entry.rule.match.origin: entry for entry in entries if entry.rule}
    # `overlaps` names a loser once for each winner; the first says enough.
    seen: set[tuple[object, object]] = set()
    for problem in overlaps([entry.rule for entry in entries if entry.rule], limit=None):
        if (problem.origin, problem.code) not in seen and problem.code is not None:
            seen.add((problem.origin, problem.code))
            duplicate = any((problem.origin, code) in seen for code in DUPLICATES)
            if problem.code in DUPLICATES or not duplicate:
                yield by_origin[problem.origin].finding(problem.code.value, problem.reason)


def grants_more_later(entries: Sequence[Entry], context: Context) -> Iterator[Finding]:
    """An entry that counts again when another one for the same callers ends."""
    by_origin = {entry.rule.match.origin: entry for entry in entries if entry.rule}
    rules = in_order(entry.rule for entry in entries if entry.rule)
    for rule, before, expires in revived(rules):
        ended = context.now is not None and expires <= context.now
        when = f"{'has expired' if ended else 'expires'} at {rfc3339(expires)}"
        message = (
            f"it grants more than {before.match.origin}, which names the same and {when}: from"
            " then on this entry applies; remove it if that is not meant"
        )
        yield by_origin[rule.match.origin].finding("revived-entry", message)


def accounts_twice(entries: Sequence[Entry]) -> Iterator[Finding]:
    """An account that stands in `mapAccounts` more than once."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry.account and entry.account in seen:
            message = f"the account stands in {seen[entry.account].place.entry} already"
            yield entry.finding("duplicate-entry", message)
        elif entry.account:
            seen[entry.account] = entry


def mixed_partitions(entries: Sequence[Entry]) -> Iterator[Finding]:
    """The STS of one partition proves nobody of another."""
    named = [
        (entry, entry.rule.selector.partition)
        for entry in entries
        if entry.rule and entry.rule.selector
    ]
    counted = Counter(partition for _, partition in named)
    if len(counted) < 2:  # noqa: PLR2004 (one partition is as it should be)
        return
    ((usual, _),) = counted.most_common(1)
    for entry, partition in named:
        if partition != usual:
            message = (
                f"it is of the partition {partition}, and most are of {usual}: a server knows the"
                " callers of one partition, unless further STS hosts are set"
            )
            key = "sso" if "sso" in entry.fields else ""
            yield entry.finding("mixed-partitions", message, key)


def same_username(entries: Sequence[Entry]) -> Iterator[Finding]:
    """The audit log tells users apart by their names."""
    first: dict[str, Entry] = {}
    for entry in entries:
        rule = entry.rule
        if rule is None or len(rule.match.username.parts) != 1 or not rule.match.username.head:
            continue
        other = first.setdefault(rule.match.username.head, entry)
        if other.rule and callers(other.rule) != callers(rule):
            message = (
                f"{other.rule.match.origin} gives the same username to another principal: the"
                " audit log tells the two apart by the extra fields only"
            )
            yield entry.finding("same-username", message, "username")


def groups_alike(entries: Sequence[Entry]) -> Iterator[Finding]:
    """RBAC knows `Admins` and `admins` as two groups, and readers as one."""
    first: dict[str, tuple[str, Entry]] = {}
    for entry in entries:
        groups = entry.rule.match.groups if entry.rule else ()
        for name in dict.fromkeys(group.head for group in groups if len(group.parts) == 1):
            others = [first.setdefault(skeleton, (name, entry)) for skeleton in skeletons(name)]
            other, where = next((pair for pair in others if pair[0] != name), (name, entry))
            if name and other != name and where.rule:
                message = (
                    f"the group {name!r} looks like {other!r} of {where.rule.match.origin}, and"
                    " RBAC takes them for two groups; write both in one way"
                )
                yield entry.finding("look-alike-name", message, "groups")
