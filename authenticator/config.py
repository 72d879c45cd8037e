"""Gathers the settings: flags over environment over file over defaults.

All problems are reported at once, each with the file and key, or the flag or variable, that it
concerns. Keys that mean nothing are warned of, with the nearest key that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from authenticator.errors import ConfigError
from authenticator.settings import MAPPING_KEYS, Place, Settings, places, variable

MAX_FILE_BYTES = 4 * 1024 * 1024

_MAPPING_KEYS = frozenset(key.lower() for key in MAPPING_KEYS)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` found.

    Attributes:
        settings: the settings.
        warnings: sentences about keys that mean nothing.
    """

    settings: Settings
    warnings: tuple[str, ...]


def load(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None
) -> Loaded:
    """Gather the settings: flags over environment over file over defaults.

    Args:
        flags: the flags' values as typed, by the name of the field; None where not given.
        environment: the environment variables.
        file: the config file, if there is one.

    Raises:
        ConfigError: with every problem that was found.
    """
    found: dict[str, tuple[str, Any]] = {}
    problems: list[str] = []
    warnings: list[str] = []
    if file is not None:
        found.update(_from_file(file, problems, warnings))
    for name, _, place in places():
        if not place.file_only and variable(name) in environment:
            found[name] = (f"environment variable {variable(name)}", environment[variable(name)])
        if flags.get(name) is not None:
            found[name] = (f"flag {place.flag}", flags[name])
    try:
        settings = Settings.model_validate({name: value for name, (_, value) in found.items()})
    except ValidationError as error:
        problems.extend(_sentence(item, found) for item in error.errors(include_url=False))
    if problems:
        raise ConfigError(tuple(problems))
    return Loaded(settings, tuple(warnings))


def _sentence(item: ErrorDetails, found: Mapping[str, tuple[str, Any]]) -> str:
    name = str(item["loc"][0])
    if name not in found:
        place = next(place for field, _, place in places() if field == name)
        return (
            f"no {place.key} is set: give the key {place.path} in the config file,"
            f" the flag {place.flag} or the environment variable {variable(name)}"
        )
    inner = "".join(f"[{part}]" for part in item["loc"][1:])
    message = item["msg"].removeprefix("Value error, ")
    return f"{found[name][0]}{inner}: {message[0].lower()}{message[1:]}"


def read_document(file: Path) -> dict[str, Any]:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read, or is no YAML mapping.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError((f"{file}: it is larger than {MAX_FILE_BYTES} bytes",))
        document = yaml.load(data, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ConfigError((f"{file}: cannot be read: {error.strerror}",)) from error
    except yaml.YAMLError as error:
        raise ConfigError((f"{file}: {_yaml_reason(error)}",)) from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError((f"{file}: it must be a YAML mapping with clusterID and server",))
    return document


def _yaml_reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return line + (getattr(error, "problem", None) or "it is not YAML")


def _from_file(file: Path, problems: list[str], warnings: list[str]) -> dict[str, tuple[str, Any]]:
    try:
        document = read_document(file)
    except ConfigError as error:
        problems.extend(error.problems)
        return {}
    server: Any = {}
    for key in [key for key in document if str(key).lower() == "server"]:
        server = document.pop(key)
    if not isinstance(server, dict):
        problems.append(f"{file}: server must be a mapping")
        server = {}
    found: dict[str, tuple[str, Any]] = {}
    for section, top, under in ((document, True, ""), (server, False, "server.")):
        known = {
            place.key.lower(): (name, place) for name, _, place in places() if place.top is top
        }
        for key, value in section.items():
            name, place = known.get(str(key).lower(), ("", None))
            if place is None:
                if top or str(key).lower() not in _MAPPING_KEYS:
                    warnings.append(_unknown(f"{file}: {under}{key}", str(key), known.values()))
            elif name in found:
                problems.append(f"{file}: {place.path} is given twice")
            elif value is not None:
                found[name] = (f"{file}: {place.path}", value)
    return found


def _unknown(where: str, key: str, known: Iterable[tuple[str, Place]]) -> str:
    names = {place.key.lower(): place.key for _, place in known}
    near = get_close_matches(key.lower(), names, n=1)
    hint = f"; did you mean {names[near[0]]}?" if near else ""
    return f"{where} is not a setting and is ignored{hint}"
