# SPDX-License-Identifier: Apache-2.0
"""Crowds at the doors: slow ones, silent ones, very many, and few descriptors. Those who behave are
served meanwhile or soon afterwards, and nothing is kept of the others."""
import contextlib
import os
import resource
import socket
import threading

import pytest
from harness.machine import Machine
from harness.process import wait_for

HALF_A_HEAD = b"GET /metadata/identity/oauth2/token?resource=a HTTP/1.1\r\nHost: localhost\r\nX: "


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def resident(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Crowd:
    """Keeps so many connections open, from many addresses, and opens anew what is closed."""

    def __init__(self, port, size, greet):
        self.port, self.size, self.greet = port, size, greet
        self.stopped, self.made, self.held = threading.Event(), 0, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.made >= self.size or not self.thread.is_alive(), 60, "the crowd")
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(30)
        for s in self.held:
            s.close()

    def _one(self):
        s = socket.socket()
        s.settimeout(5)
        with contextlib.suppress(OSError):
            s.bind((f"127.0.{self.made % 200}.{2 + self.made // 200 % 200}", 0))
            self.made += 1
            s.connect(("127.0.0.1", self.port))
            self.greet(s)
            s.setblocking(False)
            return s
        s.close()
        return None

    @staticmethod
    def _alive(s):
        try:
            return s.recv(4096) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _run(self):
        while not self.stopped.is_set():
            alive = [s for s in self.held if self._alive(s)]
            for s in set(self.held) - set(alive):
                s.close()
            self.held = alive
            for _ in range(self.size - len(alive)):
                if self.stopped.is_set():
                    break
                s = self._one()
                if s:
                    self.held.append(s)
            self.stopped.wait(0.05)


def half_a_head(s):
    s.sendall(HALF_A_HEAD)


def half_a_handshake(s):
    s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


@pytest.mark.parametrize("greet", [half_a_head, half_a_handshake])
def test_a_crowd_that_says_nothing_keeps_nobody_out_of_the_control_plane(own_controlplane, full, greet):
    cp = own_controlplane
    cp.group("before")
    at_first, port = descriptors(cp.process), int(cp.listen.split(":")[1])
    with Crowd(port, 3000 if full else 300, greet):
        for n in range(3):
            assert cp.group(f"during{n}")
    wait_for(lambda: descriptors(cp.process) <= at_first + 5, 60, "its descriptors to come back")


def test_the_local_endpoint_serves_while_others_are_slow(connected, controlplane, full):
    process = connected.roles["identity"]
    at_first = descriptors(process)
    port = int(connected.himds_port_file.read_text())
    with Crowd(port, 2000 if full else 200, half_a_head):
        for _ in range(3):
            assert connected.token(controlplane.arm_audience)
            assert connected.admin("POST", "/connect/finish", {}).status == 200, "a heartbeat"
    wait_for(lambda: descriptors(process) <= at_first + 5, 60, "its descriptors to come back")


def test_with_64_descriptors_heartbeats_go_on_and_callers_come_back(connected, controlplane):
    process = connected.roles["identity"]
    port = int(connected.himds_port_file.read_text())
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, 64))
    with Crowd(port, 150, half_a_head):
        wait_for(lambda: descriptors(process) >= 30, 30, "it to be crowded")
        for _ in range(5):
            answer = connected.admin("POST", "/connect/finish", {})
            assert answer.status == 200, answer
            assert connected.role_channel("GET", "/state").status == 200
        assert descriptors(process) <= 64 - 8
    wait_for(lambda: served(connected, controlplane), 60, "a token")


def served(box, cp):
    try:
        return box.token_answer(cp.arm_audience, timeout=5).status == 200
    except OSError:
        return False


def test_a_control_plane_with_64_descriptors_recovers(own_controlplane):
    cp = own_controlplane
    port = int(cp.listen.split(":")[1])
    used = descriptors(cp.process)
    resource.prlimit(cp.process.pid, resource.RLIMIT_NOFILE, (max(64, used + 30),) * 2)
    with Crowd(port, 200, half_a_handshake):
        wait_for(lambda: descriptors(cp.process) >= used + 15, 30, "it to be crowded")

    def works():
        try:
            return cp.group("after")
        except OSError:
            return None
    wait_for(works, 60, "it to serve")


def test_very_many_connections_leave_nothing_behind(workspace, controlplane, unique, full):
    """10^5 with --full; an answer for every hundredth."""
    box, count = Machine(workspace), 100_000 if full else 2_000
    box.env["ASAN_OPTIONS"] += ":quarantine_size_mb=1"  # freed memory is freed
    process = box.start_role("identity")
    try:
        box.connect(controlplane, resource_name=unique)
        port, at_first, before = int(box.himds_port_file.read_text()), descriptors(process), 0
        for n in range(count):
            visit(port, n)
            if n == count // 4:
                before = resident(process)
        assert box.token(controlplane.arm_audience)
        wait_for(lambda: descriptors(process) <= at_first + 5, 30, "its descriptors to come back")
        assert resident(process) - before < 8 << 20
    finally:
        box.stop()


def visit(port, n):
    with socket.socket() as s:
        s.bind((f"127.0.{n % 250}.{1 + n // 250 % 250}", 0))
        s.connect(("127.0.0.1", port))
        if n % 100 == 0:
            s.sendall(b"GET /metadata/instance HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 403")
