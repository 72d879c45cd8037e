"""Mappings joined with RBAC."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.access.document import document
from authenticator.access.names import Names, parts_of_arn, parts_of_selector
from authenticator.access.principals import entrants
from authenticator.access.risk_table import RISKS, Risk
from authenticator.access.rules import Request
from authenticator.aws.arns import PrincipalArn
from authenticator.mapping.selectors import by_arn
from authenticator.mapping.templates import Placeholder, Template
from tests.authenticator.access.clusters import (
    Object,
    binding,
    mapped,
    report,
    role,
    rule,
    sections,
)
from tests.authenticator.mapping.callers import caller

_DOCS = Path(__file__).parents[3] / "docs" / "access.md"
READ = Request("get", "pods")
READER = role("reader", rule("get", "pods"))
TWICE = "{{SessionName}}-of-{{SessionName}}"
DEV = "arn:aws:sts::111122223333:assumed-role/Dev/"


def links(mapping: Object, *subjects: str) -> dict[str, str]:
    """Which of some bound subjects a role with this mapping is, and how."""
    made = report([READER, binding("b", "reader", *subjects)], sections([mapping]))
    ((_, standing),) = made.principals
    return {str(link.subject): link.how.value for link in standing.links}


@pytest.mark.parametrize(
    ("mapping", "subject", "how"),
    [
        pytest.param(mapped("Dev", "dev"), "User/dev", "name", id="a username"),
        pytest.param(mapped("Dev", "dev", "g"), "Group/g", "name", id="a group"),
        pytest.param(mapped("Dev", "dev"), "User/Dev", None, id="in another case"),
        pytest.param(mapped("Dev", "dev"), "Group/dev", None, id="a user is no group"),
        pytest.param(mapped("Dev", "dev"), "Group/system:authenticated", "name", id="everybody"),
        pytest.param(
            mapped("Dev", "dev:{{SessionName}}"), "User/dev:alice", "session", id="a session"
        ),
        pytest.param(mapped("Dev", "dev:{{SessionName}}"), "User/dev:a@b", None, id="@ is made -"),
        pytest.param(
            mapped("Dev", "dev:{{SessionNameRaw}}"), "User/dev:a@b", "session", id="@ in the raw"
        ),
        pytest.param(
            mapped("Dev", "dev:{{SessionName}}"), "User/dev:a:b", None, id="no session has a colon"
        ),
        pytest.param(mapped("Dev", "{{SessionName}}"), "User/root", "session", id="any name"),
        pytest.param(mapped("Dev", TWICE), "User/al-of-al", "session", id="one session, twice"),
        pytest.param(mapped("Dev", TWICE), "User/al-of-bo", None, id="no two sessions"),
        pytest.param(
            mapped("Dev", "d", "team-{{SessionName}}"), "Group/team-a", "session", id="a group's"
        ),
        pytest.param(
            mapped("Dev", "d", "system:{{SessionName}}"),
            "Group/system:masters",
            "session",
            id="into system:masters",
        ),
        pytest.param(
            mapped("Dev", "{{CanonicalARN}}"),
            "User/arn:aws:iam::111122223333:role/Dev",
            "pattern",
            id="the ARN, whose case is not known",
        ),
        pytest.param(
            mapped("Dev*", "{{CanonicalARN}}"),
            "User/arn:aws:iam::111122223333:role/Developer",
            "pattern",
            id="an ARN of a pattern",
        ),
        pytest.param(
            mapped("Dev", "{{CanonicalARN}}"),
            "User/arn:aws:iam::111122223333:role/Ops",
            None,
            id="another's ARN",
        ),
        pytest.param(
            mapped("Dev", "of-{{AccountID}}"), "User/of-111122223333", "name", id="the account"
        ),
        pytest.param(
            mapped("Node", "system:node:{{EC2PrivateDNSName}}"),
            "User/system:node:ip-10-0-0-1.ec2.internal",
            "pattern",
            id="a node's name is not chosen",
        ),
        pytest.param(
            mapped("Dev", "system:serviceaccount:a:b"),
            "User/system:serviceaccount:a:b",
            "name",
            id="a service account's name",
        ),
    ],
)
def test_a_mapping_meets_a_subject(mapping: Object, subject: str, how: str | None) -> None:
    assert links(mapping, subject).get(subject) == how


def test_what_is_certain_is_not_called_possible() -> None:
    mapping = mapped("Dev", "dev", "team-{{SessionName}}", "team-a")
    assert links(mapping, "Group/team-a")["Group/team-a"] == "name"


def test_masters_need_no_binding() -> None:
    made = report([], sections([mapped("Admin", "admin", "system:masters")]))
    ((_, grants),) = made.who_can(READ, "anywhere")
    assert [grant.binding for grant in grants] == [None]


def test_who_can_names_the_ways() -> None:
    objects = [
        READER,
        binding("all", "reader", "Group/ops"),
        binding("own", "reader", "Group/dev", namespace="n", of="ClusterRole"),
    ]
    mappings = sections([mapped("Ops", "ops", "ops"), mapped("Dev", "dev", "dev")])
    made = report(objects, mappings)

    def able(namespace: str | None) -> dict[str, list[str]]:
        return {
            principal.username.text: [str(grant.binding) for grant in grants]
            for principal, grants in made.who_can(READ, namespace)
        }

    everywhere, local = ["ClusterRoleBinding/all"], ["RoleBinding/n/own"]
    assert able("n") == able(None) == {"dev": local, "ops": everywhere}
    assert able("other") == able("") == {"ops": everywhere}


def test_one_session_is_known_by_its_name() -> None:
    objects = [READER, binding("b", "reader", "User/dev:alice")]
    made = report(objects, sections([mapped("Dev", "dev:{{SessionName}}")]))
    can = {
        name: [link.how.value for link in standing.links]
        for name in ("alice", "bob")
        for _, standing in made.of(PrincipalArn.parse(DEV + name))
    }
    assert can == {"alice": ["name"], "bob": []}


def test_only_mappings_that_may_apply_are_given_for_an_arn() -> None:
    mappings = sections(
        [
            mapped("De*", "wide"),
            mapped("Dev", "second"),
            mapped("Dev", "plain"),
            mapped("Dev", "pinned", userid="AROAEXAMPLEEXAMPLE123"),
        ],
        accounts=["111122223333"],
    )
    made = report([], mappings)
    found = [principal.username.text for principal, _ in made.of(PrincipalArn.parse(DEV + "x"))]
    assert found == ["pinned"]
    (account,) = made.of(PrincipalArn.parse("arn:aws:iam::111122223333:user/bob"))
    assert account[0].kind == "account"


def test_entries_that_let_nobody_in_are_told_and_grant_nothing() -> None:
    mappings = sections(
        [
            mapped("A", "shadowed", "system:masters"),
            mapped("A", "last"),
            mapped("B", "old", "system:masters", expires="2001-01-01T00:00:00Z"),
            {"rolearn": "nonsense"},
        ]
    )
    found = entrants(mappings, time.time())
    assert [principal.username.text for principal in found.principals] == ["last"]
    assert [origin.index for origin in found.idle] == [0, 2]
    assert [problem.origin.index for problem in found.refused] == [3]


def test_an_entry_that_cannot_be_used_hides_wider_ones_from_its_callers() -> None:
    """The server refuses them, and the report gave them what the pattern grants."""
    mappings = sections([mapped("De*", "wide"), mapped("Dev", "{{Nonsense}}")])
    made = report([], mappings)
    assert made.of(PrincipalArn.parse(DEV + "x")) == ()
    other = PrincipalArn.parse((DEV + "x").replace("/Dev/", "/Deb/"))
    assert [principal.username.text for principal, _ in made.of(other)] == ["wide"]


def risks(*objects: Object, group: str = "g") -> dict[str, str]:
    """The risks of a member of one group."""
    made = report(objects, sections([mapped("Dev", "dev", group)]))
    ((_, standing),) = made.principals
    return {name: severity.word for name, severity in standing.risks.items()}


def granted(given_rule: Object, namespace: str = "") -> dict[str, str]:
    made = binding("b", "r", "Group/g", namespace=namespace, of="ClusterRole")
    return risks(role("r", given_rule), made)


_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("given_rule", "cluster", "namespace"),
    [
        pytest.param(rule("get", "secrets"), {"secrets-read": "high"}, {"secrets-read": "medium"}),
        pytest.param(rule("get", "secrets", names="one"), {}, {}, id="one secret"),
        pytest.param(rule("get list watch", "pods configmaps"), {}, {}, id="harmless"),
        pytest.param(rule("create", "pods/exec"), {"pods-exec": "high"}, {"pods-exec": "medium"}),
        pytest.param(rule("get", "pods/exec"), {"pods-exec": "high"}, {"pods-exec": "medium"}),
        pytest.param(rule("create", "pods"), {"workloads": "high"}, {"workloads": "medium"}),
        pytest.param(
            rule("patch", "daemonsets", "apps"), {"workloads": "high"}, {"workloads": "medium"}
        ),
        pytest.param(rule("get", "nodes/proxy"), {"nodes-proxy": "critical"}, {}),
        pytest.param(
            rule("create", "serviceaccounts/token"),
            {"token-create": "critical"},
            {"token-create": "medium"},
        ),
        pytest.param(rule("impersonate", "users"), {"impersonate": "critical"}, {}),
        pytest.param(
            rule("impersonate", "groups", names="system:masters"), {"impersonate": "critical"}, {}
        ),
        pytest.param(
            rule("impersonate", "users", names="root"),
            {"impersonate": "critical"},
            {},
            id="one user to impersonate",
        ),
        pytest.param(
            rule("update", "iamidentitymappings", "iamauthenticator.k8s.aws", names="one"),
            {"mappings-write": "critical"},
            {},
            id="one mapping",
        ),
        pytest.param(
            rule("patch", "mutatingwebhookconfigurations", _ADMISSION, names="one"),
            {"admission-write": "critical"},
            {},
            id="one webhook",
        ),
        pytest.param(
            rule("create", "serviceaccounts/token", names="one"),
            {"token-create": "critical"},
            {"token-create": "medium"},
            id="one service account",
        ),
        pytest.param(rule("escalate", "clusterroles", _RBAC), {"escalate": "critical"}, {}),
        pytest.param(
            rule("bind", "clusterroles", _RBAC, names="cluster-admin"),
            {"bind": "critical"},
            {"bind": "high"},
        ),
        pytest.param(
            rule("update", "configmaps", names="aws-auth"), {"mappings-write": "critical"}, {}
        ),
        pytest.param(
            rule("create", "iamidentitymappings", "iamauthenticator.k8s.aws"),
            {"mappings-write": "critical"},
            {},
        ),
        pytest.param(
            rule("update", "certificatesigningrequests/approval", "certificates.k8s.io"),
            {"certificates": "critical"},
            {},
        ),
        pytest.param(
            rule("patch", "mutatingwebhookconfigurations", _ADMISSION),
            {"admission-write": "critical"},
            {},
        ),
        pytest.param(rule("create", "persistentvolumes"), {"persistentvolumes": "high"}, {}),
        pytest.param(
            rule("create", "rolebindings", _RBAC), {"rbac-write": "high"}, {"rbac-write": "medium"}
        ),
        pytest.param(
            rule("*", "widgets", "example.com"),
            {"wildcard-verbs": "medium"},
            {"wildcard-verbs": "low"},
        ),
        pytest.param(rule("get", paths="*"), {}, {}, id="paths"),
    ],
)
def test_a_grant_has_its_risks(
    given_rule: Object, cluster: dict[str, str], namespace: dict[str, str]
) -> None:
    assert granted(given_rule) == cluster
    assert granted(given_rule, "shop") == namespace


def test_rights_in_kube_system_are_rights_over_the_cluster() -> None:
    assert granted(rule("get", "secrets"), "kube-system") == {"secrets-read": "high"}
    write = rule("update", "configmaps", names="aws-auth")
    assert granted(write, "kube-system") == {"mappings-write": "critical"}


def test_everything_is_every_risk_and_the_first_of_them() -> None:
    whole = granted(rule("*", "*", "*"))
    assert next(iter(whole)) == "cluster-admin"
    assert {"secrets-read", "bind", "mappings-write", "nodes-proxy"} < set(whole)


def test_members_of_system_masters_are_named_first() -> None:
    assert next(iter(risks(group="system:masters"))) == "masters"


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.id)
def test_every_risk_is_in_the_docs(risk: Risk) -> None:
    within = risk.within.word if risk.within else "-"
    cells = (f"`{risk.id}`", risk.title, risk.severity.word, within, risk.why)
    assert f"| {' | '.join(cells)} |" in _DOCS.read_text("utf-8").splitlines()


def test_a_name_that_may_be_chosen_is_a_risk_where_it_has_rights() -> None:
    mappings = sections([mapped("Dev", "dev:{{SessionName}}")])
    for subject, expected in (("User/dev:x", ["chosen-name"]), ("User/other", [])):
        ((_, standing),) = report([READER, binding("b", "reader", subject)], mappings).principals
        assert list(standing.risks) == expected


def test_the_document_says_once_what_many_share() -> None:
    objects = [READER, binding("b", "reader", "Group/g")]
    mappings = sections([mapped(f"r{number}", f"u{number}", "g") for number in range(100)])
    whole: dict[str, Any] = json.loads(
        json.dumps(document(report(objects, mappings), cluster="c", now=0))
    )
    assert len(whole["principals"]) == 100
    assert whole["standings"] == [{"subjects": {"Group/g": "name"}, "risks": {}}]
    assert whole["subjects"]["Group/g"]["bindings"] == ["ClusterRoleBinding/b"]
    assert whole["bindings"]["ClusterRoleBinding/b"]["role"] == "ClusterRole/reader"
    assert whole["roles"]["ClusterRole/reader"] == [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    ]
    assert whole["generated"] == "1970-01-01T00:00:00Z"


def test_the_document_tells_the_limits() -> None:
    made = report(
        [binding("b", "gone", "User/x")], sections([mapped("A", "a"), {"rolearn": "nonsense"}])
    )
    refused, dangling = document(made, cluster="c", now=0)["notes"]
    assert "mapRoles[1]" in refused
    assert "ClusterRoleBinding/b" in dangling


_TEXTS = st.text("ab:-.", max_size=4)
_PARTS = st.lists(st.one_of(_TEXTS, st.sampled_from(list(Placeholder))), min_size=1, max_size=4)
_ARNS = st.sampled_from(
    [
        "arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com",
        "arn:aws:sts::111122223333:assumed-role/Dev/i-0123456789abcdef0",
        "arn:aws:iam::111122223333:user/staff/Bob",
        "arn:aws:iam::111122223333:root",
        "arn:aws:sts::111122223333:federated-user/Carol",
    ]
)


@given(_PARTS, _ARNS, st.booleans())
def test_what_a_template_renders_is_among_its_names(
    parts: list[str | Placeholder], arn: str, known: bool
) -> None:
    """Whatever a login makes of a mapping, the report has foreseen it."""
    text = "".join(f"{{{{{p.value}}}}}" if isinstance(p, Placeholder) else p for p in parts)
    template = Template.parse(text or "x")
    identity = caller(arn)
    identity = type(identity)(identity.arn, identity.user_id, "ASIAEXAMPLEEXAMPLE12")
    rendered = template.render(identity, "ip-10-0-0-1.ec2.internal")
    described = (
        parts_of_arn(identity.arn) if known else parts_of_selector(by_arn(identity.canonical_arn))
    )
    names = Names.of(template, described)
    assert names.cover(rendered)
    assert rendered.casefold().startswith(names.head)
