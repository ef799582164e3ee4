# SPDX-License-Identifier: Apache-2.0
"""A workspace, a data collection rule and its clients, for tests: ARM, ingestion and queries."""

import gzip
import json

INSIGHTS = "2023-03-11"
WORKSPACES = "2023-09-01"
INGESTION = "https://monitor.azure.com"
QUERY = "https://api.loganalytics.io"
COLUMNS = [("TimeGenerated", "datetime"), ("RawData", "string"), ("FilePath", "string"),
           ("Computer", "string"), ("Level", "int"), ("Ok", "boolean"), ("Ratio", "real"),
           ("Props", "dynamic")]


class LogSite:
    def __init__(self, controlplane, name, columns=COLUMNS, stream="Custom-App", table="App_CL"):
        self.cp = controlplane
        self.group = controlplane.group("rg-logs")
        self.name = name
        self.stream, self.table = stream, table
        base = f"/subscriptions/{controlplane.subscription}/resourceGroups/{self.group}/providers"
        self.workspace_id = f"{base}/Microsoft.OperationalInsights/workspaces/{name}"
        self.rule_id = f"{base}/Microsoft.Insights/dataCollectionRules/{name}"
        answer = self.arm("PUT", self.workspace_id, {"location": self.location}, WORKSPACES)
        assert answer.status == 201, answer
        self.workspace = answer.json["properties"]["customerId"]
        self.rule = self.put_rule(columns)

    @property
    def location(self):
        return self.cp.info["location"]

    def arm(self, method, path, body=None, version=INSIGHTS):
        return self.cp.arm(method, path, body, api_version=version)

    def rule_body(self, columns=COLUMNS, **properties):
        body = {"streamDeclarations": {self.stream: {"columns": [
                    {"name": n, "type": t} for n, t in columns]}},
                "dataSources": {"logFiles": [{"name": "files", "streams": [self.stream],
                                              "filePatterns": ["/tmp/none/*.log"], "format": "text"}]},
                "destinations": {"logAnalytics": [{"name": "ws",
                                                   "workspaceResourceId": self.workspace_id}]},
                "dataFlows": [{"streams": [self.stream], "destinations": ["ws"],
                               "outputStream": f"Custom-{self.table}"}]}
        body.update(properties)
        return {"location": self.location, "kind": "Direct", "properties": body}

    def put_rule(self, columns=COLUMNS, **properties):
        answer = self.arm("PUT", self.rule_id, self.rule_body(columns, **properties))
        assert answer.status in (200, 201), answer
        self.immutable_id = answer.json["properties"]["immutableId"]
        return answer.json

    def associate(self, machine_id, name="logs"):
        path = f"{machine_id}/providers/Microsoft.Insights/dataCollectionRuleAssociations/{name}"
        return self.arm("PUT", path, {"properties": {"dataCollectionRuleId": self.rule_id}})

    def send(self, rows, token=None, compress=False, headers=None, stream=None, rule=None,
             query="api-version=2023-01-01", **options):
        body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        head = {"Content-Type": "application/json", **(headers or {})}
        if token is None:
            token = self.cp.token(INGESTION)
        if token:
            head["Authorization"] = f"Bearer {token}"
        if compress:
            body = gzip.compress(body, 1)
            head["Content-Encoding"] = "gzip"
        path = (f"{self.cp.info['ingestionEndpoint']}/dataCollectionRules/{rule or self.immutable_id}"
                f"/streams/{stream or self.stream}?{query}")
        return self.cp.request("POST", path, body, head, **options)

    def query(self, text, timespan=None, token=None, method="POST", prefix="/v1", workspace=None):
        import urllib.parse
        head = {"Authorization": f"Bearer {token or self.cp.token(QUERY)}"}
        path = f"{self.cp.endpoint}{prefix}/workspaces/{workspace or self.workspace}/query"
        body = {"query": text}
        if timespan:
            body["timespan"] = timespan
        if method == "GET":
            return self.cp.request("GET", path + "?" + urllib.parse.urlencode(body), None, head)
        return self.cp.request("POST", path, body, head)

    def rows(self, text, **options):
        answer = self.query(text, **options)
        assert answer.status == 200, answer
        return answer.json["tables"][0]["rows"]
