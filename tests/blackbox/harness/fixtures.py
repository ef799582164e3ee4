# SPDX-License-Identifier: Apache-2.0
"""The fixtures of black-box and client tests."""
import contextlib
import os
import random
import shutil
import tempfile

import pytest

from fault_proxy import FaultProxy

from .controlplane import ControlPlane
from .extensions import Lab
from .machine import Machine
from .process import Workspace

_live = []  # workspaces of this moment, for the report of a failed test


class Space:
    """A workspace that checks for sanitizer reports and goes away."""

    def __enter__(self):
        path = tempfile.mkdtemp(prefix="moor-", dir=os.environ.get("MOOR_TEST_TMP", "/tmp"))
        os.chmod(path, 0o755)
        self.space = Workspace(path)
        _live.append(self.space)
        return self.space

    def __exit__(self, *_):
        _live.remove(self.space)
        reports = self.space.sanitizer_reports()
        if os.environ.get("MOOR_TEST_KEEP"):
            print(f"kept: {self.space.path}")
        else:
            shutil.rmtree(self.space.path, ignore_errors=True)
        assert not reports, "sanitizer reports:\n" + "\n".join(reports)


@pytest.fixture
def workspace():
    """A private folder for one test; any sanitizer report in it fails the test."""
    with Space() as space:
        yield space


@contextlib.contextmanager
def serving():
    """A control plane of one's own, and its end."""
    with Space() as space:
        server = ControlPlane(space).start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def _shared_controlplane():
    with serving() as server:
        yield server


@pytest.fixture
def controlplane(_shared_controlplane):
    """A control plane shared by the tests of one file: do not kill it, name things uniquely."""
    yield _shared_controlplane
    reports = _shared_controlplane.workspace.sanitizer_reports()
    assert not reports, "sanitizer reports:\n" + "\n".join(reports)


@pytest.fixture
def own_controlplane():
    """A control plane of this test's own, to kill, restart or break."""
    with serving() as server:
        yield server


@pytest.fixture
def proxied(own_controlplane):
    """A control plane whose every public address is that of a proxy with scripted faults."""
    tls = own_controlplane.state / "tls"
    port = int(own_controlplane.endpoint.rsplit(":", 1)[1])
    with FaultProxy(("127.0.0.1", port), (tls / "server.pem", tls / "server.key")) as proxy:
        listen = own_controlplane.listen
        own_controlplane.stop()
        own_controlplane.start("--public-url", proxy.url)
        own_controlplane.listen = listen
        yield own_controlplane, proxy


@contextlib.contextmanager
def running(box, *roles):
    """A machine with these roles, or all of them, and their orderly end."""
    box.start(*roles)
    try:
        yield box
    finally:
        box.stop()


@pytest.fixture
def machine(workspace):
    """A machine whose roles run and that is not connected."""
    with running(Machine(workspace)) as box:
        yield box


@pytest.fixture
def box(workspace):
    """A machine with its identity role only, not connected."""
    with running(Machine(workspace), "identity") as box:
        yield box


@pytest.fixture(scope="module")
def served(_shared_controlplane):
    """A connected machine with its identity role, for all tests of a file: ask it, do not change
    it."""
    with Space() as space, running(Machine(space, "served"), "identity") as box:
        box.connect(_shared_controlplane, resource_name=f"served-{os.getpid()}-{id(space)}")
        yield box


@pytest.fixture
def connected(machine, controlplane, unique):
    """A machine connected to the shared control plane."""
    machine.connect(controlplane, resource_name=unique)
    return machine


@pytest.fixture(scope="module")
def extension_machine(_shared_controlplane):
    """One connected machine for all tests of a file."""
    with Space() as space, running(Machine(space)) as box:
        box.connect(_shared_controlplane, resource_name=f"extensions{os.getpid()}-{id(space)}")
        yield box


@pytest.fixture
def lab(extension_machine, controlplane, workspace, unique):
    """That machine without any extension; what a test put is gone after it."""
    lab = Lab(extension_machine, controlplane, workspace.path, unique)
    yield lab
    lab.local_config()
    lab.clear()


@pytest.fixture
def unique(request):
    """A name no other test of this run uses."""
    return f"t{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**8}"


@pytest.fixture
def seeded():
    """Random numbers that MOOR_TEST_SEED repeats; the seed is printed."""
    seed = int(os.environ.get("MOOR_TEST_SEED", "0")) or random.SystemRandom().randrange(2**32)
    print(f"MOOR_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def full():
    """True in the long run (tests/run --full)."""
    return os.environ.get("MOOR_TEST_FULL") == "1"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for space in _live:
            report.sections.extend((f"log {name}", text) for name, text in space.log_sections())
