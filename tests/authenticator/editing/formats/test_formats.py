"""The table of formats, and what each reads and writes."""

from __future__ import annotations

import json

import pytest
import yaml

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import table
from authenticator.editing.formats.conversion import Options, entry_for
from authenticator.mapping.nodes import DocumentError
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES, MAP_USERS

ROLE = "arn:aws:iam::111122223333:role/Dev"
USER = "arn:aws:iam::111122223333:user/bob"
OPTIONS = Options(cluster="prod", region="eu-west-1")
DEV = entry_for(MAP_ROLES, rolearn=ROLE, username="dev", groups=["a", "b"])
BOB = entry_for(MAP_USERS, userarn=USER, username="bob")
ACCOUNT = entry_for(MAP_ACCOUNTS, account="012345678901")
SPEC = f"spec: {{arn: '{ROLE}', username: dev, groups: [a, b]}}"
# HCL is written only.
READ = [name for name in table.NAMES if name != "terraform"]
VARIABLES = {
    "aws_auth_roles": [{"rolearn": ROLE, "username": "dev", "groups": ["a", "b"]}],
    "aws_auth_users": [{"userarn": USER, "username": "bob", "groups": []}],
    "aws_auth_accounts": ["012345678901"],
}
CLUSTER = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: x}\n"

DOCUMENTS: dict[str, tuple[str, list[MappingEntry]]] = {
    "a ConfigMap": (
        ("kind: ConfigMap\nmetadata: {name: aws-auth}\ndata:\n  mapRoles: |\n"
        f"    - rolearn: {ROLE}\n      username: dev\n      groups: [a, b]\n"
        "  mapAccounts: |\n    - 012345678901\n"),
        [DEV, ACCOUNT],
    ),
    "a ConfigMap as JSON": (
        json.dumps({"kind": "ConfigMap", "data": {"mapUsers": json.dumps([dict(BOB.fields)])}}),
        [BOB],
    ),
    "a mapping file": (f"mapusers:\n- {{UserARN: '{USER}', username: bob}}", [BOB]),
    "a config file of the server": (
        f"clusterID: x\nserver:\n  port: 1\n  mapUsers:\n  - {{userarn: '{USER}', username: bob}}",
        [BOB],
    ),
    "a dynamic file": (json.dumps({"mapAccounts": ["012345678901"]}), [ACCOUNT]),
    "a custom resource": (f"kind: IAMIdentityMapping\nmetadata: {{name: x}}\n{SPEC}", [DEV]),
    "custom resources in documents": (
        (f"# two\n---\nkind: IAMIdentityMapping\nmetadata: {{name: b}}\n{SPEC}\n"
        "---\nkind: IAMIdentityMapping\nmetadata: {name: a}\n"
        f"spec: {{arn: '{USER}', username: bob}}\n"),
        [DEV, BOB],
    ),
    "custom resources in a list": (
        "kind: List\nitems:\n- kind: IAMIdentityMapping\n  metadata: {name: x}\n  " + SPEC,
        [DEV],
    ),
    "an eksctl ClusterConfig": (
        (f"{CLUSTER}iamIdentityMappings:\n- {{arn: '{ROLE}', username: dev, groups: [a, b],"
        f" noDuplicateARNs: true}}\n- arn: {USER}\n  username: bob\n- account: 012345678901\n"),
        [DEV, BOB, ACCOUNT],
    ),
    "eksctl get iamidentitymapping": (
        json.dumps(
            [
                {"rolearn": ROLE, "username": "dev", "groups": ["a", "b"]},
                {"userarn": USER, "username": "bob"},
                {"account": "012345678901"},
            ]
        ),
        [DEV, BOB, ACCOUNT],
    ),
    "terraform.tfvars.json": (json.dumps({"region": "x", **VARIABLES}), [DEV, BOB, ACCOUNT]),
    "terraform output -json": (
        json.dumps(
            {
                name: {"sensitive": False, "type": ["list", "any"], "value": value}
                for name, value in VARIABLES.items()
            }
        ),
        [DEV, BOB, ACCOUNT],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "entries"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_known_by_itself(text: str, entries: list[MappingEntry]) -> None:
    found = table.read(text, Options())
    assert list(found.entries) == entries
    assert found.notes == ()


REFUSED = {
    "a chart of Helm": ("mapRoles:\n{{- range .Values.roles }}\n- {}\n", "", "helm template"),
    "nothing": ("", "aws-auth", "empty"),
    "nothing but a comment": ("# x", "", "empty"),
    "something else": ("kind: Pod", "", "--format"),
    "words": ("hello", "", "--format"),
    "broken JSON": ('{"a":\n ]', "", "line 2: it is not JSON"),
    "a key twice": ('{"mapRoles": [], "mapRoles": []}', "", "'mapRoles' stands twice"),
    "JSON that is too deep": ("[" * 100_000, "", "nested"),
    "broken YAML in a later document": ("a: 1\n---\nb: [\n", "", "line 4"),
    "a ConfigMap without mappings": ("kind: ConfigMap\ndata: {a: b}", "", "mapRoles"),
    "a section that is no list": ("mapRoles: {a: b}", "", "mapRoles: it must be a list"),
    "an entry that is no map": ("mapRoles: [a]", "", "must be a map"),
    "mappings of another kind among ours": (
        "kind: IAMIdentityMapping\nmetadata: {name: x}\n---\nkind: Secret\ndata: {mapRoles: a}\n",
        "",
        "line 4: an object of kind Secret is not read",
    ),
    "no mappings for eksctl": (CLUSTER, "eksctl", "iamIdentityMappings"),
    "no mappings for Terraform": ('{"a": 1}', "terraform-json", "aws_auth_roles"),
    "HCL": ("# x\naws_auth_roles = []", "", "line 2: HCL cannot be read"),
    "HCL of an older module": ('map_accounts = ["012345678901"]', "", "`terraform output -json`"),
    "HCL by name": ("aws_auth_roles = []", "terraform", "`terraform output -json`"),
}


@pytest.mark.parametrize(("text", "name", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused(text: str, name: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        table.read(text, Options(), name)
    assert words in str(caught.value)


LEFT_OUT = {
    "an account of Terraform": (
        "mapRoles: [{rolearn: 'arn:aws:iam::${account}:role/x', username: x}]",
        "render it with Terraform",
    ),
    "a user of a template": (
        f"mapRoles: [{{rolearn: '{ROLE}', username: '${{user}}'}}]",
        "render it with Terraform",
    ),
    "a typed narrowing key": (
        f"mapRoles: [{{rolearn: '{ROLE}', expire: '2030-01-31T18:00:00Z'}}]",
        "expires",
    ),
    "no ARN": ("mapRoles: [{username: x}]", "names nobody"),
    "an account that lost its zero": ("mapAccounts: [12345678901]", "leading zero"),
    "a service of AWS": (
        f"{CLUSTER}iamIdentityMappings: [{{serviceName: emr-containers, namespace: x}}]",
        "serviceName",
    ),
    "an unknown key for eksctl": (
        f"{CLUSTER}iamIdentityMappings: [{{arn: '{ROLE}', groupz: [x]}}]",
        "groupz",
    ),
    "an account and an ARN": (
        f"{CLUSTER}iamIdentityMappings: [{{arn: '{ROLE}', account: '012345678901'}}]",
        "either",
    ),
    "a custom resource for nobody": (
        "kind: IAMIdentityMapping\nmetadata: {name: x}\nspec: {arn: nonsense, username: y}",
        "spec.arn",
    ),
}


@pytest.mark.parametrize(("text", "words"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_an_entry_that_cannot_be_used_is_left_out_and_noted(text: str, words: str) -> None:
    found = table.read(text, Options())
    assert found.entries == ()
    (note,) = found.notes
    assert note.left_out
    assert words in str(note)


@pytest.mark.parametrize("name", READ)
def test_all_formats_say_a_plain_entry_and_read_it_back(name: str) -> None:
    export = table.named(name).write([DEV, BOB], OPTIONS)
    assert export.notes == ()
    assert table.read(export.text, Options()).entries == (DEV, BOB)


@pytest.mark.parametrize("name", ["aws-auth", "eksctl", "terraform-json"])
def test_a_document_without_entries_is_one(name: str) -> None:
    assert table.read(table.named(name).write([], OPTIONS).text, Options()).entries == ()


CONDITIONS = {
    "proof": "jwt",
    "organization": "o-abcd1234ef",
    "organizationalUnit": "ou-ab12-11111111",
    "principalTags": {"Team": "data"},
}


def test_an_access_entry_has_no_conditions() -> None:
    fields = {"rolearn": ROLE, "username": "x", "organization": "o-abcd1234ef"}
    export = table.named("access-entries").write([MappingEntry(MAP_ROLES, fields)], OPTIONS)
    assert [note.left_out for note in export.notes] == [True]
    assert "organization: o-abcd1234ef" in export.notes[0].text
    assert ROLE not in export.text


@pytest.mark.parametrize("name", ["aws-auth", "crd"])
def test_conditions_are_written_and_read_back(name: str) -> None:
    entry = MappingEntry(MAP_ROLES, {"rolearn": ROLE, "username": "x", **CONDITIONS})
    text = table.named(name).write([entry], OPTIONS).text
    (again,) = table.read(text, OPTIONS).entries
    assert dict(again.fields) == dict(entry.fields)


def test_a_config_map_is_one_that_kubernetes_takes() -> None:
    made = yaml.safe_load(table.named("aws-auth").write([DEV, ACCOUNT], OPTIONS).text)
    assert (made["kind"], made["metadata"]["name"]) == ("ConfigMap", "aws-auth")
    assert yaml.safe_load(made["data"]["mapRoles"]) == [dict(DEV.fields)]
    assert made["data"]["mapUsers"] == "[]"
    assert yaml.safe_load(made["data"]["mapAccounts"]) == ["012345678901"]


@pytest.mark.parametrize("name", ["eksctl", "terraform", "terraform-json"])
@pytest.mark.parametrize("key", ["userid", "expires", "sso", *CONDITIONS])
def test_what_other_tools_have_no_place_for_is_left_out(name: str, key: str) -> None:
    sso = {"permissionSetName": "A", "accountID": "111122223333"}
    values = {"userid": "AROAEXAMPLE", "expires": "2030-01-31T18:00:00Z", **CONDITIONS}
    fields = {"sso": sso} if key == "sso" else {"rolearn": ROLE, key: values[key]}
    export = table.named(name).write(
        [MappingEntry(MAP_ROLES, {**fields, "username": "x"})], OPTIONS
    )
    assert [note.left_out for note in export.notes] == [True]
    assert ROLE not in export.text
    assert "username" not in export.text


def test_what_only_this_authenticator_understands_is_written_and_noted() -> None:
    pattern = entry_for(MAP_ROLES, rolearn=f"{ROLE}*")
    export = table.named("eksctl").write([pattern], OPTIONS)
    words = " ".join(note.text for note in export.notes)
    assert "no patterns" in words
    assert "{{CanonicalARN}}" in words
    assert not any(note.left_out for note in export.notes)
    assert len(table.read(export.text, Options()).entries) == 1


@pytest.mark.parametrize("options", [Options(), Options(cluster="x"), Options(region="x")])
def test_eksctl_wants_cluster_and_region(options: Options) -> None:
    with pytest.raises(DocumentError, match="--cluster and --region"):
        table.named("eksctl").write([DEV], options)
