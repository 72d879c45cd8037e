"""Finds what a principal may do as another user: `kubectl --as`, legacy and constrained.

A request with `Impersonate-User` is made as that user, if the caller may impersonate. Kubernetes
1.36 tries constrained modes first. Each needs two rights: one to be the target
(`impersonate:MODE`), and one to make this request as a target (`impersonate-on:MODE:VERB`). The
legacy verb `impersonate` needs no second right and can reach system:masters.

Source: Kubernetes 1.36, `apiserver/pkg/endpoints/filters/impersonation` (`mode.go`), and KEP-5284.
`tests/e2e/test_access_impersonation.py` compares the answers with impersonated requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from authenticator.access.rbac import (
    AUTHENTICATED,
    MASTERS_GROUP,
    Binding,
    Rbac,
    Subject,
    SubjectKind,
)
from authenticator.access.resources import is_cluster_wide
from authenticator.access.rules import ALL, Request
from authenticator.mapping.rules import MASTERS

LEGACY = "legacy"
USER_INFO = "user-info"
SERVICE_ACCOUNT = "serviceaccount"
ARBITRARY_NODE = "arbitrary-node"
# A ServiceAccount in a pod, as the node of that pod. The API server knows the pod by the
# ServiceAccount's own token, so that no IAM principal can use this mode, whatever it is granted.
ASSOCIATED_NODE = "associated-node"
# Those that an IAM principal can use, in the order in which they are shown.
CONSTRAINED = (USER_INFO, SERVICE_ACCOUNT, ARBITRARY_NODE)
MODES = (*CONSTRAINED, LEGACY)

_GROUP = "authentication.k8s.io"
_NODES = "system:nodes"
_ACCOUNTS = "system:serviceaccounts"
_ANONYMOUS = "system:anonymous"
_UNAUTHENTICATED = "system:unauthenticated"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})*"
# As `serviceaccount.SplitUsername` and `isNodeUsername` of Kubernetes tell them from other users.
_ACCOUNT_USER = re.compile(
    rf"system:serviceaccount:(?P<namespace>(?![^:]{{64}}){_LABEL}):(?P<name>{_SUBDOMAIN})", re.ASCII
)
_NODE_USER = re.compile(rf"system:node:(?P<name>{_SUBDOMAIN})", re.ASCII)
_NODE_NAME = re.compile(_SUBDOMAIN, re.ASCII)
_ACCOUNT_NAME = _NODE_NAME
# Verbs of requests. RBAC has further ones (bind, escalate, use), which are asked in the course of a
# request: of these, only legacy impersonation is certain.
_REQUEST_VERBS = frozenset(
    {
        *(ALL, "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
        *("head", "post", "put", "options"),
    }
)


@dataclass(frozen=True, slots=True)
class Impersonated:
    """As whom a request is made, and by which rights.

    Attributes:
        mode: one of `MODES`.
        target: the subject whose rights are used.
        by: the binding that lets the caller be the target.
        on: the binding that lets the caller make the request as a target; None in the legacy mode.
        through: the binding that grants the request to the target; None for system:masters.
        namespace: where; "" for everywhere that the request means something.
    """

    mode: str
    target: Subject
    by: Binding
    on: Binding | None
    through: Binding | None
    namespace: str


class Impersonation:
    """Finds what principals of one cluster may do as others."""

    def __init__(self, rbac: Rbac) -> None:
        """Prepare; what is granted to whom is looked up once for each request."""
        self._rbac = rbac
        self._granted: dict[
            tuple[Request, str | None], tuple[tuple[Binding | None, Subject], ...]
        ] = {}

    def ways(
        self,
        own: Sequence[Binding],
        request: Request,
        namespace: str | None,
        modes: Sequence[str] = MODES,
    ) -> Iterator[Impersonated]:
        """Yield the ways to make `request` as another user, one for each place, the widest first.

        Args:
            own: the bindings of the caller.
            request: what.
            namespace: where; "" for the cluster as a whole, None for anywhere.
            modes: those to look at.
        """
        rights = _Rights(self._rbac, own)
        if request.verb.startswith("impersonate") or not rights.any:
            return
        found = [
            Impersonated(mode, target, by, on, through, place)
            for mode in modes
            for on in self._open(mode, own, request, namespace)
            for through, target in self._targets(mode, request, namespace)
            if (place := _common(on, through)) is not None
            if (by := rights.to_be(mode, target)) is not None
        ]
        places: set[str] = set()
        for way in sorted(found, key=lambda way: way.namespace):
            if not places & {"", way.namespace}:
                places.add(way.namespace)
                yield way

    def _open(
        self, mode: str, own: Sequence[Binding], request: Request, namespace: str | None
    ) -> Iterator[Binding | None]:
        """The bindings that let the caller make the request as a target of a mode."""
        if mode == LEGACY:
            yield None
        elif request.verb in _REQUEST_VERBS:
            verb = ALL if request.verb == ALL else f"impersonate-on:{mode}:{request.verb}"
            asked = replace(request, verb=verb)
            anywhere = namespace is None and not is_cluster_wide(request)
            for binding in own:
                reaches = anywhere or binding.reaches(namespace or "")
                if reaches and self._rbac.allows(binding, asked):
                    yield binding

    def _targets(
        self, mode: str, request: Request, namespace: str | None
    ) -> Iterator[tuple[Binding | None, Subject]]:
        """Who may make the request, and by which binding."""
        if mode == LEGACY:
            yield None, MASTERS_GROUP
        key = request, namespace
        if key not in self._granted:
            self._granted[key] = tuple(
                (binding, subject)
                for binding in self._rbac.granting(request, namespace)
                for subject in binding.subjects
                # Every caller has what this group has.
                if subject.name != AUTHENTICATED
            )
        yield from self._granted[key]


class _Rights:
    """Whom a caller may impersonate."""

    def __init__(self, rbac: Rbac, own: Sequence[Binding]) -> None:
        self._rules = [
            (binding, rule)
            for binding in own
            for rule in rbac.roles.get(binding.role, ())
            if any(verb == ALL or verb.startswith("impersonate") for verb in rule.verbs)
        ]
        self.any = bool(self._rules)

    def to_be(self, mode: str, target: Subject) -> Binding | None:
        """The binding that lets the caller be a user who is `target`, or is in that group."""
        if target.kind is SubjectKind.USER:
            return self._user(mode, target.name)
        if found := self._comes_with_a_user(mode, target.name):
            return found
        asks = mode == LEGACY or (mode == USER_INFO and target.name != MASTERS)
        return self._group(mode, target.name) if asks and self._some_user(mode) else None

    def _user(self, mode: str, name: str) -> Binding | None:
        account, node = _ACCOUNT_USER.fullmatch(name), _NODE_USER.fullmatch(name)
        if account:
            if mode in (LEGACY, SERVICE_ACCOUNT):
                return self._one(mode, "serviceaccounts", account["name"], account["namespace"])
        elif node and mode == ARBITRARY_NODE:
            return self._one(mode, "nodes", node["name"])
        elif mode == LEGACY or (mode == USER_INFO and not node):
            return self._one(mode, "users", name)
        return None

    def _comes_with_a_user(self, mode: str, group: str) -> Binding | None:
        """Groups that the API server gives to a target by itself."""
        if mode == ARBITRARY_NODE and group == _NODES:
            return self._some(mode, "nodes", _NODE_NAME.fullmatch)
        if mode in (LEGACY, SERVICE_ACCOUNT) and group == _ACCOUNTS:
            return self._some(mode, "serviceaccounts", _ACCOUNT_NAME.fullmatch)
        if mode in (LEGACY, SERVICE_ACCOUNT) and group.startswith(f"{_ACCOUNTS}:"):
            namespace = group.removeprefix(f"{_ACCOUNTS}:")
            return self._some(mode, "serviceaccounts", _ACCOUNT_NAME.fullmatch, namespace)
        if mode in (LEGACY, USER_INFO) and group == _UNAUTHENTICATED:
            return self._one(mode, "users", _ANONYMOUS)
        return None

    def _some_user(self, mode: str) -> Binding | None:
        """Whether there is a user to be, to whom groups can be given."""
        if mode == USER_INFO:
            return self._some(mode, "users", _is_plain)
        accounts = self._some(mode, "serviceaccounts", _ACCOUNT_NAME.fullmatch)
        # A user who is called like a ServiceAccount is asked about as one.
        return self._some(mode, "users", _is_no_account) or accounts

    def _group(self, mode: str, name: str) -> Binding | None:
        # With four groups and more, the API server asks about the name `*` first.
        every = self._one(mode, "groups", ALL, literally=True) if mode == USER_INFO else None
        return self._one(mode, "groups", name) or every

    def _one(
        self, mode: str, resource: str, name: str, namespace: str = "", *, literally: bool = False
    ) -> Binding | None:
        """The binding that lets the caller be the target of this name."""
        asked = _asked(mode, resource, name)
        for binding, rule in self._rules:
            named = not literally or not rule.names or name in rule.names
            if named and binding.reaches(namespace) and rule.allows(asked):
                return binding
        return None

    def _some(
        self,
        mode: str,
        resource: str,
        fits: Callable[[str], object],
        namespace: str | None = None,
    ) -> Binding | None:
        """The binding that lets the caller be some target whose name fits; None is anywhere."""
        anywhere = namespace is None and resource == "serviceaccounts"
        asked = _asked(mode, resource, ALL)
        for binding, rule in self._rules:
            named = not rule.names or any(map(fits, rule.names))
            reaches = anywhere or binding.reaches(namespace or "")
            if named and reaches and rule.allows(asked):
                return binding
        return None


def _asked(mode: str, resource: str, name: str) -> Request:
    if mode == LEGACY:
        return Request("impersonate", resource, name=name)
    return Request(f"impersonate:{mode}", resource, _GROUP, name=name)


def _is_plain(name: str) -> bool:
    """Whether a username is neither a ServiceAccount's nor a node's."""
    return _is_no_account(name) and not _NODE_USER.fullmatch(name)


def _is_no_account(name: str) -> bool:
    return not _ACCOUNT_USER.fullmatch(name)


def _common(on: Binding | None, through: Binding | None) -> str | None:
    """The namespace in which both hold; "" for everywhere, None for nowhere."""
    one, other = on.namespace if on else "", through.namespace if through else ""
    return None if one and other and one != other else one or other
