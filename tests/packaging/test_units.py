# SPDX-License-Identifier: Apache-2.0
"""Handler commands as services of a real systemd: outside the manager's sandbox, and not ended with it."""
import base64
import json
import pathlib
import sys

import pytest
from test_life_cycle import ACCESS_TOKEN

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("blackbox", "fakes")]
from harness.extensions import HANDLER, manifest, with_mode, zipped  # noqa: E402

TRACE = "/var/tmp/trace"
ENABLED = 'status success 0 done'
ARM = """#!/bin/bash
# METHOD NAME [BODY]: an extension of the machine, as ARM has it
info() { mooring-controlplane info -j | jq -r ".$1"; }
curl -s --cacert "$(info caFile)" -X "$1" -H "Authorization: Bearer $(token-arm)" -H 'Content-Type: application/json' \\
    ${3:+-d "$3"} "$(info endpoint)/subscriptions/$(info subscriptionId)/resourceGroups/test/providers/\
Microsoft.HybridCompute/machines/box/extensions/$2?api-version=2024-07-10&\\$expand=instanceView"
"""


@pytest.fixture
def site(connected):
    connected.put("/usr/local/bin/token-arm", "#!/bin/bash\n" + ACCESS_TOKEN, "0755")
    connected.put("/usr/local/bin/arm", ARM, "0755")
    return connected


def publish(vm, kind, version="1.0.0", limits=None, **bodies):
    """A handler in sh whose verbs do what bodies say, each after a line in the trace."""
    body = "\n".join(f"{verb}) {text} ;;" for verb, text in {"enable": ENABLED, **bodies}.items())
    document = json.loads(manifest())
    if limits:
        document[0]["resourceLimits"] = limits
    data = zipped([("HandlerManifest.json", json.dumps(document)),
                   (with_mode("bin/handler", 0o100755), HANDLER.format(version=version, trace=TRACE, body=body))])
    name = f"/var/tmp/Test.{kind}__{version}.zip"
    vm.ok(f"base64 -d >{name}", stdin=base64.b64encode(data).decode())
    vm.ok(f"runuser -u mooring-controlplane -- mooring-controlplane extension publish {name}")


def put(vm, kind, version="1.0", name="ext", **settings):
    body = {"location": "local", "properties": {
        "publisher": "Test", "type": kind, "typeHandlerVersion": version, "autoUpgradeMinorVersion": True,
        "settings": settings}}
    answer = vm.ok(f"arm PUT {name} '{json.dumps(body)}'")
    assert '"error"' not in answer, answer


def settled(vm, name="ext"):
    """(provisioning state, message) once it is final."""
    vm.wait_for(f"arm GET {name} | jq -e '.properties.provisioningState | . == \"Succeeded\" or . == \"Failed\"'")
    properties = json.loads(vm.ok(f"arm GET {name}"))["properties"]
    return properties["provisioningState"], properties.get("instanceView", {}).get("status", {}).get("message", "")


def trace(vm):
    return vm.ok(f"cat {TRACE} 2>/dev/null || true").split("\n")[:-1]


def units(vm, pattern="mooring-extension-*"):
    rows = vm.ok(f"systemctl list-units --all --plain --no-legend '{pattern}'").split("\n")
    return [row.split()[0] for row in rows if row.strip()]


def wait_gone(vm):
    """No unit is active or failed once how its command ended is durable. One that left something running is there as
    long as that."""
    vm.wait_for("[ -z \"$(systemctl list-units --plain --no-legend 'mooring-extension-*.service')\" ]")


def test_a_handler_may_do_what_the_managers_sandbox_forbids(site):
    vm = site
    # Whoever lives in the sandbox can do none of the three.
    free = ("echo here >/opt/made && echo here >/etc/made.conf &&"
            " python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8443))' && status success 0 free"
            " || status error 1 bound")
    publish(vm, "Free", enable=free)
    put(vm, "Free")
    state, message = settled(vm)
    assert state == "Succeeded" and message.endswith("free"), vm.journal()
    vm.ok("test -s /opt/made && test -s /etc/made.conf")
    wait_gone(vm)
    assert "systemd" in vm.ok("mooring extension list -j | jq -r '.[0].commandsRunIn'")
    # What it said went into files of the manager's, not where others read.
    assert vm.ok("stat -c '%a %U' /var/lib/GuestConfig/extension_logs/Test.Free-1.0.0").strip() == "700 root"


def test_a_command_goes_on_over_restart_kill_and_upgrade_and_its_end_is_known(site):
    vm = site
    wait = "until [ -e /var/tmp/go ]; do sleep 0.1; done; rm /var/tmp/go"
    publish(vm, "Slow", install=f"{wait}; exit 7")
    put(vm, "Slow")
    vm.wait_for(f"grep -q install {TRACE}")
    unit, = units(vm)
    pid = vm.ok(f"systemctl show -P MainPID {unit}").strip()
    vm.ok("systemctl restart mooring-extensions && systemctl kill --kill-whom=main -s KILL mooring-extensions")
    vm.ok("dpkg -i /pkgs/mooring_*.deb")
    vm.wait_for("journalctl -u mooring-extensions | grep -c handler.adopted | grep -q '[2-9]'")
    assert vm.ok(f"systemctl show -P MainPID {unit}").strip() == pid
    vm.ok("touch /var/tmp/go")
    state, message = settled(vm)
    assert state == "Failed" and "exit code 7" in message
    assert trace(vm) == ["install 1.0.0 0"]
    wait_gone(vm)


def test_an_end_that_nobody_watched_is_found(site):
    vm = site
    publish(vm, "Unseen", install="until [ -e /var/tmp/go ]; do sleep 0.1; done; exit 9")
    put(vm, "Unseen")
    vm.wait_for(f"grep -q install {TRACE}")
    vm.ok("systemctl stop mooring-extensions && touch /var/tmp/go")
    unit, = units(vm)
    vm.wait_for(f"systemctl is-failed {unit}")
    vm.ok("systemctl start mooring-extensions")
    state, message = settled(vm)
    assert state == "Failed" and "exit code 9" in message
    assert trace(vm) == ["install 1.0.0 0"]
    wait_gone(vm)


def test_a_deadline_ends_the_whole_tree_and_nothing_else(site):
    vm = site
    vm.ok("mooring config set extensions.commandTimeouts enable=5")
    publish(vm, "Deep", install="setsid sleep 9001 &",
            enable="(setsid sh -c 'setsid sleep 9002 & sleep 9003') & sleep 9004")
    put(vm, "Deep")
    state, message = settled(vm)
    assert state == "Failed" and "took longer than 5 seconds" in message
    vm.wait_for("! pgrep -f '[s]leep 900[234]'")
    vm.ok("pgrep -f '[s]leep 9001'")
    wait_gone(vm)


def test_what_enable_leaves_running_stays_within_the_limits(site):
    vm = site
    publish(vm, "Worker", limits={"cpuQuotaPercentage": 40, "memoryQuotaInMB": 200},
            enable="setsid sleep 9005 & status success 0 left")
    put(vm, "Worker")
    assert settled(vm)[0] == "Succeeded"
    wait_gone(vm)
    worker = vm.ok("pgrep -f '[s]leep 9005'").strip()
    slices = units(vm, "mooring-extensions-*.slice")
    assert slices == ["mooring-extensions-Test.Worker.slice"]
    assert slices[0] in vm.ok(f"cat /proc/{worker}/cgroup")
    shown = vm.ok(f"systemctl show -p MemoryMax -p TasksMax -p CPUQuotaPerSecUSec {slices[0]}").split()
    assert sorted(shown) == ["CPUQuotaPerSecUSec=400ms", "MemoryMax=209715200", "TasksMax=8192"]
    vm.ok("systemctl restart mooring-extensions")
    vm.wait_for(f"[ $(grep -c enable {TRACE}) = 2 ]")  # enable is given again, the worker is left alone
    assert settled(vm)[0] == "Succeeded" and vm.ok("pgrep -f '[s]leep 9005'").split()[0] == worker
    vm.ok("arm DELETE ext")
    vm.wait_for(f"[ ! -e /var/lib/waagent/Test.Worker-1.0.0 ] && grep -q uninstall {TRACE}")
    vm.wait_for(f"! systemctl is-active {slices[0]}")


def test_nothing_of_the_settings_can_be_read_from_the_unit(site):
    vm = site
    publish(vm, "Quiet", install="until [ -e /var/tmp/go ]; do sleep 0.1; done")
    put(vm, "Quiet", secret="open-sesame")
    vm.wait_for(f"grep -q install {TRACE}")
    unit, = units(vm)
    assert "open-sesame" not in vm.ok(f"systemctl show {unit}; cat /run/systemd/transient/{unit}")
    # An administrator who stops it is obeyed, and told of.
    vm.ok("touch /var/tmp/go")
    assert settled(vm)[0] == "Succeeded"
