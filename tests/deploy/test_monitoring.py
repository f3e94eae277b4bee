"""The dashboard and the alerts in ``deploy/``: what they name exists, and Prometheus' own tool accepts all of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from omni_connector.telemetry.families import FAMILIES
from omni_connector.telemetry.figures import RunEnd, RunFigures
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
ALERTS, DASHBOARD = DEPLOY / "alerts.yml", DEPLOY / "grafana-dashboard.json"

SERIES = {
    f"{family.name}{suffix}": {"connector", "instance", "le", *family.labels}
    for family in FAMILIES
    for suffix in (("_bucket", "_count", "_sum") if family.kind == "histogram" else ("",))
}
"""Names as Prometheus has them, with their labels."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)"
)


def queries():
    """Return every query, by where it stands."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return found | {rule["alert"]: rule["expr"] for rule in group["rules"]}


QUERIES = queries()


@pytest.mark.parametrize("where", QUERIES)
def test_every_metric_and_label_exists(where):
    query = QUERIES[where]
    names = re.findall(r"omni_connector_\w+", query)
    assert names
    assert set(names) <= set(SERIES)
    allowed = set.union(*(SERIES[name] for name in names))
    matched = re.findall(r"(\w+)(?:=~|!=|!~|=)", query)
    grouped = [name.strip() for names in re.findall(r"by \(([^)]*)\)", query) for name in names.split(",")]
    assert set(matched) | set(grouped) <= allowed


def test_every_metric_is_on_the_dashboard():
    shown = DASHBOARD.read_text()
    assert [family.name for family in FAMILIES if family.name not in shown] == []


def test_there_are_three_alerts():
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [
        "OmniConnectorNoSuccess",
        "OmniConnectorErrorShare",
        "OmniConnectorManagerAway",
    ]


def promtool(*arguments, given=None):
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_the_rules_are_rules():
    assert "3 rules found" in promtool("check", "rules", ALERTS)


@needs_promtool
def test_alerts_fire_when_they_should(tmp_path):
    cases = Path(__file__).with_name("alerts.test.yml").read_text()
    (tmp_path / "alerts.test.yml").write_text(cases.replace("ALERTS", str(ALERTS)))
    assert "SUCCESS" in promtool("test", "rules", tmp_path / "alerts.test.yml")


@needs_promtool
def test_queries_of_the_dashboard_are_queries(tmp_path):
    rules = [
        {
            "record": f"panel:{number}",
            "expr": query.replace("$__rate_interval", "5m").replace("$connector", ".*"),
        }
        for number, query in enumerate(QUERIES.values())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "rules.yml")


@needs_promtool
def test_a_scrape_has_nothing_to_find_fault_with():
    metrics = Metrics("web")
    run = RunIdentity("web", "run-1", "source-1", "full")
    metrics.run_started(run)
    metrics.run_ended(run, RunFigures(), RunEnd(outcome="completed"))
    metrics.attempted("/sdk/content", "200", 0.1, 100)
    metrics.attempted("/sdk/content", "503", 0.1, 100)
    metrics.repeated("/sdk/content", "503")
    metrics.failed("/sdk/content", "503")
    metrics.answered("/health", "GET", "200", 0.001)
    body, _ = metrics.exposition("")
    assert promtool("check", "metrics", given=body.decode()) == ""
