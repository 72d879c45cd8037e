"""Rules on whom one entry names, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator

from authenticator.aws.arns import PrincipalKind
from authenticator.lint.checks import Found, is_permission_set
from authenticator.mapping.rules import Rule
from authenticator.mapping.selectors import PERMISSION_SET_ROLE, Selector
from authenticator.timestamps import rfc3339

_WEEK_SECONDS = 7 * 24 * 3600.0
# IAM and STS quotas: the longest names.
_LONGEST = {
    PrincipalKind.ROLE: 64,
    PrincipalKind.ASSUMED_ROLE: 64,
    PrincipalKind.USER: 64,
    PrincipalKind.FEDERATED_USER: 32,
}
# IAM User Guide, "IAM identifiers": what the unique ids of each kind look like.
_ROLE_ID = re.compile(r"AROA[A-Z0-9]*", re.ASCII)
_USER_IDS = {
    PrincipalKind.ROLE: (_ROLE_ID, "AROA..."),
    PrincipalKind.ASSUMED_ROLE: (_ROLE_ID, "AROA..."),
    PrincipalKind.USER: (re.compile(r"AIDA[A-Z0-9]*", re.ASCII), "AIDA..."),
    PrincipalKind.ROOT: (re.compile(r"[0-9]{12}", re.ASCII), "the account id"),
    PrincipalKind.FEDERATED_USER: (re.compile(r"[0-9]{12}:.+", re.ASCII), "ACCOUNT:NAME"),
}
_SUFFIX = re.compile(r"_(?:[0-9a-f]{16}|[*?]+)", re.ASCII)


def role_path(rule: Rule, _: str) -> Iterator[Found]:
    """A path in a role's ARN."""
    if rule.selector and rule.selector.has_role_path:
        message = (
            "the path is ignored, since AWS does not tell the path of an assumed role; other"
            " authenticators match nobody with it, so write role/NAME"
        )
        yield Found("role-path", message, "")


def account_root(rule: Rule, _: str) -> Iterator[Found]:
    """`:root` in a trust policy is the whole account; here it is its root user."""
    if rule.selector and rule.selector.kind is PrincipalKind.ROOT:
        message = (
            "it names the root user alone, not the whole account as in an IAM policy; for the"
            " account use mapAccounts, and root should not be used at all"
        )
        yield Found("account-root", message, "")


def permission_set_by_arn(rule: Rule, arn: str) -> Iterator[Found]:
    """IAM Identity Center makes its roles anew, with other digits."""
    selector = rule.selector
    if selector is None or selector.permission_set or not is_permission_set(selector):
        return
    name = arn.rpartition("/")[2].strip()[len(PERMISSION_SET_ROLE) :]
    found = _SUFFIX.search(name)
    meant = f"{{permissionSetName: {name[: found.start()] if found else name}"
    why = (
        "the pattern also covers permission sets whose names begin so"
        if selector.is_pattern
        else "the random end of its name changes when the permission set is assigned anew"
    )
    message = f'{why}; write sso: {meant}, accountID: "{selector.account_id}"}}'
    yield Found("permission-set-by-arn", message, "")


def wide_pattern(rule: Rule, _: str) -> Iterator[Found]:
    """A name without a single letter of its own."""
    selector = rule.selector
    if selector and selector.is_pattern and not selector.name.strip("*?"):
        message = (
            f"it covers every {selector.kind.value} of the account, those of AWS services and of"
            " machines too; give the name a beginning of its own"
        )
        yield Found("wide-pattern", message, "")


def never_matches(rule: Rule, _: str) -> Iterator[Found]:
    """Names and ids that AWS gives nobody."""
    selector = rule.selector
    if selector is None:
        return
    longest = _LONGEST.get(selector.kind)
    if longest and len(selector.name.replace("*", "")) > longest:
        message = f"no {selector.kind.value} has a name of more than {longest} characters"
        yield Found("never-matches", message, "")
    shape, shown = _USER_IDS[selector.kind]
    if rule.user_id and not (shape.fullmatch(rule.user_id) and _agree(selector, rule.user_id)):
        message = f"the unique id of this {selector.kind.value} is of the form {shown}"
        yield Found("never-matches", message, "userid")


def _agree(selector: Selector, user_id: str) -> bool:
    """Whether an id that holds an account and a name holds those of the ARN."""
    account, _, name = user_id.lower().partition(":")
    if not account.isdigit():
        return True
    if not name:
        return account == selector.account_id
    return selector.covers(f"arn:{selector.partition}:sts::{account}:federated-user/{name}")


def expiry(rule: Rule, now: float) -> Iterator[Found]:
    """Entries at or near their end.

    Args:
        rule: the entry.
        now: Unix time.
    """
    if rule.expires is None:
        return
    when = rfc3339(rule.expires)
    if rule.expires <= now:
        yield Found("expired", f"it expired at {when}; remove it, or give it a new end", "expires")
    elif rule.expires - now < _WEEK_SECONDS:
        yield Found("expires-soon", f"its access ends at {when}", "expires")
