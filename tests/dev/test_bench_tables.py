"""What the tables of the server's scenarios show, from samples made up by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dev.bench.double import Counts
from dev.bench.processes import Usage
from dev.bench.scenarios import SCENARIOS, Scenario
from dev.bench.server import Load, Sample
from dev.bench.tables import recovery, results

GOOD = {"authenticated": 10}
BAD = {"authenticated": 9, "HTTP 500": 1}

PLAIN = Scenario(name="plain", title="", about="", streams=())


def load(*timeline: dict[str, int], per_second: float = 100.0) -> Load:
    return Load(
        total=20,
        reviews=10,
        per_second=per_second,
        outcomes={"authenticated": 10},
        p50_ms=1.0,
        p90_ms=2.0,
        p99_ms=3.0,
        max_ms=4.0,
        slice_ms=250,
        timeline=timeline,
    )


def sample(per_second: float) -> Sample:
    return Sample(
        loads={"users": load(per_second=per_second)},
        sts=Counts(
            connections=3,
            calls=30,
            tokens=10,
            peak_per_second=600,
            answers={"identity": 20, "Throttling": 10},
        ),
        looks=(Usage(memory=30, cpu=1.0, threads=4), Usage(memory=40, cpu=1.01, threads=9)),
        seconds=10,
        cpu_beside=1,
    )


@pytest.mark.parametrize(
    ("timeline", "seconds"),
    [
        ([BAD] * 4 + [GOOD] * 4, 0.0),
        ([BAD] * 6 + [GOOD] * 2, 0.5),
        ([BAD] * 4 + [GOOD, BAD, GOOD, GOOD], 0.5),
        ([BAD] * 8, None),
        ([GOOD] * 8, 0.0),
        ([BAD] * 4, None),
    ],
    ids=[
        "at once",
        "after two slices",
        "a relapse counts",
        "never",
        "nothing happened",
        "nothing after",
    ],
)
def test_recovery_counts_from_the_end_of_the_outage(
    timeline: list[dict[str, int]], seconds: float | None
) -> None:
    assert recovery(load(*timeline), outage=1.0) == seconds


def test_a_load_row_shows_medians_and_sts_calls() -> None:
    samples = [sample(90), sample(100), sample(500)]
    row = results(PLAIN, {"8 connections": {"ours": samples}}).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "8 connections",
        "ours",
        "100",
        "1.0",
        "3.0",
        "authenticated 100 %",
        "3.00",
        "600",
        "33.3 %",
        "500",
        "30 → 40",
    ]


def test_two_servers_are_compared_in_pairs() -> None:
    servers = {"reference": [sample(100), sample(10)], "ours": [sample(200), sample(20)]}
    assert "reviews/s 2.00 (2.00 to 2.00)" in results(PLAIN, {"8 connections": servers})


def test_the_share_of_new_connections_to_sts_is_told() -> None:
    servers = {"reference": [sample(100)], "ours": [sample(200)]}
    assert "100 calls to STS: 10 by reference, 10 by ours" in results(PLAIN, {"x": servers})


def test_a_server_alone_is_not_compared() -> None:
    assert "Ours / reference" not in results(PLAIN, {"x": {"reference": [sample(100)]}})


def test_an_outage_shows_recovery_and_threads() -> None:
    broken = replace(sample(1), loads={"proven": load(*[BAD] * 5, GOOD)})
    scenario = replace(PLAIN, outage=1.0)
    row = results(scenario, {"STS: hang": {"ours": [broken]}}).splitlines()[-1]
    assert "| 0.25 | 30, 40 | 4, 9 |" in row


def test_connections_given_take_the_place_of_the_usual_ones() -> None:
    new = next(scenario for scenario in SCENARIOS if scenario.name == "new")
    assert [case.label for case in new.cases()] == ["8 connections", "64 connections"]
    (case,) = new.cases([2])
    assert case.streams == ("name=users,tokens=new,connections=2",)


def test_an_outage_comes_in_every_kind() -> None:
    outage = next(scenario for scenario in SCENARIOS if scenario.outage)
    assert [case.fault for case in outage.cases()] == ["hang", "reset", "500", "rubbish"]


def test_names_fit_the_markers_of_the_report() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)


def test_jwts_are_compared_with_the_reference_as_presigned_tokens_are() -> None:
    servers = {"reference": [sample(100)], "ours": [sample(200)], "ours, JWTs": [sample(400)]}
    text = results(PLAIN, {"8 connections": servers})
    assert "Ours / reference, 8 connections: reviews/s 2.00" in text
    assert "Ours, JWTs / reference, 8 connections: reviews/s 4.00" in text


def test_the_load_with_jwts_is_the_same_but_for_its_tokens() -> None:
    [scenario] = [each for each in SCENARIOS if each.jwts]
    [case, *_] = scenario.cases()
    assert case.with_jwts().streams == ("name=users,tokens=listed,connections=8",)
    assert case.label == case.with_jwts().label
