"""EKS access entries: what is made of each, and what EKS cannot have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import table
from authenticator.editing.formats.conversion import Conversion, Note, Options, entry_for
from authenticator.mapping.nodes import DocumentError
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES, MAP_USERS

ROLE = "arn:aws:iam::111122223333:role/team/Dev"
USER = "arn:aws:iam::111122223333:user/bob"
NODES = ["system:bootstrappers", "system:nodes"]
POLICY = "arn:aws:eks::aws:cluster-access-policy/"
EVERYWHERE = {"type": "cluster", "namespaces": []}


def described(arn: str = ROLE, **more: Any) -> dict[str, Any]:
    """The answer of `aws eks describe-access-entry`."""
    return {"accessEntry": {"clusterName": "prod", "principalArn": arn, **more}}


def associated(*policies: tuple[str, dict[str, Any]], arn: str = ROLE) -> dict[str, Any]:
    """The answer of `aws eks list-associated-access-policies`."""
    listed = [{"policyArn": POLICY + name, "accessScope": scope} for name, scope in policies]
    return {"clusterName": "prod", "principalArn": arn, "associatedAccessPolicies": listed}


def imported(*values: object, **options: bool) -> Conversion:
    return table.read("\n".join(map(json.dumps, values)), Options(**options))


def remarks(conversion: Conversion) -> list[Note]:
    """The notes, without the one that every import has."""
    return [note for note in conversion.notes if note.subject]


@pytest.mark.parametrize(("tags", "told"), [({}, False), (None, False), ({"a": "b"}, True)])
def test_tags_are_spoken_of_if_there_are_any(tags: object, told: bool) -> None:
    assert bool(remarks(imported(described(type="STANDARD", username="x", tags=tags)))) is told


READ = {
    "standard": (
        described(type="STANDARD", username="dev:{{SessionName}}", kubernetesGroups=["a", "b"]),
        {"rolearn": ROLE, "username": "dev:{{SessionName}}", "groups": ["a", "b"]},
    ),
    "standard without groups": (
        described(type="STANDARD", username="dev", kubernetesGroups=[]),
        {"rolearn": ROLE, "username": "dev"},
    ),
    "the username that EKS sets for a role": (
        described(),
        {
            "rolearn": ROLE,
            "username": "arn:aws:sts::111122223333:assumed-role/Dev/{{SessionName}}",
        },
    ),
    "the username that EKS sets for a user": (
        described(USER),
        {"userarn": USER, "username": USER},
    ),
    "Linux nodes, whatever EKS says of their groups": (
        described(
            type="EC2_LINUX",
            username="system:node:{{EC2PrivateDNSName}}",
            kubernetesGroups=["system:nodes"],
        ),
        {"rolearn": ROLE, "username": "system:node:{{EC2PrivateDNSName}}", "groups": NODES},
    ),
    "Windows nodes": (
        described(type="EC2_Windows"),
        {
            "rolearn": ROLE,
            "username": "system:node:{{EC2PrivateDNSName}}",
            "groups": [*NODES, "eks:kube-proxy-windows"],
        },
    ),
    "Fargate": (
        described(type="FARGATE_LINUX"),
        {
            "rolearn": ROLE,
            "username": "system:node:{{SessionName}}",
            "groups": [*NODES, "system:node-proxier"],
        },
    ),
    "hybrid nodes": (
        described(type="HYBRID_LINUX"),
        {"rolearn": ROLE, "username": "system:node:{{SessionName}}", "groups": NODES},
    ),
}


@pytest.mark.parametrize(("value", "fields"), READ.values(), ids=READ)
def test_an_access_entry_becomes_an_entry(value: dict[str, Any], fields: dict[str, Any]) -> None:
    (entry,) = imported(value).entries
    assert dict(entry.fields) == fields


ONE = described(type="STANDARD", username="dev", kubernetesGroups=["a"])
TWO = described(USER, type="STANDARD", username="bob", kubernetesGroups=["a"])
WHOLES = {
    "one after another": (ONE, TWO),
    "a list": ([ONE, TWO],),
    "a list of bare entries": ([ONE["accessEntry"], TWO["accessEntry"]],),
    "under accessEntries": ({"accessEntries": [ONE["accessEntry"], TWO]},),
    "with policies beside": (ONE, associated(), TWO, associated(arn=USER)),
    "merged with policies": ({**ONE, **associated()}, {**TWO, "associatedAccessPolicies": []}),
}


@pytest.mark.parametrize("values", WHOLES.values(), ids=WHOLES)
def test_the_forms_in_which_entries_come(values: tuple[object, ...]) -> None:
    conversion = imported(*values)
    assert [entry.fields["username"] for entry in conversion.entries] == ["dev", "bob"]
    assert remarks(conversion) == []


def test_an_import_says_that_unique_ids_are_not_pinned() -> None:
    assert "userid" in imported(ONE).notes[0].text


POLICIES = {
    "administrator, not asked for": (
        ("AmazonEKSClusterAdminPolicy", EVERYWHERE), False, None, "--map-admin-policy",
    ),
    "administrator, asked for": (
        ("AmazonEKSClusterAdminPolicy", EVERYWHERE), True, ["system:masters"], "system:masters",
    ),
    "administrator of a namespace": (
        ("AmazonEKSClusterAdminPolicy", {"type": "namespace", "namespaces": ["x"]}),
        True, None, "namespaces x",
    ),
    "administrator of a scope that is not told": (
        ("AmazonEKSClusterAdminPolicy", {}), True, None, "not told",
    ),
    "a viewer": (("AmazonEKSViewPolicy", EVERYWHERE), True, None, "ClusterRole view"),
    "a policy of a namesake": (
        ("X/AmazonEKSClusterAdminPolicyX", EVERYWHERE), True, None, "a Role that grants",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "asked", "groups", "words"), POLICIES.values(), ids=POLICIES)
def test_access_policies(
    policy: tuple[str, dict[str, Any]], asked: bool, groups: list[str] | None, words: str
) -> None:
    entry = described(type="STANDARD", username="dev", kubernetesGroups=[])
    conversion = imported(entry, associated(policy), map_admin_policy=asked)
    assert conversion.entries[0].fields.get("groups") == groups
    (note,) = remarks(conversion)
    assert note.subject == ROLE
    assert words in note.text


LEFT_OUT = {
    "a type that works in EKS only": (described(type="EC2"), "EKS only"),
    "a type of tomorrow": (described(type="HYPERPOD_LINUX"), "EKS only"),
    "policies alone": (associated(), "describe-access-entry"),
    "no ARN of a principal": (described("arn:aws:s3:::bucket"), "not"),
    "groups that are no list": (described(kubernetesGroups="a"), "list"),
    "a group that would be filled in": (
        described(kubernetesGroups=["{{SessionName}}"]),
        "filled in",
    ),
    "a placeholder that we do not know": (described(username="{{Nope}}"), "placeholder"),
}


@pytest.mark.parametrize(("value", "words"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_cannot_be_used_is_left_out_and_noted(value: dict[str, Any], words: str) -> None:
    conversion = imported(value)
    assert conversion.entries == ()
    (note,) = remarks(conversion)
    assert note.left_out
    assert words in note.text


REFUSED = {
    "the ARNs alone": ({"accessEntries": [ROLE]}, "describe-access-entry"),
    "two entries for one principal": ([ONE, ONE], "two access entries"),
    "merged with the policies of another": ({**ONE, **associated(arn=USER)}, "has 2"),
    "no principal": ({"accessEntry": {"username": "x"}}, "principalArn"),
}


@pytest.mark.parametrize(("value", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_as_a_whole(value: object, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        imported(value)


def role(**fields: Any) -> MappingEntry:
    return entry_for(MAP_ROLES, **{"rolearn": ROLE, "username": "dev", **fields})


def user(**fields: Any) -> MappingEntry:
    return entry_for(MAP_USERS, **{"userarn": USER, "username": "bob", **fields})


WRITTEN = {
    "groups": (
        user(groups=["b", "a", "b"]),
        {
            "principalArn": USER,
            "type": "STANDARD",
            "username": "bob",
            "kubernetesGroups": ["b", "a"],
        },
    ),
    "no username": (
        role(username=""),
        {"principalArn": ROLE, "type": "STANDARD", "username": ROLE.replace("team/", "")},
    ),
    "the account filled in": (
        role(username="x:{{AccountID}}"),
        {"principalArn": ROLE, "type": "STANDARD", "username": "x:111122223333"},
    ),
    "a user's session, which is empty": (
        user(username="bob{{SessionName}}"),
        {"principalArn": USER, "type": "STANDARD", "username": "bob"},
    ),
    "nodes": (
        role(username="system:node:{{EC2PrivateDNSName}}", groups=NODES[::-1]),
        {"principalArn": ROLE, "type": "EC2_LINUX"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "value"), WRITTEN.values(), ids=WRITTEN)
def test_an_entry_becomes_the_input_of_create_access_entry(
    entry: MappingEntry, value: dict[str, Any]
) -> None:
    export = table.named("access-entries").write([entry], Options(cluster="prod"))
    assert json.loads(export.text) == {"clusterName": "prod", **value}
    assert not [note for note in export.notes if note.left_out]


NOT_WRITTEN = {
    "an account": (entry_for(MAP_ACCOUNTS, account="111122223333"), "whole account"),
    "a permission set": (
        entry_for(MAP_ROLES, sso={"permissionSetName": "A", "accountID": "111122223333"}),
        "permission sets",
    ),
    "a pattern": (role(rolearn="arn:aws:iam::111122223333:role/*"), "patterns"),
    "root": (user(userarn="arn:aws:iam::111122223333:root"), "IAM role or user"),
    "a federated user": (
        user(userarn="arn:aws:sts::111122223333:federated-user/bob"),
        "IAM role or user",
    ),
    "an end": (role(expires="2030-01-31T18:00:00Z"), "expires"),
    "a unique id": (role(userid="AROAEXAMPLE"), "AROAEXAMPLE"),
    "system:masters": (role(groups=["a", "system:masters"]), "AmazonEKSClusterAdminPolicy"),
    "another group of the system": (role(groups=["system:nodes"]), "system:nodes"),
    "a group with a placeholder": (role(groups=["g-{{AccountID}}"]), "placeholders in groups"),
    "a username of the system": (role(username="system:kube-scheduler"), "refuses the username"),
    "nodes of a user": (
        user(username="system:node:{{EC2PrivateDNSName}}", groups=NODES),
        "system:",
    ),
    "a placeholder that EKS does not know": (role(username="x:{{AccessKeyID}}"), "AccessKeyID"),
    "a session without a colon before it": (role(username="john{{SessionName}}"), "colon"),
    "a username that is empty": (user(username="{{SessionName}}"), "empty"),
    "what the server leaves out": (role(expires="tomorrow"), "RFC 3339"),
}


@pytest.mark.parametrize(("entry", "words"), NOT_WRITTEN.values(), ids=NOT_WRITTEN)
def test_what_eks_cannot_have_is_left_out_and_noted(entry: MappingEntry, words: str) -> None:
    export = table.named("access-entries").write([entry], Options(cluster="prod"))
    assert export.text == ""
    left_out = [note for note in export.notes if note.left_out]
    assert len(left_out) == 1
    assert words in left_out[0].text


def test_the_cluster_must_be_named() -> None:
    with pytest.raises(DocumentError, match="--cluster"):
        table.named("access-entries").write([role()], Options())
