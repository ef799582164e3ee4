# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: what a rule wants done with rows on the machine, to save what is paid for."""
import json
import socket
import subprocess

import pytest

from harness.process import program, wait_for
from log_machine import LogMachine, append
from test_logs_sources import Journal, Sockets, needs_exporter


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


def with_transform(body, *processors, header=None, kind="logFiles"):
    pipeline = {"name": "slim", "processors": list(processors)}
    if header:
        pipeline["headerProcessor"] = {"processor": header, "configuration": {}}
    body["properties"]["transformations"] = [pipeline]
    body["properties"]["dataSources"][kind][0]["transform"] = "slim"
    return body


def kql(text):
    return {"processor": "transform.KQL", "configuration": {"expression": text}}


def kept_by(*conditions):
    return {"processor": "filter.Basic", "configuration": {"any": [{"all": [
        {"columnName": c, "operator": o, "value": v} for c, o, v in conditions]}]}}


def settle(box, received, filtered):
    wait_for(lambda: box.counts()["received"] == received and box.counts()["droppedFiltered"] == filtered
             and box.counts()["acknowledged"] == received - filtered, 30, f"the counts {box.counts()}")
    box.balanced()


def test_lines_are_filtered_taken_apart_and_slimmed(box):
    box.connect()
    box.write_rule(with_transform(box.rule_body([box.log()]), kql(
        "source | where RawData !contains 'debug' | parse RawData with Verb ' ' Path ' took ' Ms:long ' ms' *"
        " | extend Slow = Ms > 100 | project TimeGenerated, Verb, Path, Ms, Slow")))
    append(box.log(), *(f"GET /{n} took {n} ms" if n % 3 else f"debug {n}" for n in range(3000)))
    box.start()
    rows = box.endpoint.wait_rows(2000)
    assert [(r["Verb"], r["Path"], r["Ms"], r["Slow"]) for r in rows] == [
        ("GET", f"/{n}", n, n > 100) for n in range(3000) if n % 3]
    assert set(rows[0]) == {"TimeGenerated", "Verb", "Path", "Ms", "Slow"}
    settle(box, 3000, 1000)


def test_what_is_all_filtered_moves_the_position(box):
    box.connect()
    box.write_rule(with_transform(box.rule_body([box.log()]), kql("source | where RawData == 'wanted'")))
    append(box.log(), *(f"line {n}" for n in range(500)))
    box.start()
    settle(box, 500, 500)
    box.process.stop()
    append(box.log(), "wanted")
    box.start()
    assert [r["RawData"] for r in box.endpoint.wait_rows(1)] == ["wanted"]
    settle(box, 501, 500)


def test_json_lines_and_processors_as_azure_writes_them(box):
    box.connect()
    box.write_rule(with_transform(
        box.rule_body([box.log()], kind="json"), kept_by(("level", "!=", "debug"), ("ms", ">=", 10)),
        {"processor": "parse.JsonPath", "configuration": {"columnName": "extra", "all": [
            {"path": "$.user.name", "nameAs": "User", "typeAs": "string"}]}},
        {"processor": "map.Rename", "configuration": {"all": [
            {"columnName": "ms", "nameAs": "Duration", "typeAs": "real"}]}},
        {"processor": "map.Drop", "configuration": {"columnNames": ["extra", "level"]}}))
    for level, ms in (("debug", 50), ("info", 5), ("info", 15)):
        append(box.log(), json.dumps({"level": level, "ms": ms, "extra": json.dumps({"user": {"name": "ann"}})}))
    box.start()
    (row,) = box.endpoint.wait_rows(1)
    del row["TimeGenerated"]
    assert row == {"User": "ann", "Duration": 15}
    settle(box, 3, 2)


def test_syslog_messages_are_filtered_by_the_names_azure_has_for_their_columns(box):
    sockets = Sockets(box)
    box.connect()
    body = box.rule_body([])
    body["properties"]["dataSources"] = {"syslog": [{"name": "src", "streams": ["Microsoft-Syslog"]}]}
    body["properties"]["dataFlows"] = [{"streams": ["Microsoft-Syslog"], "destinations": ["ws"]}]
    box.write_rule(with_transform(body, kept_by(("Message", "contains", "keep"), ("Ident", "==", "app")),
                                  header="header.Syslog", kind="syslog"))
    box.start()
    box.wait_said("logs.syslog_listens")
    with socket.create_connection(("127.0.0.1", sockets.tcp), timeout=20) as s:
        s.sendall(b"".join(b"<13>Nov 22 10:00:00 h %s: %s %d\n" % (tag, text, n) for n in range(100)
                           for tag, text in ((b"app", b"keep"), (b"other", b"keep"), (b"app", b"drop"))))
    rows = box.endpoint.wait_rows(100)
    assert {r["ProcessName"] for r in rows} == {"app"}
    assert [r["SyslogMessage"] for r in rows] == [f"keep {n}" for n in range(100)]
    settle(box, 300, 200)


@needs_exporter
def test_journal_entries_are_filtered(box):
    journal = Journal(box)
    journal.write({"MESSAGE": f"entry {n}", "PRIORITY": "3" if n % 2 else "6"} for n in range(200))
    box.connect()
    body = box.rule_body([])
    body["properties"]["dataSources"] = {"journal": [{"name": "src", "streams": ["Microsoft-Syslog"]}]}
    body["properties"]["dataFlows"] = [{"streams": ["Microsoft-Syslog"], "destinations": ["ws"]}]
    box.write_rule(with_transform(body, kql("source | where SeverityLevel == 'err' | project-away HostName"),
                                  kind="journal"))
    box.start()
    rows = box.endpoint.wait_rows(100)
    assert all(r["SeverityLevel"] == "err" and "HostName" not in r for r in rows)
    settle(box, 200, 100)


@pytest.mark.parametrize("processor,said", [
    (kql("source | summarize count()"), "transformations[0]: processors[1]: transform.KQL: column 10: summarize:"),
    (kql("source | where a matches regex 'x'"), "processors[1]: transform.KQL: column 18: matches:"),
    ({"processor": "enrich.DNSLookup", "configuration": {}}, "processors[1]: enrich.DNSLookup: is no processor"),
    (kept_by(("a", "~", 1)), "processors[1]: filter.Basic: operator: ~: is unknown"),
    ({"processor": "map.Drop", "configuration": {"columns": []}}, "processors[1]: map.Drop: configuration"),
])
def test_what_is_not_run_here_is_refused_by_check_and_at_load(box, processor, said):
    box.connect()
    body = with_transform(box.rule_body([box.log()]), kept_by(("a", "==", 1)), processor)
    path = box.workspace.path / "rule.json"
    path.write_text(json.dumps(body))
    answer = subprocess.run([program("mooring"), "logs", "check", str(path)], capture_output=True, text=True,
                            timeout=60, env=box.workspace.environment(MOORING_ROOT=box.root), check=False)
    assert answer.returncode == 23 and said in answer.stderr, answer.stderr
    box.write_rule(body)
    box.start()
    box.wait_said("logs.rule_refused")
    assert said in box.process.log_text()
    # The transform that is written again is in force from the next line on.
    body["properties"]["transformations"][0]["processors"] = [kql("source | where RawData == 'b'")]
    box.write_rule(body)
    box.wait_said("logs.flow_started")
    append(box.log(), "a", "b")
    assert [r["RawData"] for r in box.endpoint.wait_rows(1)] == ["b"]
    body["properties"]["transformations"][0]["processors"] = [kql("source | where RawData == 'c'")]
    box.write_rule(body)
    wait_for(lambda: append(box.log(), "c") or "c" in [r["RawData"] for r in box.endpoint.rows()], 30, "c")
