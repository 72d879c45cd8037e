"""One file, one answer: every verb reads the same mappings in it, or says that it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from authenticator.admin.access.reading import mappings_of_file
from authenticator.admin.in_force import of_file
from authenticator.admin.mappings.wanted import converted, wanted_from
from authenticator.admin.stores.file import FileStore
from authenticator.editing.edits import EditError
from authenticator.editing.formats.checking import check
from authenticator.editing.formats.conversion import Options
from authenticator.editing.listing import listing
from authenticator.errors import ConfigError
from authenticator.lint import Context, documents_of_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.rules import Rule

ROLE = "arn:aws:iam::111122223333:role/dev"
USER = "arn:aws:iam::111122223333:user/alice"
DEV = (ROLE, "dev", "on")
ALICE = (USER, "alice", "")
ODD = (ROLE, "012345670", "on")
ENTRY = f"- rolearn: {ROLE}\n  username: dev\n  groups: [on]\n"


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth}\ndata:\n"
    f"  mapRoles: |\n{indented(ENTRY, 4)}"
)
RESOURCE = (
    "apiVersion: iamauthenticator.k8s.aws/v1alpha1\nkind: IAMIdentityMapping\n"
    f"metadata: {{name: alice}}\nspec:\n  arn: {USER}\n  username: alice\n"
)
CONFIG = f"clusterID: c\nserver:\n  mapRoles:\n{indented(ENTRY, 2)}"
OTHER = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\n"

FILES: dict[str, tuple[str, set[tuple[str, str, str]]]] = {
    "a mapping file": (f"mapRoles:\n{ENTRY}", {DEV}),
    "a config file": (CONFIG, {DEV}),
    "aws-auth": (MAP, {DEV}),
    "a List with aws-auth": (
        f"apiVersion: v1\nkind: List\nitems:\n- {indented(MAP, 2).lstrip()}",
        {DEV},
    ),
    "IAMIdentityMapping": (RESOURCE, {ALICE}),
    "a list of them by their kind": (
        (
            "kind: IAMIdentityMappingList\nitems:\n- metadata: {name: alice}\n"
            f"  spec: {{arn: '{USER}', username: alice}}\n"
        ),
        {ALICE},
    ),
    "both, with --- and other objects": (f"{MAP}---\n{OTHER}---\n{RESOURCE}", {DEV, ALICE}),
    "names that YAML takes for numbers": (
        f"mapRoles:\n- rolearn: {ROLE}\n  username: 012345670\n  groups: [on]\n",
        {ODD},
    ),
    "the same in a custom resource": (
        RESOURCE.replace(USER, ROLE).replace(
            "username: alice", "username: 012345670\n  groups: [on]"
        ),
        {ODD},
    ),
    "a config file in a ConfigMap": (
        f"kind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  config.yaml: |\n{indented(CONFIG, 4)}",
        {DEV},
    ),
    "JSON": (
        json.dumps({"mapRoles": [{"rolearn": ROLE, "username": "dev", "groups": ["on"]}]}),
        {DEV},
    ),
    "JSON of a List": (
        json.dumps(
            {
                "kind": "List",
                "items": [
                    {
                        "kind": "ConfigMap",
                        "metadata": {"name": "aws-auth", "namespace": "kube-system"},
                        "data": {"mapRoles": ENTRY},
                    }
                ],
            }
        ),
        {DEV},
    ),
    "a trailing ---": (f"mapRoles:\n{ENTRY}---\n", {DEV}),
}
ERRORS = {
    "nothing that is understood": "hello: world\n",
    "another case of the kind": MAP.replace("ConfigMap", "Configmap"),
    "a Secret": MAP.replace("ConfigMap", "Secret"),
    "another ConfigMap": MAP.replace("aws-auth", "other"),
    "binaryData": "kind: ConfigMap\nmetadata: {name: aws-auth}\nbinaryData: {mapRoles: AAAA}\n",
    "a section that is no list": "mapRoles: dev\n",
    "a section that does not parse": MAP.replace("- rolearn", "- [rolearn"),
    "sections as lists in a ConfigMap": (
        f"kind: ConfigMap\ndata:\n  mapRoles:\n{indented(ENTRY, 2)}"
    ),
    "no YAML": "mapRoles: [\n",
    "two of aws-auth": f"{MAP}---\n{MAP}",
}


def seen(rules: Iterable[Rule | None]) -> set[tuple[str, str, str]]:
    return {
        (
            rule.selector.key if rule.selector else "",
            "".join(map(str, rule.match.username.parts)),
            ",".join(str(part) for group in rule.match.groups for part in group.parts),
        )
        for rule in rules
        if rule
    }


def by_lint(path: Path) -> set[tuple[str, str, str]]:
    documents = documents_of_file(path.read_bytes(), str(path), Context())
    problems = [found for document in documents for found in document.findings]
    if problems:
        raise ConfigError(tuple(map(str, problems)))
    return seen(entry.rule for document in documents for entry in document.entries)


def by_access(path: Path) -> set[tuple[str, str, str]]:
    return seen(rule for section in mappings_of_file(str(path)) for rule in section.rules)


def by_explain(path: Path) -> set[tuple[str, str, str]]:
    return seen(of_file(str(path), Guard()).rules)


def by_import(path: Path) -> set[tuple[str, str, str]]:
    return seen(usable.rule for usable in check(converted(str(path), Options()).entries)[0])


def by_apply(path: Path) -> set[tuple[str, str, str]]:
    return seen(usable.rule for usable in check(wanted_from(str(path)).entries)[0])


def by_list(path: Path) -> set[tuple[str, str, str]]:
    found = listing(FileStore(path).read().document, time.time())
    if found.problems:
        raise ConfigError(found.problems)
    arns = {(row.principal.lower(), row.username, ",".join(row.groups)) for row in found.rows}
    if not arns:
        raise ConfigError(("no entries",))
    return arns


VERBS: dict[str, Callable[[Path], set[tuple[str, str, str]]]] = {
    "lint": by_lint,
    "access": by_access,
    "explain": by_explain,
    "import": by_import,
    "apply": by_apply,
    "list": by_list,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
def test_every_verb_reads_the_same_mappings(
    tmp_path: Path, verb: str, text: str, expected: set[tuple[str, str, str]]
) -> None:
    """Five readers gave five answers; for one of them the caller had no mapping."""
    path = tmp_path / "mappings.yaml"
    path.write_text(text)
    assert VERBS[verb](path) == expected


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("text", ERRORS.values(), ids=ERRORS)
def test_what_is_not_understood_is_an_error_in_every_verb(
    tmp_path: Path, verb: str, text: str
) -> None:
    path = tmp_path / "mappings.yaml"
    path.write_text(text)
    with pytest.raises((ConfigError, EditError)):
        VERBS[verb](path)


def test_eksctl_reads_its_keys_in_any_case_and_so_do_we(tmp_path: Path) -> None:
    """Its example 35 lost both of its ARNs, with exit code 0."""
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: c, region: r}\n"
        f"iamIdentityMappings:\n- ARN: {ROLE}\n  Username: dev\n  groups: [on]\n"
        f"  noDuplicateArns: true\n- arn: {USER}\n  userName: alice\n  noDuplicateARNs: true\n"
    )
    assert by_import(path) == {DEV, ALICE}


def test_an_entry_that_cannot_be_used_takes_those_behind_it_along(tmp_path: Path) -> None:
    """The server refuses the role; imported, the first entry would have come alive."""
    path = tmp_path / "mappings.yaml"
    path.write_text(
        f"mapRoles:\n- rolearn: {ROLE}\n  username: admin\n  groups: [system:masters]\n"
        f"- rolearn: {ROLE}\n  username: '{{{{Nonsense}}}}'\n"
        f"- rolearn: {ROLE}s\n  username: devs\n"
    )
    found = converted(str(path), Options())
    assert [entry.fields["rolearn"] for entry in found.entries] == [f"{ROLE}s"]
    assert any("comes first and is left out" in str(note) for note in found.notes)
