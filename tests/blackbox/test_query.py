# SPDX-License-Identifier: Apache-2.0
"""The query endpoint: shapes, times, rights, errors. The language itself: engine/kql_test.c."""
import datetime
import json

import pytest

from log_site import LogSite, QUERY

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def stamp(hours):
    return (NOW - datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def site(_shared_controlplane):
    site = LogSite(_shared_controlplane, "queries")
    rows = [{"TimeGenerated": stamp(h), "RawData": f"line {h}", "Level": h, "Computer": "web01"}
            for h in range(10)]
    assert site.send(rows).status == 204
    return site


def test_the_answer_has_tables_columns_and_rows(site):
    answer = site.query("App_CL | where Level == 3")
    assert answer.status == 200
    table = answer.json["tables"][0]
    assert table["name"] == "PrimaryResult" and len(answer.json["tables"]) == 1
    columns = {c["name"]: c["type"] for c in table["columns"]}
    assert columns["TenantId"] == "guid" and columns["TimeGenerated"] == "datetime"
    assert columns["Level"] == "int" and columns["Ok"] == "bool" and columns["Props"] == "dynamic"
    row = dict(zip(columns, table["rows"][0]))
    assert row["Type"] == "App_CL" and row["TenantId"] == site.workspace
    assert row["RawData"] == "line 3" and row["TimeGenerated"] == stamp(3) and row["Ok"] is None


def test_get_and_both_paths_answer_alike(site):
    text = "App_CL | order by Level asc | project Level | take 3"
    for method in ("GET", "POST"):
        for prefix in ("/v1", ""):
            assert site.rows(text, method=method, prefix=prefix) == [[0], [1], [2]]


def test_a_timespan_narrows_the_query(site):
    count = "App_CL | count"
    assert site.rows(count) == [[10]]
    assert site.rows(count, timespan="PT3H30M") == [[4]]
    assert site.rows(count, timespan=f"{stamp(5)}/{stamp(3)}") == [[2]]
    assert site.rows(count, timespan=f"{stamp(5)}/PT1H30M") == [[2]]
    assert site.rows(count, timespan=f"PT1H/{stamp(3)}", method="GET") == [[1]]
    answer = site.query(count, timespan="soon")
    assert answer.status == 400 and answer.json["error"]["code"] == "BadArgumentError"


def test_newest_rows_come_first_by_order(site):
    rows = site.rows("App_CL | order by TimeGenerated desc | take 2 | project RawData")
    assert rows == [["line 0"], ["line 1"]]


def test_errors_have_a_position(site):
    answer = site.query("App_CL\n| where Nothing == 1")
    assert answer.status == 400
    error = answer.json["error"]
    assert error["code"] == "BadArgumentError" and error["correlationId"]
    assert error["innererror"]["code"] == "SemanticError"
    inner = error["innererror"]["innererror"]
    assert (inner["code"], inner["line"], inner["pos"], inner["token"]) == ("SEM0100", 2, 9, "Nothing")
    inner = site.query("App_CL | wehre x").json["error"]["innererror"]["innererror"]
    assert (inner["code"], inner["pos"], inner["token"]) == ("SYN0002", 10, "wehre")
    inner = site.query("Nowhere_CL").json["error"]["innererror"]["innererror"]
    assert inner["code"] == "SEM0100" and "Nowhere_CL" in inner["message"]


def test_tables_of_azure_are_there_without_rows(site):
    answer = site.query("Syslog | where Facility == 'auth' | project TimeGenerated, SyslogMessage")
    assert answer.status == 200 and answer.json["tables"][0]["rows"] == []


def test_rights_are_checked(site, controlplane, unique):
    answer = site.query("App_CL | count", workspace="00000000-0000-4000-8000-000000000000")
    assert answer.status == 404 and answer.json["error"]["code"] == "WorkspaceNotFoundError"
    assert site.query("App_CL | count", token="x.y.z").status == 401
    made = json.loads(controlplane.cli("principal", "create", unique, "--role",
                                       "Azure Connected Machine Onboarding", "-j").stdout)
    secret = made.get("clientSecret") or made.get("secret") or made.get("password")
    token = controlplane.sign_in(made.get("clientId") or made.get("appId"), secret, QUERY).json
    answer = site.query("App_CL | count", token=token["access_token"])
    assert answer.status == 403 and answer.json["error"]["code"] == "InsufficientAccessError"


def test_a_query_is_required(site):
    answer = site.cp.request("POST", f"/v1/workspaces/{site.workspace}/query", {},
                             {"Authorization": f"Bearer {site.cp.token(QUERY)}"})
    assert answer.status == 400


def test_a_deleted_workspace_takes_its_rows_along(controlplane, unique):
    site = LogSite(controlplane, unique)
    site.send([{"RawData": "x"}])
    assert site.arm("DELETE", site.workspace_id, version="2023-09-01").status == 200
    assert site.query("App_CL | count").status == 404
