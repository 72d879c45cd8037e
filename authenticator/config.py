"""Gathers the settings: flags over environment over file over defaults.

All problems are reported at once, each with the file and key, or the flag or variable, that it
concerns. Keys that mean nothing are warned of, with the nearest key that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from authenticator.errors import ConfigError
from authenticator.mapping.nodes import MAX_BYTES, DocumentError, Fields, Node, Text, plain, read
from authenticator.settings import MAPPING_KEYS, Place, Settings, places, variable

_MAPPING_KEYS = frozenset(key.lower() for key in MAPPING_KEYS)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` found.

    Attributes:
        settings: the settings.
        file: the config file, if there is one.
        warnings: sentences about keys that mean nothing.
    """

    settings: Settings
    file: Path | None
    warnings: tuple[str, ...]


def load(
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    file: Path | None,
    otherwise: Mapping[str, str] = MappingProxyType({}),
) -> Loaded:
    """Gather the settings: flags over environment over file over defaults.

    Args:
        flags: the flags' values as typed, by the name of the field; None where not given.
        environment: the environment variables.
        file: the config file, if there is one.
        otherwise: by field, what stands in for a required setting that is given nowhere.

    Raises:
        ConfigError: with every problem that was found.
    """
    found: dict[str, tuple[str, Any]] = {n: ("default", v) for n, v in otherwise.items()}
    problems: list[str] = []
    warnings: list[str] = []
    is_read = True
    if file is not None:
        try:
            found.update(_from_file(file, problems, warnings))
        except ConfigError as error:
            problems.extend(error.problems)
            is_read = False
    for name, _, place in places():
        if not place.file_only and variable(name) in environment:
            found[name] = (f"environment variable {variable(name)}", environment[variable(name)])
        if flags.get(name) is not None:
            found[name] = (f"flag {place.flag}", flags[name])
    try:
        settings = Settings.model_validate({name: value for name, (_, value) in found.items()})
    except ValidationError as error:
        problems.extend(
            _sentence(item, found)
            for item in error.errors(include_url=False)
            # A file that cannot be read may have what is missing.
            if is_read or item["type"] != "missing"
        )
    if problems:
        raise ConfigError(tuple(problems))
    return Loaded(settings, file, tuple(warnings))


def _sentence(item: ErrorDetails, found: Mapping[str, tuple[str, Any]]) -> str:
    name = str(item["loc"][0])
    if name not in found:
        place = next(place for field, _, place in places() if field == name)
        return (
            f"no {place.key} is set: give the key {place.path} in the config file,"
            f" the flag {place.flag} or the environment variable {variable(name)}"
        )
    inner = "".join(f"[{part}]" for part in item["loc"][1:])
    message = item["msg"]
    ours = message.removeprefix("Value error, ")
    if ours == message:  # pydantic's own; ours may begin with a user's word
        ours = f"{message[0].lower()}{message[1:]}"
    return f"{found[name][0]}{inner}: {ours}"


def _read(file: Path) -> Fields:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8-sig")
        root = read(text)
    except OSError as error:
        raise ConfigError((f"{file}: cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((f"{file}: it is not UTF-8",)) from error
    except DocumentError as error:
        raise ConfigError((f"{file}: {error}",)) from error
    if root is None:
        return Fields(1)
    if not isinstance(root, Fields):
        raise ConfigError((f"{file}: it must be a YAML map with clusterID and server",))
    return root


def _server(document: Fields, file: Path, problems: list[str]) -> Fields:
    """Take the map `server` out of `document`."""
    named = [key for key in document.values if key.lower() == "server"]
    if len(named) > 1 or "server" in document.repeated:
        problems.append(f"{file}: server is given twice; merge the two")
    server: Node = Fields(0)
    for key in named:
        server = document.values.pop(key)
    if isinstance(server, Fields):
        return server
    if isinstance(server, Text) and server.value is None:
        return Fields(server.line)
    problems.append(f"{file}: line {server.line}: server must be a map")
    return Fields(0)


def _from_file(file: Path, problems: list[str], warnings: list[str]) -> dict[str, tuple[str, Any]]:
    document = _read(file)
    server = _server(document, file, problems)
    found: dict[str, tuple[str, Any]] = {}
    for section, top, under in ((document, True, ""), (server, False, "server.")):
        known = {
            place.key.lower(): (name, place) for name, _, place in places() if place.top is top
        }
        for key, node in section.values.items():
            name, place = known.get(key.lower(), ("", None))
            if place is None:
                if top or key.lower() not in _MAPPING_KEYS:
                    warnings.append(_unknown(f"{file}: {under}{key}", key, known.values()))
            elif name in found or key in section.repeated:
                problems.append(f"{file}: line {node.line}: {place.path} is given twice")
            elif (value := plain(node)) is not None:
                found[name] = (f"{file}: {place.path}", value)
    return found


def _unknown(where: str, key: str, known: Iterable[tuple[str, Place]]) -> str:
    names = {name.lower(): name for name in (*(place.key for _, place in known), *MAPPING_KEYS)}
    near = get_close_matches(key.lower(), names, n=1)
    hint = f"; did you mean {names[near[0]]}?" if near else ""
    return f"{where} is not a setting and is ignored{hint}"
