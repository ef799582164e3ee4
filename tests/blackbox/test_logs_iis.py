# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: W3C files, as IIS writes them."""
import pytest

from harness.process import wait_for
from log_machine import LogMachine

HEAD = ["#Software: Microsoft Internet Information Services 10.0", "#Version: 1.0", "#Date: 2026-11-22 10:00:00"]
FIELDS = "#Fields: date time s-ip cs-method cs-uri-stem s-port c-ip sc-status time-taken"
FEWER = "#Fields: time cs-uri-stem sc-status"


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


def start(box):
    box.connect()
    body = box.rule_body([])
    body["properties"]["dataSources"] = {"iisLogs": [
        {"name": "web", "streams": ["Microsoft-W3CIISLog"], "logDirectories": [str(box.logs)]}]}
    body["properties"]["dataFlows"] = [{"streams": ["Microsoft-W3CIISLog"], "destinations": ["ws"]}]
    box.write_rule(body)
    box.start()
    (box.logs / "W3SVC1").mkdir()
    return box.logs / "W3SVC1" / "u_ex261122.log"


def write(path, *lines):
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write("".join(line + "\r\n" for line in lines))


def full(n):
    return f"2026-11-22 10:{n // 60 % 60:02}:{n % 60:02} 10.0.0.1 GET /page/{n} 443 10.9.8.7 200 {n}"


def test_rows_follow_the_fields_in_force(box):
    path = start(box)
    write(path, *HEAD, FIELDS, *(full(n) for n in range(3000)))
    rows = box.endpoint.wait_rows(3000)
    assert rows[61] == {"TimeGenerated": "2026-11-22T10:01:01.000Z", "Computer": rows[0]["Computer"], "sIP": "10.0.0.1",
                        "csMethod": "GET", "csUriStem": "/page/61", "sPort": 443, "cIP": "10.9.8.7", "scStatus": "200",
                        "TimeTaken": 61}
    write(path, HEAD[0], "#Date: 2026-11-23 00:00:00", FEWER, "11:00:00 /a 404", "11:00:01 - 500")
    rows = box.endpoint.wait_rows(3002)[3000:]
    assert [(r["TimeGenerated"], r.get("csUriStem"), r["scStatus"]) for r in rows] == [
        ("2026-11-23T11:00:00.000Z", "/a", "404"), ("2026-11-23T11:00:01.000Z", None, "500")]


def test_the_fields_are_known_again_after_a_kill(box):
    path = start(box)
    write(path, *HEAD, FIELDS, *(full(n) for n in range(5000)), *HEAD, FEWER, *(f"12:00:00 /few/{n} 200" for n in range(9000)))
    box.endpoint.wait_rows(14000)
    wait_for(lambda: box.counts()["acknowledged"] == 14000)
    box.kill()
    write(path, "12:00:01 /after 200")
    box.start()
    assert box.endpoint.wait_rows(14001)[14000]["csUriStem"] == "/after"
    assert box.endpoint.rows()[14000]["TimeGenerated"] == "2026-11-22T12:00:01.000Z"


def test_lines_that_are_none_are_set_aside_and_counted(box):
    path = start(box)
    write(path, "before any fields", FEWER, "10:00:00 /a 200", "10:00:00 /a", "10:00:00 /b 200")
    assert [r["csUriStem"] for r in box.endpoint.wait_rows(2)] == ["/a", "/b"]
    wait_for(lambda: box.counts()["droppedFormat"] == 2)
    box.balanced()
    assert len((box.root / "var/lib/mooring/logs/dead-letter.jsonl").read_text().splitlines()) == 2
