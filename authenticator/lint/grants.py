"""Rules on what one entry grants: usernames and groups, and who chooses them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from authenticator.aws.arns import PrincipalKind
from authenticator.lint.checks import Found, is_permission_set
from authenticator.lint.lookalikes import as_ascii, kubernetes_name, strange_letter
from authenticator.mapping.guards import SYSTEM
from authenticator.mapping.rules import MASTERS, Rule
from authenticator.mapping.templates import Placeholder, Template

_NODE = "system:node:"
_NODES = "system:nodes"
_SESSION_NAMES = frozenset(
    {Placeholder.SESSION_NAME, Placeholder.SESSION_NAME_RAW, Placeholder.SOURCE_IDENTITY}
)
_NODE_BY_SESSION = (
    "whoever may assume the role chooses the node to be; let only the service that runs the nodes"
    " assume it, or use {{EC2PrivateDNSName}}"
)
_NODE_OF_PEOPLE = (
    "people of this permission set become the node that is named like their session; map them to a"
    " username and groups of people"
)
# What the API server itself puts a request into (Kubernetes: "Authenticating", "RBAC").
_BUILT_IN = {
    "system:authenticated": "everyone who logs in has it anyway: leave it out",
    "system:unauthenticated": "it is the group of requests without a user: leave it out",
    "system:serviceaccounts": "it is the group of all ServiceAccounts: bind what is needed to a"
    " group of its own",
}


def masters_by_pattern(rule: Rule) -> Iterator[Found]:
    """Whoever may create a role with a fitting name is an administrator of the cluster."""
    selector = rule.selector
    wide = selector is not None and selector.is_pattern and not selector.permission_set
    if wide and MASTERS in _literals(rule.match.groups):
        message = (
            "system:masters goes to whoever can make a principal with a fitting name; name the"
            " principals, or use sso for a permission set"
        )
        yield Found("masters-by-pattern", message, "groups")


def built_in_group(rule: Rule) -> Iterator[Found]:
    """Groups that Kubernetes hands out."""
    for group in _literals(rule.match.groups):
        family = "system:serviceaccounts" if group.startswith("system:serviceaccounts:") else group
        if family in _BUILT_IN:
            yield Found("built-in-group", f"the group {group}: {_BUILT_IN[family]}", "groups")


def node_identity(rule: Rule) -> Iterator[Found]:
    """Kubernetes' node authorizer wants `system:node:NAME` together with `system:nodes`."""
    is_node = rule.match.username.head.startswith(_NODE)
    in_group = _NODES in _literals(rule.match.groups)
    if in_group and not is_node:
        message = (
            f"the group {_NODES} without a username {_NODE}NAME: Kubernetes takes it for no node;"
            " for nodes of EC2 write system:node:{{EC2PrivateDNSName}}"
        )
        yield Found("node-identity", message, "username")
    if is_node and not in_group:
        message = f"the username of a node without the group {_NODES}: it has no node's rights"
        yield Found("node-identity", message, "groups")


def system_username(rule: Rule) -> Iterator[Found]:
    """Kubernetes' own components have their rights by username."""
    for name in _literals((rule.match.username,)):
        if name.startswith(SYSTEM) and not name.startswith(_NODE):
            message = (
                f"the username {name!r}: names that begin with {SYSTEM} are those of Kubernetes'"
                " own components and accounts, with their rights; take another name, and grant"
                " rights by groups"
            )
            yield Found("system-username", message, "username")


def caller_chosen(rule: Rule) -> Iterator[Found]:
    """Whoever assumes a role chooses the session name, which has neither `:` nor `/`."""
    selector = rule.selector
    # The session, or the name, is the caller's choice: sts:AssumeRole and sts:GetFederationToken.
    chooses = selector is None or selector.is_role or selector.kind is PrincipalKind.FEDERATED_USER
    if not chooses:
        return
    username = rule.match.username
    chosen = _SESSION_NAMES.intersection(username.parts)
    of_people = selector is not None and is_permission_set(selector)
    if chosen and username.head.startswith(_NODE):
        message = _NODE_OF_PEOPLE if of_people else _NODE_BY_SESSION
        yield Found("node-by-session-name", message, "username")
    elif not of_people and chosen and _takes_a_name(username):
        message = (
            "callers choose their username, another user's too: write something of your own"
            " before the session name, such as dev:{{SessionName}}"
        )
        yield Found("caller-chosen-username", message, "username")
    # IAM Identity Center names the sessions of its permission sets itself.
    for group in () if of_people else rule.match.groups:
        if _SESSION_NAMES.intersection(group.parts):
            message = "callers choose their group by the session name; name the group itself"
            yield Found("caller-chosen-group", message, "groups")


def _takes_a_name(username: Template) -> bool:
    """Whether the session name begins the username, or follows `system:`."""
    return username.parts[0] in _SESSION_NAMES or username.head.startswith(SYSTEM)


def federated_system_name(rule: Rule) -> Iterator[Found]:
    """IAM users choose the name of the federated user that they become, by GetFederationToken."""
    selector = rule.selector
    if selector is None or selector.kind is not PrincipalKind.FEDERATED_USER:
        return
    for key, template in _named(rule):
        if template.head.startswith(SYSTEM):
            message = (
                f"{template.head} goes to a federated user: any IAM user of the account who may"
                " call sts:GetFederationToken can take that name; map a role instead"
            )
            yield Found("federated-system-name", message, key)


def look_alike_name(rule: Rule) -> Iterator[Found]:
    """A name that readers take for another one, which RBAC does not."""
    for key, template in _named(rule):
        if known := kubernetes_name(template.head):
            message = (
                f"{template.head!r} looks like {known}, a name of Kubernetes, and is another one;"
                " write it exactly so, or take a name that cannot be mistaken"
            )
            yield Found("look-alike-name", message, key)
            continue
        for part in template.parts:
            if not part.isascii() and (alike := _looks_like(part)):
                yield Found("look-alike-name", f"{part!r} {alike}", key)


def _looks_like(text: str) -> str:
    if strange := strange_letter(text):
        name = unicodedata.name(strange, "unnamed").lower()
        return f"has a letter among Latin ones that is not: {name}"
    drawn = as_ascii(text)
    return (
        f"has letters that look like {drawn!r} and are others; write it in ASCII" if drawn else ""
    )


def _named(rule: Rule) -> Iterator[tuple[str, Template]]:
    yield "username", rule.match.username
    for group in rule.match.groups:
        yield "groups", group


def _literals(templates: tuple[Template, ...]) -> tuple[str, ...]:
    """The templates without placeholders."""
    return tuple(template.head for template in templates if template.parts == (template.head,))
