"""Access entries of EKS as a document."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing.access_entries import AccessEntries, least_first, normal, portable
from authenticator.editing.editor import Editor
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.lockout import refusals
from authenticator.editing.principals import one

DEV = "arn:aws:iam::111122223333:role/team/Dev"
BOB = "arn:aws:iam::111122223333:user/bob"
POLICY = "arn:aws:eks::aws:cluster-access-policy"
ADMIN = {"policyArn": f"{POLICY}/AmazonEKSClusterAdminPolicy", "accessScope": {"type": "cluster"}}
NODES = ["EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2", "HYPERPOD_LINUX"]


def role(**fields: Any) -> MappingEntry:
    return MappingEntry("mapRoles", {"rolearn": DEV, **fields})


def added(**fields: Any) -> AccessEntries:
    return AccessEntries({}).edited(additions=[role(**fields)])


def scoped(name: str, *namespaces: str) -> dict[str, Any]:
    scope = {"type": "namespace", "namespaces": [*namespaces]}
    return {"policyArn": f"{POLICY}/{name}", "accessScope": scope}


def test_system_masters_is_the_policy_of_administrators() -> None:
    document = added(username="dev", groups=["a", "system:masters"])
    assert document.objects[DEV] == {
        "type": "STANDARD",
        "username": "dev",
        "kubernetesGroups": ["a"],
        "accessPolicies": [ADMIN],
    }
    (located,) = document.entries()
    assert located.entry == role(username="dev", groups=["a", "system:masters"])
    gone = document.edited(updates=[(located, {"groups": ["a"]})])
    assert "accessPolicies" not in gone.objects[DEV]


def test_an_administrators_policy_for_namespaces_is_not_system_masters() -> None:
    document = added(username="dev", accesspolicies=["AmazonEKSClusterAdminPolicy=a,b"])
    (located,) = document.entries()
    assert "groups" not in located.entry.fields
    assert located.entry.fields["accesspolicies"] == ["AmazonEKSClusterAdminPolicy=a,b"]


@pytest.mark.parametrize("scope", [{}, {"type": "namespace"}, {"type": "new"}])
def test_a_scope_that_does_not_say_cluster_is_never_taken_for_it(scope: dict[str, Any]) -> None:
    association = {"policyArn": ADMIN["policyArn"], "accessScope": scope}
    obj = normal({"type": "STANDARD", "username": "dev"}, [association])
    (located,) = AccessEntries({DEV: obj}).entries()
    assert "groups" not in located.entry.fields


def test_the_guards_know_the_policy_of_administrators() -> None:
    before = added(username="dev", groups=["system:masters"])
    after = before.edited(updates=[(before.entries()[0], {"groups": None})])
    found = refusals(before.sections(), after.sections(), Editor("ann"), time.time())
    assert [refusal.id for refusal in found] == ["last-administrator"]


def test_the_guards_know_the_editor() -> None:
    editor = Editor("x", arn="arn:aws:sts::111122223333:assumed-role/Dev/ann")
    before = added(username="dev:{{SessionName}}", groups=["a"])
    found = refusals(before.sections(), AccessEntries({}).sections(), editor, time.time())
    assert [refusal.id for refusal in found] == ["own-access"]


@pytest.mark.parametrize("kind", NODES)
def test_the_guards_know_every_type_of_nodes(kind: str) -> None:
    before = added(type=kind)
    assert before.objects[DEV] == {"type": kind}
    found = refusals(before.sections(), AccessEntries({}).sections(), Editor("ann"), time.time())
    assert [refusal.id for refusal in found] == ["node-roles"]


def test_the_words_of_aws_auth_for_nodes_become_their_type() -> None:
    groups = ["system:bootstrappers", "system:nodes"]
    document = added(username="system:node:{{EC2PrivateDNSName}}", groups=groups)
    assert document.objects[DEV] == {"type": "EC2_LINUX"}


def test_tags_are_kept() -> None:
    document = AccessEntries({DEV: {"type": "STANDARD", "username": "x", "tags": {"team": "data"}}})
    changed = document.edited(updates=[(document.entries()[0], {"username": "y"})])
    assert changed.objects[DEV] == {"type": "STANDARD", "username": "y", "tags": {"team": "data"}}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"expires": "2099-01-01T00:00:00Z"}, "does not end by itself"),
        ({"userid": "AROA"}, "pins the unique id"),
        ({"groups": ["system:authenticated-by-me"]}, "EKS refuses the group"),
        ({"groups": ["{{AccountID}}"]}, "no placeholders in groups"),
        ({"username": "eks:x"}, "EKS refuses the username"),
        ({"username": "dev-{{SessionName}}"}, "a colon before"),
        ({"accesspolicies": ["AmazonEKSViewPolicy="]}, "NAME=NAMESPACE"),
        ({"accesspolicies": ["AmazonEKSViewPolicy", "AmazonEKSViewPolicy=a"]}, "two scopes"),
        ({"type": "EC2_MACOS"}, "not known"),
    ],
)
def test_what_eks_would_refuse(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(EditError, match=why):
        added(**{"username": "dev", **fields})
    document = added(username="dev")
    if "type" not in fields:
        with pytest.raises(EditError, match=why):
            document.edited(updates=[(document.entries()[0], fields)])


def test_nodes_have_neither_names_nor_policies() -> None:
    with pytest.raises(EditError, match="leave out --username"):
        added(type="EC2_LINUX", username="x")
    with pytest.raises(EditError, match="no access policies"):
        added(type="EC2_LINUX", accesspolicies=["AmazonEKSViewPolicy"])
    document = added(type="EC2", accesspolicies=["AmazonEKSAutoNodePolicy"])
    (association,) = document.objects[DEV]["accessPolicies"]
    assert association["policyArn"].endswith("/AmazonEKSAutoNodePolicy")


def test_the_type_cannot_be_changed() -> None:
    document = added(username="dev")
    fields = {
        "username": "system:node:{{EC2PrivateDNSName}}",
        "groups": ["system:bootstrappers", "system:nodes"],
    }
    with pytest.raises(EditError, match="cannot change the type"):
        document.edited(updates=[(document.entries()[0], fields)])


def test_a_type_that_is_not_known_is_kept() -> None:
    obj = normal({"type": "NEW", "username": "x", "kubernetesGroups": ["g"]}, [])
    document = AccessEntries({DEV: obj})
    assert AccessEntries.from_texts(document.texts) == document
    assert document.entries()[0].entry == role(username="x", groups=["g"], type="NEW")


def test_what_cannot_be_an_access_entry_is_named() -> None:
    account = MappingEntry("mapAccounts", {"account": "111122223333"})
    kept, notes = portable([role(username="dev", groups=["system:masters"]), account])
    assert [entry.principal for entry in kept] == [DEV]
    assert ["cannot map a whole account" in note.text for note in notes] == [True]


def test_the_least_privilege_comes_first() -> None:
    view, edit = scoped("AmazonEKSViewPolicy", "a"), scoped("AmazonEKSEditPolicy", "a")
    wide = {"policyArn": f"{POLICY}/AmazonEKSViewPolicy", "accessScope": {"type": "cluster"}}
    assert least_first([ADMIN, wide, edit, view]) == [view, edit, wide, ADMIN]


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "1", "{", '{"principalArn": "x"}', '{"username": 5}', '{"kubernetesGroups": "a"}'),
        *('{"accessPolicies": [{}]}', '{"accessPolicies": {"a": 1}}', '{"tags": {"a": 1}}'),
        '{"accessPolicies": [{"policyArn": "x", "accessScope": {"type": 1}}]}',
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        AccessEntries.from_texts({DEV: text})


_names = st.text("abcxyz-", min_size=1, max_size=5)


@given(
    st.fixed_dictionaries(
        {"username": _names},
        optional={
            "groups": st.lists(_names | st.just("system:masters"), min_size=1, unique=True),
            "accesspolicies": st.lists(
                st.sampled_from(["AmazonEKSViewPolicy", "AmazonEKSEditPolicy=a,b"]),
                min_size=1,
                unique=True,
            ),
        },
    )
)
def test_a_document_is_what_its_texts_say(fields: dict[str, Any]) -> None:
    document = added(**fields)
    again = AccessEntries.from_texts(json.loads(json.dumps(dict(document.texts))))
    assert again == document
    # The entry that is read makes the same object.
    located = one(document.entries(), DEV)
    assert AccessEntries({}).edited(additions=[located.entry]) == document
