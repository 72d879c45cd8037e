"""Our reader of the AWS files either reads what botocore reads, or leaves the file to botocore."""

from pathlib import Path
from typing import Any

import pytest
from botocore.configloader import load_config, raw_config_parse
from botocore.exceptions import ConfigParseError
from hypothesis import given, settings
from hypothesis import strategies as st

from client.profiles import NotPlainError, SharedFiles
from tests.examples import examples

PLAIN = {
    "empty file": "",
    "two profiles": "[default]\naws_access_key_id = A\n[profile b]\nregion=eu-west-1\n",
    "no newline at the end": "[default]\nregion = x",
    "comments": "# c\n[default] # d\n; e\nregion = x # kept\n  # indented\noutput = json\n",
    "colon": "[default]\nregion: x\nrole_arn = arn:aws:iam::1:role/x\n",
    "upper case keys": "[default]\nAWS_ACCESS_KEY_ID = A\n",
    "empty value": "[default]\naws_session_token =\nregion = x\n",
    "value with equals": "[default]\naws_secret_access_key = a=b==\n",
    "quotes are kept": '[default]\nregion = "x"\n',
    "nested": "[default]\ns3 =\n  max = 1\n\n  # c\n\tsize = 2 = 3\nregion = x\n",
    "nested twice": "[default]\ns3 =\n  max = 1\n  max = 2\n",
    "indented value of an empty key": "[default]\nregion =\n  a = b\n",
    "carriage returns": "[default]\r\nregion = x\r\ns3 =\r\n  a = b\r\n",
    "lone carriage returns": "[default]\rregion = x\r",
    "quoted profile": '[profile "b c"]\nregion = x\n',
    "single-quoted profile": "[profile 'b c']\nregion = x\n",
    "profile with many spaces": "[profile   b  ]\nregion = x\n",
    "three words": "[profile b c]\nregion = x\n",
    "one word": "[profile]\nregion = x\n[profiles]\nregion = y\n",
    "profile by a longer word": "[profiles b]\nregion = x\n",
    "bare section": "[b]\nregion = x\n",
    "same profile twice": "[profile b]\nregion = x\n[profile  b]\nregion = y\n",
    "default by both names": "[default]\nregion = x\n[profile default]\nregion = y\n",
    "default by both names, turned": "[profile default]\nregion = y\n[default]\nregion = x\n",
    "spaces in brackets": "[ default ]\nregion = x\n",
    "sso session": "[sso-session s]\nsso_region = x\n[profile b]\nsso_session = s\n",
    "non-ASCII": "# schön\n[profile ü]\nregion = x\n",
    "form feed": "[default]\nregion = x\x0cy\n",
}
LEFT_TO_BOTOCORE = {
    "byte order mark": "\ufeff[default]\nregion = x\n",
    "duplicate section": "[default]\nregion = x\n[default]\nregion = y\n",
    "duplicate key": "[default]\nregion = x\nREGION = y\n",
    "key before any section": "region = x\n[default]\n",
    "line without delimiter": "[default]\nregion\n",
    "empty key": "[default]\n= x\n",
    "continued value": "[default]\nregion = x\n  y\n",
    "nested without delimiter": "[default]\ns3 =\n  x\n",
    "indented section": "  [default]\n  region = x\n",
    "indented key": "[default]\n  region = x\n",
    "section of defaults": "[DEFAULT]\nregion = x\n[default]\n",
    "unclosed bracket": "[default\nregion = x\n",
    "bracket in a name": "[profile a]b]\nregion = x\n",
    "text after the bracket": "[default] x\nregion = x\n",
    "escaped name": "[profile a\\ b]\nregion = x\n",
    "unclosed quote": '[profile "b]\nregion = x\n',
    "two quoted words": '[profile "a" "b"]\nregion = x\n',
    "quotes within": 'profile = x\n[profile a"b c"]\n',
}
# Lines as people write them, and everything the grammar turns on, sprinkled between them.
LINES = st.sampled_from(
    [
        *(
            "[default]",
            "[profile b]",
            "[profile 'c d']",
            "[profile  default]",
            "[e] # f",
            "[sso s]",
        ),
        *("region = x", "role_arn=arn:aws:iam::1:role/x", "output: json", "Key = a # b", "empty ="),
        *("s3 =", "  max = 1", "\t size = a:b", "   max = 2", "", "  ", "# c", "; d", "  # e"),
    ]
).flatmap(lambda line: st.sampled_from([line + "\n", line + "\r\n", line + " \n"]))
FRAGMENTS = st.sampled_from(
    [
        *(
            "[",
            "]",
            "profile ",
            "[DEFAULT]\n",
            "=",
            ":",
            "#",
            ";",
            "'",
            '"',
            "\\",
            "  [x]\n",
            "x\n",
        ),
        *(" ", "\t", "\n", "\r", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\ufeff", "é", "\0"),
    ]
)
TEXTS = st.lists(st.one_of([LINES] * 20 + [FRAGMENTS]), max_size=12, unique=True).map("".join)


def ours(path: Path) -> tuple[Any, Any] | None:
    environ = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(path)}
    try:
        files = SharedFiles.read(environ)
    except NotPlainError:
        return None
    return files.credentials, files.config


def botocores(path: Path) -> tuple[Any, Any]:
    return raw_config_parse(str(path)), load_config(str(path))["profiles"]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN.keys())
def test_reads_plain_files_as_botocore_does(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "file", text)

    assert ours(path) == botocores(path)


@pytest.mark.parametrize("text", LEFT_TO_BOTOCORE.values(), ids=LEFT_TO_BOTOCORE.keys())
def test_leaves_the_rest_to_botocore(text: str, tmp_path: Path) -> None:
    assert ours(write(tmp_path / "file", text)) is None


def test_leaves_other_encodings_to_botocore(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("# schön".encode("latin-1"))

    assert ours(tmp_path / "file") is None


@given(TEXTS | st.lists(FRAGMENTS).map("".join))
@settings(max_examples=examples(500))
def test_never_reads_otherwise_than_botocore(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "generated", text)
    try:
        expected = botocores(path)
    except ConfigParseError:
        expected = None

    read = ours(path)

    assert read is None or read == expected


@pytest.mark.parametrize(
    "name",
    ["absent", "directory"],
)
def test_what_is_not_a_file_has_no_profiles(name: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()

    assert ours(tmp_path / name) == ({}, {})


def test_expands_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NAME", "file")
    write(tmp_path / "file", "[default]\nregion = x\n")

    assert ours(Path("~/$NAME")) == ({"default": {"region": "x"}}, {"default": {"region": "x"}})
