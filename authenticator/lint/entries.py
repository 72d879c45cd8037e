"""The rules that look at one entry at a time, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from authenticator.lint import grants, principals
from authenticator.lint.documents import Context, Entry
from authenticator.lint.findings import Finding

_NAMING_KEYS = ("rolearn", "userarn", "arn")
_ON_GRANTS = (
    grants.masters_by_pattern,
    grants.built_in_group,
    grants.node_identity,
    grants.system_username,
    grants.caller_chosen,
    grants.federated_system_name,
    grants.look_alike_name,
)
_ON_PRINCIPALS = (
    principals.role_path,
    principals.account_root,
    principals.permission_set_by_arn,
    principals.wide_pattern,
    principals.never_matches,
)


def check_entry(entry: Entry, context: Context) -> Iterator[Finding]:
    """What there is to say of one entry in force."""
    rule = entry.rule
    if rule is None:
        return
    arn = entry.text(*_NAMING_KEYS)
    named = next((key for key in _NAMING_KEYS if key in entry.fields), "sso")
    found = chain(
        *(check(rule) for check in _ON_GRANTS),
        *(check(rule, arn) for check in _ON_PRINCIPALS),
        principals.expiry(rule, context.now) if context.now is not None else (),
    )
    for rule_id, message, key in found:
        yield entry.finding(rule_id, message, key or named)
