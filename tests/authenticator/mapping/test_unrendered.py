"""A template that has not been rendered is named as such, and not by what the parser says of it."""

from __future__ import annotations

import pytest

from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.mapping.unrendered import unrendered

ARN = "arn:aws:iam::111122223333:role/x"
TEMPLATES = {
    "a value of Helm": ("- rolearn: {{ .Values.role }}\n  username: x\n", "helm template"),
    "a loop of Helm": ("{{- range .Values.r }}\n- rolearn: {{ .arn }}\n{{- end }}\n", "helm"),
    "a value in quotes": ('- rolearn: "{{ .Values.role }}"\n  username: x\n', "helm template"),
    "an account of Terraform": (
        "- rolearn: arn:aws:iam::${account}:role/x\n  username: x\n",
        "Terraform or envsubst",
    ),
    "a loop of Terraform": ("%{ for r in roles }\n- rolearn: ${r}\n%{ endfor }\n", "Terraform"),
    "a loop of Jinja": ("{% for r in roles %}\n- rolearn: {{ r }}\n{% endfor %}\n", "Jinja"),
    "a value of Jinja": ("- rolearn: {{ role_arn }}\n", "Jinja"),
}


@pytest.mark.parametrize(("text", "tool"), TEMPLATES.values(), ids=TEMPLATES)
def test_the_tool_that_renders_it_is_named(text: str, tool: str) -> None:
    (section, *_) = read_data({"mapRoles": text}, SectionReader("x", Guard()))
    (problem,) = section.problems
    assert not section.rules
    assert problem.origin.line == 1
    assert problem.reason.startswith("it is a template")
    assert tool in problem.reason


ORDINARY = {
    "our placeholders": f"- rolearn: {ARN}\n  username: '{{{{SessionName}}}}:{{{{AccountID}}}}'\n",
    "our placeholders with spaces": "{{ SessionName }}",
    "a comment": "# {{ .Values.role }} and ${account}\n- rolearn: x\n",
    "a map in a map": "{{a: b}: c}",
    "dollars and percent": "cost: $5 (10%) {x}",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_what_is_not_a_template(text: str) -> None:
    assert unrendered(text) == ""
