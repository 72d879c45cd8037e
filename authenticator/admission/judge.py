"""Decides whether an edit of the mappings may be stored. No I/O.

    it brings an error (lint)            refused; an error that was there before is a warning
    it locks somebody out                refused (`authenticator.editing.lockout`)
    it deletes aws-auth                  refused, unless the settings allow it
    it empties mapRoles or mapUsers      refused
    another object says otherwise        refused
    a break-glass annotation says why    stored all the same, with warnings

No answer says more of the mappings than the request itself, but for whether a custom resource
contradicts another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from authenticator.admission.comparing import compared, shown
from authenticator.admission.objects import Kind, is_too_large, kind_of
from authenticator.admission.pending import Pending
from authenticator.admission.review import AdmissionAnswer, AdmissionRequest, Object
from authenticator.display import printable
from authenticator.editing.lockout import Elsewhere, refusals
from authenticator.lint import Context, Finding, Severity
from authenticator.mapping.guards import Guard
from authenticator.mapping.overlaps import duplicates
from authenticator.mapping.problems import Code, Problem
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, Section

# On the new object, with a reason in words, which must be new as well: it is good for one edit.
FORCE = "iamauthenticator.k8s.aws/force"
# On the object that is to be deleted.
FORCE_DELETE = "iamauthenticator.k8s.aws/force-delete"

_LEFT_OPEN = f"the annotation {FORCE_DELETE} is on it: it can be deleted without another question"

_NOTHING = Guard()
_NEVER_EMPTIED = frozenset({MAP_ROLES, MAP_USERS})
_MAX_ERRORS = 10
_TEXT_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is in force around an edit.

    Attributes:
        sections: those of the edited source.
        elsewhere: everything else.
    """

    sections: tuple[Section, ...]
    elsewhere: Elsewhere


@dataclass(frozen=True, slots=True)
class Policy:
    """What the server's settings say.

    Attributes:
        guards: by source, what it may not grant.
        allow_deletion: whether aws-auth may be deleted.
    """

    guards: Mapping[str, Guard]
    allow_deletion: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has become of an edit.

    Attributes:
        result: `ignored`, `allowed`, `rejected` or `forced`.
        answer: what the API server is told.
        findings: the ids of what spoke against it, each once.
        forced_by: the reason that somebody gave for it all the same.
    """

    result: str
    answer: AdmissionAnswer
    findings: tuple[str, ...] = ()
    forced_by: str = ""


@dataclass(frozen=True, slots=True)
class _Objection:
    """Something that speaks against an edit."""

    id: str
    text: str


_TOO_LARGE = _Objection("too-large", "it has too many values to be looked at here")
_IGNORED = Verdict("ignored", AdmissionAnswer(True))


class Judge:
    """Decides. Not safe to use from several threads at once: it remembers what it has allowed."""

    def __init__(
        self,
        policy: Policy,
        surroundings: Callable[[str], Surroundings | None],
        clock: Callable[[], float],
        pending: Pending | None = None,
    ) -> None:
        """Set up.

        Args:
            policy: what the settings say.
            surroundings: what is in force now around a source; None for one that is not in use,
                an edit of which can take nothing from anybody.
            clock: Unix time.
            pending: takes note of what is allowed.
        """
        self._policy = policy
        self._surroundings = surroundings
        self._clock = clock
        self._pending = pending or Pending()

    def decide(self, request: AdmissionRequest, *, trusted: bool = True) -> Verdict:
        """Decide about one edit.

        Args:
            request: the edit.
            trusted: whether an API server is known to ask. Otherwise nothing is noted: a request
                that anyone can make up must change no later answer.
        """
        kind = kind_of(request)
        if kind is None or (request.old is None and request.new is None):
            return _IGNORED
        if is_too_large(request):
            return _verdict(request, [_TOO_LARGE], [])
        now = self._clock()
        context = Context(now=now, guard=self._policy.guards.get(kind.source, _NOTHING))
        old = kind.findings(request.old, context) if request.old else ()
        new = kind.findings(request.new, context) if request.new else ()
        fresh, known = compared(old, new)
        objections = [*_errors(fresh), *self._deletes(request, kind)]
        warnings = [shown(finding) for finding in (*fresh, *known)]
        if _annotation(request.new, FORCE_DELETE):
            warnings.append(_LEFT_OPEN)
        was, will = _read(request.old, kind, context), _read(request.new, kind, context)
        if trusted:
            self._pending.found(kind.source, was)
        around = self._surroundings(kind.source)
        if around is None:
            return _verdict(request, objections, warnings)
        before, after = _of_source(request, kind, was, will, around.sections)
        objections += [*_empties(before, after, kind), *_contradicts(before, after, kind)]
        objections += _takes_away(before, after, request, now, around.elsewhere)
        verdict = _verdict(request, objections, warnings)
        if trusted and verdict.answer.allowed and not request.dry_run:
            in_force = {section.name: section for section in around.sections}
            # Those of an edit that is behind what is in force are not believed in.
            edited = [section for section in before if in_force.get(section.name) == section]
            self._pending.note(kind.source, edited, after, now)
        return verdict

    def _deletes(self, request: AdmissionRequest, kind: Kind) -> Iterable[_Objection]:
        if kind.whole and request.new is None and not self._policy.allow_deletion:
            text = "aws-auth would be deleted, and with it every mapping in it"
            yield _Objection("deletion", text)


def _empties(
    before: tuple[Section, ...], after: tuple[Section, ...], kind: Kind
) -> Iterable[_Objection]:
    """Sections that had entries and would have none; deleting the object is another matter."""
    had = {section.name: section.size for section in before}
    for section in after if kind.whole else ():
        is_empty = not (section.size or section.broken or section.problems)
        if is_empty and section.name in _NEVER_EMPTIED and had.get(section.name):
            text = f"{section.name} would be empty, and all access by it would end"
            yield _Objection("emptied-section", text)


def _contradicts(
    before: tuple[Section, ...], after: tuple[Section, ...], kind: Kind
) -> Iterable[_Objection]:
    """Objects for one principal that grant different things; within one object, lint says so."""
    if not kind.whole and len(_conflicts(after)) > len(_conflicts(before)):
        text = "another object names the same principal and grants something else; edit that one"
        yield _Objection(Code.CONFLICTING_ENTRY.value, text)


def _conflicts(sections: tuple[Section, ...]) -> list[Problem]:
    found = duplicates(rule for section in sections for rule in section.rules)
    return [problem for problem in found if problem.code is Code.CONFLICTING_ENTRY]


def _takes_away(
    before: tuple[Section, ...],
    after: tuple[Section, ...],
    request: AdmissionRequest,
    now: float,
    elsewhere: Elsewhere,
) -> Iterable[_Objection]:
    for found in refusals(before, after, request.editor, now, elsewhere):
        yield _Objection(found.id, f"{found.reason}; {found.advice}")


def _read(obj: Object | None, kind: Kind, context: Context) -> tuple[Section, ...]:
    return kind.sections(obj, context.guard) if obj else ()


def _of_source(
    request: AdmissionRequest,
    kind: Kind,
    was: tuple[Section, ...],
    will: tuple[Section, ...],
    in_force: tuple[Section, ...],
) -> tuple[tuple[Section, ...], tuple[Section, ...]]:
    """All sections of the edited source, before and after; the object's own `was` and `will` be."""
    if not kind.whole:
        others = [section for section in in_force if section.name != request.name]
        return _by_name(*others, *was), _by_name(*others, *will)
    # What could not be read has had its last good version in force.
    last_good = {section.name: section for section in in_force}
    return tuple(last_good.get(old.name, old) if old.broken else old for old in was), will


def _by_name(*sections: Section) -> tuple[Section, ...]:
    return tuple(sorted(sections, key=lambda section: section.name))


def _errors(findings: Iterable[Finding]) -> list[_Objection]:
    return [
        _Objection(found.rule.id, shown(found))
        for found in findings
        if found.severity is Severity.ERROR
    ]


def _force(request: AdmissionRequest) -> str:
    """The reason that somebody gives for storing the edit whatever speaks against it; "" if none.

    The annotation stays on the object, so that it counts only while it is new.
    """
    if request.new is None:
        return _annotation(request.old, FORCE_DELETE)
    reason = _annotation(request.new, FORCE)
    return "" if reason == _annotation(request.old, FORCE) else reason


def _annotation(obj: Object | None, key: str) -> str:
    annotations = ((obj or {}).get("metadata") or {}).get("annotations") or {}
    value = annotations.get(key)
    return printable(value.strip(), _TEXT_LENGTH) if isinstance(value, str) else ""


def _verdict(
    request: AdmissionRequest, objections: list[_Objection], warnings: list[str]
) -> Verdict:
    if not objections:
        return Verdict("allowed", AdmissionAnswer(True, warnings=tuple(warnings)))
    ids = tuple(dict.fromkeys(found.id for found in objections))
    texts = tuple(found.text for found in objections)
    if forced_by := _force(request):
        forced = tuple(f"stored all the same: {text}" for text in texts)
        return Verdict(
            "forced", AdmissionAnswer(True, warnings=(*forced, *warnings)), ids, forced_by
        )
    said = frozenset(texts)
    answer = AdmissionAnswer(
        False,
        message=_message(request, texts),
        # What is in the message need not be said twice.
        warnings=tuple(text for text in warnings if text not in said),
    )
    return Verdict("rejected", answer, ids)


def _message(request: AdmissionRequest, texts: tuple[str, ...]) -> str:
    told = [printable(text, _TEXT_LENGTH) for text in texts[:_MAX_ERRORS]]
    if more := len(texts) - len(told):
        told.append(f"and {more} more")
    way = (
        f"to delete it all the same, give the annotation {FORCE_DELETE} a reason first"
        if request.new is None
        else f"to store it all the same, give the annotation {FORCE} a reason, a new one each time"
    )
    return f"{'; '.join(told)} ({way})"
