"""Mappings as an AuthenticationConfiguration of the API server: JWTs without a webhook.

The API server verifies JWTs by itself and makes users by CEL expressions. CEL has no clock and
calls no service, so that it cannot express every mapping. Such a mapping refuses its callers, who
would get the rights of a wider one otherwise.

The order of mappings (`authenticator.mapping.precedence`) is a list of outcomes, of which the first
counts: nested conditions would exceed the depth that CEL parses.

Source: Kubernetes, "Structured Authentication Configuration" (apiserver.config.k8s.io/v1); CEL
language definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from authenticator.aws.arns import PrincipalKind, ProofKind
from authenticator.mapping.conditions import NONE, Conditions
from authenticator.mapping.guards import MAX_LENGTH, SYSTEM, Guard
from authenticator.mapping.precedence import behind_accounts, callers, in_order, of_accounts
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section
from authenticator.mapping.selectors import Selector
from authenticator.mapping.templates import Placeholder, Template

API_VERSION = "apiserver.config.k8s.io/v1"
# Each AWS account is an issuer, and the API server takes so many.
MOST_ISSUERS = 64

# No name has a line break.
_NOT_NAMED = "\n"
_NAMESPACE = "https://sts.amazonaws.com/"
_AWS = f'claims[?"{_NAMESPACE}"]'
_SUB = "claims.sub.lowerAscii()"
_PATH = "([!-~]{1,510}/)?"
_SSO_PATH = r"aws-reserved/sso\.amazonaws\.com/"
_NAME = "[A-Za-z0-9_+=,.@-]{1,128}"
_CLAIMS = {
    Placeholder.IDENTITY_STORE_USER_ID: "identity_store_user_id",
    Placeholder.SOURCE_IDENTITY: "source_identity",
}
_USERS = frozenset({PrincipalKind.USER})
_REFUSED = ('""', "[]")
# What is lost with any mapping, for people.
LOST = (
    "the API server does not check iat, so that a token dated ahead is taken",
    "a token may live for maxAgeSeconds at most: its age is not known to CEL",
    "one fetch of keys for each unknown kid, and no last good keys after a restart",
    "no audit line, no metrics and no explain",
    "an edit of the mappings counts when this is rendered again, a minute after it is written",
    "uid and extra hold less: keys below k8s.io are the API server's own",
)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer of JWTs.

    Attributes:
        url: the issuer.
        account_id: the account that it speaks for.
    """

    url: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The mappings in force.

    Attributes:
        administrators: the bootstrap administrators.
        chain: the sections of the sources, in order.
        break_glass: the sections of the break-glass file.
    """

    administrators: Sequence[Rule]
    chain: Sequence[Section]
    break_glass: Sequence[Section]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made.

    Attributes:
        document: the AuthenticationConfiguration.
        left_out: the mappings that refuse their callers, each with the reason.
    """

    document: dict[str, Any]
    left_out: tuple[str, ...]


def render(
    issuers: Sequence[TrustedIssuer],
    sources: Sources,
    *,
    audiences: Iterable[str],
    partition: str,
    max_age_seconds: int,
    now: float,
) -> Rendered:
    """Make the configuration.

    Args:
        issuers: whose JWTs are taken.
        sources: the mappings.
        audiences: what `aud` may be.
        partition: the AWS partition.
        max_age_seconds: how long a token may live.
        now: Unix time; an entry that has expired is absent.

    Raises:
        ValueError: no issuer is given, or there are more than the API server takes.
    """
    if not issuers:
        raise ValueError("no issuer is configured (webIdentity.issuers)")
    if len(issuers) > MOST_ISSUERS:
        raise ValueError(
            f"the API server takes {MOST_ISSUERS} issuers, and {len(issuers)} are configured; use"
            " the webhook for the others"
        )
    left_out: list[str] = []
    entries = []
    for issuer in issuers:
        account = _Account(issuer.account_id, partition, sources, now)
        left_out += account.left_out
        uid = f"aws-iam-authenticator:{issuer.account_id}:"
        rules = _validation(issuer.account_id, partition, max_age_seconds)
        entries.append(
            {
                "issuer": {
                    "url": issuer.url,
                    "audiences": sorted(audiences),
                    "audienceMatchPolicy": "MatchAny",
                },
                "claimValidationRules": list(rules),
                "claimMappings": {
                    "username": {"expression": account.username},
                    "groups": {"expression": account.groups},
                    "uid": {"expression": f"{_text(uid)} + claims.sub"},
                },
                "userValidationRules": [
                    {
                        "expression": f"user.username != '' && size(user.username) <= {MAX_LENGTH}",
                        "message": "no mapping lets the caller in",
                    }
                ],
            }
        )
    document = {"apiVersion": API_VERSION, "kind": "AuthenticationConfiguration", "jwt": entries}
    return Rendered(document, tuple(dict.fromkeys(left_out)))


def _validation(account: str, partition: str, max_age_seconds: int) -> Iterable[dict[str, str]]:
    subject = f"^arn:{partition}:iam::{account}:(role|user)/{_PATH}{_NAME}$"
    principal = f"^arn:{partition}:(iam|sts)::{account}:.+$"
    for expression, message in (
        ("type(claims.aud) == string || size(claims.aud) == 1", "one audience"),
        (f"claims.exp - claims.iat <= {max_age_seconds}", "the token lives too long"),
        (f'{_AWS}.?aws_account.orValue("") == {_text(account)}', "the issuer's account"),
        (f"claims.sub.matches({_text(subject)})", "a role or user of the issuer's account"),
        (
            f'{_AWS}.?principal_id.orValue("").matches({_text(principal)})',
            "a principal of the issuer's account",
        ),
        (
            f"!has(claims.subject_mode) && !{_AWS}.?subject_mode.hasValue()",
            "an AWS principal as the subject",
        ),
    ):
        yield {"expression": expression, "message": message}


class _Account:
    """The mappings of one account as CEL.

    Attributes:
        username: an expression of the username; "" for a caller who is not let in.
        groups: an expression of the groups.
        left_out: see `Rendered.left_out`.
    """

    def __init__(self, account_id: str, partition: str, sources: Sources, now: float) -> None:
        self.account_id = account_id
        self.left_out: list[str] = []
        self._partition = partition
        behind = behind_accounts(sources.chain).get(account_id, frozenset())
        asked = [
            rule
            for tier in (
                sources.administrators,
                _rules(sources.chain),
                _rules(sources.break_glass),
            )
            for rule in in_order(tier)
            if self._concerns(rule)
            and rule.match.origin.source not in behind
            and not rule.has_expired(now)
        ]
        deciding: dict[Hashable, list[Rule]] = {}
        for rule in asked:
            same = deciding.setdefault(callers(rule), [])
            # One that refuses leaves only those that have conditions of their own.
            if not same or rule.narrowing != NONE:
                same.append(rule)
        names, groups = [], []
        for same in deciding.values():
            found = f"{_SUB}.matches({_text(_pattern(same[0].selector))})"
            name, group = self._decided(same)
            names.append(f"{found} ? {name} : {_text(_NOT_NAMED)}")
            groups.append(f"{found} ? {group} : [{_text(_NOT_NAMED)}]")
        account = of_accounts(
            one for section in (*sources.chain, *sources.break_glass) for one in section.accounts
        ).get(account_id)
        name, group = self._names(account, None) if account else _REFUSED
        self.username = _first([*names, name], _text(_NOT_NAMED))
        self.groups = _first([*groups, group], f"[{_text(_NOT_NAMED)}]")

    def _concerns(self, rule: Rule) -> bool:
        """Whether the rule can name a caller with a JWT of this account."""
        selector = rule.selector
        return (
            selector is not None
            and (selector.account_id, selector.partition) == (self.account_id, self._partition)
            and (selector.is_role or selector.kind in _USERS)
        )

    def _decided(self, rules: Sequence[Rule]) -> tuple[str, str]:
        """The username and groups of the callers that all of the rules name."""
        name, groups = _REFUSED
        # From the last to the first, so that the first is asked first.
        for rule in reversed(rules):
            if rule.denied or rule.user_id:
                name, groups = _REFUSED  # whatever comes after it
                continue
            presigned = ProofKind.PRESIGNED
            if rule.conditions.proof is presigned or presigned in rule.match.only_with:
                continue
            reason = _unsayable(rule)
            if reason:
                self.left_out.append(f"{rule.match.origin}: {reason}; it refuses its callers here")
            own = _REFUSED if reason else self._granted(rule)
            met = " && ".join((*_claims(rule.conditions), *self._renderable(rule)))
            name = f"({met} ? {own[0]} : {name})" if met else own[0]
            groups = f"({met} ? {own[1]} : {groups})" if met else own[1]
        return name, groups

    def _renderable(self, rule: Rule) -> Iterable[str]:
        """Conditions that the token has the claims that the rule's names need."""
        for placeholder, claim in _CLAIMS.items():
            if any(placeholder in template for template in _templates(rule.match)):
                value = f'{_AWS}.?{claim}.orValue("")'
                yield f"{value}.matches({_text('^[!-~]{1,256}$')})"

    def _unreserved(self, rule: Rule) -> Iterable[str]:
        """Conditions that no rendered name begins with what its source may not grant."""
        guard: Guard = rule.match.guard
        system = () if guard.system_names else (SYSTEM,)
        username = ((rule.match.username, (*guard.username_prefixes, *system)),)
        groups = ((group, (*guard.group_prefixes, *system)) for group in rule.match.groups)
        for template, prefixes in (*username, *groups):
            if not any(isinstance(part, Placeholder) for part in template.parts):
                continue  # checked when it was read
            for prefix in prefixes:
                yield f"!({self._name(template, rule.selector)}).startsWith({_text(prefix)})"

    def _granted(self, rule: Rule) -> tuple[str, str]:
        """What a rule that applies grants; a reserved name refuses the caller."""
        name, groups = self._names(rule.match, rule.selector)
        if allowed := " && ".join(self._unreserved(rule)):
            return f'({allowed} ? {name} : "")', f"({allowed} ? {groups} : [])"
        return name, groups

    def _names(self, match: Match, selector: Selector | None) -> tuple[str, str]:
        groups = dict.fromkeys(self._name(group, selector) for group in match.groups)
        return self._name(match.username, selector), f"[{', '.join(groups)}]"

    def _name(self, template: Template, selector: Selector | None) -> str:
        return " + ".join(self._part(part, selector) for part in template.parts)

    def _part(self, part: str | Placeholder, selector: Selector | None) -> str:
        if part is Placeholder.ACCOUNT_ID:
            return _text(self.account_id)
        if part is Placeholder.CANONICAL_ARN:
            head = f"arn:{self._partition}:iam::{self.account_id}:role/"
            role = f"({_text(head)} + claims.sub.substring(claims.sub.lastIndexOf('/') + 1))"
            if selector is None:
                return f"(claims.sub.startsWith({_text(head)}) ? {role} : claims.sub)"
            return role if selector.is_role else "claims.sub"
        if isinstance(part, Placeholder):
            return f'{_AWS}.?{_CLAIMS[part]}.orValue("")'
        return _text(part)


def _unsayable(rule: Rule) -> str:
    """Why CEL cannot say what a rule does; "" if it can."""
    if rule.expires is not None:
        return "it ends, and CEL has no clock"
    if rule.match.needs_instance_name:
        return "it needs the name of an EC2 instance, which CEL cannot look up"
    return ""


def _rules(sections: Iterable[Section]) -> list[Rule]:
    return [rule for section in sections for rule in (*section.rules, *section.denials)]


def _templates(match: Match) -> tuple[Template, ...]:
    return (match.username, *match.groups)


def _claims(conditions: Conditions) -> Iterable[str]:
    if conditions.organization:
        yield f'{_AWS}.?org_id.orValue("") == {_text(conditions.organization)}'
    if conditions.organizational_unit:
        path, unit = f'{_AWS}.?ou_path.orValue("")', _text(conditions.organizational_unit)
        yield (
            f"(type({path}) == list ? {path} : [{path}])"
            f".exists(path, path.split('/').exists(unit, unit == {unit}))"
        )
    for key, value in conditions.principal_tags:
        yield f"{_AWS}.?principal_tags[?{_text(key)}] == optional.of({_text(value)})"


def _pattern(selector: Selector | None) -> str:
    """A regular expression (RE2) of the subjects, in lower case, that a selector names."""
    assert selector is not None  # noqa: S101 (`_concerns` has seen to it)
    if selector.permission_set:
        head = re.escape(selector.head).replace("role/", f"role/{_SSO_PATH}{_PATH}", 1)
        return f"^{head}[0-9a-f]{{16}}$"
    key = re.escape(selector.key).replace(r"\*", "[^:/]*").replace(r"\?", "[^:/]")
    return "^" + (key.replace("role/", f"role/{_PATH}", 1) if selector.is_role else key) + "$"


def _first(outcomes: Sequence[str], none: str) -> str:
    listed = ", ".join(outcomes)
    return f"[{listed}].filter(outcome, outcome != {none})[0]"


def _text(text: str) -> str:
    """A CEL text; JSON's escapes are CEL's."""
    return json.dumps(text, ensure_ascii=False)
