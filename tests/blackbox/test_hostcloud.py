# SPDX-License-Identifier: Apache-2.0
"""Whose guest the machine is: told to the service and to `show`; Azure's own are refused."""
import sys
import time

import pytest
from harness.machine import Machine
from harness.process import TREE, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
from fake_imds import AWS, SECRET, FakeImds, aws, azure, gcp, oci  # noqa: E402

TAG = "7783-7084-3265-9085-8269-3286-77"


@pytest.fixture
def guest(workspace):
    """guest(url, dmi): a machine with this firmware whose link-local address is url."""
    made = []

    def make(url, **dmi):
        machine = Machine(workspace)
        folder = machine.root / "host/sys/class/dmi/id"
        folder.mkdir(parents=True)
        for name, text in dmi.items():
            (folder / name).write_text(text)
        machine.env["MOORING_IMDS"] = url
        machine.start("identity")
        made.append(machine)
        return machine
    yield make
    for machine in made:
        machine.stop()


def settled(machine):
    def look():
        status = machine.admin("GET", "/status").json
        return status if status["cloudProvider"] else None
    return wait_for(look, 30, "the end of the look")


@pytest.mark.parametrize("cloud, provider, fact", [
    (aws, "AWS", ("awsAccountId", AWS["accountId"])),
    (gcp, "GCP", ("gcpZone", "europe-west1-b")),
    (oci, "OCI", ("ociDisplayName", "web01")),
    (azure, "Azure", None),
], ids=["aws", "gcp", "oci", "azure"])
def test_a_guest_of_a_cloud_finds_out_without_firmware(guest, cloud, provider, fact):
    with FakeImds(cloud) as imds:
        status = settled(guest(imds.url))
        assert status["cloudProvider"] == provider
        assert not fact or status["cloudMetadata"][fact[0]] == fact[1], status
        assert SECRET not in str(status) and not [p for _, p in imds.asked if "user" in p]


def test_the_cloud_is_shown_in_arm_and_by_show(guest, controlplane, unique):
    with FakeImds(aws) as imds:
        machine = guest(imds.url, sys_vendor="Amazon EC2")
        settled(machine)
        machine.connect(controlplane, resource_name=unique)
        seen = wait_for(lambda: "detectedProperties" in (p := controlplane.arm(
            "GET", machine.resource_id).json["properties"]) and p, 60, "the properties")
        assert seen["cloudMetadata"] == {"provider": "AWS"}
        assert seen["detectedProperties"]["cloudprovider"] == "AWS"
        assert seen["detectedProperties"]["awsRegion"] == "eu-west-1"
        assert machine.show()["cloudProvider"] == "AWS"
        assert imds.asked == [("PUT", "/latest/api/token"),
                              ("GET", "/latest/dynamic/instance-identity/document")]


def test_an_address_that_keeps_silent_holds_nothing_up(guest, controlplane, unique):
    with FakeImds(azure, silent=True) as imds:
        machine = guest(imds.url)
        started = time.monotonic()
        assert settled(machine)["cloudProvider"] == "N/A"
        assert time.monotonic() - started < 20
        assert len(imds.asked) == 4
        machine.connect(controlplane, resource_name=unique)
        assert machine.show()["status"] == "Connected"


def test_a_server_of_ones_own_asks_nobody(guest):
    with FakeImds(azure) as imds:
        assert settled(guest(imds.url, sys_vendor="Dell Inc."))["cloudProvider"] == "N/A"
        assert not imds.asked


def test_an_azure_machine_is_refused_unless_the_test_variable_says_otherwise(
        guest, controlplane, unique):
    with FakeImds(azure) as imds:
        machine = guest(imds.url, chassis_asset_tag=TAG, sys_vendor="Microsoft Corporation")
        refused = machine.connect(controlplane, resource_name=unique, check=False)
        assert refused.returncode == 141, refused
        assert "AZCM0141" in refused.stdout + refused.stderr
        assert "MSFT_ARC_TEST" in refused.stdout + refused.stderr
        assert not (machine.state / "agentconfig.json").exists()
        machine.env["MSFT_ARC_TEST"] = "true"
        machine.connect(controlplane, resource_name=unique)
        assert machine.show()["cloudProvider"] == "Azure"


def test_a_hyper_v_machine_is_no_azure_machine(guest, controlplane, unique):
    with FakeImds(lambda *_: None) as imds:
        machine = guest(imds.url, chassis_asset_tag=TAG, sys_vendor="Microsoft Corporation")
        machine.connect(controlplane, resource_name=unique)
        assert machine.show()["cloudProvider"] == "N/A"
