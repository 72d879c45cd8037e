"""Templates of other tools that have not been rendered, recognised by their marks.

A template of Helm is often not YAML, and what the parser says of it does not help: the file has to
be rendered first.
"""

from __future__ import annotations

import re

from authenticator.mapping.templates import Placeholder

_WORDS = "if|else|end|range|with|include|template|define|block|tpl|toYaml|required|default|printf"
_OURS = "|".join(placeholder.value for placeholder in Placeholder)
# Each mark, how it is written, and what renders it.
_MARKS = (
    (re.compile(rf"\{{\{{-?\s*(?:[.$(\"]|/\*|(?:{_WORDS})\b)"), "{{ }}", "helm template"),
    (
        re.compile(rf"\{{%|\{{\{{\s+(?!(?:{_OURS})\b)\w+\s+\}}\}}"),
        "{% %} or {{ }}",
        "Jinja (Ansible)",
    ),
    (re.compile(r"%\{~?\s*(?:for|if|else|endfor|endif)\b"), "%{ }", "Terraform"),
    (re.compile(r"\$\{"), "${ }", "Terraform or envsubst"),
)
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)


def unrendered(text: str) -> str:
    """Say which template a text is, and what to do; "" if it is none."""
    text = _COMMENT.sub("", text)
    for mark, written, tool in _MARKS:
        if mark.search(text):
            return f"it is a template with {written}: render it with {tool} first"
    return ""
