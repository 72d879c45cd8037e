"""Looking for known vulnerabilities, with a double of the service."""

from __future__ import annotations

import json

import pytest

from dev import audit
from dev.audit import NoAnswerError
from dev.locked import locked

FLASK = "GHSA-1111-2222-3333"


def knowing(ids: dict[str, list[str]]) -> audit.Ask:
    """The service, knowing of vulnerabilities by a package's name."""

    def answer(question: bytes) -> bytes:
        queries = json.loads(question)["queries"]
        assert {query["package"]["ecosystem"] for query in queries} == {"PyPI"}
        results = [
            {"vulns": [{"id": one} for one in known]} if known else {}
            for known in (ids.get(query["package"]["name"], []) for query in queries)
        ]
        return json.dumps({"results": results}).encode()

    return answer


def away(_: bytes) -> bytes:
    raise NoAnswerError("https://osv.example.com: timed out")


def test_asks_about_every_locked_version(capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def ask(question: bytes) -> bytes:
        asked.extend(json.loads(question)["queries"])
        return knowing({})(question)

    assert audit.main([], ask) == 0
    assert {query["package"]["name"]: query["version"] for query in asked} == locked()
    assert "No vulnerability is known" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--required"]], ids=["lint", "release"])
def test_fails_on_a_known_vulnerability(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(flags, knowing({"flask": [FLASK, "PYSEC-2026-1"]})) == 1
    said = capsys.readouterr()
    version = locked()["flask"]
    assert said.err == f"flask {version}: {FLASK} PYSEC-2026-1 (https://osv.dev/{FLASK})\n"
    assert said.out == ""


@pytest.mark.parametrize(("flags", "code"), [([], 0), (["--required"], 2)], ids=["lint", "release"])
def test_says_that_nothing_was_looked_for_without_an_answer(
    flags: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(flags, away) == code
    said = capsys.readouterr()
    assert "NOT AUDITED" in said.err
    assert "timed out" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"results": null}', b'{"results": [1, 2]}'),
        *(b'{"results": []}', b'{"results": [{}]}', b'{"results": [{}, {}, {}]}'),
        *(b'{"results": [{"vulns": [{}]}, {}]}', b'{"results": [{"vulns": null}, {}]}'),
    ],
    ids=repr,
)
def test_takes_no_other_answer_for_a_clean_one(answer: bytes) -> None:
    with pytest.raises(NoAnswerError, match="not an answer of OSV's"):
        audit.vulnerabilities({"flask": "3.1.3", "click": "8.5.1"}, lambda _: answer)


def refuse(*_: object, **__: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_an_unreachable_service_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPENDENCY_AUDIT", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(NoAnswerError, match="Connection refused"):
        audit.ask(b"{}")


def test_nobody_is_asked_where_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setenv("DEPENDENCY_AUDIT", "off")
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    assert (audit.main([]), audit.main(["--required"])) == (0, 2)
    assert "NOT AUDITED" in capsys.readouterr().err
