# SPDX-License-Identifier: Apache-2.0
"""Machines whose location moves, agents that are too old, machines that an administrator disables:
what the control plane says by itself, and what real roles do about it."""
import json
import sys

import pytest
from harness.controlplane import ControlPlane
from harness.machine import Machine
from harness.process import TREE, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
from fake_agent import FakeAgent  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402

GROUP = "rg-placement"
VAULT = "https://vault.example.com"


@pytest.fixture
def machine(workspace):
    box = Machine(workspace).start()
    yield box
    box.stop()


def rule(plane, **rules):
    """Other rules, at the same address."""
    plane.stop()
    plane.rule(**rules)
    plane.start()


def change_tag(plane, machine, value):
    assert plane.arm("PATCH", machine.resource_id, {"tags": {"wave": value}}).status == 200


def wait_for_tag(machine, value):
    wait_for(lambda: (machine.admin("GET", "/status").json["tags"] or {}).get("wave") == value, 90,
             "the machine to have the new desired state")


def beat(machine):
    return machine.admin("POST", "/connect/finish", {}, timeout=60)


def test_a_location_that_moves_takes_its_machines_along(machine, own_controlplane, unique):
    plane = own_controlplane
    machine.connect(plane, resource_name=unique, group=GROUP)
    tls = plane.state / "tls"
    port = int(plane.endpoint.rsplit(":", 1)[1])
    with FaultProxy(("127.0.0.1", port), (tls / "server.pem", tls / "server.key")) as other:
        rule(plane, regions=[{"location": plane.info["location"], "url": other.url}])
        here = f"/his/discovery?api-version=2026-11-01&location={plane.info['location']}"
        assert plane.request("GET", here).json["hisEndpoint"] == other.url + "/his"
        assert plane.request("GET", here[:-1]).json["hisEndpoint"] == plane.endpoint + "/his"
        assert beat(machine).status == 200
        assert other.count("POST /his/machines/.*/heartbeat") >= 1
        change_tag(plane, machine, "1")
        wait_for_tag(machine, "1")
        assert other.count("GET /gas/machines/.*/desiredState") >= 1
        assert machine.show()["status"] == "Connected"
        # And home again.
        rule(plane, regions=[{"location": plane.info["location"], "url": plane.endpoint}])
        assert beat(machine).status == 200  # there it is told the way
    assert beat(machine).status == 200


def test_who_calls_at_the_wrong_address_is_told_so(controlplane, own_controlplane, unique):
    plane = own_controlplane
    agent = FakeAgent(plane, GROUP, unique).register().enrol()
    assert agent.beat().status == 200
    rule(plane, regions=[{"location": plane.info["location"], "url": "https://elsewhere.example"},
                         {"location": "mars", "url": plane.endpoint}])
    for answer in (agent.beat(), agent.desired(), agent.ask_certificate()):
        assert (answer.status, answer.json["error"]["code"]) == (421, "WrongRegion")
    rule(plane, regions=[{"location": plane.info["location"].upper(), "url": plane.endpoint}])
    assert agent.beat().status == 200


@pytest.mark.parametrize("rules,text", [
    ({"regions": [{"location": "x", "url": "http://h"}]}, "regions[0].url"),
    ({"regions": [{"location": "x", "url": "https://h/path"}]}, "regions[0].url"),
    ({"regions": [{"location": "x"}]}, "url"),
    ({"minimumAgentVersion": "new"}, "minimumAgentVersion"),
])
def test_rules_that_cannot_be_meant_keep_the_server_from_starting(workspace, rules, text):
    plane = ControlPlane(workspace)
    plane.cli("init")
    plane.rule(**rules)
    done = plane.cli("machine", "list", check=False)
    assert done.returncode != 0 and text in done.stderr and "config.json" in done.stderr


def test_an_old_agent_lives_but_gets_no_work(machine, own_controlplane, unique):
    plane = own_controlplane
    machine.connect(plane, resource_name=unique, group=GROUP)
    change_tag(plane, machine, "1")
    wait_for_tag(machine, "1")
    agent = FakeAgent(plane, GROUP, unique + "f").register().enrol()
    assert agent.beat().json["upgradeRequired"] is False
    rule(plane, minimumAgentVersion="99.0")
    answer = agent.beat()
    assert answer.status == 200 and answer.json["upgradeRequired"] is True
    answer = agent.desired()
    assert (answer.status, answer.json["error"]["code"]) == (403, "AgentTooOld")
    assert agent.ask_certificate().status == 200 and agent.sign_in().status == 200

    assert beat(machine).status == 200
    assert machine.admin("GET", "/status").json["upgradeRequired"] is True
    assert "Upgrade Required" in machine.mooring("show").stdout
    change_tag(plane, machine, "2")
    assert beat(machine).status == 200
    wait_for(lambda: "AgentTooOld" in machine.roles["extensions"].log_text(), 60,
             "the extensions role to hear of it")
    assert machine.token(VAULT)
    rule(plane, minimumAgentVersion="0.0.1")
    assert beat(machine).status == 200
    assert machine.admin("GET", "/status").json["upgradeRequired"] is False
    assert "Upgrade Required" not in machine.mooring("show").stdout
    wait_for_tag(machine, "2")


def test_the_administrator_of_machines_disables_one_by_resource_manager(machine, controlplane, unique):
    machine.connect(controlplane, resource_name=unique, group=GROUP)
    assert machine.token(VAULT)

    def principal(role):
        made = json.loads(controlplane.cli("principal", "create", unique + role[-4:], "--role", role,
                                           "-j").stdout)
        return controlplane.sign_in(made["clientId"], made["secret"]).json["access_token"]
    joiner = principal("Azure Connected Machine Onboarding")
    keeper = principal("Azure Connected Machine Resource Administrator")
    for action in ("disable", "enable"):
        path = f"{machine.resource_id}/{action}"
        assert controlplane.arm("POST", path, token=joiner).status == 403
    assert controlplane.arm("POST", f"{machine.resource_id}x/disable", token=keeper).status == 404
    assert controlplane.arm("POST", f"{machine.resource_id}/disable", token=keeper).status == 200
    assert beat(machine).status == 403
    assert machine.show()["agentErrorCode"] == "MachineDisabled"
    assert machine.token_answer(VAULT).status == 403
    assert controlplane.arm("POST", f"{machine.resource_id}/enable", token=keeper).status == 200
    assert beat(machine).status == 200 and machine.token(VAULT)
