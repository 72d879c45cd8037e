"""The bill of materials, in the form of CycloneDX 1.6."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from typing import Any

import jsonschema
import pytest

from dev import sbom
from dev.locked import installed, locked

_NAME = {"type": "string", "minLength": 1}
_LICENCE = {
    "oneOf": [
        {
            "properties": {"expression": _NAME},
            "required": ["expression"],
            "additionalProperties": False,
        },
        {
            "properties": {
                "license": {
                    "properties": {"name": _NAME},
                    "required": ["name"],
                    "additionalProperties": False,
                }
            },
            "required": ["license"],
            "additionalProperties": False,
        },
    ]
}
_COMPONENT = {
    "type": "object",
    "properties": {
        "type": {"enum": ["application", "library"]},
        "bom-ref": _NAME,
        "name": _NAME,
        "version": _NAME,
        "purl": {"type": "string", "pattern": r"^pkg:pypi/[a-z0-9-]+@[^@/]+$"},
        # With an expression there can be no second one.
        "licenses": {"type": "array", "items": _LICENCE, "maxItems": 1},
    },
    "required": ["type", "name"],
    "additionalProperties": False,
}
# The part of CycloneDX's own schema that we use: https://cyclonedx.org/schema/bom-1.6.schema.json
_SCHEMA = {
    "type": "object",
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "version": {"type": "integer", "minimum": 1},
        "metadata": {
            "type": "object",
            "properties": {"component": _COMPONENT},
            "additionalProperties": False,
        },
        "components": {"type": "array", "items": _COMPONENT, "uniqueItems": True},
    },
    "required": ["bomFormat", "specVersion"],
    "additionalProperties": False,
}


@pytest.fixture
def bill() -> dict[str, Any]:
    own = distribution(sbom.PRODUCT)
    document: dict[str, Any] = json.loads(sbom.written(sbom.document([own, *installed()])))
    return document


def test_it_has_the_form_of_cyclonedx(bill: dict[str, Any]) -> None:
    jsonschema.validate(bill, _SCHEMA)


def test_everything_is_in_it_with_its_version_and_licence(bill: dict[str, Any]) -> None:
    components = bill["components"]
    assert {one["name"]: one["version"] for one in components} == locked()
    assert all(one["licenses"] for one in components)
    assert bill["metadata"]["component"]["licenses"] == [{"expression": "Apache-2.0"}]


def test_references_are_unique(bill: dict[str, Any]) -> None:
    everything = [bill["metadata"]["component"], *bill["components"]]
    assert len({one["bom-ref"] for one in everything}) == len(everything)


def test_the_order_in_which_they_are_found_does_not_matter() -> None:
    parts = [distribution(sbom.PRODUCT), *installed()]
    assert sbom.written(sbom.document(parts)) == sbom.written(sbom.document(reversed(parts)))


def test_without_the_product_there_is_no_bill() -> None:
    with pytest.raises(ValueError, match="kube-iam-authenticator is not installed"):
        sbom.document(installed())
