"""Makes docs/metrics.md from `authenticator.serving.metric_table`: `python -m dev.metrics_page`."""

from __future__ import annotations

from pathlib import Path

from authenticator.serving.metric_table import METRICS, NAMESPACE, Metric

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"

_HEAD = f"""\
# Metrics

`/metrics` on the TLS port, in the Prometheus text format, summed over the workers. All names begin
with `{NAMESPACE}_`; where the reference has the metric, the name is the reference's. No
label takes its values from what callers send. Alarms and pictures are ready made:
[monitoring](monitoring.md).

| metric | type | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    labels = "; ".join(f"`{label}`: {values}" for label, values in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
