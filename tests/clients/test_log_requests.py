# SPDX-License-Identifier: Apache-2.0
"""What the forwarder asks of an ingestion endpoint, beside what Azure's own client asks of it."""
import gzip
import json
import os
import pathlib
import urllib.parse

import pytest
from harness.process import run
from log_machine import ID, LogMachine, append

SCRIPT = pathlib.Path(__file__).resolve().parent / "client.js"
STREAM = "Custom-App"


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


def upload(box, rows):
    env = box.workspace.environment(NODE_EXTRA_CA_CERTS=box.authority.file, NODE_NO_WARNINGS=1,
                                    NODE_PATH=os.environ["MOOR_NODE_PATH"])
    request = {"action": "upload", "token": "token-1", "endpoint": box.endpoint.url, "ruleId": ID,
               "stream": STREAM, "rows": rows}
    out = run(["node", SCRIPT], env, stdin=json.dumps(request), timeout=60)
    assert json.loads(out.stdout.splitlines()[-1]) == {"errors": []}


def meaning(asked):
    """All that a service may go by; names that are free to differ left out."""
    path, _, query = asked.target.partition("?")
    body = asked.body
    if asked.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return {
        "method": asked.method,
        "path": [urllib.parse.unquote(part) for part in path.split("/")],
        "query": urllib.parse.parse_qs(query, strict_parsing=True),
        "type": asked.headers["content-type"].partition(";")[0],
        "encoding": asked.headers.get("content-encoding"),
        "authorization": asked.headers["authorization"],
        "request id": len(asked.headers["x-ms-client-request-id"]),
        "length": int(asked.headers["content-length"]) == len(asked.body),
        "rows": json.loads(body),
    }


LINES = ["plain", "non-ASCII: \u00e9\u2713\U0001f600", 'quotes " and \\ and /', "tab\there", "\x7f\u2028"]


def test_requests_mean_what_those_of_azures_client_mean(box):
    append(box.log(), *LINES)
    box.connect()
    box.rule(box.log(), stream=STREAM)
    box.start()
    rows = box.endpoint.wait_rows(len(LINES))
    assert [row["RawData"] for row in rows] == LINES
    upload(box, rows)
    assert len(box.endpoint.server.asked) == 2
    ours, azures = map(meaning, box.endpoint.server.asked)
    assert ours == azures


def test_what_does_not_fit_one_request_goes_in_several_of_the_same_kind(box):
    """Both cut a megabyte of rows; only the numbers of rows differ."""
    lines = [f"{n:06d} " + f"{n * 7919 % 1000003:08x}" * 40 for n in range(9000)]
    append(box.log(), *lines)
    box.settings(body_limit="strict")
    box.connect()
    box.rule(box.log(), stream=STREAM)
    box.start()
    rows = box.endpoint.wait_rows(len(lines))
    before = len(box.endpoint.server.asked)
    upload(box, rows)
    asked = [meaning(a) for a in box.endpoint.server.asked]
    ours, azures = asked[:before], asked[before:]
    assert len(ours) > 1 and len(azures) > 1
    for one in asked:
        one["count"] = len(one.pop("rows"))
    assert sum(one.pop("count") for one in ours) == sum(one.pop("count") for one in azures) == len(lines)
    assert all(one == ours[0] for one in ours + azures)
