# SPDX-License-Identifier: Apache-2.0
"""Who holds the local endpoint's port: before the service, while it runs, after it."""
import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest
from harness import web
from harness.machine import Machine
from harness.process import Process, program, wait_for
from harness.users import NOBODY, as_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can speak as another user")
ACTIVATE = pathlib.Path(__file__).parents[1] / "fakes/activate.py"
SQUATTER = """
import socket, sys
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
one.bind((sys.argv[1], int(sys.argv[2])))
one.listen(16)
print("here", flush=True)
sys.stdin.read()
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Squatter:
    """A program of another user that listens on the endpoint's port."""

    def __init__(self, address, port):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", SQUATTER, address, str(port)], user=NOBODY, group=NOBODY,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"here\n"

    def go(self):
        self.process.communicate(timeout=10)


def problem(machine):
    return machine.admin("GET", "/status").json["endpointProblem"]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::", "::1"])
def test_port_of_another_program_is_noticed_and_taken_back(workspace, address):
    port = free_port()
    squatter = Squatter(address, port)
    machine = Machine(workspace, port=port)
    try:
        machine.start("identity")
        assert f"port {port} is held by a program of user {NOBODY}" in problem(machine)
        shown = json.loads(machine.mooring("show", "-j").stdout)
        assert shown["localEndpointProblem"] == problem(machine)
        assert "himds.port_taken" in machine.roles["identity"].log_text()
        squatter.go()
        wait_for(lambda: problem(machine) == "", 40, "the endpoint to have its port")
        for host in ("127.0.0.1", "[::1]"):
            assert web.request("GET", f"http://{host}:{port}/agentstatus").status == 200
    finally:
        squatter.process.kill()
        machine.stop()


def try_to_listen(address, port, reuse):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            one.bind((address, port))
            one.listen(16)
        except OSError:
            return False
        return True


def test_port_that_is_held_cannot_be_shared(workspace):
    machine = Machine(workspace).start("identity")
    port = int(machine.himds_port_file.read_text())
    try:
        for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            for reuse in (False, True):
                assert not as_user(NOBODY, try_to_listen, address, port, reuse), address
        assert problem(machine) == ""
    finally:
        machine.stop()


def test_sockets_of_the_service_manager_are_used(workspace):
    """The port is held from boot on, also while the service is not there."""
    port = free_port()
    machine = Machine(workspace, port=port)
    role = Process(workspace, "activated", [
        sys.executable, str(ACTIVATE), "himds-tcp", f"127.0.0.1:{port},[::1]:{port}",
        program("mooringd"), "identity"], machine.env)
    machine.roles["identity"] = role
    try:
        role.start()
        role.wait_ready(machine.himds_port_file.exists)
        assert machine.himds_port_file.read_text().strip() == str(port)
        assert problem(machine) == ""
        for host in ("127.0.0.1", "[::1]"):
            assert web.request("GET", f"http://{host}:{port}/agentstatus").status == 200
    finally:
        machine.stop()


def test_callers_in_flight_are_answered_when_the_service_stops(workspace, own_controlplane):
    machine = Machine(workspace).start("identity")
    try:
        machine.connect(own_controlplane)
        os.kill(own_controlplane.process.pid, signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(machine.token_answer, "https://drain.example.com")
            role = machine.roles["identity"]
            wait_for(lambda: waits_for_cloud(own_controlplane), 20, "the agent to ask the cloud")
            os.kill(role.pid, signal.SIGTERM)
            wait_for(lambda: refuses(machine), 20, "the endpoint to close")
            os.kill(own_controlplane.process.pid, signal.SIGCONT)
            assert asked.result(30).status == 200
        assert role.stop() in (0, None)
    finally:
        os.kill(own_controlplane.process.pid, signal.SIGCONT)
        machine.stop()


def refuses(machine):
    port = int(machine.himds.rsplit(":", 1)[1])
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return False
    except ConnectionRefusedError:
        return True


def waits_for_cloud(controlplane):
    """Whether bytes for the stopped control plane wait in the kernel."""
    port = int(controlplane.endpoint.rsplit(":", 1)[1])
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and int(fields[4].split(":")[1], 16) > 0:
            return True
    return False
