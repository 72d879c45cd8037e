"""The report as one HTML file that needs nothing else and asks nobody for anything.

Its content security policy names the hashes of its one script and its one style, and refuses all
else: no markup that came in with a name could run or load anything. The script puts text into the
page as text only; Trusted Types have the browser hold it to that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from authenticator.access.resources import CLUSTER_WIDE, GROUPS, PLURALS

# What could end the script element, or begin a comment in it, stands in JSON as an escape.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def page(document: dict[str, Any]) -> str:
    """The page that shows a document of `authenticator.access.document`."""
    style, script = _part("page.css"), _part("page.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    other_names = {name: plural for name, plural in PLURALS.items() if name != plural}
    known = {"groups": dict(GROUPS), "plurals": other_names, "wide": sorted(CLUSTER_WIDE)}
    data = json.dumps(document | known, separators=(",", ":")).translate(_ESCAPES)
    # The data go in last: nothing in them is taken for a place to fill.
    whole = _part("page.html")
    for place, text in (("policy", policy), ("style", style), ("script", script), ("data", data)):
        whole = whole.replace(f"[[{place}]]", text, 1)
    return whole


def _part(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
