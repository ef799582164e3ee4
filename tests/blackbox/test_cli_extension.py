# SPDX-License-Identifier: Apache-2.0
"""`mooring extension list|remove`: the machine's own administrator, whatever the service wants."""
import json

import pytest
from harness.cli import fails
from harness.extensions import PUBLISHER, Lab
from harness.process import wait_for


@pytest.fixture
def own(connected, controlplane, workspace, unique):
    """A machine of the test's own, to be disconnected."""
    return Lab(connected, controlplane, workspace.path, unique)


def listed(machine):
    return {row["name"]: row for row in
            json.loads(machine.mooring("extension", "list", "-j").stdout)}


def installed(lab):
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    assert listed(lab.machine)["ext"]["provisioningState"] == "Succeeded"


def test_an_extension_is_removed_without_the_service(own):
    installed(own)
    own.machine.mooring("disconnect", "-f")
    done = own.machine.mooring("extension", "remove", "-n", "EXT")
    assert done.stdout == "Extension ext is to be removed\n"
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")
    assert [line.split()[0] for line in own.trace()][-2:] == ["disable", "uninstall"]
    wait_for(lambda: not listed(own.machine), timeout=60, what="the list to be empty")
    assert not list(own.machine.path("/var/lib/GuestConfig/manager/removals").iterdir())


def test_what_the_service_still_wants_comes_back_unless_policy_forbids_it(own):
    installed(own)
    own.machine.mooring("extension", "remove", "--all")
    wait_for(lambda: [line.split()[0] for line in own.trace()][-2:] == ["install", "enable"] and
             len(own.trace()) >= 6, timeout=60, what="it to be installed again")
    own.machine.mooring("config", "set", "extensions.blocklist", f"{PUBLISHER}/{own.type}")
    own.machine.mooring("extension", "remove", "-n", f"{PUBLISHER}.{own.type}")
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")


def test_a_removal_is_remembered_until_the_role_runs(own):
    installed(own)
    own.machine.mooring("disconnect", "-f")
    own.machine.kill_role("extensions")
    own.machine.mooring("extension", "remove", "-n", "ext", "-j")
    assert own.handler_folder().exists()
    own.machine.start_role("extensions")
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")


def test_mistakes_are_told(connected):
    fails(connected.mooring("extension", "remove", check=False), 16)
    fails(connected.mooring("extension", "remove", "-a", "-n", "x", check=False), 23)
    fails(connected.mooring("extension", "remove", "-n", "nope", check=False), 72)
