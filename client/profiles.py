"""A reader of the AWS shared files that never guesses.

It reads the plain files that people and tools write exactly as botocore does, and refuses the
rest (`NotPlainError`), which then goes to botocore itself: what is read here is right, what is not
costs a slower start and nothing else. ``tests/contract/test_client_profiles.py`` holds it to that.

Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files"; botocore's
``configloader`` where that is silent.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Section = dict[str, str | dict[str, str]]


class NotPlainError(Exception):
    """The file uses something that this reader leaves to botocore."""


class SharedFiles:
    """The profiles of ``~/.aws/credentials`` and ``~/.aws/config``, or of the files named."""

    __slots__ = ("config", "credentials")

    def __init__(self, *, credentials: "dict[str, Section]", config: "dict[str, Section]") -> None:
        self.credentials = credentials
        self.config = config

    @classmethod
    def read(cls, environ: "Mapping[str, str]") -> "SharedFiles":
        """Read both files; one that is missing or unreadable has no profiles.

        Raises:
            NotPlainError: botocore has to read them.
        """
        return cls(
            credentials=parse(_read(credentials_path(environ))),
            config=_profiles_of(parse(_read(config_path(environ)))),
        )

    def names(self) -> set[str]:
        """Return the name of every profile in either file."""
        return {*self.credentials, *self.config}

    def merged(self, name: str) -> "Section | None":
        """Return a profile's settings, those in the credentials file first; None if unknown."""
        if name not in self.credentials and name not in self.config:
            return None
        return {**self.config.get(name, {}), **self.credentials.get(name, {})}


def profile_of(environ: "Mapping[str, str]") -> str | None:
    """Return the profile that the environment chooses, in the reference's order.

    A variable that is set and empty counts as unset.
    """
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or None


def credentials_path(environ: "Mapping[str, str]") -> str:
    """Return where the shared credentials file is, before `~` and variables are expanded."""
    return environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def config_path(environ: "Mapping[str, str]") -> str:
    """Return where the shared config file is, before `~` and variables are expanded."""
    return environ.get("AWS_CONFIG_FILE", "~/.aws/config")


def chain(profiles: "Mapping[str, Mapping[str, str]]", name: str) -> list[str]:
    """Return a profile and the profiles that its role comes from, the outermost one first."""
    names: list[str] = []
    while name not in names:
        names.append(name)
        name = profiles.get(name, {}).get("source_profile", name)
    return names


def unknown(
    name: str, known: "Iterable[str]", environ: "Mapping[str, str]", *, explicit: bool
) -> str:
    """Say that a profile does not exist, which ones do, and what to do.

    Args:
        name: the profile.
        known: the profiles that exist.
        environ: the environment variables.
        explicit: whether --profile named it, and not a variable.
    """
    variable = "AWS_PROFILE" if environ.get("AWS_PROFILE") else "AWS_DEFAULT_PROFILE"
    return (
        f"AWS profile {name!r} does not exist (known: {', '.join(sorted(known)) or 'none'});"
        f" correct {'--profile' if explicit else variable} or add the profile to"
        f" {config_path(environ)}"
    )


def parse(lines: "Iterable[str]") -> "dict[str, Section]":
    """Return the sections of an AWS INI file, nested settings as a dictionary of their own.

    Raises:
        NotPlainError: anything but sections, ``key = value``, comments, blank lines, and indented
            settings under a key without a value.
    """
    sections: dict[str, Section] = {}
    section: Section | None = None
    nested: dict[str, str] | None = None
    key = None
    for line in lines:
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if line[0] != text[0]:
            if section is None or key is None or nested is None:
                raise NotPlainError
            nested_key, value = _split(text, colon=False)
            nested[nested_key] = value
            section[key] = nested
        elif text[0] == "[":
            section = sections[_new(_header(text), sections)] = {}
            key = nested = None
        elif section is None:
            raise NotPlainError
        else:
            key, value = _split(text, colon=True)
            key = _new(key.lower(), section)
            section[key] = value
            nested = None if value else {}
    return sections


def _split(text: str, *, colon: bool) -> tuple[str, str]:
    """Split at the first ``=``, or ``:`` where that is a delimiter too and comes first."""
    key, delimiter, value = text.partition("=")
    if colon and ":" in key:
        key, delimiter, value = text.partition(":")
    if not delimiter or not key:
        raise NotPlainError
    return key.rstrip(), value.lstrip()


def _new(name: str, known: "Mapping[str, object]") -> str:
    """Refuse a name's second appearance, which botocore reports as an error."""
    if name in known:
        raise NotPlainError
    return name


def _header(text: str) -> str:
    """Return what stands in the brackets; a comment may follow them."""
    name, bracket, rest = text[1:].partition("]")
    rest = rest.lstrip()
    # configparser reads up to the *last* bracket, and gives DEFAULT a meaning of its own.
    if (
        not bracket
        or not name
        or name == "DEFAULT"
        or "]" in rest
        or (rest and rest[0] not in "#;")
    ):
        raise NotPlainError
    return name


def _profiles_of(sections: "dict[str, Section]") -> "dict[str, Section]":
    """Return the profiles of a config file: ``[default]`` and ``[profile NAME]``."""
    profiles: dict[str, Section] = {}
    for header, section in sections.items():
        if header == "default":
            profiles[header] = section
        elif header.startswith("profile") and (name := _profile_name(header)):
            profiles[name] = section
    return profiles


def _profile_name(header: str) -> str | None:
    """Return the second word of a header, quoted or not; None if it has one word, or three.

    botocore splits as a shell does; of that, only one quoted name is plain enough for us.
    """
    keyword, _, name = header.partition(" ")
    name = name.strip(" ")
    quoted = len(name) > len("''") and name[0] == name[-1] and name[0] in "\"'"
    if quoted:
        name = name[1:-1]
    if any(char in keyword + name for char in "\"'\\\t"):
        raise NotPlainError
    return name if quoted or " " not in name else None


def expand(path: str) -> str:
    """Replace ``~`` and variables, as botocore does; empty where there is no home directory."""
    return expand_home(os.path.expandvars(path))


def expand_home(path: str) -> str:
    """Replace ``~``; empty where there is no home directory.

    Without HOME, and with a user id that has no account (OpenShift, distroless images), ``~`` would
    stay as it is and mean a folder of that name in the working directory.
    """
    if path[:1] == "~" and os.environ.get("HOME") == "":
        return ""
    expanded = os.path.expanduser(path)  # noqa: PTH111 - pathlib costs 3 ms
    return "" if expanded[:1] == "~" else expanded


def _read(path: str) -> list[str]:
    """Return a file's lines; none if it cannot be read, which botocore takes as absent too."""
    try:
        # Unbuffered, and decoded here: Python's layers for text take longer than all the parsing.
        with open(expand(path), "rb", buffering=0) as file:  # noqa: PTH123 - likewise
            text = file.read().decode()
    except OSError:
        return []
    except UnicodeDecodeError as error:
        raise NotPlainError from error
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
