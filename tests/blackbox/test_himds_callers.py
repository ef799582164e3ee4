# SPDX-License-Identifier: Apache-2.0
"""Who asked for tokens, who may, and the Unix socket for containers."""
import contextlib
import json
import os
import pathlib
import pwd

import pytest
from harness import web
from harness.fixtures import running
from harness.machine import Machine
from harness.process import wait_for
from harness.users import NOBODY, as_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can speak as another user")
VAULT = "https://vault.example.com"
CGROUPS = [p for p in map(pathlib.Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"))
           if (p / "cgroup.procs").exists() and (p / "cgroup.controllers").exists()]


@pytest.fixture
def served(workspace, controlplane, unique):
    machine = Machine(workspace)
    machine.arguments["identity"] = ["--himds-socket", str(workspace.path / "c.sock")]
    with running(machine, "identity"):
        machine.connect(controlplane, resource_name=unique)
        yield machine


def events(machine):
    log = machine.state / "log/tokens.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def path_of(resource):
    return f"/metadata/identity?api-version=2020-06-01&resource={resource}"


def token_over(sock, resource):
    """The two requests on a Unix socket, as a container makes them."""
    said = web.request("GET", f"http://localhost{path_of(resource)}", None, {"Metadata": "true"},
                       unix=sock)
    if said.status != 401:
        return said.status
    key = pathlib.Path(said.headers["WWW-Authenticate"].split("=")[1]).read_text()
    return web.request("GET", f"http://localhost{path_of(resource)}", None,
                       {"Metadata": "true", "Authorization": f"Basic {key}"}, unix=sock).status


@contextlib.contextmanager
def control_group(*names):
    """This process in a control group of its own."""
    here = next(line.split("::")[1] for line in
                pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    folder, made = CGROUPS[-1], []
    for name in names:
        folder = folder / name
        folder.mkdir()
        made.append(folder)
    (folder / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield "/" + "/".join(names)
    finally:
        (CGROUPS[-1] / here.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
        for one in reversed(made):
            one.rmdir()


def test_tokens_are_written_down_with_the_user_and_counted(served):
    for _ in range(5):
        served.token(VAULT)
    first = [e for e in events(served) if e["audience"] == VAULT]
    assert len(first) == 1, first  # the rest is a count when the minute is over
    assert first[0]["user"] == 0 and first[0]["outcome"] == "token" and first[0]["count"] == 1
    log = served.state / "log/tokens.log"
    assert log.stat().st_mode & 0o077 == 0
    assert served.roles["identity"].stop() == 0  # writes the counts
    counted = [e for e in events(served) if e["audience"] == VAULT]
    assert [e["count"] for e in counted] == [1, 4]


def test_refusals_name_the_other_user(served, controlplane):
    own = controlplane.service_audience
    status = as_user(NOBODY, lambda: served.himds_get(path_of(own)).status)
    assert status == 403
    assert [(e["user"], e["outcome"]) for e in events(served)] == [(NOBODY, "forbidden")]


@pytest.mark.skipif(not CGROUPS, reason="no control groups of version 2 here")
def test_unit_and_container_of_the_caller_are_named(served):
    container = "c0ffee" * 10 + "abcd"
    with control_group("system.slice", "backup.service", f"docker-{container}.scope") as path:
        served.token(VAULT)
        assert token_over(served.workspace.path / "c.sock", VAULT) == 200
    tcp, unix = (next(e for e in events(served) if ("pid" in e) == local)
                 for local in (False, True))
    for event in (tcp, unix):
        assert event["cgroup"] == path and event["container"] == container
        assert event["unit"] == f"docker-{container}.scope"
    assert unix["pid"] == os.getpid() and unix["process"].startswith("python3")


def test_audience_rules_bind_users_and_groups_but_not_root(served):
    def status(uid, resource, groups=()):
        return as_user(uid, lambda: served.himds_get(path_of(resource)).status, groups=groups)
    nobody = pwd.getpwuid(NOBODY)
    group = nobody.pw_gid
    served.mooring("config", "set", "identity.audiences",
                   f"user:12345 {VAULT}/,group:{group} https://storage.example.com")
    wait_for(lambda: status(NOBODY, VAULT) == 403, 20, "the rule to count")
    assert status(12345, VAULT) == 401 and status(12345, VAULT.upper()) == 401
    assert status(12345, "https://storage.example.com") == 403
    assert status(NOBODY, "https://storage.example.com") == 401
    assert served.token_answer("https://other.example.com").status == 200
    served.mooring("config", "set", "identity.audiences", "user:12345 *")
    wait_for(lambda: status(12345, "https://any.example.com") == 401, 20, "the rule to count")
    assert served.mooring("config", "set", "identity.audiences", "alice", check=False).returncode
    served.mooring("config", "clear", "identity.audiences")
    wait_for(lambda: status(NOBODY, VAULT) == 401, 20, "the rule to go")


def test_unix_socket_serves_containers_and_turns_browsers_away(served):
    sock = served.workspace.path / "c.sock"
    assert token_over(sock, VAULT) == 200
    for headers in ({"Metadata": "true", "Host": "evil.example"}, {"Metadata": "true", "Via": "x"}):
        assert web.request("GET", f"http://localhost{path_of(VAULT)}", None, headers,
                           unix=sock).status == 403
    assert as_user(NOBODY, lambda: web.request(
        "GET", f"http://localhost{path_of(VAULT)}", None, {"Metadata": "true"},
        unix=sock).status) in (401, 403)
