"""Amazon EKS, as far as its clusters' access entries and access policies go.

Requests and answers are held to botocore's service model (`rest_json`). The rules about entries
come from the Amazon EKS User Guide ("Create access entries", "Associate access policies with access
entries", "Change authentication mode to use access entries") and from the API Reference. Messages
are not documented: do not rely on them.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from dev.aws_double.answers import AwsError
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principals
from dev.aws_double.rest_json import RestJson
from dev.aws_double.signature import verify
from dev.aws_double.wire import Request, Response

API_MODES = ("API", "API_AND_CONFIG_MAP")
POLICIES = (
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
)

_PRINCIPAL = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):"
    r"(?P<kind>role|user)/(?:[!-~]+/)?(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
_STANDARD = "STANDARD"
# What EKS sets itself for the entries of nodes.
_NODES = {
    "EC2_LINUX": ("system:node:{{EC2PrivateDNSName}}", ("system:nodes",)),
    "EC2_WINDOWS": (
        "system:node:{{EC2PrivateDNSName}}",
        ("system:nodes", "eks:kube-proxy-windows"),
    ),
    "FARGATE_LINUX": ("system:node:{{SessionName}}", ("system:nodes", "system:node-proxier")),
    "HYBRID_LINUX": ("system:node:{{SessionName}}", ("system:nodes",)),
    "EC2": ("system:node:{{EC2PrivateDNSName}}", ("system:nodes",)),
    "HYPERPOD_LINUX": ("system:node:{{SessionName}}", ("system:nodes",)),
}
# The only type of nodes that access policies can be associated with.
_AUTO_MODE = "EC2"
_MOST_ENTRIES = 3000
_PAGE = 100


@dataclass(frozen=True, slots=True)
class EksEntry:
    """An access entry.

    Attributes:
        values: as DescribeAccessEntry gives them.
        policies: by ARN, as ListAssociatedAccessPolicies gives them.
    """

    values: Mapping[str, Any]
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class EksCluster:
    """A cluster, which may be changed while the double runs.

    Attributes:
        name: its name.
        account: the account that it is in.
        region: the Region that it is in.
        mode: its authentication mode.
        endpoint: where its API server is.
        authority: the certificate authority of its API server, PEM in base64.
        entries: by the principal's ARN.
        most_entries: the quota.
        stale_reads: how many reads after a write still see what was there before it.
    """

    name: str
    account: str
    region: str
    mode: str = "API_AND_CONFIG_MAP"
    endpoint: str = ""
    authority: str = ""
    entries: dict[str, EksEntry] = field(default_factory=dict)
    most_entries: int = _MOST_ENTRIES
    stale_reads: int = 0

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:eks:{self.region}:{self.account}:cluster/{self.name}"


class Eks:
    """The service, over a table of clusters; every key of an account may administer its clusters.

    Args:
        clusters: what there is; `clusters` may be changed while the double runs.
        principals: the keys that are known.
        clock: seconds since the epoch.
    """

    def __init__(
        self, clusters: Iterable[EksCluster], principals: Principals, clock: Callable[[], float]
    ) -> None:
        self.clusters = list(clusters)
        self._principals = principals
        self._clock = clock
        self._model = RestJson("eks")
        self._stale: dict[str, tuple[dict[str, EksEntry], int]] = {}
        self._answered: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def action(self, request: Request) -> str:
        """Give the name of the operation that a request asks for."""
        return self._model.name(request)

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer a request. Raises AwsError."""
        caller = verify(request, endpoint, self._principals, self._clock())
        values = self._model.parameters(request)
        operation = _OPERATIONS.get(self._model.name(request))
        if operation is None:
            raise AwsError("UnknownOperationException", "The double does not know it.", 404)
        call = _Call(self, caller.account, endpoint.region, values)
        return self._model.response(request, operation(call))

    def error(self, _: Request, error: AwsError) -> Response:
        """Give the response to a refusal."""
        return self._model.error(error)

    def now(self) -> datetime:
        """Give the time, as answers have it."""
        return datetime.fromtimestamp(int(self._clock()), timezone.utc)

    def seen(self, cluster: EksCluster) -> Mapping[str, EksEntry]:
        """Give the entries that a read sees, which may be older ones."""
        entries, reads = self._stale.get(cluster.arn, (cluster.entries, 0))
        if reads == 0:
            return cluster.entries
        self._stale[cluster.arn] = entries, reads - 1
        return entries

    def write(self, cluster: EksCluster, principal: str, entry: EksEntry | None) -> None:
        """Replace an entry, or remove it."""
        self._stale[cluster.arn] = copy.copy(cluster.entries), cluster.stale_reads
        if entry is None:
            del cluster.entries[principal]
        else:
            cluster.entries[principal] = entry

    def once(self, values: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Give the first answer again to a request that is repeated with its token."""
        token = values.get("clientRequestToken", "")
        if token in self._answered:
            before, answer = self._answered[token]
            if before != values:
                raise AwsError(
                    "InvalidRequestException", "The client request token was used before.", 400
                )
            return answer
        answer = make()
        if token:
            self._answered[token] = values, answer
        return answer


@dataclass(frozen=True, slots=True)
class _Call:
    """One request of a caller whose signature is proven."""

    eks: Eks
    account: str
    region: str
    values: dict[str, Any]

    def list_clusters(self) -> dict[str, Any]:
        names = sorted(each.name for each in self.eks.clusters if self._is_here(each))
        return self._page("clusters", names)

    def describe_cluster(self) -> dict[str, Any]:
        cluster = self._cluster("name")
        return {
            "cluster": {
                "name": cluster.name,
                "arn": cluster.arn,
                "status": "ACTIVE",
                "endpoint": cluster.endpoint,
                "certificateAuthority": {"data": cluster.authority},
                "accessConfig": {
                    "authenticationMode": cluster.mode,
                    "bootstrapClusterCreatorAdminPermissions": False,
                },
            }
        }

    def list_policies(self) -> dict[str, Any]:
        return self._page(
            "accessPolicies", [{"name": name, "arn": policy_arn(name)} for name in POLICIES]
        )

    def list_entries(self) -> dict[str, Any]:
        policy = self.values.get("associatedPolicyArn")
        found = self.eks.seen(self._with_api())
        arns = [arn for arn in sorted(found) if policy is None or policy in found[arn].policies]
        return self._page("accessEntries", arns)

    def describe(self) -> dict[str, Any]:
        found = self.eks.seen(self._with_api()).get(self._principal)
        if found is None:
            raise self._not_found()
        return {"accessEntry": dict(found.values)}

    def create(self) -> dict[str, Any]:
        return self.eks.once(self.values, self._create)

    def update(self) -> dict[str, Any]:
        return self.eks.once(self.values, self._update)

    def delete(self) -> dict[str, Any]:
        cluster, _ = self._entry()
        self.eks.write(cluster, self._principal, None)
        return {}

    def list_associated(self) -> dict[str, Any]:
        found = self.eks.seen(self._with_api()).get(self._principal)
        if found is None:
            raise self._not_found()
        page = self._page("associatedAccessPolicies", [*found.policies.values()])
        return {"clusterName": self.values["clusterName"], "principalArn": self._principal, **page}

    def associate(self) -> dict[str, Any]:
        cluster, entry = self._entry()
        arn, now = self.values["policyArn"], self.eks.now()
        _check_policy(str(entry.values["type"]), arn)
        policy = {
            "policyArn": arn,
            "accessScope": _scope(self.values["accessScope"]),
            "associatedAt": entry.policies.get(arn, {}).get("associatedAt", now),
            "modifiedAt": now,
        }
        policies = {**entry.policies, arn: policy}
        self.eks.write(cluster, self._principal, replace(entry, policies=policies))
        return {
            "clusterName": cluster.name,
            "principalArn": self._principal,
            "associatedAccessPolicy": policy,
        }

    def disassociate(self) -> dict[str, Any]:
        cluster, entry = self._entry()
        arn = self.values["policyArn"]
        if arn not in entry.policies:
            raise AwsError("ResourceNotFoundException", "The policy is not associated.", 404)
        policies = {key: value for key, value in entry.policies.items() if key != arn}
        self.eks.write(cluster, self._principal, replace(entry, policies=policies))
        return {}

    def tags(self) -> dict[str, Any]:
        _, entry = self._by_arn()
        return {"tags": dict(entry.values.get("tags", {}))}

    def tag(self) -> dict[str, Any]:
        cluster, entry = self._by_arn()
        self._retag(cluster, entry, {**entry.values.get("tags", {}), **self.values["tags"]})
        return {}

    def untag(self) -> dict[str, Any]:
        cluster, entry = self._by_arn()
        kept = entry.values.get("tags", {}).items()
        self._retag(cluster, entry, {k: v for k, v in kept if k not in self.values["tagKeys"]})
        return {}

    def _create(self) -> dict[str, Any]:
        cluster = self._with_api()
        found = _PRINCIPAL.fullmatch(self._principal)
        if found is None:
            raise _invalid("The principalArn is not the ARN of an IAM role or user.")
        if self._principal in cluster.entries:
            raise AwsError("ResourceInUseException", "The access entry is already in use.", 409)
        if len(cluster.entries) >= cluster.most_entries:
            raise AwsError("ResourceLimitExceededException", "There are too many entries.", 400)
        kind = self.values.get("type", _STANDARD)
        if kind != _STANDARD and kind not in _NODES:
            raise _invalid("The type is not supported.")
        if kind != _STANDARD and found["kind"] != "role":
            raise _invalid("The principal of a node's entry is a role.")
        now = self.eks.now()
        tail = f"{found['kind']}/{found['account']}/{found['name']}/{uuid.uuid4()}"
        values = {
            "clusterName": cluster.name,
            "principalArn": self._principal,
            "accessEntryArn": f"{cluster.arn.replace(':cluster/', ':access-entry/')}/{tail}",
            "createdAt": now,
            "modifiedAt": now,
            "tags": dict(self.values.get("tags", {})),
            "type": kind,
            **self._names(kind, found, {}),
        }
        return self._store(cluster, EksEntry(values))

    def _update(self) -> dict[str, Any]:
        cluster, entry = self._entry()
        kind = str(entry.values["type"])
        found = _PRINCIPAL.fullmatch(self._principal)
        assert found is not None, "an entry is of an IAM principal"
        names = self._names(kind, found, entry.values)
        values = {**entry.values, **names, "modifiedAt": self.eks.now()}
        return self._store(cluster, replace(entry, values=values))

    def _store(self, cluster: EksCluster, entry: EksEntry) -> dict[str, Any]:
        # An empty map is not in the model, and EKS leaves it out.
        values = {key: value for key, value in entry.values.items() if key != "tags" or value}
        entry = replace(entry, values=values)
        self.eks.write(cluster, self._principal, entry)
        return {"accessEntry": dict(entry.values)}

    def _names(
        self, kind: str, principal: re.Match[str], before: Mapping[str, Any]
    ) -> dict[str, Any]:
        given = {"username", "kubernetesGroups"} & self.values.keys()
        if kind != _STANDARD:
            if given:
                raise _invalid(f"{' and '.join(sorted(given))} cannot be set for type {kind}.")
            username, groups = _NODES[kind]
            return {"username": username, "kubernetesGroups": [*groups]}
        username = self.values.get("username") or before.get("username") or _default(principal)
        groups = self.values.get("kubernetesGroups", before.get("kubernetesGroups", []))
        for name in (username, *groups):
            if not name or name.startswith(_RESERVED):
                raise _invalid(f"The name {name} is reserved.")
        return {"username": username, "kubernetesGroups": [*groups]}

    def _retag(self, cluster: EksCluster, entry: EksEntry, tags: Mapping[str, str]) -> None:
        values = {key: value for key, value in entry.values.items() if key != "tags"}
        values |= {"tags": dict(tags)} if tags else {}
        self.eks.write(cluster, str(values["principalArn"]), replace(entry, values=values))

    @property
    def _principal(self) -> str:
        return str(self.values["principalArn"])

    def _is_here(self, cluster: EksCluster) -> bool:
        return (cluster.account, cluster.region) == (self.account, self.region)

    def _cluster(self, key: str = "clusterName") -> EksCluster:
        for cluster in self.eks.clusters:
            if self._is_here(cluster) and cluster.name == self.values[key]:
                return cluster
        raise AwsError("ResourceNotFoundException", f"No cluster found: {self.values[key]}.", 404)

    def _with_api(self) -> EksCluster:
        cluster = self._cluster()
        if cluster.mode not in API_MODES:
            raise AwsError(
                "InvalidRequestException",
                f"The cluster's authentication mode must be one of {', '.join(API_MODES)}.",
                400,
            )
        return cluster

    def _entry(self) -> tuple[EksCluster, EksEntry]:
        cluster = self._with_api()
        if self._principal not in cluster.entries:
            raise self._not_found()
        return cluster, cluster.entries[self._principal]

    def _by_arn(self) -> tuple[EksCluster, EksEntry]:
        for cluster in filter(self._is_here, self.eks.clusters):
            for entry in cluster.entries.values():
                if entry.values["accessEntryArn"] == self.values["resourceArn"]:
                    return cluster, entry
        raise AwsError("NotFoundException", "There is no such resource.", 404)

    def _not_found(self) -> AwsError:
        return AwsError("ResourceNotFoundException", "There is no such access entry.", 404)

    def _page(self, key: str, items: Sequence[Any]) -> dict[str, Any]:
        token = self.values.get("nextToken", "0")
        if not token.isdecimal() or int(token) > len(items):
            raise _invalid("The next token is not valid.")
        start, end = int(token), int(token) + self.values.get("maxResults", _PAGE)
        more = {"nextToken": str(end)} if end < len(items) else {}
        return {key: list(items[start:end]), **more}


def policy_arn(name: str) -> str:
    """Give the ARN of one of `POLICIES`."""
    return f"arn:aws:eks::aws:cluster-access-policy/{name}"


def _default(principal: re.Match[str]) -> str:
    if principal["kind"] == "user":
        return principal[0]
    account = f"arn:{principal['partition']}:sts::{principal['account']}"
    return f"{account}:assumed-role/{principal['name']}/{{{{SessionName}}}}"


def _check_policy(kind: str, arn: str) -> None:
    name = arn.rpartition("/")[2]
    if name not in POLICIES or arn != policy_arn(name):
        raise _invalid("The policyArn is not that of an access policy.")
    if kind not in (_STANDARD, _AUTO_MODE):
        raise AwsError("InvalidRequestException", f"Not for entries of type {kind}.", 400)


def _scope(scope: Mapping[str, Any]) -> dict[str, Any]:
    kind, namespaces = scope.get("type"), scope.get("namespaces", [])
    if kind not in ("cluster", "namespace") or (kind == "namespace") != bool(namespaces):
        raise _invalid("The access scope is not valid.")
    return {"type": kind, "namespaces": [*namespaces]}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message, 400)


_OPERATIONS: dict[str, Callable[[_Call], dict[str, Any]]] = {
    "ListClusters": _Call.list_clusters,
    "DescribeCluster": _Call.describe_cluster,
    "ListAccessPolicies": _Call.list_policies,
    "ListAccessEntries": _Call.list_entries,
    "DescribeAccessEntry": _Call.describe,
    "CreateAccessEntry": _Call.create,
    "UpdateAccessEntry": _Call.update,
    "DeleteAccessEntry": _Call.delete,
    "ListAssociatedAccessPolicies": _Call.list_associated,
    "AssociateAccessPolicy": _Call.associate,
    "DisassociateAccessPolicy": _Call.disassociate,
    "ListTagsForResource": _Call.tags,
    "TagResource": _Call.tag,
    "UntagResource": _Call.untag,
}
