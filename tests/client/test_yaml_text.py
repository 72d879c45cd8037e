"""What we write, a YAML parser reads back as it was."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from client import yaml_text

TRAPS = "|yes|No|null|~|1|1.5|0x1|.inf|2026-01-01|a: b|a #b|- a|=|a:|LS0tLS1CRUdJTg==|\x85|{|'|&a"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    TRAPS.split("|")
)
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5))
def test_is_read_back_as_it_was(document: dict[str, object]) -> None:
    assert yaml.safe_load(yaml_text.dump(document)) == document


def test_is_written_as_people_write_it() -> None:
    document = {
        "kind": "Config",
        "users": [{"name": "a b", "user": {"exec": {"args": ["token", "-i"], "env": None}}}],
        "preferences": {},
    }

    assert yaml_text.dump(document) == (
        "kind: Config\n"
        "users:\n"
        '- name: "a b"\n'
        "  user:\n"
        "    exec:\n"
        "      args:\n"
        "      - token\n"
        '      - "-i"\n'
        "      env: null\n"
        "preferences: {}\n"
    )
