"""The objects whose edits are looked at, and what they say before and after an edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authenticator.admission.review import AdmissionRequest, Object
from authenticator.lint import Context, Finding, documents_of_object, lint, lint_identity
from authenticator.mapping.files import CONFIG_MAP, NAME, NAMESPACE
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import Section, SectionReader
from authenticator.modes import CRD, EKS_CONFIG_MAP
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.crd_schema import API_VERSION, KIND
from authenticator.sources.custom_resources import IdentityMappings

# Every line, item and key of a text becomes an object of Python's when it is read. A ConfigMap with
# as many ordinary mappings as it can hold (9,000) has 90,000 of these.
_MAX_VALUES = 120_000
_SEPARATORS = ("\n", ",", "[", "{", "- ", ": ")
UNREADABLE = "unreadable"
_GROUP = API_VERSION.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    Attributes:
        source: the source whose mappings such objects are.
        whole: whether one object is all of the source.
        sections: what an object says, as the server reads it.
        findings: what lint says of an object.
    """

    source: str
    whole: bool
    sections: Callable[[Object, Guard], tuple[Section, ...]]
    findings: Callable[[Object, Context], tuple[Finding, ...]]


def kind_of(request: AdmissionRequest) -> Kind | None:
    """The kind of the object that is edited; None for what holds no mappings."""
    found = _KINDS.get((request.group, request.kind))
    place = request.metadata.get("namespace"), request.name
    return None if found is _CONFIG_MAP and place != (NAMESPACE, NAME) else found


def is_too_large(request: AdmissionRequest) -> bool:
    """Whether a text of the object has so many values that reading it would take long."""
    return any(
        isinstance(text, str) and sum(map(text.count, _SEPARATORS)) > _MAX_VALUES
        for obj in (request.old, request.new)
        for text in ((obj or {}).get("data") or {}).values()
    )


def _of_config_map(obj: Object, guard: Guard) -> tuple[Section, ...]:
    documents = AwsAuth(SectionReader(EKS_CONFIG_MAP, guard))
    documents.listed([obj], now=0)
    return documents.sections()


def _lint_config_map(obj: Object, context: Context) -> tuple[Finding, ...]:
    return lint(documents_of_object({**obj, "kind": CONFIG_MAP}, context), context)


def _of_identity(obj: Object, guard: Guard) -> tuple[Section, ...]:
    documents = IdentityMappings(SectionReader(CRD, guard))
    documents.listed([obj], now=0)
    return documents.sections()


def _lint_identity(obj: Object, context: Context) -> tuple[Finding, ...]:
    name = str((obj.get("metadata") or {}).get("name", ""))
    return lint_identity(name, obj.get("spec") or {}, context)


_CONFIG_MAP = Kind(EKS_CONFIG_MAP, True, _of_config_map, _lint_config_map)
_KINDS = {
    ("", "ConfigMap"): _CONFIG_MAP,
    (_GROUP, KIND): Kind(CRD, False, _of_identity, _lint_identity),
}
