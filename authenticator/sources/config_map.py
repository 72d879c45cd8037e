"""EKSConfigMap: the ConfigMap `aws-auth` in `kube-system`, as Amazon EKS has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from authenticator.mapping.documents import read_data
from authenticator.mapping.files import BINARY, NAME, NAMESPACE
from authenticator.mapping.nodes import DocumentError
from authenticator.mapping.overlaps import duplicates
from authenticator.mapping.problems import MAX_PROBLEMS
from authenticator.mapping.sections import SECTIONS, Section, SectionReader
from authenticator.sources.base import settled, stale
from authenticator.sources.cluster import Object
from authenticator.sources.reports import Reports, Target
from authenticator.sources.watcher import Resource


class AwsAuth:
    """`Documents` of one ConfigMap. Absent, it maps nobody; that is ordinary."""

    # With this selector a Role that names the ConfigMap suffices for list and watch.
    resource = Resource(
        f"/api/v1/namespaces/{NAMESPACE}/configmaps", {"fieldSelector": f"metadata.name={NAME}"}
    )

    def __init__(self, reader: SectionReader) -> None:
        """Prepare to read with `reader`, which names the source."""
        self._reader = reader
        self._sections: tuple[Section, ...] = ()
        self._texts: dict[str, str] = {}
        self._target: Target | None = None
        self._revision = ""

    @property
    def name(self) -> str:
        """See `Documents.name`."""
        return self._reader.source

    def listed(self, objects: list[Object], now: float) -> None:
        """See `Documents.listed`."""
        if objects:
            self._take(objects[0], now)
        else:
            self._forget()

    def changed(self, kind: str, obj: Object, now: float) -> None:
        """See `Documents.changed`."""
        if kind == "DELETED":
            self._forget()
        else:
            self._take(obj, now)

    def sections(self) -> tuple[Section, ...]:
        """See `Documents.sections`."""
        return self._sections

    def revision(self) -> str:
        """See `Documents.revision`."""
        return self._revision

    def texts(self) -> Callable[[], Mapping[str, str]]:
        """See `Documents.texts`: the texts of the sections, the last good ones for broken ones."""
        texts = self._texts
        return lambda: texts

    def restore(self, texts: Mapping[str, str], saved_at: float) -> None:
        """See `Documents.restore`."""
        self._sections = stale(read_data(texts, self._reader), saved_at)
        self._texts = dict(texts)

    def report(self, reports: Reports) -> None:
        """See `Documents.report`."""
        if self._target is not None:
            problems = [problem for section in self._sections for problem in section.problems]
            rules = [rule for section in self._sections for rule in section.rules]
            reports.problems(self._target, [*problems, *islice(duplicates(rules), MAX_PROBLEMS)])

    def _take(self, obj: Object, now: float) -> None:
        metadata = obj.get("metadata") or {}
        data = {key: text for key, text in (obj.get("data") or {}).items() if isinstance(text, str)}
        # Where kubectl puts a file that is not UTF-8: it says something, but nothing to read.
        binary = frozenset(obj.get("binaryData") or {})
        last = {section.name: section for section in self._sections}
        fresh = [
            self._reader.broken(section.name, DocumentError(BINARY))
            if section.name in binary
            else section
            for section in read_data(data, self._reader)
        ]
        self._sections = settled(fresh, last, now)
        broken = {section.name for section in fresh if section.broken}
        kept = {key: text for key, text in self._texts.items() if key in broken}
        sound = {key: text for key, text in data.items() if key not in broken}
        self._texts = {**kept, **sound}
        self._revision = str(metadata.get("resourceVersion", ""))
        self._target = Target("v1", "ConfigMap", NAME, NAMESPACE, str(metadata.get("uid", "")))

    def _forget(self) -> None:
        last = {section.name: section for section in self._sections}
        gone = settled((Section(name) for name in SECTIONS), last, 0)
        # What was in force before is worth an Event, on an object that no longer exists.
        self._sections = tuple(section for section in gone if section.problems)
        self._texts = {}
        self._revision = "absent"
