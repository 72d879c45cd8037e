"""What is wrong with mappings, or likely not what was meant: rules, each with an id.

Pure: bytes, values and the time go in; findings come out. The rules are in
`authenticator.lint.rules` and explained in docs/lint.md; what the server refuses or notes is what
its own reader says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from authenticator.lint.documents import Context, Document, of_data
from authenticator.lint.entries import check_entry
from authenticator.lint.findings import Finding, Place
from authenticator.lint.manifests import documents_of_file, documents_of_object
from authenticator.lint.near_misses import near_accounts, near_known, near_names
from authenticator.lint.rules import RULES, LintRule, Severity
from authenticator.lint.sets import (
    accounts_twice,
    claimed_twice,
    grants_more_later,
    groups_alike,
    mixed_partitions,
    same_username,
)
from authenticator.lint.shadows import refusing, shadowed

__all__ = [
    "RULES",
    "Context",
    "Document",
    "Finding",
    "LintRule",
    "Place",
    "Severity",
    "documents_of_file",
    "documents_of_object",
    "lint",
    "lint_data",
    "lint_file",
    "lint_identity",
]

_ON_SETS = (
    claimed_twice,
    accounts_twice,
    shadowed,
    refusing,
    mixed_partitions,
    same_username,
    groups_alike,
    near_names,
    near_accounts,
)


def lint(documents: Iterable[Document], context: Context) -> tuple[Finding, ...]:
    """All findings on documents that are in force together, in the order of the sources.

    Returns:
        the findings, in the order of the documents and of what stands in them.
    """
    given = tuple(documents)
    entries = [entry for document in given for entry in document.entries]
    findings = [finding for document in given for finding in document.findings]
    for entry in entries:
        findings += check_entry(entry, context)
    for check in _ON_SETS:
        findings += check(entries)
    findings += [*grants_more_later(entries, context), *near_known(entries, context)]
    order = {document.name: number for number, document in reversed([*enumerate(given)])}
    return tuple(sorted(dict.fromkeys(findings), key=lambda found: _order(found, order)))


def lint_data(
    data: Mapping[str, str], name: str, context: Context | None = None
) -> tuple[Finding, ...]:
    """Lint the `data` of a ConfigMap such as aws-auth; lines are those of each value.

    Args:
        data: the texts by key.
        name: what findings call the ConfigMap.
        context: see `Context`.
    """
    told = context or Context()
    return lint([of_data(data, name, told)], told)


def lint_file(content: bytes, name: str, context: Context | None = None) -> tuple[Finding, ...]:
    """Lint a mapping file, a config file or a manifest with ConfigMaps and IAMIdentityMappings."""
    told = context or Context()
    return lint(documents_of_file(content, name, told), told)


def lint_identity(name: str, spec: object, context: Context | None = None) -> tuple[Finding, ...]:
    """Lint the `spec` of the IAMIdentityMapping called `name`, as it came in JSON."""
    told = context or Context()
    obj = {"kind": "IAMIdentityMapping", "metadata": {"name": name}, "spec": spec}
    return lint(documents_of_object(obj, told), told)


def _order(finding: Finding, documents: Mapping[str, int]) -> tuple[int, int, int, int, str]:
    place = finding.place
    index = max(place.index, 0)
    return documents[place.document], place.line, place.column, index, finding.rule.id
