"""CRD: IAMIdentityMapping objects (iamauthenticator.k8s.aws/v1alpha1), one for each mapping."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authenticator.mapping.sections import Section, SectionReader
from authenticator.mapping.selectors import Selector
from authenticator.sources.base import stale
from authenticator.sources.cluster import Object
from authenticator.sources.crd_schema import API_VERSION, KIND
from authenticator.sources.reports import Reports, Target
from authenticator.sources.watcher import Resource
from authenticator.timestamps import rfc3339

_PATH = f"/apis/{API_VERSION}/iamidentitymappings"
CONDITION = "Valid"
# Kubernetes API conventions: at most 32,768; short enough to be read here.
_MESSAGE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class _Mapping:
    """One object as it was read.

    Attributes:
        metadata: the object's.
        spec: the object's.
        status: the object's.
        section: what the spec says.
        seen_at: the Unix time at which the object was read.
    """

    metadata: Object
    spec: Object
    status: Object
    section: Section
    seen_at: float

    @property
    def version(self) -> tuple[object, object]:
        """What changes whenever the spec does, and with no change of the status."""
        return self.metadata.get("uid"), self.metadata.get("generation")


class IdentityMappings:
    """`Documents` of the custom resources. Entries are in the order of their names."""

    resource = Resource(_PATH, {})

    def __init__(self, reader: SectionReader) -> None:
        """Prepare to read with `reader`, which names the source."""
        self._reader = reader
        self._mappings: dict[str, _Mapping] = {}
        self._revision = ""
        self._to_report: list[_Mapping] = []
        self._sections: tuple[Section, ...] | None = None

    @property
    def name(self) -> str:
        """See `Documents.name`."""
        return self._reader.source

    def listed(self, objects: list[Object], now: float) -> None:
        """See `Documents.listed`."""
        read = [self._read(obj, now) for obj in objects]
        self._mappings = {mapping.section.name: mapping for mapping in read}
        self._sections = None
        self._to_report = read

    def changed(self, kind: str, obj: Object, now: float) -> None:
        """See `Documents.changed`."""
        mapping = self._read(obj, now)
        before = self._mappings.pop(mapping.section.name, None)
        # Most events are of statuses that this server has written.
        if kind == "DELETED" or before is None or before.section is not mapping.section:
            self._sections = None
        if kind == "DELETED":
            return
        self._mappings[mapping.section.name] = mapping
        # Two hosts that disagree (one upgraded already) would else answer each other's statuses for
        # ever. What somebody else has written over is put right at the next list.
        if before is None or before.version != mapping.version:
            self._to_report = [mapping]

    def sections(self) -> tuple[Section, ...]:
        """See `Documents.sections`."""
        if self._sections is None:
            self._sections = tuple(self._mappings[n].section for n in sorted(self._mappings))
        return self._sections

    def revision(self) -> str:
        """See `Documents.revision`."""
        return self._revision

    def texts(self) -> Callable[[], Mapping[str, str]]:
        """See `Documents.texts`: the specs as JSON."""
        mappings = dict(self._mappings)
        return lambda: {name: json.dumps(mapping.spec) for name, mapping in mappings.items()}

    def restore(self, texts: Mapping[str, str], saved_at: float) -> None:
        """See `Documents.restore`."""
        for name, text in texts.items():
            spec = json.loads(text)
            (section,) = stale([self._section(name, spec)], saved_at)
            self._sections = None
            self._mappings[name] = _Mapping({}, spec, {}, section, saved_at)

    def report(self, reports: Reports) -> None:
        """See `Documents.report`: of what was taken since the last time."""
        waiting, self._to_report = self._to_report, []
        # The worst first: refused entries, then those with warnings.
        waiting.sort(
            key=lambda mapping: (bool(mapping.section.rules), not mapping.section.problems)
        )
        for mapping in waiting:
            name = mapping.section.name
            target = Target(API_VERSION, KIND, name, "", str(mapping.metadata.get("uid", "")))
            reports.problems(target, mapping.section.problems)
            status = _status(mapping)
            if status != mapping.status:
                urgent = bool(mapping.section.problems)
                reports.status(f"{_PATH}/{name}", status, urgent=urgent)

    def _read(self, obj: Object, now: float) -> _Mapping:
        metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
        name = str(metadata.get("name", ""))
        self._revision = str(metadata.get("resourceVersion", ""))
        known = self._mappings.get(name)
        fresh = _Mapping(metadata, spec, obj.get("status") or {}, Section(name), now)
        section = (
            known.section
            if known is not None and known.version == fresh.version
            else self._section(name, spec)
        )
        return _Mapping(metadata, spec, fresh.status, section, now)

    def _section(self, name: str, spec: object) -> Section:
        return self._reader.identity(name, spec)


def _canonical(selector: Selector, spec: Object) -> str:
    """The canonical ARN as the reference writes it: it matches callers by this field.

    It keeps the role's path and blanks around the ARN, so that neither matches. Without them, its
    servers would let in callers that they refuse now.
    """
    written = str(spec.get("arn")).lower()
    as_written = selector.has_role_path or written != written.strip()
    return written if as_written else selector.key


def _status(mapping: _Mapping) -> Object:
    """What the status should be; the conditions of others are kept."""
    old = mapping.status
    conditions = [c for c in old.get("conditions") or () if isinstance(c, dict)]
    others = [c for c in conditions if c.get("type") != CONDITION]
    ours = next((c for c in conditions if c.get("type") == CONDITION), {})
    rules = mapping.section.rules
    selector = rules[0].selector if rules else None
    problems = mapping.section.problems
    status = "True" if rules else "False"
    since = rfc3339(mapping.seen_at)
    condition = {
        "type": CONDITION,
        "status": status,
        "reason": ("InForceWithWarnings" if problems else "InForce") if rules else "Refused",
        "message": "; ".join(problem.reason for problem in problems)[:_MESSAGE_LENGTH],
        "observedGeneration": mapping.metadata.get("generation", 0),
        "lastTransitionTime": ours.get("lastTransitionTime", since)
        if ours.get("status") == status
        else since,
    }
    return {
        **old,
        "canonicalARN": _canonical(selector, mapping.spec) if selector else "",
        "userID": rules[0].user_id if rules else "",
        "conditions": [*others, condition],
    }
