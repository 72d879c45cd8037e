"""Findings for machines: JSON, and SARIF by the rules of its 2.1.0 schema that concern it."""

from __future__ import annotations

import json
import string

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator import REPOSITORY, __version__
from authenticator.lint import RULES, Finding, Place, Severity, lint_file
from authenticator.lint.reports import as_data, as_github, as_sarif
from tests.examples import examples

FINDINGS = lint_file(b"mapRoles:\n- a\n- {rolearn: b, username: c}\n", "my aws-auth.yaml")

_MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_POSITIVE = {"type": "integer", "minimum": 1}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
# Written after OASIS' sarif-schema-2.1.0.json, for the properties that are used; all others are
# refused.
SCHEMA = {
    "$defs": {
        "rule": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": _MESSAGE,
                "helpUri": {"type": "string", "pattern": "^https://[!-~]+$"},
                "help": _MESSAGE,
                "defaultConfiguration": {"properties": {"level": _LEVEL}},
            },
        },
        "physicalLocation": {
            "type": "object",
            "additionalProperties": False,
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "properties": {"uri": {"type": "string", "pattern": "^[!-~]*$"}}
                },
                "region": {
                    "additionalProperties": False,
                    "required": ["startLine"],
                    "properties": {"startLine": _POSITIVE, "startColumn": _POSITIVE},
                },
            },
        },
        "result": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": _LEVEL,
                "message": _MESSAGE,
                "locations": {
                    "type": "array",
                    "items": {
                        "additionalProperties": False,
                        "properties": {
                            "physicalLocation": {"$ref": "#/$defs/physicalLocation"},
                            "logicalLocations": {
                                "type": "array",
                                "items": {
                                    "additionalProperties": False,
                                    "properties": {"fullyQualifiedName": {"type": "string"}},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"$ref": "#/$defs/rule"},
                                    },
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
_documents = st.text(string.printable, min_size=1, max_size=9) | st.text(min_size=1, max_size=9)
_places = st.builds(
    Place,
    _documents,
    st.sampled_from(["", "mapRoles"]),
    st.integers(-1, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
_findings = st.lists(
    st.builds(Finding, st.sampled_from([*RULES.values()]), st.text(), _places), max_size=3
)


@settings(deadline=None, max_examples=examples(30))
@given(_findings)
def test_sarif_is_what_its_schema_allows(findings: list[Finding]) -> None:
    log = json.loads(json.dumps(as_sarif(findings, "1.2.3")))
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    for result, finding in zip(run["results"], findings, strict=True):
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] == finding.rule.id
        assert rule["defaultConfiguration"]["level"] == result["level"] == finding.severity.value


def test_a_sarif_result_names_the_place() -> None:
    result = as_sarif(FINDINGS, "1")["runs"][0]["results"][1]
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "my%20aws-auth.yaml"},
                "region": {"startLine": 3, "startColumn": 13},
            },
            "logicalLocations": [{"fullyQualifiedName": "mapRoles[1]"}],
        }
    ]


def test_json() -> None:
    data = as_data(FINDINGS)
    assert data["summary"] == {"error": 2, "warning": 0, "note": 0}
    assert data["findings"][0] == {
        "rule": "bad-entry",
        "severity": "error",
        "message": "it must be a map with keys such as rolearn or sso",
        "document": "my aws-auth.yaml",
        "section": "mapRoles",
        "index": 0,
        "line": 2,
        "column": 3,
        "page": f"{REPOSITORY}/blob/v{__version__}/docs/lint.md#bad-entry",
    }


def test_the_worst_severity_ranks_first() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2]
    assert Severity.ERROR.rank == 0


def test_every_rule_of_sarif_has_an_absolute_address() -> None:
    """Code hosts show no link for `docs/lint.md#...`, and `help` alone is text."""
    (run,) = as_sarif((), "1")["runs"]
    assert {rule["helpUri"] for rule in run["tool"]["driver"]["rules"]} == {
        rule.page for rule in RULES.values()
    }


def read_as_github_does(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command.

    Source: actions/runner, `ActionCommand.cs` (`TryParseV2`), and its tables of escapes.
    """
    command, _, message = line.removeprefix("::").partition("::")
    name, _, listed = command.partition(" ")
    properties = dict(each.split("=", 1) for each in listed.split(","))

    def plain(text: str, *further: tuple[str, str]) -> str:
        for escape, character in (*further, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(escape, character)
        return text

    colons = (("%3A", ":"), ("%2C", ","))
    return name, {key: plain(value, *colons) for key, value in properties.items()}, plain(message)


@given(
    st.builds(
        Finding,
        st.sampled_from(list(RULES.values())),
        st.text(max_size=30),
        st.builds(Place, st.text(min_size=1, max_size=30), st.just("mapRoles"), st.just(1)),
    )
)
@settings(max_examples=examples(100))
def test_no_text_escapes_from_an_annotation(finding: Finding) -> None:
    line = as_github(finding)

    assert "\n" not in line
    assert "\r" not in line
    name, properties, message = read_as_github_does(line)
    assert name in {"error", "warning", "notice"}
    assert properties["file"] == finding.place.document
    assert message == f"mapRoles[1]: {finding.message} ({finding.rule.page})"


def test_an_annotation_names_line_and_column() -> None:
    page = f"{REPOSITORY}/blob/v{__version__}/docs/lint.md#bad-entry"
    assert as_github(FINDINGS[0]) == (
        "::error file=my aws-auth.yaml,line=2,col=3,title=An entry that is not a map [bad-entry]"
        f"::mapRoles[0]: it must be a map with keys such as rolearn or sso ({page})"
    )
