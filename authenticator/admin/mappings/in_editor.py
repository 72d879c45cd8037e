"""The verb `mappings edit`: the mappings in an editor, opened again until they can be written."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml

from authenticator.admin.mappings.edit import Manner, complaining, edit, manner_options
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.where import OBJECTS, Where, where_options
from authenticator.admin.stores.base import Store, StoreError
from authenticator.display import printable
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.objects import as_text
from authenticator.editing.parsed import tree
from authenticator.editing.principals import Chosen
from authenticator.errors import ConfigError
from authenticator.mapping.nodes import DocumentError, Fields, Text

# As kubectl looks for it.
_EDITORS = ("KUBE_EDITOR", "VISUAL", "EDITOR")
_DEFAULT_EDITOR = "vi"
_BEGIN = (
    "# --- Edit below this line. Save and leave to see the difference; leave unchanged to cancel."
)
# An editor that is a script makes the same mistake each time.
_MOST_OPENED = 20
_WORDS = "edit in an editor"


@group.command(
    "edit",
    help="Edit the mappings in $KUBE_EDITOR, $VISUAL or $EDITOR.\n\n"
    "What cannot be written is opened again with the reason at the top. With --source crd, ENTRY"
    " chooses the objects.",
)
@click.argument("entry", nargs=-1)
@where_options
@manner_options
@complaining
def _edit(where: Where, *, entry: tuple[str, ...], manner: Manner) -> int:
    if entry and where.source != OBJECTS:
        raise click.UsageError("ENTRY is for --source crd; other mappings are opened as a whole")
    if not (manner.yes or manner.dry_run != "none" or (sys.stdin and sys.stdin.isatty())):
        raise ConfigError((f"not a terminal, cannot ask for confirmation: {manner.flags.confirm}",))
    store = where.store()
    document = store.read().document
    names = [located.id for located in Chosen(entry).find(document)] if entry else None
    form = _form(where.source, document.texts, names)
    return _Editing(store, manner, form, document.texts).run()


@dataclass(frozen=True, slots=True)
class _Form:
    """A document as one text to edit.

    Attributes:
        suffix: the end of the file's name, by which editors know the language.
        text: the text.
        whole: whether it is the only text of the document, under `name`.
        name: the name of that text.
        kept: the texts that are not opened.
        objects: whether the texts are custom resources.
    """

    suffix: str
    text: str
    whole: bool = False
    name: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    objects: bool = False

    def read(self, text: str) -> dict[str, str]:
        """Return the texts that an edited text stands for.

        Raises:
            EditError: it is of another form.
        """
        if self.whole:
            return {self.name: text}
        found = _objects(text) if self.objects else _sections(text)
        return {**self.kept, **found}


def _form(source: str, texts: Mapping[str, str], names: list[str] | None) -> _Form:
    """Return a document as one text; EditError if it would not be read as it was written."""
    if source.startswith("file="):
        ((name, text),) = texts.items()
        return _Form(Path(name).suffix or ".yaml", text, whole=True, name=name)
    form = _Form(".yaml", _dumped(dict(texts)))
    if source == OBJECTS:
        opened = {name: text for name, text in texts.items() if names is None or name in names}
        kept = {name: text for name, text in texts.items() if name not in opened}
        values = {name: json.loads(text) for name, text in opened.items()}
        form = _Form(".yaml", _dumped(values), kept=kept, objects=True)
    try:
        is_same = form.read(form.text) == dict(texts)
    except (EditError, DocumentError, yaml.YAMLError):
        is_same = False
    if not is_same:
        raise EditError("it is written in a way that cannot be opened safely; use kubectl edit")
    return form


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as kubectl shows a ConfigMap."""


def _block(dumper: _Blocks, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Blocks.add_representer(str, _block)


def _dumped(values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    return yaml.dump(values, Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=1 << 20)


def _sections(text: str) -> dict[str, str]:
    """Read the `data` of a ConfigMap: every value is a text."""
    node = tree(text)
    if node is None:
        return {}
    if not isinstance(node, Fields) or node.repeated:
        raise EditError("it must be a map with each key once, such as 'mapRoles: |'")
    found: dict[str, str] = {}
    for key, value in node.values.items():
        if not isinstance(value, Text):
            raise EditError(f"line {value.line}: write '{key}: |', and its text indented below")
        found[key] = value.value or ""
    return found


def _objects(text: str) -> dict[str, str]:
    """Read custom resources by name; every value in them is a text."""
    loaded = yaml.load(text, Loader=yaml.CBaseLoader) or {}  # noqa: S506 (it makes texts only)
    if not isinstance(loaded, dict):
        raise EditError("it must be a map of the objects by name")
    for name, obj in loaded.items():
        if not (isinstance(obj, dict) and isinstance(obj.get("spec"), dict)):
            raise EditError(f"{name}: write 'spec:', and its fields indented below")
    return {name: as_text(obj) for name, obj in loaded.items()}


class _Editing:
    """One call of the verb: the editor is opened until the mappings are written, or given up."""

    def __init__(
        self, store: Store, manner: Manner, form: _Form, opened: Mapping[str, str]
    ) -> None:
        self._store = store
        self._manner = manner
        self._form = form
        self._opened = opened

    def run(self) -> int:
        """Return the exit code.

        Raises:
            ConfigError: what was written last cannot be used, and was left so.
        """
        text, reasons = self._form.text, tuple[str, ...]()
        for _ in range(_MOST_OPENED):
            edited = _open(text, self._form.suffix, self._store.title, reasons)
            if edited == text:
                if not reasons:
                    click.echo("Edit cancelled, no changes made.")
                    return 0
                break
            text = edited
            try:
                return self._write(edited)
            except _Stale as error:
                copy = f"your text is kept in {self._keep(edited)}"
                raise ConfigError((str(error), copy)) from error
            except ConfigError as error:
                reasons = error.problems
            except (EditError, StoreError, DocumentError, yaml.YAMLError) as error:
                reasons = (str(error),)
        raise ConfigError((*reasons, f"your text is kept in {self._keep(text)}"))

    def _write(self, edited: str) -> int:
        texts = self._form.read(edited)

        def change(document: Document) -> Document:
            if dict(document.texts) != dict(self._opened):
                raise _Stale(f"{self._store.title}: another edit was made meanwhile; start again")
            return document if texts == document.texts else self._store.restored(texts)

        return edit(self._store, change, _WORDS, self._manner)

    def _keep(self, text: str) -> str:
        descriptor, name = tempfile.mkstemp(prefix="mappings-edit-", suffix=self._form.suffix)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return name


class _Stale(EditError):
    """Another edit was made while the editor was open."""


def _open(text: str, suffix: str, title: str, reasons: tuple[str, ...]) -> str:
    """Open a text in the user's editor, and return what is left of it.

    Raises:
        ConfigError: the editor cannot be started, or fails.
    """
    command = next(filter(None, map(os.environ.get, _EDITORS)), _DEFAULT_EDITOR)
    head = [f"# {title}", *(f"# Not written: {printable(reason)}" for reason in reasons), _BEGIN]
    with tempfile.TemporaryDirectory(prefix="mappings-edit-") as directory:
        path = Path(directory, f"mappings{suffix}")
        path.write_bytes(("".join(f"{line}\n" for line in head) + text).encode())
        try:
            ended = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603 (the user's own)
        except (OSError, ValueError) as error:
            raise ConfigError(
                (f"the editor {printable(command)!r} cannot be started ({error}); set EDITOR",)
            ) from error
        if ended.returncode:
            raise ConfigError((f"the editor {printable(command)!r} ended with {ended.returncode}",))
        try:
            edited = path.read_bytes().decode()
        except UnicodeError as error:
            raise ConfigError(("the edited text is not UTF-8; nothing was written",)) from error
    _, begun, rest = edited.partition(f"{_BEGIN}\n")
    return rest if begun else edited
