"""Reports to look at: a small one with something of everything, and a large one."""

from __future__ import annotations

import random
from typing import Any

from authenticator.access.document import document
from authenticator.access.report import Report
from tests.authenticator.access.clusters import binding, mapped, report, role, rule, sections

NOW = 1_800_000_000.0
# What would break out of a page that is put together carelessly.
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
)
SPOOFED = "admin\u202egpj.exe"

_ROLES = [
    role("cluster-admin", rule("*", "*", "*"), rule("*", paths="*")),
    role(
        "edit",
        rule("get list watch", "secrets configmaps pods services"),
        rule("create delete patch update", "pods services configmaps secrets"),
        rule("create get", "pods/exec pods/attach pods/portforward"),
        rule("create delete patch update", "deployments statefulsets daemonsets", "apps"),
        rule("create", "serviceaccounts/token"),
    ),
    role(
        "view",
        rule("get list watch", "pods services configmaps events pods/log"),
        rule("get list watch", "deployments statefulsets daemonsets", "apps"),
    ),
    role("metrics", rule("get", paths="/metrics /healthz/*")),
    role(
        "ci",
        rule("create patch", "deployments jobs", "apps batch"),
        rule("get", "secrets", names="registry"),
    ),
    role("deputy", rule("bind", "clusterroles", "rbac.authorization.k8s.io")),
    role(
        "mappings",
        rule("get update patch", "configmaps", names="aws-auth"),
        namespace="kube-system",
    ),
    role(HOSTILE, rule("get", "pods"), namespace="shop"),
    role("system:basic-user", rule("create", "selfsubjectaccessreviews", "authorization.k8s.io")),
]
_BINDINGS = [
    binding("admins", "cluster-admin", "Group/platform-admins"),
    binding("cluster-admin", "cluster-admin", "Group/system:masters"),
    binding("viewers", "view", "Group/viewers", "Group/developers"),
    binding("developers", "edit", "Group/developers", namespace="shop", of="ClusterRole"),
    binding("developers", "edit", "Group/developers", namespace="billing", of="ClusterRole"),
    binding("ci", "ci", "User/ci:release"),
    binding("deputies", "deputy", "Group/deputies"),
    binding("mappings", "mappings", "Group/identity", namespace="kube-system"),
    binding("monitoring", "metrics", "User/prometheus"),
    binding(SPOOFED, HOSTILE, f"Group/{HOSTILE}", f"User/{HOSTILE}", namespace="shop"),
    binding("system:basic-user", "system:basic-user", "Group/system:authenticated"),
    binding("ghost", "gone", "Group/viewers"),
]
_MAPPED = [
    mapped("PlatformAdmin", "admin:{{SessionName}}", "platform-admins"),
    mapped("BreakGlass", "break-glass", "system:masters", expires="2099-01-31T18:00:00Z"),
    mapped("Developer", "developer:{{SessionName}}", "developers"),
    mapped("team-*", "{{CanonicalARN}}", "viewers"),
    mapped("Release", "ci:{{SessionName}}"),
    mapped("Deputy", "deputy", "deputies", "viewers"),
    mapped("IdentityTeam", "identity:{{SessionName}}", "identity"),
    mapped("Monitoring", "prometheus", userid="AROAEXAMPLEEXAMPLE123"),
    mapped("Node", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes"),
    mapped("Hostile", HOSTILE, HOSTILE),
    mapped("Stranger", "stranger", "nobody-knows-this-group"),
]
_USERS = [
    {
        "userarn": "arn:aws:iam::111122223333:user/staff/bob",
        "username": "bob",
        "groups": ["viewers"],
    }
]
_TEAMS, _NAMESPACES = 60, 40


def small_report() -> Report:
    """A cluster with something of everything, hostile names included."""
    return report(_ROLES + _BINDINGS, sections(_MAPPED, _USERS, ["444455556666"]))


def small() -> dict[str, Any]:
    """The document of `small_report`."""
    return document(small_report(), cluster="prod-eu-1", now=NOW)


def large(principals: int = 5000) -> dict[str, Any]:
    """A cluster with as many principals, in teams that are bound in namespaces of their own."""
    chance = random.Random(7)
    teams = [f"team-{number:02}" for number in range(_TEAMS)]
    bindings = [
        binding(
            f"{team}-{number}",
            chance.choice(["edit", "view", "ci"]),
            f"Group/{team}",
            namespace=f"namespace-{chance.randrange(_NAMESPACES):02}",
            of="ClusterRole",
        )
        for team in teams
        for number in range(3)
    ]
    mappings = [
        mapped(
            f"Department{number % 97:02}-Engineer-{number:04}",
            f"engineer-{number:04}:{{{{SessionName}}}}",
            *chance.sample(teams, 2),
            *(["platform-admins"] if number % 500 == 0 else []),
        )
        for number in range(principals)
    ]
    joined = report(_ROLES + _BINDINGS + bindings, sections(mappings))
    return document(joined, cluster="large", now=NOW)
