"""How every verb writes: show the difference, guard, ask, write, try again, remember."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import click

from authenticator.admin.mappings.advice import advice
from authenticator.admin.mappings.group import DRY_RUNS
from authenticator.admin.progress import progress
from authenticator.admin.stores.base import Cautions, Conflict, Snapshot, Store, StoreError
from authenticator.admin.stores.config_map import ATTEMPTS, pause
from authenticator.admin.stores.history import History
from authenticator.admin.tables import moment
from authenticator.display import printable
from authenticator.editing.diffs import diff
from authenticator.editing.documents import Document
from authenticator.editing.editor import Editor
from authenticator.editing.edits import EditError
from authenticator.editing.lockout import NOWHERE, Elsewhere, refusals
from authenticator.errors import ConfigError
from authenticator.mapping.problems import Problem
from authenticator.mapping.sections import Section
from authenticator.options import COMMAND, colour
from authenticator.timestamps import parse_rfc3339

# Makes the new document of the present one. It is called again after a conflict.
Change = Callable[[Document], Document]
_Sections = Sequence[Section]
_CHANGED = re.compile(r"[+-](?!\+\+ |-- )")
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_LONGEST_ANSWER = 100


@dataclass(frozen=True, slots=True)
class Flags:
    """How a verb names what `Manner` says, for its messages.

    Attributes:
        confirm: how to write without a question.
        force: how to write although it is refused.
    """

    confirm: str = "pass --yes to apply, or --dry-run=client to preview"
    force: str = "pass --force to apply it anyway"


@dataclass(frozen=True, slots=True)
class Manner:
    """How to write.

    Attributes:
        dry_run: `none`, `client` (show the difference) or `server` (have it checked as well).
        yes: whether to skip the question.
        force: whether the guard is to warn only.
        strict: whether to refuse an edit that lint or the API server warns of.
        elsewhere: what grants access in addition to the store.
        piped: whether standard input may answer the question when it is not a terminal.
        flags: how the verb names these.
    """

    dry_run: str = "none"
    yes: bool = False
    force: bool = False
    strict: bool = False
    elsewhere: Elsewhere = NOWHERE
    piped: bool = False
    flags: Flags = Flags()


def manner_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command `--dry-run`, `--yes`, `--force` and `--strict`, and `manner` made of them."""

    @wraps(function)
    def run(*, dry_run: str, yes: bool, force: bool, strict: bool, **rest: Any) -> int:
        return function(manner=Manner(dry_run, yes, force, strict), **rest)

    decorated: Callable[..., int] = run
    for option in (
        click.option(
            "--strict",
            is_flag=True,
            help="For CI: refuse an edit that lint or the API server warns of.",
        ),
        click.option("--force", is_flag=True, help="Apply even if it may lock people out."),
        click.option("-y", "--yes", is_flag=True, help="Skip the confirmation prompt."),
        click.option(
            "--dry-run",
            type=click.Choice(DRY_RUNS),
            default="none",
            show_default=True,
            help="Write nothing: show the difference (client, also without a value), or have the"
            " API server check it too.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def complaining(function: Callable[..., int]) -> Callable[..., int]:
    """Have a command's faults shown in a line each, with the exit code 1."""

    @wraps(function)
    def run(**values: Any) -> int:
        try:
            return function(**values)
        # They quote documents and servers, which may hold what a terminal obeys.
        except ConfigError as error:
            raise ConfigError(tuple(map(printable, error.problems))) from error
        except (EditError, StoreError) as error:
            raise ConfigError((printable(str(error)),)) from error

    return run


def edit(
    store: Store,
    change: Change,
    words: str,
    manner: Manner,
    *,
    restoring: bool = False,
    moving: bool = False,
) -> int:
    """Make one edit of a store, retry after conflicts, and return the exit code.

    Args:
        store: where.
        change: makes the new document of the present one.
        words: what is done, for people and the history: "add role ...".
        manner: how.
        restoring: whether entries that cannot be used are only warned of, since they stood there;
            what would make a whole section useless is refused all the same.
        moving: whether the new entries are in force already, in another place.

    Raises:
        EditError: it cannot be made.
        StoreError: the store cannot be read or written.
        ConfigError: it is refused, since it would lock people out.
    """
    if manner.dry_run == "server" and not store.has_server:
        raise click.UsageError(
            f"{store.title}: a write cannot be checked without making it: use --dry-run=client"
        )
    making = _Edit(store, change, words, manner, restoring, moving)
    for attempt in range(ATTEMPTS):
        with suppress(Conflict):
            making.attempt(again=attempt > 0)
            return 0
        pause(attempt)
    raise StoreError(f"{store.title}: others write it all the time; try again later")


@dataclass(slots=True)
class _Edit:
    """One edit over all of its attempts; the first attributes are the arguments of `edit`.

    Attributes:
        editor: who edits, once it is known.
        agreed: the changed lines of the difference that was agreed to.
    """

    store: Store
    change: Change
    words: str
    manner: Manner
    restoring: bool
    moving: bool
    editor: Editor | None = None
    agreed: list[str] = field(default_factory=list)

    def attempt(self, *, again: bool) -> None:
        """Make the edit of what is there now; Conflict if another one was faster."""
        with progress(f"Reading {self.store.title}"):
            snapshot = self.store.read()
        with progress("Making the edit"):
            document = self.change(snapshot.document)
            difference = diff(snapshot.document.texts, document.texts)
        if not difference:
            click.echo(f"{self.store.title}: nothing to change")
            return
        self.editor = self.editor or _editor(self.store)
        # Where they stand, which others' edits change, is not what was agreed to.
        lines = [line for line in difference if _CHANGED.match(line)]
        is_new = lines != self.agreed
        if is_new:
            if again:
                warn("another edit was made meanwhile; this is the difference now")
            show_diff(difference)
        with progress("Checking the edit"):
            warnings = self._judge(snapshot, document, self.editor, is_new=is_new)
            if self.store.has_server and self.manner.dry_run != "client":
                # Its warnings and refusals belong under the difference, before the question.
                self.store.write(snapshot, document, dry_run=True)
        if is_new:
            _refuse_warnings([*warnings, *self.store.server_warnings], self.manner)
            _ask(self.store, self.manner)
            self.agreed = lines
        if self.manner.dry_run == "none":
            with progress(f"Writing {self.store.title}"):
                _write(self.store, snapshot, document, self.editor, self.words)
            return
        by = "" if self.manner.dry_run == "client" else "the API server would take it; "
        click.echo(f"{self.store.title}: {by}nothing has been written (dry run)")

    def _judge(
        self, snapshot: Snapshot, document: Document, editor: Editor, *, is_new: bool
    ) -> list[str]:
        """Refuse what may not be written; return what lint and the reader warn of."""
        before, after = snapshot.document.sections(), document.sections()
        _refuse_lock_out(before, after, editor, self.manner)
        warnings = _refuse_faults(before, after, self.manner, restoring=self.restoring)
        if is_new:
            told = {problem.reason for problem in _problems(after)}
            for text in advice(snapshot.document, document, told, time.time()):
                warn(text)
                warnings.append(text)
            moving = self.moving or self.restoring
            _heed(self.store.cautions(snapshot, document, moving=moving), self.manner)
        return warnings


def warn(text: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"{COMMAND}: warning: {printable(text)}", err=True)


def tell_end(fields: Mapping[str, object]) -> None:
    """Print when the access of an entry with these fields ends, absolute and from now."""
    if expires := fields.get("expires"):
        end = moment(parse_rfc3339(str(expires)), time.time())
        click.echo(f"{COMMAND}: note: the access ends at {end}", err=True)


def show_diff(lines: Sequence[str]) -> None:
    """Print a difference, in colour on a terminal."""
    shown = (click.style(printable(line), fg=_STYLES.get(line[:1])) for line in lines)
    click.echo("".join(f"{line}\n" for line in shown), nl=False, color=colour())


def _editor(store: Store) -> Editor:
    try:
        return store.editor()
    except StoreError as error:
        warn(f"{error}; whether the edit takes your own access away cannot be checked")
        return Editor("unknown")


def _refuse_lock_out(before: _Sections, after: _Sections, editor: Editor, manner: Manner) -> None:
    found = refusals(before, after, editor, time.time(), manner.elsewhere)
    _refuse((f"refused ({r.id}): {r.reason}; {r.advice}" for r in found), manner)


def _refuse_faults(
    before: _Sections, after: _Sections, manner: Manner, *, restoring: bool
) -> list[str]:
    """Refuse entries that the server would leave out; return what it only warns of."""
    known = Counter(problem.reason for problem in _problems(before))
    broken = {section.name for section in after if section.broken}
    found: list[str] = []
    remarks: list[str] = []
    for problem in _problems(after):
        known[problem.reason] -= 1
        if known[problem.reason] >= 0:
            continue
        left_out = f"the server would leave it out: {problem.origin}: {problem.reason}"
        if problem.in_force:
            remarks.append(f"{problem.origin}: {problem.reason}")
            warn(remarks[-1])
        elif restoring and problem.origin.section not in broken:
            warn(left_out)
        else:
            found.append(left_out)
    _refuse(found, manner)
    return remarks


def _refuse_warnings(warnings: Sequence[str], manner: Manner) -> None:
    if manner.strict and warnings:
        count = f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"
        raise ConfigError((f"refused (--strict): {count}, see above; nothing has been written",))


def _heed(cautions: Cautions, manner: Manner) -> None:
    for text in cautions.warnings:
        warn(text)
    _refuse(cautions.refusals, manner)


def _refuse(reasons: Iterable[str], manner: Manner) -> None:
    found = list(reasons)
    if found and not manner.force:
        raise ConfigError((*found, f"nothing has been written; {manner.flags.force}"))
    for text in found:
        warn(text)


def _problems(sections: _Sections) -> list[Problem]:
    return [problem for section in sections for problem in section.problems]


def _ask(store: Store, manner: Manner) -> None:
    if manner.yes or manner.dry_run != "none":
        return
    question = f"Write this to {store.title}?"
    if sys.stdin and sys.stdin.isatty():  # a closed input is None
        agreed = click.confirm(question)
    elif sys.stdin and manner.piped:
        agreed = _piped_answer(question, manner)
    else:
        raise ConfigError((f"not a terminal, cannot ask for confirmation: {manner.flags.confirm}",))
    if not agreed:
        click.echo("Nothing has been written.")
        raise click.Abort


def _piped_answer(question: str, manner: Manner) -> bool:
    """Read the answer from standard input, as `yes | ...` gives it."""
    click.echo(f"{question} [y/N]: ", nl=False)
    answer = sys.stdin.readline(_LONGEST_ANSWER)
    click.echo(printable(answer.strip()))
    if not answer:
        raise ConfigError((f"standard input holds no answer: {manner.flags.confirm}",))
    return answer.strip().lower() in ("y", "yes")


def _write(
    store: Store, snapshot: Snapshot, document: Document, editor: Editor, words: str
) -> None:
    try:
        store.write(snapshot, document)
    except (Conflict, StoreError) as error:
        if error.partly:
            _remember(store, snapshot, editor, f"{words} (in part)")
        raise
    undo = f"undo: {COMMAND} mappings rollback{store.flags}"
    click.echo(f"{store.title}: done: {printable(words)} ({undo})")
    _remember(store, snapshot, editor, words)


def _remember(store: Store, snapshot: Snapshot, editor: Editor, words: str) -> None:
    def remembered(history: History) -> History:
        return history.with_edit(editor.username, words, snapshot.document.texts, time.time())

    try:
        store.remember(remembered)
    except (StoreError, ValueError) as error:
        warn(f"the edit has been made, but could not be kept in the history: {error}")
