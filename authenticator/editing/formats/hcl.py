"""Values as literals of HCL, as a `terraform.tfvars` file has them.

Source: HCL Native Syntax Specification (HashiCorp).
"""

from __future__ import annotations

import re

from authenticator.editing.writing import as_json

_ESCAPE = re.compile(r"\\(.)")
_NOT_IN_HCL = {"b": r"\u0008", "f": r"\u000c"}


def written(value: object, indent: int = 0) -> str:
    """A text, or a list or dict of such, as HCL; the keys of a dict must be identifiers."""
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{inner}{key} = {written(item, indent + 2)}\n" for key, item in value.items()]
        return "{\n" + "".join(items) + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [f"{inner}{written(item, indent + 2)},\n" for item in value]
        return "[\n" + "".join(items) + " " * indent + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    # HCL has the escapes of JSON but for two; `${` and `%{` would begin a template.
    quoted = _ESCAPE.sub(_escape, as_json(value))
    return quoted.replace("${", "\\u0024{").replace("%{", "\\u0025{")


def _escape(found: re.Match[str]) -> str:
    return _NOT_IN_HCL.get(found[1], found[0])
