# SPDX-License-Identifier: Apache-2.0
"""Installing, running, upgrading and removing, under a real systemd."""
import json

SERVICES = ("mooring-identity.service", "mooring-extensions.service", "mooring-logs.service")
SOCKETS = ("mooring-himds.socket", "mooring-himds6.socket", "mooring-roles.socket",
           "mooring-admin.socket", "mooring-fetch.socket")
# What this machine keeps when the package goes, and after it was purged.
ACCOUNTS = ("himds", "mooring-fetch", "mooring-logs")

TOKEN = """
set -euo pipefail
endpoint='http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https%3A%2F%2Fmanagement.azure.com'
file=$(curl -s -D - -o /dev/null -H Metadata:true "$endpoint" | grep -i '^www-authenticate:' | tr -d '\\r')
curl -s -H Metadata:true -H "Authorization: Basic $(cat "${file#*realm=}")" "$endpoint"
"""


# As the administrator whom the control plane made.
ACCESS_TOKEN = """
info() { mooring-controlplane info -j | jq -r ".$1"; }
curl -s --cacert "$(info caFile)" "$(info endpoint)/$(info tenantId)/oauth2/v2.0/token" \\
    -d grant_type=client_credentials -d client_id="$(info adminClientId)" \\
    --data-urlencode client_secret@"$(info adminSecretFile)" \\
    -d scope=https%3A%2F%2Fmanagement.azure.com%2F.default | jq -r .access_token
"""

# A key that the process before the restart gave out is worth nothing: who has one asks once more.
CALLERS = """#!/bin/bash
ask() { /usr/local/bin/token | jq -e .access_token >/dev/null; }
while sleep 0.05; do
    { ask || ask; } && echo served || echo refused
done
"""


def is_active(vm, unit):
    return vm.run(f"systemctl is-active {unit}").stdout.strip() == "active"


def main_pid(vm, unit):
    return vm.ok(f"systemctl show -P MainPID {unit}").strip()


def token(vm):
    return json.loads(vm.ok(TOKEN))["access_token"]


def snapshot(vm):
    """Files, users, units and mounts, without what any Debian writes while it runs."""
    files = vm.ok("find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp"
                  " -o -path /var/log/journal -o -path /var/cache -o -path /var/tmp"
                  " -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /pkgs \\) -prune"
                  " -o -print")
    return {"files": set(files.split("\n")) - {"/var/log/dpkg.log", "/var/log/wtmp",
                                               "/var/log/alternatives.log"},
            "users": set(vm.ok("getent passwd; getent group").split("\n")),
            "units": set(vm.ok("systemctl list-unit-files --no-legend").split("\n")),
            "mounts": set(vm.ok("findmnt -rno TARGET").split("\n"))}


def test_everything_runs_once_installed_and_before_it_is_connected(installed):
    vm = installed
    for unit in (*SERVICES, *SOCKETS):
        assert is_active(vm, unit), vm.journal()
    assert vm.ok("systemctl is-system-running").strip() == "running"
    vm.ok("systemctl status himdsd extd")
    answer = vm.ok("curl -s -o /dev/null -w '%{http_code}' -H Metadata:true"
                   " 'http://127.0.0.1:40342/metadata/instance?api-version=2020-06-01'")
    assert answer == "503"
    # As azure-linux-extensions reads it.
    config = vm.ok("cat /lib/systemd/system.conf.d/azcmagent.conf")
    assert config.split('"IMDS_ENDPOINT=')[1].split('"\n')[0] == "http://localhost:40342"
    assert "IMDS_ENDPOINT=http://localhost:40342" in vm.ok("systemctl show-environment")
    assert vm.ok("azcmagent version").startswith("azcmagent")


def test_a_machine_connects_serves_tokens_and_leaves(connected):
    vm = connected
    shown = json.loads(vm.ok("mooring show -j"))
    assert shown["status"] == "Connected" and shown["resourceName"] == "box"
    assert token(vm).count(".") == 2
    for unit in SERVICES:
        assert is_active(vm, unit), vm.journal()
    users = [vm.ok(f"ps -o user:32= -p {main_pid(vm, unit)}").strip() for unit in SERVICES]
    assert users == ["himds", "root", "mooring-logs"]
    vm.ok(f"mooring disconnect --access-token-file <({ACCESS_TOKEN})")
    assert json.loads(vm.ok("mooring show -j"))["status"] == "Disconnected"
    assert vm.ok("ls /var/opt/azcmagent/certs") == ""


def test_killed_services_come_back_and_the_port_is_never_free(connected):
    vm = connected
    for unit in SERVICES:
        before = main_pid(vm, unit)
        vm.ok(f"mkdir -p /run/systemd/system/{unit}.d && printf '[Service]\\nRestartSec=100ms\\n'"
              f" >/run/systemd/system/{unit}.d/quick.conf && systemctl daemon-reload")
        vm.ok(f"kill -9 {before}")
        # Nobody can take the port meanwhile: the socket unit has it.
        if unit == "mooring-identity.service":
            taken = vm.run("python3 -c \"import socket; socket.create_server(('127.0.0.1', 40342))\"")
            assert "Address already in use" in taken.stderr
        vm.wait_for(f"[ \"$(systemctl show -P MainPID {unit})\" != {before} ] &&"
                    f" systemctl is-active {unit}")
    assert token(vm)


def test_a_service_that_hangs_is_restarted_by_the_watchdog(installed):
    vm = installed
    vm.ok("mkdir -p /run/systemd/system/mooring-identity.service.d &&"
          " printf '[Service]\\nWatchdogSec=2\\nRestartSec=100ms\\n'"
          " >/run/systemd/system/mooring-identity.service.d/quick.conf &&"
          " systemctl daemon-reload && systemctl restart mooring-identity")
    before = main_pid(vm, "mooring-identity.service")
    vm.ok(f"kill -STOP {before}")
    vm.wait_for("journalctl -u mooring-identity | grep -q 'Watchdog timeout'")
    vm.wait_for(f"[ \"$(systemctl show -P MainPID mooring-identity)\" != {before} ] &&"
                " systemctl is-active mooring-identity")


def test_removing_keeps_the_identity_and_purging_leaves_nothing(vm):
    before = snapshot(vm)
    vm.ok("dpkg -i /pkgs/mooring_*.deb /pkgs/mooring-controlplane_*.deb")
    vm.ok("dpkg -r mooring")
    assert vm.run("pgrep -l mooringd").stdout == ""
    assert vm.run("test -e /usr/bin/mooring").returncode == 1
    vm.ok("test -d /var/opt/azcmagent/certs")
    vm.ok("dpkg -i /pkgs/mooring_*.deb")
    for unit in (*SERVICES, *SOCKETS):
        assert is_active(vm, unit), vm.journal()
    vm.ok("dpkg -P mooring mooring-controlplane")
    after = snapshot(vm)
    for what, was in before.items():
        assert after[what] - was == set(), what
        assert was - after[what] == set(), what


def test_a_reinstalled_machine_is_still_connected(connected):
    vm = connected
    vm.ok("dpkg -r mooring && dpkg -i /pkgs/mooring_*.deb")
    vm.wait_for("mooring show -j | jq -e '.status == \"Connected\"'")
    assert token(vm)


def test_an_upgrade_and_the_way_back_keep_identity_and_callers(connected):
    vm = connected
    vm.ok("dpkg -i /pkgs/previous/mooring_*.deb")
    vm_id = json.loads(vm.ok("mooring show -j"))["vmId"]
    vm.put("/usr/local/bin/token", TOKEN, "0755")
    vm.put("/usr/local/bin/callers", CALLERS, "0755")
    vm.ok("systemd-run --unit=callers /usr/local/bin/callers")
    for folder in ("/pkgs", "/pkgs/previous", "/pkgs"):
        vm.ok(f"dpkg -i {folder}/mooring_*.deb")
        vm.wait_for("journalctl -u callers --since=-2s | grep served")
        for unit in (*SERVICES, *SOCKETS):
            assert is_active(vm, unit), vm.journal()
    said = vm.ok("systemctl stop callers; journalctl -o cat -u callers").split("\n")
    assert said.count("served") > 5
    assert said.count("refused") == 0, said
    shown = json.loads(vm.ok("mooring show -j"))
    assert (shown["status"], shown["vmId"]) == ("Connected", vm_id)
