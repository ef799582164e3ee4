# SPDX-License-Identifier: Apache-2.0
"""Every client of the agent before every server of the zoo (tests/fakes/tls_zoo.py): those that must
not be trusted hear no byte of a request, those that may be hear one."""
import concurrent.futures
import contextlib
import http.client
import json
import socket
import ssl
import warnings

import pytest
from harness.controlplane import ControlPlane
from harness.extensions import free_port
from harness.machine import Machine
from harness.process import wait_for
from harness.wire import ScriptServer, answer_bytes
from log_machine import LogMachine, append
from test_fetch import Parent
from tls_zoo import ADDRESS, DOMAIN, HOST, Zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weak algorithms, which is the point
        return Zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def servers(zoo):
    with zoo.open() as opened:
        yield opened


def assert_judged(servers):
    untried = [s.name for s in servers.values() if not s.tried]
    trusted = [s.name for s in servers.values() if s.asked and not s.good]
    refused = [s.name for s in servers.values() if not s.asked and s.good]
    assert not (untried or trusted or refused), (untried, trusted, refused)


def test_the_zoo_is_large_enough(zoo):
    assert sum(not a.good for a in zoo.animals) >= 55 and sum(a.good for a in zoo.animals) >= 10


def test_the_command_line_trusts_none_of_them(workspace, zoo, servers):
    box = Machine(workspace)

    def look(item):
        number, server = item
        return box.mooring("cloud", "register", f"Zoo{number}", server.url, "--ca-file", zoo.ca_file,
                           check=False, timeout=120)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(look, enumerate(servers.values())))
    assert_judged(servers)
    assert all(d.returncode != 0 for d in done)


def test_the_fetch_role_trusts_none_of_them(workspace, zoo, servers):
    parent = Parent(workspace, zoo.ca_file)
    try:
        for server in servers.values():
            parent.request(server.url + "/package.zip", token=b"canary")
            head, _ = parent.answer()
            assert head["type"] == ("answer" if server.good else "error"), (server.name, head)
            assert "canary" not in str(head)
    finally:
        parent.close()
    assert_judged(servers)


def test_the_log_role_trusts_none_of_them(workspace, zoo, servers):
    box = LogMachine(workspace)
    box.connect()
    clouds = box.root / "etc/mooring/clouds.d"
    (clouds / "Paper.pem").write_bytes(zoo.ca_file.read_bytes())
    cloud = json.loads((clouds / "Paper.json").read_text())
    cloud["hostSuffixes"] = [DOMAIN, ADDRESS]
    (clouds / "Paper.json").write_text(json.dumps(cloud))
    for number, server in enumerate(servers.values()):
        box.rule(box.log(f"{number}.log"), name=f"{number}.json", endpoint=server.url,
                 immutable_id=f"dcr-{number:032x}")
        append(box.log(f"{number}.log"), "a row")
    box.start()
    try:
        wait_for(lambda: all(s.tried and (s.asked or not s.good) for s in servers.values()), 60,
                 "every server to be tried")
    finally:
        box.close()
    assert_judged(servers)


class _Any(dict):
    """A script for every path."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def get(self, _key, _default=None):
        return self.function


class Front(ScriptServer):
    """A control plane's public address, with the certificate of the moment."""

    def __init__(self):
        super().__init__(_Any(self._forward), tls=None)
        self.url = f"https://{HOST}:{self.port}"
        self.upstream, self.trust, self.heard = None, None, []

    def become(self, context):
        """From now on this certificate; what was open ends."""
        self.context = context
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.heard, self.connections = [], 0

    def _forward(self, s, asked):
        if s.context is self.context:  # else it came before the change
            self.heard.append(asked.target)
        onward = http.client.HTTPSConnection("localhost", self.upstream, timeout=120, context=self.trust)
        try:
            onward.request(asked.method, asked.target, asked.body or None, asked.headers)
            reply = onward.getresponse()
            body = reply.read()
            keep = {k.replace("-", "_"): v for k, v in reply.getheaders()
                    if k.lower() not in ("content-length", "connection")}
            s.sendall(answer_bytes(reply.status, body, **keep))
            return True
        finally:
            onward.close()


class FrontedControlPlane(ControlPlane):
    """Agents trust the zoo's CA for it."""

    zoo = None

    @property
    def endpoint(self):
        return self.info["endpoint"].rstrip("/")

    @property
    def ca_file(self):
        return str(self.zoo.ca_file) if self.zoo else self.info["caFile"]


def test_the_identity_role_trusts_none_of_them(workspace, zoo):
    """Sign-in and heartbeat, on one process that was connected: no kept connection, no session of
    the good days helps those that come after."""
    front, cp, box = Front(), FrontedControlPlane(workspace), Machine(workspace)
    cp.cli("init", "--host", HOST, "--host", "localhost")
    front.upstream = free_port()
    cp.listen = f"127.0.0.1:{front.upstream}"
    cp.start("--public-url", front.url)
    front.trust = ssl.create_default_context(cafile=cp.info["caFile"])
    cp.zoo = zoo
    mine = [a for a in zoo.animals if a.host == HOST and a.signer]  # without TLS there is a wait
    try:
        with front:
            front.become(zoo.context(mine[0]))
            box.start("identity")
            box.connect(cp)
            for number, animal in enumerate(mine):
                front.become(zoo.context(animal))
                assert_treated(front, box, animal, number)
            front.become(zoo.context(mine[0]))
            assert box.token(cp.arm_audience)
    finally:
        box.stop()
        cp.stop()


def assert_treated(front, box, animal, number):
    answer = box.token_answer(f"https://audience-{number}.example")
    beat = box.admin("POST", "/connect/finish", {})
    assert front.connections, animal.name
    if animal.good:
        assert front.heard and beat.status == 200, (animal.name, answer, beat)
    else:
        assert not front.heard and answer.status == 503, (animal.name, answer)
        assert beat.status >= 400, (animal.name, beat)
