# SPDX-License-Identifier: Apache-2.0
"""The local identity endpoint with the clients that people use: @azure/identity, Debian's
python3-azure, and curl as Azure's documentation shows it."""
import base64
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import threading

import pytest
from harness.fixtures import Space, running
from harness.machine import Machine
from harness.users import NOBODY

HERE = pathlib.Path(__file__).resolve().parent
ENDPOINT = "http://localhost:40342"
AUDIENCE = "https://vault.example.com"
TOKENS = pathlib.Path("/var/opt/azcmagent/tokens")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the SDKs' folder is root's")


def start(argv, space, base, stdin, user):
    env = space.environment(
        IDENTITY_ENDPOINT=f"{base}/metadata/identity/oauth2/token", IMDS_ENDPOINT=base,
        NODE_PATH=os.environ["MOOR_NODE_PATH"], NODE_NO_WARNINGS=1, HOME="/nonexistent")
    who = {"user": user, "group": user, "extra_groups": []} if user else {}
    return subprocess.run([str(a) for a in argv], input=stdin, text=True, capture_output=True,
                          env=env, timeout=120, check=False, cwd="/", **who)


def node(space, base, user):
    request = json.dumps({"action": "token", "scope": f"{AUDIENCE}/.default"})
    out = start(["node", HERE / "client.js"], space, base, request, user)
    return json.loads(out.stdout.splitlines()[-1])


def python(space, base, user):
    out = start(["/usr/bin/python3", "-B", HERE / "client.py"], space, base,
                f"{AUDIENCE}/.default", user)
    return json.loads(out.stdout.splitlines()[-1])


def curl(space, base, user):
    out = start([HERE / "documented.sh", base.replace("localhost", "127.0.0.1"), AUDIENCE], space,
                base, "", user)
    try:
        said = json.loads(out.stdout)
        return {"token": said["access_token"]} if "access_token" in said else {
            "failed": said["error"], "message": said["error_description"]}
    except ValueError:
        return {"failed": "curl", "message": out.stdout + out.stderr}


CLIENTS = {"@azure/identity": node, "python3-azure": python, "curl": curl}
client = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


@pytest.fixture(scope="module")
def served(_shared_controlplane):
    """A connected machine on the port and the paths that SDKs hard-code, for all of this file."""
    with Space() as space:
        machine = Machine(space, "sdk", port=40342)
        machine.arguments["identity"] = ["--sdk-paths"]
        with running(machine, "identity"):
            machine.connect(_shared_controlplane, resource_name=f"sdk-{os.getpid()}")
            yield machine


class Between:
    """Stands between a client and the endpoint, changes what passes, and keeps what was answered."""

    def __init__(self, change_request=None, change_answer=None):
        self.answers = answers = []  # (status, error)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                headers = {k: v for k, v in self.headers.items()
                           if k.lower() not in ("host", "connection")}
                if change_request:
                    change_request(headers)
                one = http.client.HTTPConnection("127.0.0.1", 40342, timeout=60)
                one.request("GET", self.path, headers={**headers, "Host": "localhost:40342"})
                answer = one.getresponse()
                body, said = answer.read(), dict(answer.getheaders())
                answers.append((answer.status, json.loads(body).get("error", "")))
                if change_answer:
                    change_answer(said)
                self.send_response(answer.status)
                for name, value in said.items():
                    if name.lower() not in ("date", "server"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@client
def test_client_gets_the_machine_a_token(served, workspace, client):
    answer = client(workspace, ENDPOINT, None)
    assert "token" in answer, answer
    assert claims(answer["token"])["aud"] == AUDIENCE
    assert claims(answer["token"])["oid"] == served.config["principalId"]


@client
def test_client_in_the_wrong_group_is_told_that_it_may_not_read(served, workspace, client):
    answer = client(workspace, ENDPOINT, NOBODY)
    assert "token" not in answer
    told = answer["message"].lower()
    assert any(word in told for word in ("permission denied", "secret file", "key file")), told


@client
def test_client_with_a_stale_file_gets_no_token(served, workspace, client):
    """It reads a key that was good once."""
    path = f"/metadata/identity/oauth2/token?api-version=2020-06-01&resource={AUDIENCE}"
    used = pathlib.Path(served.himds_get(path).headers["WWW-Authenticate"].split("=")[1]).read_text()
    sent = {"Metadata": "true", "Authorization": f"Basic {used}"}
    assert served.himds_get(path, sent).status == 200
    stale = TOKENS / "00000000-0000-4000-8000-000000000000.key"
    stale.write_text(used)

    def older(said):
        if "Www-Authenticate" in said:
            said["Www-Authenticate"] = f"Basic realm={stale}"
    try:
        with Between(change_answer=older) as between:
            answer = client(workspace, between.base, None)
            assert "token" not in answer and answer["message"], answer
            assert len(between.answers) >= 2
            assert set(between.answers) == {(401, "unauthorized")}
    finally:
        stale.unlink(missing_ok=True)


@client
def test_client_whose_header_is_lost_hears_why(served, workspace, client):
    def lose(headers):
        for name in [n for n in headers if n.lower() == "metadata"]:
            del headers[name]
    with Between(change_request=lose) as between:
        answer = client(workspace, between.base, None)
    assert "token" not in answer and answer["message"], answer
    assert set(between.answers) == {(400, "invalid_request")}


@client
def test_client_with_another_value_in_the_header_is_refused(served, workspace, client):
    with Between(change_request=lambda headers: headers.update(Metadata="false")) as between:
        answer = client(workspace, between.base, None)
    assert "token" not in answer and answer["message"], answer
    assert set(between.answers) == {(400, "invalid_request")}


@client
def test_client_through_a_proxy_that_says_so_is_refused(served, workspace, client):
    with Between(change_request=lambda headers: headers.update(Via="1.1 proxy")) as between:
        answer = client(workspace, between.base, None)
    assert "token" not in answer, answer
    assert set(between.answers) == {(403, "forbidden")}
