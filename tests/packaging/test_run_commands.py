# SPDX-License-Identifier: Apache-2.0
"""Run commands as services of a real systemd: free, kept over the agent's restart, without secrets in sight."""
import json

import pytest
from test_life_cycle import ACCESS_TOKEN

CANARY = "canary-5b1d"
ARM = """#!/bin/bash
# METHOD NAME [BODY]: a run command of the machine, as ARM has it
info() { mooring-controlplane info -j | jq -r ".$1"; }
curl -s --cacert "$(info caFile)" -X "$1" -H "Authorization: Bearer $(token-arm)" -H 'Content-Type: application/json' \\
    ${3:+-d "$3"} "$(info endpoint)/subscriptions/$(info subscriptionId)/resourceGroups/test/providers/\
Microsoft.HybridCompute/machines/box/runCommands/$2?api-version=2025-01-13"
"""


@pytest.fixture
def site(connected):
    connected.put("/usr/local/bin/token-arm", "#!/bin/bash\n" + ACCESS_TOKEN, "0755")
    connected.put("/usr/local/bin/arm", ARM, "0755")
    return connected


def put(vm, script, name="run", **properties):
    body = {"location": "local", "properties": {"source": {"script": script}, **properties}}
    vm.put("/var/tmp/body.json", json.dumps(body))
    answer = vm.ok(f"arm PUT {name} @/var/tmp/body.json; rm /var/tmp/body.json")
    assert '"error"' not in answer, answer


def ended(vm, name="run"):
    vm.wait_for(f"arm GET {name} | jq -e '.properties.instanceView.endTime'")
    properties = json.loads(vm.ok(f"arm GET {name}"))["properties"]
    return properties["provisioningState"], properties["instanceView"]


def unit(vm):
    rows = vm.ok("systemctl list-units --plain --no-legend 'mooring-extension-*RunCommand*.service'").split("\n")
    name, = [row.split()[0] for row in rows if row.strip()]
    return name


def test_a_script_is_free_of_the_agents_sandbox_and_its_user_of_roots_rights(site):
    vm = site
    vm.ok("useradd -m -d /srv/deploy -G adm deploy")
    put(vm, "echo here >/opt/made && echo free", name="free")
    assert ended(vm, "free")[1]["output"] == "free\n", vm.journal()
    put(vm, "id -un; id -Gn; pwd; echo $HOME; cat /etc/shadow", name="user", runAsUser="deploy")
    _, view = ended(vm, "user")
    assert view["output"].split("\n")[:4] == ["deploy", "deploy adm", "/srv/deploy", "/srv/deploy"]
    assert "Permission denied" in view["error"]


def test_a_script_goes_on_over_kill_and_upgrade_and_shows_no_secret(site):
    vm = site
    put(vm, "echo ${#SECRET}; until [ -e /var/tmp/go ]; do sleep 0.1; done; exit 6",
        protectedParameters=[{"name": "SECRET", "value": CANARY}])
    vm.wait_for("arm GET run | jq -e '.properties.instanceView.output == \"11\\n\"'")
    name = unit(vm)
    seen = vm.ok(f"systemctl show {name}; systemctl cat {name}; ps axww; journalctl -o export")
    assert CANARY not in seen
    assert vm.ok(f"grep -rl {CANARY} /var /run /etc || true").strip() == ""
    vm.ok("systemctl kill --kill-whom=main -s KILL mooring-extensions && dpkg -i /pkgs/mooring_*.deb")
    vm.ok("touch /var/tmp/go")
    state, view = ended(vm)
    assert (state, view["exitCode"]) == ("Succeeded", 6)
    vm.wait_for("[ -z \"$(systemctl list-units --plain --no-legend 'mooring-extension-*.service')\" ]")


def test_a_deadline_ends_the_whole_tree(site):
    vm = site
    put(vm, "(setsid sh -c 'setsid sleep 9012 & sleep 9013') & sleep 9014", timeoutInSeconds=3)
    assert ended(vm)[1]["executionState"] == "TimedOut"
    vm.wait_for("! pgrep -f '[s]leep 901[234]'")
