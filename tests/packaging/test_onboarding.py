# SPDX-License-Identifier: Apache-2.0
"""packaging/onboard.sh on real systems that share a network with a control plane."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml
from booted import Booted

FLEET = 50 if os.environ.get("MOOR_TEST_FULL") else 4
AT_ONCE = 8
PLANE = "10.213.0.1"
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "packaging/onboard.sh"

GROUP = """
set -euo pipefail
info() { mooring-controlplane info -j | jq -r ".$1"; }
token=$(curl -s --cacert "$(info caFile)" "$(info endpoint)/$(info tenantId)/oauth2/v2.0/token" \\
    -d grant_type=client_credentials -d client_id="$(info adminClientId)" \\
    --data-urlencode client_secret@"$(info adminSecretFile)" \\
    -d scope=https%3A%2F%2Fmanagement.azure.com%2F.default | jq -r .access_token)
arm() {
    curl -sS --fail-with-body --cacert "$(info caFile)" -X "$1" -H "Authorization: Bearer $token" \\
        -H 'Content-Type: application/json' "$(info endpoint)$2" "${@:3}"
}
group=/subscriptions/$(info subscriptionId)/resourceGroups/fleet
"""


def machine_address(number):
    return f"10.213.{1 + number // 200}.{1 + number % 200}/16"


@pytest.fixture(scope="module")
def bridge():
    name = f"moor{os.getpid() % 1000000}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False)


class Plane:
    """A control plane with one service principal that may onboard machines into one group."""

    def __init__(self, vm):
        self.vm = vm
        vm.ok("dpkg -i /pkgs/mooring-controlplane_*.deb")
        vm.wait_for("mooring-controlplane info -j")
        vm.ok("systemctl stop mooring-controlplane")
        self.cli(f"init --host {PLANE}")
        vm.ok("systemctl start mooring-controlplane")
        vm.wait_for(f"curl -sk https://{PLANE}:8443/metadata/endpoints")
        vm.ok(GROUP + 'arm PUT "$group?api-version=2021-04-01" -d \'{"location":"local"}\'')
        self.cli("agent publish /pkgs/mooring_*.deb")
        made = json.loads(self.cli("principal create fleet -j --role 'Azure Connected Machine"
                                   " Onboarding' --secret-file ~/fleet-secret"))
        self.secret = vm.ok("cat ~mooring-controlplane/fleet-secret").strip()
        options = ("--resource-group fleet --tags Site=Kiel"
                   f" --service-principal-id {made['clientId']}")
        self.script = f"onboard script {options}"
        self.line = self.cli(f"onboard command {options}").strip()

    def cli(self, words):
        """As the service's own user: what it makes must be readable for it."""
        return self.vm.ok("runuser -u mooring-controlplane -- bash -s",
                          stdin=f"cd && mooring-controlplane {words}")

    def machines(self):
        listed = self.vm.ok(GROUP + 'arm GET "$group/providers/Microsoft.HybridCompute/machines'
                            '?api-version=2024-07-10"')
        return {m["name"]: m for m in json.loads(listed)["value"]}


@pytest.fixture(scope="module")
def plane(bridge, root, packages):
    with Booted(root, {packages: "/pkgs"}, "plane", (bridge, f"{PLANE}/16")) as vm:
        yield Plane(vm)


@pytest.fixture
def stranger(bridge, root, packages):
    """A machine with the control plane in reach, and the script as it is in the tree."""
    binds = {packages: "/pkgs", SCRIPT: "/usr/local/bin/onboard.sh"}
    with Booted(root, binds, "stranger", (bridge, "10.213.200.1/16")) as vm:
        yield vm


def onboard(vm, plane, options=""):
    """The line that the control plane printed, and the secret on standard input."""
    line = plane.line.replace("sudo sh onboard.sh",
                              f"sh onboard.sh --service-principal-secret-file - {options}")
    return vm.run(f"cd /tmp && {line}", stdin=plane.secret, timeout=600)


def status(vm):
    return json.loads(vm.ok("mooring show -j"))["status"]


def onboard_twice(root, bridge, plane, number):
    """(name, what went wrong)"""
    with Booted(root, name="member", network=(bridge, machine_address(number))) as vm:
        vm.ok("touch /run/before")
        for attempt in ("first", "second"):
            done = onboard(vm, plane)
            if done.returncode != 0:
                return vm.name, f"{attempt}: {done.returncode}\n{done.stderr}\n{vm.journal()}"
            if status(vm) != "Connected":
                return vm.name, f"{attempt}: {status(vm)}"
        if "the agent is installed" not in done.stderr:
            return vm.name, f"installed again:\n{done.stderr}"
        found = vm.run("find / /run /tmp -xdev -type f -newer /run/before -print0 |"
                       f" xargs -0 grep -lF -- '{plane.secret}';"
                       f" journalctl --no-pager | grep -F -- '{plane.secret}'")
        if found.stdout:
            return vm.name, f"the secret is on the machine: {found.stdout}"
        return vm.name, ""


def test_one_script_and_one_principal_onboard_a_fleet_twice(root, bridge, plane):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda n: onboard_twice(root, bridge, plane, n), range(FLEET)))
    assert not [f"{name}: {trouble}" for name, trouble in results if trouble]
    machines = plane.machines()
    assert len(machines) == FLEET
    assert set(machines) == {name for name, _ in results}
    assert {m["properties"]["status"] for m in machines.values()} == {"Connected"}
    assert {m["tags"]["Site"] for m in machines.values()} == {"Kiel"}
    assert plane.secret not in plane.vm.ok("journalctl --no-pager")


def test_a_dry_run_looks_and_changes_nothing(stranger, plane):
    done = onboard(stranger, plane, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would install the agent: mooring_" in done.stderr
    assert "would register Mooring at https://10.213.0.1:8443" in done.stderr
    assert stranger.run("dpkg -s mooring").returncode != 0
    assert stranger.run("ls /etc/mooring").returncode != 0


def test_a_package_with_other_bytes_is_not_installed(stranger, plane):
    stranger.ok("cp /pkgs/mooring_*.deb /tmp/ && printf x >>/tmp/mooring_*.deb")
    done = onboard(stranger, plane, "--package /tmp/mooring_*.deb")
    assert done.returncode == 171, done.stderr
    assert stranger.run("dpkg -s mooring").returncode != 0
    assert "its SHA-256 is another" in plane.vm.journal()


def test_a_package_of_an_offline_bundle_needs_a_digest(stranger):
    script = "sh /usr/local/bin/onboard.sh --install-only --package /pkgs/mooring_*.deb"
    assert stranger.run(script).returncode == 171
    stranger.ok(f"{script} --sha256 $(sha256sum /pkgs/mooring_*.deb | cut -d ' ' -f 1)")
    assert stranger.run("mooring show").returncode == 0


def test_a_held_lock_is_waited_for_and_named(stranger, plane):
    stranger.put("/usr/local/bin/hold", HOLD, "0755")
    stranger.ok("systemd-run -q --unit hold /usr/local/bin/hold 600")
    stranger.wait_for("test -e /run/held")
    done = onboard(stranger, plane, "--lock-wait 1")
    assert done.returncode == 145, done.stderr
    stranger.ok("systemctl stop hold && rm /run/held")
    stranger.ok("systemd-run -q --unit hold /usr/local/bin/hold 3")
    stranger.wait_for("test -e /run/held")
    done = onboard(stranger, plane, "--lock-wait 60")
    assert done.returncode == 0, done.stderr


def ansible(vm, plane, tmp_path, *options):
    """The example playbook, which reaches the machine by nsenter in place of ssh."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nfor command; do :; done\nexec nsenter -t {vm.leader} -m -u -i -n -p'
                   ' -- /bin/sh -c "$command"\n')
    ssh.chmod(0o755)
    (tmp_path / "onboard.sh").write_text(plane.cli(plane.script))
    known = {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh),
             "ansible_ssh_transfer_method": "piped", "ansible_become": False,
             "ansible_python_interpreter": "/usr/bin/python3", "mooring_secret": plane.secret,
             "mooring_script": str(tmp_path / "onboard.sh")}
    (tmp_path / "vars.json").write_text(json.dumps(known))
    done = subprocess.run(
        ["ansible-playbook", "-i", f"{vm.name},", "-e", f"@{tmp_path}/vars.json", *options,
         str(SCRIPT.parent / "ansible/onboard.yml")], capture_output=True, text=True, check=False,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "HOME": str(tmp_path),
             "ANSIBLE_ROLES_PATH": str(SCRIPT.parent / "ansible/roles"), "LC_ALL": "C.UTF-8"})
    assert plane.secret not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_ansible_role_connects_once_and_then_changes_nothing(stranger, plane, tmp_path):
    assert "changed=1 " in ansible(stranger, plane, tmp_path, "--check")
    assert stranger.run("dpkg -s mooring").returncode != 0
    assert "changed=1 " in ansible(stranger, plane, tmp_path)
    assert status(stranger) == "Connected"
    assert "changed=0 " in ansible(stranger, plane, tmp_path)
    assert stranger.ok("ls -d /tmp/mooring.* 2>/dev/null || true") == ""


def test_the_cloud_init_example_onboards_a_machine(stranger, plane, tmp_path):
    text = (SCRIPT.parent / "cloud-init/mooring.yaml").read_text()
    example = re.search(r"curl .*'https:[^']*'", text).group()
    text = text.replace(example, plane.line.split(" &&")[0]).replace("SECRET", plane.secret)
    (tmp_path / "user-data").write_text(text)
    subprocess.run(["cloud-init", "schema", "--config-file", str(tmp_path / "user-data")],
                   capture_output=True, check=True)
    data = yaml.safe_load(text)
    for file in data["write_files"]:
        stranger.put(file["path"], file["content"], file["permissions"])
    for command in data["runcmd"]:
        done = stranger.run(command, timeout=300)
        assert done.returncode == 0, done.stderr
    assert status(stranger) == "Connected"
    assert stranger.run("ls /run/mooring-secret /run/onboard.sh").returncode != 0


HOLD = """#!/usr/bin/python3
import fcntl, pathlib, sys, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
pathlib.Path("/run/held").touch()
time.sleep(int(sys.argv[1]))
"""

# What the machine is made to look like, the status, a word of the message.
UNFIT = [
    ("printf 'ID=debian\\nVERSION_ID=11\\n' >/etc/os-release", 133, "too old"),
    ("printf 'ID=ubuntu\\nID_LIKE=debian\\nVERSION_ID=20.04\\n' >/etc/os-release", 133, "too old"),
    ("printf 'ID=gentoo\\n' >/etc/os-release", 131, "no package"),
    ("rm /etc/os-release", 131, "os-release"),
    ("printf '#!/bin/sh\\necho riscv64\\n' | install -m 755 /dev/stdin /usr/local/bin/uname", 132,
     "riscv64"),
    ("install -D /dev/null /opt/azcmagent/bin/azcmagent_executable", 27, "Azure's own agent"),
    ("printf '#!/bin/sh\\necho; echo none 9 9 9 9%% /usr\\n' |"
     " install -m 755 /dev/stdin /usr/local/bin/df", 158, "KiB are free"),
]


@pytest.mark.parametrize("change,expected,word", UNFIT, ids=[str(n) for n in range(len(UNFIT))])
def test_an_unfit_machine_is_told_so_and_left_alone(stranger, plane, change, expected, word):
    stranger.ok(change)
    done = onboard(stranger, plane)
    assert done.returncode == expected, done.stderr
    assert word in done.stderr
    assert stranger.run("dpkg -s mooring").returncode != 0
