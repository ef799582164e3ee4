# SPDX-License-Identifier: Apache-2.0
"""`mooringd fetch` as its parent sees it: one message a frame on descriptor 3
(docs/protocol/fetch.md), a server with a CA of its own at the other end."""
import array
import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from harness.process import TREE, program, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
from fake_cloud import FakeCloud  # noqa: E402


class Server(FakeCloud):
    """Answers with whatever the path asks for."""

    def route(self, r):
        if r.path == "/echo":
            return 200, {"method": r.method, "body": len(r.body),
                         "authorization": r.headers.get("Authorization", "")}
        if r.path == "/refuse":
            return 429, {"error": {"code": "TooManyRequests", "message": "later"}}
        return 404, None


class Parent:
    """The extensions role's end of the pair."""

    def __init__(self, workspace, ca_file=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(20)
        self.socket, self.last = ours, 0
        fd = theirs.fileno()

        def place():
            os.dup2(fd, 3)
            os.set_inheritable(3, True)
        self.log = open(workspace.logs / "fetch.log", "ab")
        self.process = subprocess.Popen([program("mooringd"), "fetch"], env=workspace.environment(),
                                        close_fds=False, preexec_fn=place, stdout=self.log,
                                        stderr=self.log)
        theirs.close()
        hello = {"type": "hello"}
        if ca_file:
            hello["caFile"] = str(ca_file)
        self.send(hello)

    def send(self, head, payload=b"", sink=None):
        data = json.dumps(head).encode() + b"\n" + payload
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sink]))] if sink else []
        self.socket.sendmsg([data], passed)

    def request(self, url, method="GET", body=b"", token=b"", sink=None, **more):
        self.last += 1
        head = {"type": "request", "id": self.last, "method": method, "url": url,
                "bodyLength": len(body), "bearer": bool(token), **more}
        self.send(head, token, sink)
        for at in range(0, len(body), 32768):
            self.send({"type": "body", "id": self.last}, body[at:at + 32768])
        return self.last

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            return None, b""
        head, payload = data.split(b"\n", 1)
        return json.loads(head), payload

    def answer(self):
        head, _ = self.receive()
        body = b""
        while head["type"] == "answer" and len(body) < head["bodyLength"]:
            body += self.receive()[1]
        return head, body

    def close(self):
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.log.close()


@pytest.fixture
def server(workspace):
    with Server(workspace.path / "server") as fake:
        yield fake


@pytest.fixture
def parent(workspace, server):
    made = Parent(workspace, server.authority.ca_file)
    yield made
    made.close()


def test_a_request_with_token_and_body_is_answered(parent, server):
    parent.request(server.url + "/echo", "PUT", b"x" * 100000, b"canary")
    head, body = parent.answer()
    assert head["status"] == 200 and head["requestId"].startswith("00000000")
    assert json.loads(body) == {"method": "PUT", "body": 100000, "authorization": "Bearer canary"}


def test_a_status_that_is_an_error_is_an_answer(parent, server):
    parent.request(server.url + "/refuse")
    head, body = parent.answer()
    assert head["status"] == 429
    assert json.loads(body)["error"]["code"] == "TooManyRequests"


def test_a_download_goes_to_the_passed_descriptor(parent, server, workspace):
    path = workspace.path / "sink"
    with open(path, "wb") as sink:
        parent.request(server.url + "/echo", sink=sink.fileno(), sinkMax=1000)
    head, body = parent.answer()
    assert head["status"] == 200 and body == b""
    assert head["received"] == path.stat().st_size > 0
    assert json.loads(path.read_bytes())["method"] == "GET"


def test_a_download_over_its_limit_is_an_error(parent, server, workspace):
    path = workspace.path / "sink"
    with open(path, "wb") as sink:
        parent.request(server.url + "/echo", sink=sink.fileno(), sinkMax=3)
    head, _ = parent.answer()
    assert head["type"] == "error"
    assert path.stat().st_size <= 3


@pytest.mark.parametrize("url", ["http://localhost:1/", "file:///etc/passwd", "ftp://localhost/"])
def test_only_https_is_spoken(parent, url):
    parent.request(url)
    head, _ = parent.answer()
    assert head["type"] == "error" and "https" in head["message"]


def test_another_ca_is_not_trusted(workspace, server):
    with Server(workspace.path / "other") as other:
        stranger = Parent(workspace, other.authority.ca_file)
        stranger.request(server.url + "/echo", token=b"canary")
        head, _ = stranger.answer()
        stranger.close()
    assert head["type"] == "error"
    assert server.requests == []


def test_loopback_is_refused_when_only_public_addresses_are_allowed(parent, server):
    parent.request(server.url + "/echo", publicOnly=True)
    head, _ = parent.answer()
    assert head["type"] == "error"
    assert server.requests == []


def test_it_ends_with_its_parent(parent):
    parent.socket.close()
    assert parent.process.wait(10) == 0


@pytest.mark.parametrize("message", [b"garbage", b"\n", b"{}\n", b'{"type":"answer","id":1}\n',
                                     b'{"type":"hello","extra":1}\n', b"x" * 65000])
def test_a_parent_that_breaks_the_rules_ends_it(parent, message):
    parent.socket.send(message)
    assert parent.process.wait(10) == 1


def test_it_stops_when_told_to(parent, server):
    parent.request(server.url + "/echo")
    parent.answer()
    parent.process.send_signal(signal.SIGTERM)
    assert parent.process.wait(10) == 0


def test_it_holds_no_descriptor_it_was_not_given(parent, server):
    parent.request(server.url + "/echo")
    parent.answer()
    folder = f"/proc/{parent.process.pid}/fd"
    links = wait_for(lambda: [os.readlink(f"{folder}/{n}") for n in os.listdir(folder)])
    files = [link for link in links if link.startswith("/") and not link.startswith("/dev/null")]
    assert [f for f in files if not f.endswith("fetch.log")] == []


def test_started_by_hand_it_says_what_it_wants(workspace):
    done = subprocess.run([program("mooringd"), "fetch"], env=workspace.environment(),
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "want the parent's socket" in done.stderr
