"""Files of all kinds: which documents they hold, and on which line and column a finding stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authenticator.lint import lint_data, lint_file, lint_identity

ROLE = "arn:aws:iam::111122223333:role/Dev"
MANIFEST = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: aws-auth, namespace: kube-system}}
data:
  mapRoles: |
    # comment

    - rolearn: {ROLE}
      username: dev
    - rolearn: {ROLE[:-4]}
      username: x
  mapUsers: |2-
      - userarn: nobody
        username: x
  mapAccounts: "- 123\\n- 456\\n"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: other}}
---
apiVersion: iamauthenticator.k8s.aws/v1alpha1
kind: IAMIdentityMapping
metadata: {{name: ops}}
spec:
  arn: Ops
  username: ops
"""


def places(content: str) -> list[tuple[str, int, int, int]]:
    """Section, index, line and column of each finding, with the place checked against the text."""
    return [
        (found.place.section, found.place.index, found.place.line, found.place.column)
        for found in lint_file(content.encode(), "x.yaml")
    ]


def test_findings_stand_on_the_lines_of_the_manifest() -> None:
    assert places(MANIFEST) == [
        ("mapRoles", 1, 10, 16),
        ("mapUsers", 0, 13, 18),
        # The lines of a text in quotes are not those of the file: where it begins.
        ("mapAccounts", 0, 15, 16),
        ("mapAccounts", 1, 15, 16),
        ("ops", -1, 25, 8),
    ]
    lines = MANIFEST.split("\n")
    assert lines[9][15:] == ROLE[:-4]
    assert lines[12][17:] == "nobody"
    assert lines[24][7:] == "Ops"


def test_what_messages_quote_is_the_line_of_the_manifest_too() -> None:
    twice = MANIFEST.replace(f"rolearn: {ROLE[:-4]}\n", f"rolearn: {ROLE}\n")
    message = lint_file(twice.encode(), "x.yaml")[0].message
    assert (
        message
        == "it never applies, since x.yaml mapRoles[1], line 10 names the same and comes first"
        " and grants something else; keep one of the two"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [\n", ("", -1, 2, 1)),
        ("mapRoles: [\n", ("", -1, 2, 1)),
        ("- a\n", ("", -1, 1, 1)),
        ("mapRoles:\n  a: b\n", ("mapRoles", -1, 2, 3)),
        ("mapRole: []\n", ("mapRole", -1, 1, 10)),
        ("mapRoles: []\n---\nmapRoles: []\n", ("", -1, 3, 0)),
        ("mapRoles:\n- a\n", ("mapRoles", 0, 2, 3)),
        ("server:\n  mapRoles:\n  - a\n", ("mapRoles", 0, 3, 5)),
        ('{"mapRoles": [{"rolearn": "x", "username": "a"}]}', ("mapRoles", 0, 1, 27)),
        ("kind: ConfigMap\ndata:\n  mapRoles: |\n    - a: [\n", ("mapRoles", -1, 5, 5)),
        ("kind: ConfigMap\ndata:\n  mapRoles:\n  - rolearn: x\n", ("mapRoles", -1, 4, 3)),
        ("kind: ConfigMap\nbinaryData:\n  mapRoles: AA==\n", ("mapRoles", -1, 3, 13)),
        ("kind: ConfigMap\ndata:\n  mapRole: |\n    []\n", ("mapRole", -1, 4, 0)),
    ],
)
def test_where_a_document_or_a_section_is_wrong(
    content: str, expected: tuple[str, int, int, int]
) -> None:
    assert places(content) == [expected]


@pytest.mark.parametrize("content", ["", "# nothing\n", "{}", "clusterID: x\n", "kind: Secret\n"])
def test_a_file_without_any_mapping_is_a_warning(content: str) -> None:
    """Lint was green on what it had not read."""
    (finding,) = lint_file(content.encode(), "x.yaml")
    assert finding.rule.id == "no-mappings"


NOT_READ = {
    "another case of the kind": "kind: Configmap\ndata: {mapRoles: '[]'}\n",
    "a Secret": "kind: Secret\nstringData: {mapRoles: '[]'}\n",
    "another ConfigMap": "kind: ConfigMap\nmetadata: {name: x}\ndata: {mapRoles: '[]'}\n",
    "a document without kind": "kind: ConfigMap\n---\nmapRoles: []\n",
    "two of them": "kind: ConfigMap\n---\nkind: ConfigMap\n",
    "binary": "kind: ConfigMap\nbinaryData: {mapRoles: AAAA}\n",
    "a list of something else": "kind: List\nitems: x\n",
    "a config file that does not parse": (
        "kind: ConfigMap\nmetadata: {name: x}\ndata: {config.yaml: '['}\n"
    ),
}


@pytest.mark.parametrize("content", NOT_READ.values(), ids=NOT_READ)
def test_what_looks_like_mappings_and_is_not_read_is_an_error(content: str) -> None:
    assert [found.rule.id for found in lint_file(content.encode(), "x.yaml")] == ["unreadable"]


def test_a_config_file_in_a_config_map_is_read_where_it_stands() -> None:
    content = f"""\
kind: ConfigMap
metadata: {{name: aws-iam-authenticator}}
data:
  config.yaml: |
    clusterID: x
    server:
      mapRoles:
        - rolearn: {ROLE}
          username: dev
        - rolearn: nobody
"""
    assert places(content) == [("mapRoles", 1, 10, 20)]


def test_text_that_is_not_utf_8() -> None:
    (finding,) = lint_file(b"mapRoles: []\n# \xff\n", "x.yaml")
    assert str(finding) == "x.yaml:2: error: it is not UTF-8; save it as UTF-8 [unreadable]"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_end_as_yaml_has_them(line_break: str) -> None:
    lines = ["kind: ConfigMap", "# a", "data:", "  mapRoles: |", "    - a", ""]
    assert places(line_break.join(lines)) == [("mapRoles", 0, 5, 7)]


def test_a_custom_resource_without_spec() -> None:
    assert places("\nkind: IAMIdentityMapping\nmetadata: {name: a}\n") == [("a", -1, 2, 1)]


@pytest.mark.parametrize(
    "content",
    [
        'kind: IAMIdentityMapping\nmetadata: {name: "a\\e[2J\\n::error::b"}\nspec: {arn: x}\n',
        '"mapRole\\e": []\n',
        'kind: ConfigMap\ndata: {"mapRole\\n": "[]"}\n',
    ],
    ids=["the name of a resource", "a mistyped section", "a mistyped key of a ConfigMap"],
)
def test_no_finding_hands_a_terminal_what_it_obeys(content: str) -> None:
    (finding,) = lint_file(content.encode(), "x.yaml")
    assert str(finding).isprintable()


def test_a_list_as_kubectl_prints_it() -> None:
    spec = {"arn": "x", "username": "a"}
    items: list[dict[str, Any]] = [
        {"kind": "ConfigMap", "data": {"mapRoles": "- a"}},
        {"kind": "IAMIdentityMapping", "metadata": {"name": "b"}, "spec": spec},
    ]
    found = lint_file(json.dumps({"kind": "List", "items": items}).encode(), "-")
    assert [finding.place.entry for finding in found] == ["mapRoles[0]", "b"]


def test_data_of_the_cluster_has_the_lines_of_each_value() -> None:
    (finding,) = lint_data({"mapRoles": f"\n- rolearn: {ROLE}/\n  username: a"}, "aws-auth")
    assert str(finding).startswith("aws-auth:2:12: error: mapRoles[0]: rolearn: its resource")


def test_a_custom_resource_has_no_lines() -> None:
    (finding,) = lint_identity("ops", {"arn": "x", "username": "a"})
    assert str(finding).startswith("iamidentitymapping/ops: error: ops: arn: it is not of the form")


def test_hints_for_what_people_write_instead() -> None:
    entries = [
        {"rolearn": "arn:aws:iam::111122223333:policy/Admin", "username": "a"},
        {"role_arn": ROLE, "username": "a"},
    ]
    found = lint_data({"mapRoles": json.dumps(entries)}, "x")
    assert "a policy is no principal" in found[0].message
    assert "role_arn is Terraform's spelling: use rolearn" in found[1].message
