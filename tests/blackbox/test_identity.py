# SPDX-License-Identifier: Apache-2.0
"""The identity role and a real control plane: certificate, heartbeat, tokens, the two sockets."""
import json
import pathlib
import uuid

import pytest
from harness.machine import CLOUD, Machine
from harness.process import wait_for

GROUP = "rg-identity"


def register(machine, controlplane):
    """What `mooring cloud register` leaves behind."""
    clouds = machine.path("/etc/mooring/clouds.d")
    clouds.mkdir(parents=True, exist_ok=True)
    (clouds / f"{CLOUD}.pem").write_text(pathlib.Path(controlplane.ca_file).read_text())
    (clouds / f"{CLOUD}.json").write_text(json.dumps({
        "schema": 1, "name": CLOUD, "resourceManager": controlplane.endpoint,
        "loginEndpoint": controlplane.endpoint,
        "tokenEndpoint": controlplane.endpoint + "/{tenant}/oauth2/v2.0/token",
        "armAudience": controlplane.arm_audience, "hisEndpoint": controlplane.endpoint + "/his",
        "serviceAudience": controlplane.service_audience,
        "ingestionAudience": "https://monitor.azure.com", "hostSuffixes": ["127.0.0.1", "localhost"]}))


def begin(machine, controlplane, name):
    """The ARM resource with the key the role made; the answer of begin."""
    vm_id = str(uuid.uuid4())
    group = controlplane.group(GROUP)
    resource = (f"/subscriptions/{controlplane.subscription}/resourceGroups/{group}/providers/"
                f"Microsoft.HybridCompute/machines/{name}")
    answer = machine.admin("POST", "/connect/begin", {"vmId": vm_id, "resourceId": resource})
    assert answer.status == 200, answer
    made = controlplane.arm("PUT", resource, {
        "location": controlplane.info["location"], "identity": {"type": "SystemAssigned"},
        "properties": {"vmId": vm_id, "clientPublicKey": answer.json["clientPublicKey"]}})
    assert made.status in (200, 201), made
    return vm_id, resource


def write_config(machine, controlplane, vm_id, resource):
    name = resource.rsplit("/", 1)[1]
    config = machine.state / "agentconfig.json"
    text = json.dumps({
        "schema": 1, "cloud": CLOUD, "tenantId": controlplane.tenant,
        "subscriptionId": controlplane.subscription, "resourceGroup": GROUP, "resourceName": name,
        "location": controlplane.info["location"], "resourceId": resource, "vmId": vm_id,
        "identityMode": "mooring"})
    (machine.state / "agentconfig.new").write_text(text)
    (machine.state / "agentconfig.new").rename(config)


def wire(machine, controlplane, name):
    """Connects over himds.sock, as the CLI does; the resource's id."""
    register(machine, controlplane)
    vm_id, resource = begin(machine, controlplane, name)
    write_config(machine, controlplane, vm_id, resource)
    answer = machine.admin("POST", "/connect/finish", {})
    assert answer.status == 200, answer
    return resource


@pytest.fixture
def box(workspace):
    """A machine with the identity role only."""
    machine = Machine(workspace)
    machine.start("identity")
    try:
        yield machine
    finally:
        machine.stop()


def status(machine):
    return machine.admin("GET", "/status").json


def test_connect_ends_with_an_accepted_heartbeat(box, controlplane, unique):
    assert status(box)["connected"] is False
    resource = wire(box, controlplane, unique)
    told = status(box)
    assert told["status"] == "Connected" and told["connected"] is True, told
    assert told["resourceId"] == resource and told["lastHeartbeat"] and told["errorCode"] == ""
    seen = controlplane.arm("GET", resource).json["properties"]
    assert seen["status"] == "Connected", seen
    assert seen["osName"] and seen["agentVersion"] == told["agentVersion"]
