# SPDX-License-Identifier: Apache-2.0
"""docs/protocol/ingestion.md: rules, associations, workspaces, and sending rows."""
import concurrent.futures
import datetime
import gzip
import json
import re
import socket
import ssl
import time
import urllib.parse

import pytest

from fake_agent import FakeAgent
from log_site import COLUMNS, INGESTION, QUERY, LogSite


@pytest.fixture
def site(controlplane, unique):
    return LogSite(controlplane, unique)


def code_of(answer):
    code = answer.json["error"]["code"]
    assert answer.headers["x-ms-error-code"] == code
    return code


def test_a_rule_gets_an_immutable_id_and_an_endpoint(site):
    p = site.rule["properties"]
    assert re.fullmatch(r"dcr-[0-9a-f]{32}", p["immutableId"])
    assert p["endpoints"]["logsIngestion"] == site.cp.info["ingestionEndpoint"]
    assert p["provisioningState"] == "Succeeded" and site.rule["kind"] == "Direct"
    assert p["destinations"]["logAnalytics"][0]["workspaceId"] == site.workspace
    again = site.put_rule(COLUMNS + [("More", "string")])
    assert again["properties"]["immutableId"] == p["immutableId"]
    group = f"resourceGroups/{site.group}/providers/Microsoft.Insights/dataCollectionRules"
    listed = site.arm("GET", group).json["value"]
    assert site.rule_id.lower() in [r["id"].lower() for r in listed]
    assert site.arm("GET", site.rule_id).json["properties"]["immutableId"] == p["immutableId"]


@pytest.mark.parametrize("change,word", [
    ({"dataFlows": [{"streams": ["Custom-Other"], "destinations": ["ws"]}]}, "streamDeclarations"),
    ({"dataFlows": [{"streams": ["Custom-App"], "destinations": ["no"],
                     "outputStream": "Custom-App_CL"}]}, "destinations"),
    ({"destinations": {"logAnalytics": [{"name": "ws", "workspaceResourceId": "/nowhere"}]}},
     "workspace"),
    ({"streamDeclarations": {"Custom-App": {"columns": [{"name": "1x", "type": "string"}]}}}, "1x")])
def test_a_rule_that_makes_no_sense_is_refused(site, change, word):
    answer = site.arm("PUT", site.rule_id, site.rule_body(**change))
    assert answer.status == 400 and answer.json["error"]["code"] == "InvalidPayload"
    assert word in answer.json["error"]["message"]


def test_a_rule_makes_its_tables(site):
    table = site.arm("GET", f"{site.workspace_id}/tables/App_CL", version="2023-09-01")
    assert table.status == 200
    names = [c["name"] for c in table.json["properties"]["schema"]["columns"]]
    assert names == [n for n, _ in COLUMNS]


def test_rows_sent_are_rows_found(site):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [{"TimeGenerated": now, "RawData": f"line {i} ü \" \\", "Level": i, "Ok": i % 2 == 0,
             "Ratio": i / 4, "Props": {"n": i}, "Unknown": 1} for i in range(5)]
    answer = site.send(rows)
    assert answer.status == 204 and not answer.body
    found = site.rows("App_CL | order by Level asc | project RawData, Level, Ok, Ratio, Props")
    assert found == [[f"line {i} ü \" \\", i, i % 2 == 0, i / 4, json.dumps({"n": i}, separators=(",", ":"))]
                     for i in range(5)]
    assert site.rows("App_CL | where TimeGenerated == datetime(" + now + ") | count") == [[5]]


def test_gzip_and_the_encoded_version_parameter_are_understood(site):
    assert site.send([{"RawData": "x"}] * 100, compress=True, query="api%2Dversion=2023-01-01").status == 204
    assert site.rows("App_CL | count") == [[100]]
    assert site.send([]).status == 204


def test_bad_bodies_are_refused_whole(site):
    for body in (b"", b"{}", b"[", b'[{"RawData":"x"},]', b"[1]", b"\xff\xfe", b'[{"a":1,"a":2}]'):
        answer = site.send(body)
        assert answer.status == 400 and code_of(answer) == "InvalidJson", body
    broken = gzip.compress(b'[{"RawData":"x"}]')[:-4]
    answer = site.send(broken, headers={"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert site.send([{}], headers={"Content-Encoding": "br"}).status == 415
    assert site.rows("App_CL | count") == [[0]]


def test_sizes_are_limited_on_the_wire_and_unpacked(site):
    answer = site.send(b"[" + b" " * 1048576 + b"]")
    assert answer.status == 413 and code_of(answer) == "ContentLengthLimitExceeded"
    assert "1048578 bytes" in answer.json["error"]["message"]
    answer = site.send(b"[" + b" " * (5 << 20) + b"]")
    assert answer.status == 413 and code_of(answer) == "RequestEntityTooLarge"
    bomb = gzip.compress(b"[" + b" " * (60 << 20) + b"]")
    assert len(bomb) < 1048576
    answer = site.send(bomb, headers={"Content-Encoding": "gzip"}, timeout=60)
    assert answer.status == 413 and code_of(answer) == "ContentLengthLimitExceeded"
    fits = b'[{"RawData":"' + b"x" * 1048000 + b'"}]'
    assert site.send(fits).status == 204
    assert [len(r[0]) for r in site.rows("App_CL | project RawData")] == [65536]


def test_what_is_not_there_is_said(site):
    answer = site.send([{}], rule="dcr-" + "0" * 32)
    assert answer.status == 404 and code_of(answer) == "NotFound"
    answer = site.send([{}], stream="Custom-Other")
    assert answer.status == 400 and code_of(answer) == "InvalidStream"
    assert site.send([{}], query="x=1").status == 400


def test_only_those_with_a_right_may_send(site, controlplane, unique):
    assert site.send([{}], token="").status == 401
    assert site.send([{}], token=controlplane.token()).status == 401  # an ARM token
    made = json.loads(controlplane.cli("principal", "create", unique, "--role", "Reader", "-j").stdout)
    reader = principal_token(controlplane, made)
    answer = site.send([{}], token=reader)
    assert answer.status == 403 and code_of(answer) == "OperationFailed"
    made = json.loads(controlplane.cli("principal", "create", unique + "p", "--role",
                                       "Monitoring Metrics Publisher", "--scope", site.rule_id,
                                       "-j").stdout)
    assert site.send([{}], token=principal_token(controlplane, made)).status == 204


def principal_token(controlplane, made):
    secret = made.get("clientSecret") or made.get("secret") or made.get("password")
    client = made.get("clientId") or made.get("appId")
    answer = controlplane.sign_in(client, secret, INGESTION)
    assert answer.status == 200, (made, answer)
    return answer.json["access_token"]


def test_a_machine_sends_by_the_rules_it_is_associated_with(site, controlplane, unique):
    agent = FakeAgent(controlplane, "rg-logs", unique).register().enrol()
    token = agent.sign_in(audience=INGESTION).json["access_token"]
    assert site.send([{"RawData": "x"}], token=token).status == 403
    before = agent.desired()
    assert site.associate(agent.resource_id).status == 201
    document = agent.desired(before.headers["ETag"])
    assert document.status == 200
    rule = document.json["dataCollectionRules"][0]
    assert rule["immutableId"] == site.immutable_id
    assert rule["id"].lower() == site.rule_id.lower()
    assert rule["endpoint"] == controlplane.info["ingestionEndpoint"]
    assert rule["properties"]["dataSources"]["logFiles"][0]["name"] == "files"
    assert site.send([{"RawData": "x"}], token=token).status == 204
    assert site.rows("App_CL | project _ResourceId") == [[agent.resource_id]]
    # A change of the rule, its end, too, is a change of the document.
    site.put_rule(COLUMNS + [("More", "string")])
    changed = agent.desired(document.headers["ETag"])
    assert changed.status == 200
    assert site.arm("DELETE", site.rule_id).status == 200
    gone = agent.desired(changed.headers["ETag"])
    assert gone.status == 200 and gone.json["dataCollectionRules"] == []
    assert site.send([{"RawData": "x"}], token=token).status == 404


def test_an_association_needs_its_rule_and_its_machine(site, controlplane, unique):
    agent = FakeAgent(controlplane, "rg-logs", unique).register()
    assert site.associate(agent.resource_id + "x").status == 404
    site.associate(agent.resource_id)
    listed = site.arm("GET", f"{agent.resource_id}/providers/Microsoft.Insights"
                             "/dataCollectionRuleAssociations").json["value"]
    assert [a["name"] for a in listed] == ["logs"]
    site.arm("DELETE", site.rule_id)
    assert site.associate(agent.resource_id).status == 400


def test_limits_of_a_rule_answer_429(own_controlplane, unique):
    own_controlplane.stop()
    file = own_controlplane.state / "config.json"
    config = json.loads(file.read_text())
    config["ingestionRequestsPerMinute"] = 3
    file.write_text(json.dumps(config))
    own_controlplane.start()
    site = LogSite(own_controlplane, unique)
    answers = [site.send([{}]) for _ in range(5)]
    assert 429 in [a.status for a in answers]
    refused = next(a for a in answers if a.status == 429)
    assert code_of(refused) == "TooManyRequests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_many_senders_lose_nothing(site):
    def send(n):
        rows = [{"RawData": f"{n}-{i}", "Level": n} for i in range(500)]
        return site.send(rows, compress=True, timeout=60).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        start = time.monotonic()
        assert set(pool.map(send, range(24))) == {204}
        print(f"{12000 / (time.monotonic() - start):.0f} rows/s")
    assert site.rows("App_CL | count") == [[12000]]


def test_rows_survive_a_kill_after_the_acknowledgement(own_controlplane, unique):
    site = LogSite(own_controlplane, unique)
    sent = 0
    for i in range(10):
        assert site.send([{"Level": i}] * 10).status == 204
        sent += 10
    own_controlplane.restart()
    assert site.rows("App_CL | count") == [[sent]]


def test_the_first_workspace_is_named_by_info(own_controlplane, unique):
    site = LogSite(own_controlplane, unique)
    info = json.loads(own_controlplane.cli("info", "-j").stdout)
    assert info["workspaceId"] == site.workspace


def leave_early(site, method, path, body, token):
    """Sends a whole request and closes the connection without waiting for the answer."""
    parts = urllib.parse.urlsplit(site.cp.endpoint)
    context = ssl.create_default_context(cafile=site.cp.ca_file)
    with socket.create_connection((parts.hostname, parts.port), 10) as raw:
        with context.wrap_socket(raw, server_hostname=parts.hostname) as tls:
            tls.sendall(f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer "
                        f"{token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                        f"\r\n\r\n".encode() + body)


def test_clients_that_leave_early_do_no_harm(own_controlplane, unique):
    site = LogSite(own_controlplane, unique)
    rows = json.dumps([{"RawData": "x" * 50}] * 5000).encode()
    ask = json.dumps({"query": "App_CL | order by RawData asc | count"}).encode()
    for _ in range(12):
        leave_early(site, "POST", f"/dataCollectionRules/{site.immutable_id}/streams/{site.stream}"
                    "?api-version=2023-01-01", rows, own_controlplane.token(INGESTION))
        leave_early(site, "POST", f"/v1/workspaces/{site.workspace}/query", ask,
                    own_controlplane.token(QUERY))
    assert site.send([{"RawData": "last"}]).status == 204
    assert site.rows("App_CL | where RawData == 'last' | count") == [[1]]
    # Whole requests or none of them.
    assert site.rows("App_CL | count")[0][0] % 5000 == 1


def test_a_server_that_stops_finishes_what_it_took(own_controlplane, unique):
    site = LogSite(own_controlplane, unique)
    rows = [{"RawData": "x" * 50}] * 2000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(site.send, rows) for _ in range(4)]
        concurrent.futures.wait(sent, 0.05)
        own_controlplane.stop()
        taken = sum(1 for s in sent if not s.exception() and s.result().status == 204)
    own_controlplane.start()
    assert site.rows("App_CL | count")[0][0] >= taken * 2000
