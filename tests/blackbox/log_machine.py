# SPDX-License-Identifier: Apache-2.0
"""`mooringd logs` alone: a connected machine of paper, an ingestion endpoint that does as told."""
import collections
import gzip
import json
import pathlib
import threading
import time
import zlib

from harness.process import Process, program, wait_for
from harness.wire import Authority, ScriptServer, answer_bytes

ID = "dcr-0123456789abcdef0123456789abcdef"
ZERO = "00000000-0000-0000-0000-00000000000"


class Endpoint:
    """Scripted ingestion: takes every body until `answers` has something else to say.

    answers: a list of what the next requests get, one each: a status, (status, headers), bytes to
    send as they are, None for no answer at all, or a function of the rows that gives one of those.
    always: the same for every request while it is set.
    """

    def __init__(self, tls):
        self.tls, self.lock = tls, threading.Lock()
        self.answers, self.always = collections.deque(), None
        self.bodies = []  # (stream, rows) of what was taken, in order
        self.requests = []  # (time, status, number of rows, token)
        self.sizes = []  # (bytes on the wire, bytes of JSON) of each request
        self.down = False
        self.server = None

    def start(self, port=None):
        self.server = ScriptServer(_Any(self._answer), tls=self.tls)
        self.server.__enter__()
        return self

    def stop(self):
        self.server.__exit__()

    @property
    def url(self):
        return self.server.url

    def _answer(self, s, asked):
        text = gzip.decompress(asked.body)
        rows = json.loads(text)
        token = asked.headers["authorization"].removeprefix("Bearer ")
        with self.lock:
            what = self.always
            if what is None and self.answers:
                what = self.answers.popleft()
            if callable(what):
                what = what(rows)
            if self.down:
                what = None
            elif what is None:
                what = 204
            status = what if isinstance(what, int) else what[0] if isinstance(what, tuple) else 0
            self.requests.append((time.monotonic(), status, len(rows), token))
            self.sizes.append((len(asked.body), len(text)))
            if status == 204 and not self.down:
                stream = asked.target.split("/")[4].split("?")[0]
                self.bodies.append((stream, rows))
        if what is None:
            return False
        if isinstance(what, bytes):
            s.sendall(what)
            return False
        headers = what[1] if isinstance(what, tuple) else {}
        body = b"" if status == 204 else json.dumps(
            {"error": {"code": f"Test{status}", "message": "as told"}}).encode()
        s.sendall(answer_bytes(status, body, Content_Type="application/json", **headers))
        return True

    def rows(self, stream=None):
        with self.lock:
            return [r for name, rows in self.bodies if stream in (None, name) for r in rows]

    def lines(self, stream=None):
        return [r["RawData"] for r in self.rows(stream)]

    def wait_rows(self, count, timeout=30, stream=None):
        wait_for(lambda: len(self.rows(stream)) >= count, timeout, f"{count} rows")
        return self.rows(stream)

    def wait_lines(self, count, timeout=30, stream=None):
        wait_for(lambda: len(self.lines(stream)) >= count, timeout, f"{count} lines")
        return self.lines(stream)

    def statuses(self):
        with self.lock:
            return [r[1] for r in self.requests]


class _Any(dict):
    """A script for every path."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def get(self, _key, _default=None):
        return self.function


class LogMachine:
    def __init__(self, workspace, arguments=()):
        self.workspace = workspace
        self.root = workspace.path / "root"
        for folder in ("etc/mooring/clouds.d", "etc/mooring/logs.d", "run/mooring",
                       "var/opt/azcmagent", "var/lib/mooring/rules.d"):
            (self.root / folder).mkdir(parents=True, mode=0o755)
        self.logs = workspace.path / "logs"
        self.logs.mkdir()
        authority = Authority(workspace.path / "tls")
        self.endpoint = Endpoint(authority.issue("ingestion")).start()
        self.authority = authority
        self.tokens_given = 0
        self.token_answer = None  # bytes: instead of a token
        self.token_seconds = 3600
        self.roles = ScriptServer({"/token": self._token},
                                  unix=str(self.root / "run/mooring/roles.sock"))
        self.roles.__enter__()
        env = workspace.environment(MOORING_ROOT=self.root)
        self.process = Process(workspace, "logs", [program("mooringd"), "logs", *arguments], env)

    def _token(self, s, asked):
        if self.token_answer:
            s.sendall(self.token_answer)
            return True
        assert "monitor.azure.com" in asked.target
        self.tokens_given += 1
        body = json.dumps({"access_token": f"token-{self.tokens_given}",
                           "expires_on": int(time.time()) + self.token_seconds})
        s.sendall(answer_bytes(200, body.encode(), Content_Type="application/json"))
        return True

    def connect(self):
        url = self.endpoint.url
        cloud = {"schema": 1, "name": "Paper", "resourceManager": url, "loginEndpoint": url,
                 "tokenEndpoint": url + "/token", "armAudience": url, "hisEndpoint": url,
                 "serviceAudience": "x", "hostSuffixes": []}
        folder = self.root / "etc/mooring/clouds.d"
        (folder / "Paper.json").write_text(json.dumps(cloud))
        (folder / "Paper.pem").write_text(pathlib.Path(self.authority.file).read_text())
        config = {"schema": 1, "cloud": "Paper", "tenantId": ZERO + "1",
                  "subscriptionId": ZERO + "2", "resourceGroup": "g", "resourceName": "m",
                  "location": "local", "resourceId": "/subscriptions/x", "vmId": ZERO + "3",
                  "identityMode": "mooring"}
        path = self.root / "var/opt/azcmagent/agentconfig.json"
        path.with_suffix(".tmp").write_text(json.dumps(config))
        path.with_suffix(".tmp").rename(path)
        return self

    def disconnect(self):
        (self.root / "var/opt/azcmagent/agentconfig.json").unlink()

    def settings(self, **values):
        names = {"allow": "logs.allowPaths", "deny": "logs.denyPaths",
                 "compression": "logs.compression", "body_limit": "logs.bodyLimit",
                 "syslog": "logs.syslog", "certificate": "logs.syslogCertificate",
                 "key": "logs.syslogKey", "client_ca": "logs.syslogClientCa"}
        text = json.dumps({"schema": 1, **{names[k]: v for k, v in values.items()}})
        (self.root / "var/opt/azcmagent/localconfig.json").write_text(text)

    def rule_body(self, patterns, stream="Custom-App", source="app", kind="text", **more):
        return {"schema": 1, "id": "/x", "immutableId": more.get("immutable_id", ID),
                "endpoint": more.get("endpoint", self.endpoint.url),
                "properties": {
                    "streamDeclarations": {},
                    "dataSources": {"logFiles": [{
                        "name": source, "streams": [stream], "format": kind,
                        "filePatterns": [str(p) for p in patterns],
                        "settings": {"text": {"recordStartTimestampFormat": "ISO 8601"}}}]},
                    "destinations": {"logAnalytics": [{"name": "ws"}]},
                    "dataFlows": [{"streams": [stream], "destinations": ["ws"]}]}}

    def write_rule(self, body, name="a.json", folder="var/lib/mooring/rules.d"):
        path = self.root / folder / name
        path.with_suffix(".tmp").write_text(json.dumps(body))
        path.with_suffix(".tmp").rename(path)
        return path

    def rule(self, *patterns, name="a.json", folder="var/lib/mooring/rules.d", **more):
        return self.write_rule(self.rule_body(patterns, **more), name, folder)

    def rule_of(self, kind, source, name="s.json"):
        """A rule with one data source of another kind."""
        body = self.rule_body([])
        source = {"name": "src", "streams": ["Microsoft-Syslog"], **source}
        body["properties"]["dataSources"] = {kind: [source]}
        body["properties"]["dataFlows"] = [{"streams": source["streams"], "destinations": ["ws"]}]
        return self.write_rule(body, name)

    def log(self, name="app.log"):
        return self.logs / name

    def start(self):
        self.process.start()
        return self

    def kill(self):
        self.process.kill()

    def close(self):
        status = self.process.stop()
        self.roles.__exit__()
        self.endpoint.stop()
        assert status in (0, None, -9), f"logs ended with {status}"

    def said(self, text):
        return text in self.process.log_text()

    def wait_said(self, text, timeout=20):
        return self.process.wait_ready(lambda: self.said(text), timeout, f"the log to say {text}")

    def positions(self):
        """The document with what its journal says happened since."""
        folder = self.root / "var/lib/mooring/logs"
        whole, journal = json.loads((folder / "positions.json").read_text()), folder / "positions.journal"
        for line in journal.read_text().split("\n")[:-1] if journal.exists() else ():
            crc, text = line.split(" ", 1)
            change = json.loads(text)
            if change["id"] != whole["id"]:
                break
            assert int(crc, 16) == zlib.crc32(text.encode())
            for flow in change.pop("flows"):
                now = next((f for f in whole["flows"] if f["key"] == flow["key"]), None)
                if now:
                    ids = {p["id"] for p in flow["files"]}
                    flow["files"] = [p for p in now["files"] if p["id"] not in ids] + flow["files"]
                    now.update(flow)
                else:
                    whole["flows"].append(flow)
            whole.update(change)
        return whole

    def counts(self):
        """Of all flows; nothing when there is no document yet."""
        total = collections.Counter()
        if not (self.root / "var/lib/mooring/logs/positions.json").exists():
            return total
        for flow in self.positions()["flows"]:
            total.update(flow["counts"])
        return total

    def balanced(self):
        """Every record is accounted for, in each flow."""
        for flow in self.positions()["flows"]:
            c = flow["counts"]
            dropped = sum(n for name, n in c.items() if name.startswith("dropped"))
            assert c["received"] == c["acknowledged"] + c["queued"] + dropped, flow
        return self.counts()

    def queue(self):
        return sorted((self.root / "var/lib/mooring/logs/queue").glob("*"))


def append(path, *lines):
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
