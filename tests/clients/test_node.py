# SPDX-License-Identifier: Apache-2.0
"""Azure's JavaScript clients against the control plane and the local identity endpoint."""
import base64
import collections
import json
import os
import pathlib
import time
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from harness.fixtures import running
from harness.machine import Machine
from harness.process import run, wait_for

SCRIPT = pathlib.Path(__file__).resolve().parent / "client.js"
QUERY_AUDIENCE = "https://api.loganalytics.io"
RULE_VERSION = "2023-03-11"
WORKSPACE_VERSION = "2022-10-01"

Rule = collections.namedtuple("Rule", "immutable_id stream table id workspace")


def node(space, controlplane, action, **fields):
    """One call of client.js; its answer."""
    env = space.environment(NODE_EXTRA_CA_CERTS=controlplane.ca_file,
                            NODE_PATH=os.environ["MOOR_NODE_PATH"], NODE_NO_WARNINGS=1)
    out = run(["node", SCRIPT], env, stdin=json.dumps({"action": action, **fields}), timeout=60)
    return json.loads(out.stdout.splitlines()[-1])


def administrator(controlplane):
    return {"authorityHost": controlplane.endpoint, "tenantId": controlplane.tenant,
            "clientId": controlplane.admin_id, "clientSecret": controlplane.admin_secret}


def decoded(segment):
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def verified(controlplane, token):
    """The claims, once the signature has verified against the published keys."""
    head, payload, signature = token.split(".")
    discovery = controlplane.request(
        "GET", f"/{controlplane.tenant}/v2.0/.well-known/openid-configuration").json
    keys = controlplane.request("GET", discovery["jwks_uri"]).json["keys"]
    header = json.loads(decoded(head))
    assert header["alg"] == "RS256"
    key = next(k for k in keys if k["kid"] == header["kid"])
    n, e = (int.from_bytes(decoded(key[part]), "big") for part in ("n", "e"))
    rsa.RSAPublicNumbers(e, n).public_key().verify(
        decoded(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), SHA256())
    claims = json.loads(decoded(payload))
    assert claims["iss"] == discovery["issuer"]
    return claims


@pytest.fixture
def rule(controlplane, unique):
    """A data collection rule of kind Direct and the table it ends in."""
    group = controlplane.group("rg-clients")
    table = f"Client{uuid.uuid4().hex[:8]}_CL"
    providers = f"resourceGroups/{group}/providers"
    made = controlplane.arm("PUT", f"{providers}/Microsoft.OperationalInsights/workspaces/clients",
                            {"location": controlplane.info["location"]}, WORKSPACE_VERSION)
    assert made.status in (200, 201), made
    answer = controlplane.arm(
        "PUT", f"{providers}/Microsoft.Insights/dataCollectionRules/{unique}",
        {"location": controlplane.info["location"], "kind": "Direct", "properties": {
            "streamDeclarations": {"Custom-Rows": {"columns": [
                {"name": "TimeGenerated", "type": "datetime"},
                {"name": "Text", "type": "string"}, {"name": "Number", "type": "int"}]}},
            "destinations": {"logAnalytics": [
                {"name": "here", "workspaceResourceId": made.json["id"]}]},
            "dataFlows": [{"streams": ["Custom-Rows"], "destinations": ["here"],
                           "outputStream": f"Custom-{table}"}]}}, RULE_VERSION)
    assert answer.status in (200, 201), answer
    return Rule(answer.json["properties"]["immutableId"], "Custom-Rows", table, answer.json["id"],
                made.json["properties"]["customerId"])


def rows_of(controlplane, rule, kql=""):
    url = f"{controlplane.info['queryEndpoint'].rstrip('/')}/workspaces/{rule.workspace}/query"
    answer = controlplane.request(
        "POST", url, {"query": f"{rule.table} {kql}"},
        {"Authorization": f"Bearer {controlplane.token(QUERY_AUDIENCE)}"})
    assert answer.status == 200, answer
    return answer.json["tables"][0]["rows"]


def test_client_secret_credential_gets_a_token_that_verifies(workspace, controlplane):
    audience = controlplane.arm_audience
    answer = node(workspace, controlplane, "token", scope=f"{audience}/.default",
                  **administrator(controlplane))
    claims = verified(controlplane, answer["token"])
    assert claims["aud"].rstrip("/") == audience.rstrip("/")
    assert claims["tid"] == controlplane.tenant
    assert claims["exp"] * 1000 == pytest.approx(answer["expiresOnTimestamp"], abs=120_000)
    groups = controlplane.arm("GET", "resourcegroups", api_version="2021-04-01",
                              token=answer["token"])
    assert groups.status == 200


def test_a_wrong_secret_is_told_as_such(workspace, controlplane):
    who = administrator(controlplane) | {"clientSecret": "not the secret"}
    answer = node(workspace, controlplane, "token",
                  scope=f"{controlplane.arm_audience}/.default", **who)
    assert answer["failed"].startswith("Authentication")
    assert "AADSTS7000215" in answer["message"]


def test_uploaded_rows_are_queried_back(workspace, controlplane, rule):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    rows = [{"TimeGenerated": now, "Text": f"row {i} \u00e9\u2713", "Number": i}
            for i in range(2500)]
    answer = node(workspace, controlplane, "upload", ruleId=rule.immutable_id, stream=rule.stream, rows=rows,
                  endpoint=controlplane.info["ingestionEndpoint"], maxConcurrency=3,
                  **administrator(controlplane))
    assert answer == {"errors": []}
    wait_for(lambda: rows_of(controlplane, rule, "| count") == [[2500]], 20, "2500 rows")
    assert rows_of(controlplane, rule, "| where Number == 1234 | project Text") == [
        ["row 1234 \u00e9\u2713"]]


def test_an_upload_to_an_unknown_rule_names_the_reason(workspace, controlplane):
    answer = node(workspace, controlplane, "upload", ruleId="dcr-" + "0" * 32, stream="Custom-No",
                  rows=[{"Text": "x"}], endpoint=controlplane.info["ingestionEndpoint"],
                  **administrator(controlplane))
    assert [error["status"] for error in answer["errors"]] == [404]


@pytest.fixture
def sdk_machine(workspace, controlplane, unique):
    """A connected machine on the port and the paths that SDKs hard-code."""
    box = Machine(workspace, port=40342)
    box.arguments["identity"] = ["--sdk-paths"]
    with running(box, "identity"):
        box.connect(controlplane, resource_name=unique)
        yield box


def test_managed_identity_credential_gets_the_machine_a_token(workspace, controlplane,
                                                              sdk_machine):
    workspace.extra = {"IDENTITY_ENDPOINT": "http://localhost:40342/metadata/identity/oauth2/token",
                       "IMDS_ENDPOINT": "http://localhost:40342"}
    answer = node(workspace, controlplane, "token",
                  scope=f"{controlplane.arm_audience}/.default")
    assert "token" in answer, answer
    claims = verified(controlplane, answer["token"])
    assert claims["oid"] == sdk_machine.config["principalId"]
    assert claims["tid"] == controlplane.tenant


def test_the_machines_own_identity_may_upload_when_the_rule_lets_it(workspace, controlplane, rule,
                                                                    sdk_machine):
    workspace.extra = {"IDENTITY_ENDPOINT": "http://localhost:40342/metadata/identity/oauth2/token",
                       "IMDS_ENDPOINT": "http://localhost:40342"}
    association = controlplane.arm(
        "PUT", f"{sdk_machine.resource_id}/providers/Microsoft.Insights/"
        "dataCollectionRuleAssociations/own",
        {"properties": {"dataCollectionRuleId": rule.id}}, RULE_VERSION)
    assert association.status in (200, 201), association
    answer = node(workspace, controlplane, "upload", ruleId=rule.immutable_id, stream=rule.stream,
                  rows=[{"Text": "from the machine", "Number": 1}],
                  endpoint=controlplane.info["ingestionEndpoint"])
    assert answer == {"errors": []}
    wait_for(lambda: rows_of(controlplane, rule, "| project Text") == [["from the machine"]],
             20, "the row")
