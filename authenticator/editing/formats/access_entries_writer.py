"""Entries as the input of `aws eks create-access-entry --cli-input-json`, a line for each.

Source: the service model of EKS (2017-11-01), and the Amazon EKS User Guide, "Create access
entries", for what EKS refuses in usernames and groups.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import eks_types
from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import Export, Options
from authenticator.editing.formats.withholding import sift
from authenticator.mapping.conditions import NONE
from authenticator.mapping.nodes import DocumentError
from authenticator.mapping.rules import MASTERS
from authenticator.mapping.templates import Placeholder

_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_SESSIONS = (f"{{{{{p.value}}}}}" for p in (Placeholder.SESSION_NAME, Placeholder.SESSION_NAME_RAW))
_SESSION = re.compile("|".join(map(re.escape, _SESSIONS)))


def write(entries: Iterable[MappingEntry], options: Options) -> Export:
    """Write one JSON object for each principal.

    Raises:
        DocumentError: the cluster's name is missing.
    """
    if not options.cluster:
        raise DocumentError("EKS keeps access entries by cluster; name it with --cluster")
    kept, notes = sift(entries, refusal)
    lines = [json.dumps({"clusterName": options.cluster, **fields_of(usable)}) for usable in kept]
    return Export("".join(f"{line}\n" for line in lines), tuple(notes))


def fields_of(usable: Usable) -> dict[str, object]:
    """Return what CreateAccessEntry needs for an entry, apart from the cluster."""
    arn = _arn(usable)
    node = _node_type(usable)
    if node:
        return {"principalArn": arn, "type": node.name}
    fields = {"principalArn": arn, "type": eks_types.STANDARD, "username": _username(usable)}
    groups = list(dict.fromkeys(usable.groups))
    return {**fields, **({"kubernetesGroups": groups} if groups else {})}


def _arn(usable: Usable) -> str:
    return usable.text("rolearn") or usable.text("userarn")


def _node_type(usable: Usable) -> eks_types.NodeType | None:
    is_role = PrincipalArn.parse(_arn(usable)).kind is PrincipalKind.ROLE
    return eks_types.by_grants(usable.text("username"), usable.groups) if is_role else None


def _username(usable: Usable) -> str:
    """The username with what is known beforehand filled in."""
    arn = PrincipalArn.parse(_arn(usable))
    canonical = str(arn)
    if arn.kind is PrincipalKind.ROLE:
        canonical = f"arn:{arn.partition}:iam::{arn.account_id}:role/{arn.name}"
    values = {Placeholder.ACCOUNT_ID: arn.account_id, Placeholder.CANONICAL_ARN: canonical}
    if arn.kind is PrincipalKind.USER:
        # IAM users have no session.
        values |= {Placeholder.SESSION_NAME: "", Placeholder.SESSION_NAME_RAW: ""}
    username = usable.text("username") or "{{CanonicalARN}}"
    for placeholder, value in values.items():
        username = username.replace(f"{{{{{placeholder.value}}}}}", value)
    return username


def refusal(usable: Usable) -> str:
    """Return why an access entry cannot say an entry, and what to do; "" if it can."""
    return next(filter(None, (check(usable) for check in _CHECKS)), "")


def _whom(usable: Usable) -> str:
    selector = usable.selector
    if selector is None:
        return "EKS cannot map a whole account; make an access entry for each role that needs one"
    if selector.permission_set:
        return "EKS knows no permission sets; make an access entry for the role AWSReservedSSO_..."
    if selector.is_pattern:
        return "EKS knows no patterns; make an access entry for each role or user that is meant"
    if PrincipalArn.parse(_arn(usable)).kind not in (PrincipalKind.ROLE, PrincipalKind.USER):
        return "an access entry is for an IAM role or user; write the ARN of one"
    return ""


def _conditions(usable: Usable) -> str:
    if usable.text("expires"):
        return "an access entry does not end by itself; remove expires and plan to delete it"
    if usable.text("userid"):
        return (
            "EKS pins the unique id that the principal has when its access entry is made; see that"
            f" it is {usable.text('userid')}, and make the access entry by hand"
        )
    if usable.rule and usable.rule.conditions != NONE:
        return (
            f"an access entry has no conditions ({usable.rule.conditions}), and EKS takes no JWTs;"
            " make one by hand if every caller of the principal may enter"
        )
    return ""


def _groups(usable: Usable) -> str:
    if _node_type(usable):
        return ""
    if MASTERS in usable.groups:
        return (
            f"EKS refuses the group {MASTERS}; make the access entry without it, then `aws eks"
            " associate-access-policy --access-scope type=cluster --policy-arn arn:aws:eks::aws:"
            "cluster-access-policy/AmazonEKSClusterAdminPolicy`"
        )
    for group in usable.groups:
        if group.startswith(_RESERVED):
            return f"EKS refuses the group {group}, since it begins with {group.split(':')[0]}:"
        if "{{" in group:
            return f"EKS fills in no placeholders in groups, as in {group}"
    return ""


def _name(usable: Usable) -> str:
    if _node_type(usable):
        return ""
    username = _username(usable)
    if not username:
        return "its username is empty for IAM users, who have no session; write a name"
    if username.startswith(_RESERVED):
        return f"EKS refuses the username {username}, since it begins with a name of its own"
    unknown = next((p for p in _PLACEHOLDER.findall(username) if not _SESSION.fullmatch(p)), "")
    if unknown:
        return f"EKS does not know {unknown} in usernames; write the name out"
    session = _SESSION.search(username)
    if session and ":" not in username[: session.start()]:
        return f"EKS wants a colon before {session[0]}, as in dev:{session[0]}"
    return ""


_CHECKS: tuple[Callable[[Usable], str], ...] = (_whom, _conditions, _groups, _name)
