"""Writes which distributions are installed, and under which licences, to stdout.

The image's build runs `python -m dev.sbom` with the interpreter whose distributions count. The form
is CycloneDX 1.6 (ECMA-424), without a serial number and a time, so that the same versions make the
same file.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any

from dev.licences import ALLOWED, licence_of

PRODUCT = "kube-iam-authenticator"


def document(parts: Iterable[Distribution]) -> dict[str, Any]:
    """The bill of materials of the product, which is one of `parts`, with all the others in it.

    Raises:
        ValueError: the product is not among them.
    """
    components = {one["name"]: one for one in map(_component, parts)}
    product = components.pop(PRODUCT, None)
    if product is None:
        raise ValueError(f"{PRODUCT} is not installed")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**product, "type": "application"}},
        "components": [components[name] for name in sorted(components)],
    }


def written(bill: dict[str, Any]) -> str:
    """A bill of materials as the text of its file."""
    return json.dumps(bill, indent=1) + "\n"


def _component(distribution: Distribution) -> dict[str, Any]:
    # PEP 503, and the specification of purl for "pypi".
    name = re.sub(r"[-_.]+", "-", distribution.name).lower()
    purl = f"pkg:pypi/{name}@{distribution.version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": distribution.version,
        "purl": purl,
    }
    if licence := licence_of(distribution):
        component["licenses"] = [_licence(licence)]
    return component


def _licence(expression: str) -> dict[str, Any]:
    if ALLOWED.issuperset(re.split(" AND | OR ", expression)):
        return {"expression": expression}
    return {"license": {"name": expression}}


if __name__ == "__main__":
    # Not what lies in the working directory.
    sys.stdout.write(written(document(distributions(path=[sysconfig.get_path("purelib")]))))
