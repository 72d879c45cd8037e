"""Placeholders: filled in once, refused when unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity
from authenticator.mapping.templates import Placeholder, Template
from tests.authenticator.mapping.callers import caller, role, user

RENDERED = {
    "plain": ("admin", role("Dev"), "admin"),
    "account": ("a:{{AccountID}}", role("Dev"), "a:111122223333"),
    "session": ("dev:{{SessionName}}", role("Dev", "bob@example.com"), "dev:bob-example.com"),
    "raw session": ("{{SessionNameRaw}}", role("Dev", "bob@example.com"), "bob@example.com"),
    "access key": ("{{AccessKeyID}}", role("Dev"), "ASIAEXAMPLE"),
    "instance": ("system:node:{{EC2PrivateDNSName}}", role("Node"), "system:node:ip-10-0-0-1"),
    "canonical": ("{{CanonicalARN}}", role("Dev"), "arn:aws:iam::111122223333:role/Dev"),
    "two": ("{{AccountID}}/{{SessionName}}", role("Dev", "al"), "111122223333/al"),
    "session of a user": ("x{{SessionName}}", user("bob"), "x"),
    "session of a federated user": (
        "{{SessionName}}",
        caller("arn:aws:sts::111122223333:federated-user/bob"),
        "bob",
    ),
}


@pytest.mark.parametrize(("text", "identity", "rendered"), RENDERED.values(), ids=RENDERED)
def test_rendering(text: str, identity: CallerIdentity, rendered: str) -> None:
    assert Template.parse(text).render(identity, "ip-10-0-0-1") == rendered


def test_the_longest_text() -> None:
    assert Template.parse("a" * 1024).head == "a" * 1024


def test_what_is_filled_in_is_not_scanned_again() -> None:
    template = Template.parse("{{EC2PrivateDNSName}}-{{AccountID}}")
    assert template.render(role("Dev"), "{{AccessKeyID}}") == "{{AccessKeyID}}-111122223333"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("{{Sessionname}}", "unknown placeholder"),
        ("{{ SessionName }}", "unknown placeholder"),
        ("{{}}", "unknown placeholder"),
        ("a{{SessionName", "without"),
        ("a}}", "without"),
        ("{{{{SessionName}}}}", "unknown placeholder"),
        ("a\nb", "control"),
        ("a\u202eb", "invisible"),
        ("a\u200bb", "invisible"),
        ("a" * 1025, "longer than 1024"),
        ("{{AccountID}}" * 79, "longer than 1024"),
    ],
)
def test_refused_at_load(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Template.parse(text)


def test_head_is_what_every_value_begins_with() -> None:
    assert Template.parse("system:node:{{EC2PrivateDNSName}}").head == "system:node:"
    assert Template.parse("{{SessionName}}:x").head == ""


@given(st.text(st.sampled_from("ab:{} ")) | st.text())
def test_any_text_is_a_template_or_a_value_error(text: str) -> None:
    try:
        template = Template.parse(text)
    except ValueError:
        return
    # Without placeholders a template renders to itself.
    if not any(isinstance(part, Placeholder) for part in template.parts):
        assert template.render(role("Dev"), "") == text
