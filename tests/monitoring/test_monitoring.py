"""The alert rules and the dashboard: as Prometheus itself reads them, on metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authenticator.serving.metric_table import METRICS, NAMESPACE
from dev import debian

HERE = Path(__file__).parent
MANIFESTS = HERE.parents[1] / "manifests" / "monitoring"
RULE: dict[str, Any] = yaml.safe_load((MANIFESTS / "prometheus-rule.yaml").read_text())
RULES = [rule for group in RULE["spec"]["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((MANIFESTS / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TESTS = (HERE / "alerts.test.yaml").read_text()
# Of API servers; tests/e2e/test_admission.py sees it count.
_FAIL_OPEN = "apiserver_admission_webhook_fail_open_count"
# Grafana fills these in.
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}


def promtool(directory: Path, *arguments: str) -> str:
    try:
        program = debian.find("promtool")
    except debian.MissingProgramsError as error:
        pytest.fail(str(error), pytrace=False)
    done = subprocess.run(
        [program, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def queries() -> list[str]:
    found = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for name, value in VARIABLES.items():
        found = [query.replace(name, value) for query in found]
    return found


@pytest.mark.debian
def test_prometheus_reads_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULE["spec"]))
    assert f"{len(RULES)} rules found" in promtool(tmp_path, "check", "rules", "rules.yaml")


@pytest.mark.debian
def test_each_alarm_rings_when_it_should_and_not_before(tmp_path: Path) -> None:
    # promtool compares annotations to the letter; which alarm rings is what matters here.
    bare = [{key: rule[key] for key in rule if key != "annotations"} for rule in RULES]
    rules = {"groups": [{"name": "all", "rules": bare}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    (tmp_path / "tests.yaml").write_text(TESTS.replace("RULES", "rules.yaml"))
    promtool(tmp_path, "test", "rules", "tests.yaml")


def test_each_alarm_is_seen_ringing_and_keeping_still() -> None:
    rings: set[str] = set()
    still: set[str] = set()
    for scenario in yaml.safe_load(TESTS)["tests"]:
        for expectation in scenario["alert_rule_test"]:
            (rings if expectation.get("exp_alerts") else still).add(expectation["alertname"])
    assert rings == still == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alarm_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert len(rule["annotations"]["description"]) > len(rule["annotations"]["summary"]) > 0


@pytest.mark.debian
def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries())]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]})
    )
    promtool(tmp_path, "check", "rules", "rules.yaml")


@pytest.mark.parametrize("query", [*queries(), *(rule["expr"] for rule in RULES)])
def test_every_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    known: dict[str, set[str]] = {}
    for metric in METRICS:
        parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        for part in parts:
            known[f"{NAMESPACE}_{metric.name}{part}"] = {label for label, _ in metric.labels}
    asked = re.findall(rf"({NAMESPACE}_\w+)(?:\{{([^}}]*)\}})?", query)
    assert asked or "up{" in query or _FAIL_OPEN in query
    for name, selector in asked:
        assert name in known
        labels = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", selector))
        assert labels <= known[name] | {"instance", "le"}


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(queries())
    missing = [metric.name for metric in METRICS if f"{NAMESPACE}_{metric.name}" not in shown]
    # Two are the reference's names for what other metrics tell of all sources.
    assert missing == ["configmap_watch_failures_total", "dynamicfile_failures_total"]


def test_the_panels_have_names_units_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["refId"] for target in panel["targets"])
