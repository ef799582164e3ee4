# SPDX-License-Identifier: Apache-2.0
"""What a machine says of itself, from its files to the ARM resource."""
import re
import subprocess

import pytest
from harness.process import wait_for

DMI = "sys/class/dmi/id/"
SERVER = {
    DMI + "sys_vendor": "Dell Inc.", DMI + "product_name": "PowerEdge R750",
    DMI + "product_serial": "7XK4ZT3", DMI + "chassis_asset_tag": "RACK12",
    DMI + "product_uuid": "4C4C4544-0058-4B10-8034-B7C04F5A5433",
    "proc/cpuinfo": "model name : Xeon\n", "proc/meminfo": "MemTotal: 8388608 kB\n",
    "proc/sys/kernel/hostname": "web01", "etc/hosts": "10.0.0.4 web01.contoso.com web01\n",
    "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian 12"\nVARIANT_ID=server\n',
    "sys/firmware/efi/systab": "", "opt/mssql/bin/sqlservr": "",
    "sys/block/sda/size": "2048", "sys/block/sda/device/model": "Disk",
}


def furnish(machine, files):
    for name, text in files.items():
        path = machine.root / "host" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def shown(controlplane, machine):
    return controlplane.arm("GET", machine.resource_id).json["properties"]


def connected(machine, controlplane, name):
    """The properties in ARM once they have come."""
    machine.connect(controlplane, resource_name=name)
    return wait_for(lambda: "detectedProperties" in (p := shown(controlplane, machine)) and p,
                    60, "the properties")


def test_every_fact_of_a_server_is_shown_in_arm(machine, controlplane, unique):
    furnish(machine, SERVER)
    seen = connected(machine, controlplane, unique)
    assert {k: seen.get(k) for k in (
        "osType", "osName", "osSku", "osEdition", "displayName", "machineFqdn", "dnsFqdn",
        "domainName", "adFqdn", "vmUuid", "mssqlDiscovered", "tpmEnabled")} == {
            "osType": "linux", "osName": "linux", "osSku": "Debian 12", "osEdition": "server",
            "displayName": "web01", "machineFqdn": "web01.contoso.com",
            "dnsFqdn": "web01.contoso.com", "domainName": "contoso.com", "adFqdn": "unknown",
            "vmUuid": "4c4c4544-0058-4b10-8034-b7c04f5a5433", "mssqlDiscovered": "true",
            "tpmEnabled": "false"}
    assert seen["osProfile"]["computerName"] == "web01"
    assert seen["osVersion"] and seen["agentConfiguration"]["configMode"] == "full"
    assert set(seen["serviceStatuses"]) == {"extensionService", "guestConfigurationService"}
    assert seen["cloudMetadata"] == {"provider": "N/A"}
    detected = seen["detectedProperties"]
    assert detected["manufacturer"] == "Dell Inc." and detected["model"] == "PowerEdge R750"
    assert detected["serialNumber"] == "7XK4ZT3" and detected["smbiosAssetTag"] == "RACK12"
    assert detected["totalPhysicalMemoryInGigabytes"] == "8" and detected["processorNames"] == "Xeon"
    assert all(isinstance(value, str) for value in detected.values())
    assert seen["hardwareProfile"]["totalPhysicalMemoryInBytes"] == 8 << 30
    assert seen["storageProfile"]["disks"] == [
        {"path": "/dev/sda", "name": "Disk", "maxSizeInBytes": 2048 * 512}]
    assert seen["firmwareProfile"] == {"serialNumber": "7XK4ZT3", "type": "UEFI"}
    for interface in seen["networkProfile"]["networkInterfaces"]:
        for address in interface["ipAddresses"]:
            assert re.fullmatch(r"[0-9a-f.:]+/\d+", address["subnet"]["addressPrefix"])


@pytest.mark.parametrize("files", [
    {},
    {name: b"\xff\x00\x01" * 100000 for name in SERVER},
    {name + "/a": "a folder where a file should be" for name in SERVER},
], ids=["nothing", "garbage", "folders"])
def test_no_missing_or_broken_fact_stops_onboarding(machine, controlplane, unique, files):
    (machine.root / "host").mkdir()
    furnish(machine, files)
    seen = connected(machine, controlplane, unique)
    assert seen["status"] == "Connected" and seen["osType"] == "linux"
    assert seen["vmUuid"] == ""


def test_network_profile_lists_addresses_but_temporary_and_link_local_ones(tmp_path):
    """In a network of its own, seen by the contract's own program."""
    from harness.wire import built_program
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("no right to make a network of its own")
    script = """
set -e
ip link set lo up
ip addr add 10.1.2.3/20 dev lo; ip addr add 10.1.9.9/32 dev lo scope link
ip addr add 2001:db8::7/56 dev lo nodad
exec "$0"
"""
    done = subprocess.run(["unshare", "-n", "bash", "-c", script, built_program("netifs")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["lo", "10.1.2.3", "10.1.0.0/20", "2001:db8::7", "2001:db8::/56"]
