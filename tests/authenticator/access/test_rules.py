"""What one rule allows, case by case as Kubernetes' own `RuleAllows`."""

from __future__ import annotations

import pytest

from authenticator.access.rules import PolicyRule, Request


def made(
    verbs: str, resources: str = "", groups: str = "", names: str = "", paths: str = ""
) -> PolicyRule:
    return PolicyRule(
        verbs=frozenset(verbs.split()),
        groups=frozenset(groups.split() or [""]),
        resources=frozenset(resources.split()),
        names=frozenset(names.split()),
        paths=frozenset(paths.split()),
    )


_LOG = Request("get", "pods", subresource="log")
_RED = Request("get", "pods", name="red")


@pytest.mark.parametrize(
    ("rule", "request_"),
    [
        pytest.param(made("get", "pods"), Request("get", "pods"), id="the same"),
        pytest.param(made("*", "pods"), Request("get", "pods"), id="any verb"),
        pytest.param(made("get", "*"), Request("get", "pods"), id="any resource"),
        pytest.param(made("get", "*"), _LOG, id="any resource has any subresource"),
        pytest.param(made("get", "pods/log"), _LOG, id="a subresource"),
        pytest.param(made("get", "*/log"), _LOG, id="a subresource of any resource"),
        pytest.param(made("get", "x", "*"), Request("get", "x", "example.com"), id="any group"),
        pytest.param(made("get", "pods", names="red"), _RED, id="the object named"),
        pytest.param(
            made("get", "pods", names="red"), Request("get", "pods", name="*"), id="some object"
        ),
        pytest.param(made("get", paths="/a"), Request("get", path="/a"), id="a path"),
        pytest.param(made("get", paths="/a/*"), Request("get", path="/a/b/c"), id="below a path"),
        pytest.param(made("get", paths="/a*"), Request("get", path="/a"), id="a path's beginning"),
        pytest.param(made("get", paths="*"), Request("get", path="/a"), id="any path"),
    ],
)
def test_it_allows(rule: PolicyRule, request_: Request) -> None:
    assert rule.allows(request_)


@pytest.mark.parametrize(
    ("rule", "request_"),
    [
        pytest.param(made("list", "pods"), Request("get", "pods"), id="another verb"),
        pytest.param(made("get", "secrets"), Request("get", "pods"), id="another resource"),
        pytest.param(made("get", "pods"), _LOG, id="a subresource is another resource"),
        pytest.param(made("get", "pods/log"), Request("get", "pods"), id="nor the other way"),
        pytest.param(made("get", "pods/*"), _LOG, id="that is no wildcard"),
        pytest.param(made("get", "*/exec"), _LOG, id="another subresource"),
        pytest.param(made("get", "pods"), Request("get", "pods", "x.io"), id="another group"),
        pytest.param(made("get", "pods", names="blue"), _RED, id="another object"),
        pytest.param(made("get", "pods", names="red"), Request("get", "pods"), id="any object"),
        pytest.param(made("get", "*", "*"), Request("get", path="/a"), id="resources are no paths"),
        pytest.param(made("get", paths="*"), Request("get", "pods"), id="paths are no resources"),
        pytest.param(made("get", paths="/a/*"), Request("get", path="/a"), id="above a path"),
        pytest.param(made("get", paths="/*/a"), Request("get", path="/x/a"), id="* not at the end"),
    ],
)
def test_it_does_not_allow(rule: PolicyRule, request_: Request) -> None:
    assert not rule.allows(request_)
