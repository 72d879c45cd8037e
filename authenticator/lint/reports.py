"""Findings for machines: JSON, SARIF 2.1.0, and annotations of GitHub Actions.

Sources: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub,
"Workflow commands for GitHub Actions", whose escapes are those of its toolkit (`command.ts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from authenticator.lint.findings import Finding, Place
from authenticator.lint.rules import RULES, LintRule, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_TOOL = "aws-iam-authenticator lint"
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def counted(findings: Sequence[Finding]) -> dict[Severity, int]:
    """How many there are of each severity, the worst first."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in Severity}


def as_data(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as JSON has them."""
    return {
        "findings": [
            {
                "rule": finding.rule.id,
                "severity": finding.severity.value,
                "message": finding.message,
                "document": finding.place.document,
                "section": finding.place.section,
                "index": finding.place.index,
                "line": finding.place.line,
                "column": finding.place.column,
                "page": finding.rule.page,
            }
            for finding in findings
        ],
        "summary": {severity.value: count for severity, count in counted(findings).items()},
    }


def as_sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """The findings as a SARIF log with one run.

    Args:
        findings: what was found.
        version: this product's.
    """
    rules = list(RULES)
    driver = {"name": _TOOL, "version": version, "rules": [_rule(r) for r in RULES.values()]}
    results = [_result(finding, rules.index(finding.rule.id)) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: LintRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "helpUri": rule.page,
        "help": {"text": f"See {rule.page}"},
        # The names of the severities are SARIF's levels.
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [_location(finding.place)],
    }


def _location(place: Place) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.document)}}
    if place.line:
        region = {"startLine": place.line}
        if place.column:
            region["startColumn"] = place.column
        physical["region"] = region
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.entry:
        location["logicalLocations"] = [{"fullyQualifiedName": place.entry}]
    return location


def as_github(finding: Finding) -> str:
    """Return a finding as the line by which GitHub Actions annotates the file."""
    place = finding.place
    properties = {
        "file": place.document,
        "line": str(place.line or ""),
        "col": str(place.column or ""),
        "title": f"{finding.rule.title} [{finding.rule.id}]",
    }
    named = [f"{name}={text.translate(_IN_PROPERTY)}" for name, text in properties.items() if text]
    entry = f"{place.entry}: " if place.entry else ""
    message = f"{entry}{finding.message} ({finding.rule.page})".translate(_IN_MESSAGE)
    return f"::{_GITHUB[finding.severity]} {','.join(named)}::{message}"
