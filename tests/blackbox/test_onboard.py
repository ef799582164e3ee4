# SPDX-License-Identifier: Apache-2.0
"""What a control plane gives a machine before it is one. tests/packaging/test_onboarding.py runs the
script on real systems."""
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import urllib.parse

import pytest
from harness.process import program, run

NAME = "mooring_9.8.7_amd64.deb"


@pytest.fixture
def offered(controlplane, workspace):
    file = workspace.path / NAME
    file.write_bytes(b"no package, but bytes\n" * 1000)
    controlplane.cli("agent", "publish", str(file))
    return file


def script(controlplane, **query):
    return controlplane.request("GET", "/his/onboard/linux?" + urllib.parse.urlencode(query))


def settings(text):
    """The settings as a shell reads them."""
    end = text.index("\nresource_name=")
    names = ("endpoint", "cloud", "ca", "tenant_id", "subscription_id", "resource_group",
             "location", "service_principal_id", "tags", "correlation_id", "packages")
    shown = "".join(f'printf "%s\\0" "${name}";' for name in names)
    out = subprocess.run(["/bin/sh", "-euc", text[:end] + "\n" + shown], capture_output=True,
                         text=True, check=True).stdout
    return dict(zip(names, out.split("\0")))


def test_the_script_names_the_controlplane_and_what_was_asked_for(controlplane, offered):
    answer = script(controlplane, resourceGroup="fleet(1)", tags="Site=Kiel,Owner=Ann B.",
                    servicePrincipalId=controlplane.admin_id)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/x-shellscript")
    values = settings(answer.body.decode())
    assert values["endpoint"] == controlplane.endpoint
    assert values["ca"] == pathlib.Path(controlplane.ca_file).read_text(encoding="ascii").strip()
    assert values["tenant_id"] == controlplane.tenant
    assert values["subscription_id"] == controlplane.subscription
    assert values["resource_group"] == "fleet(1)"
    assert values["tags"] == "Site=Kiel,Owner=Ann B."
    assert values["service_principal_id"] == controlplane.admin_id
    digest = hashlib.sha256(offered.read_bytes()).hexdigest()
    assert values["packages"] == f"deb amd64 9.8.7 {digest} {NAME}"
    assert controlplane.admin_secret not in answer.body.decode()


@pytest.mark.parametrize("query", [
    {"resourceGroup": "a';id;'"}, {"tags": "a=$(id)"}, {"tags": "a=`id`"}, {"tags": "a=b\nid"},
    {"location": "x y"}, {"subscriptionId": "not-a-uuid"}, {"correlationId": "0" * 37},
    {"resourceGroup": "g" * 91}, {"servicePrincipalId": "x' 'y"},
], ids=lambda q: urllib.parse.quote(next(iter(q.values())))[:20])
def test_a_query_cannot_write_shell(controlplane, query):
    answer = script(controlplane, **query)
    assert answer.status == 400
    assert "letter it may not have" in answer.body.decode() or "longer than" in answer.body.decode()


def test_the_packages_are_there_and_nothing_else_of_the_state(controlplane, offered):
    assert controlplane.request("GET", f"/his/onboard/files/{NAME}").body == offered.read_bytes()
    for other in ("mooring_1.0_amd64.deb", "..%2fadmin-secret", "%2e%2e%2fcontrolplane.db", "x%00y"):
        assert controlplane.request("GET", f"/his/onboard/files/{other}").status in (400, 404), other


def test_another_package_of_the_same_name_takes_its_place(controlplane, offered):
    offered.write_bytes(b"mended")
    controlplane.cli("agent", "publish", str(offered))
    values = settings(script(controlplane).body.decode())
    assert hashlib.sha256(b"mended").hexdigest() in values["packages"]
    assert controlplane.request("GET", f"/his/onboard/files/{NAME}").body == b"mended"


def test_a_failure_is_written_to_the_log_and_many_are_not(controlplane):
    said = {"subscriptionId": controlplane.subscription, "operation": "onboarding", "messageType": "145",
            "message": "another run of apt held its lock\nfor 300 seconds", "osType": "linux"}
    assert controlplane.request("PUT", "/his/log", json.dumps(said)).status == 200
    log = controlplane.process.log_text()
    assert "onboarding.failed" in log and "another run of apt held its lock" in log
    assert "lock\nfor" not in log
    assert controlplane.request("PUT", "/his/log", json.dumps({"message": "x" * 501})).status == 400
    statuses = {controlplane.request("PUT", "/his/log", json.dumps(said)).status for _ in range(70)}
    assert statuses == {200, 429}


def test_the_command_pins_the_servers_key(controlplane, workspace):
    line = controlplane.cli("onboard", "command", "--resource-group", "fleet").stdout
    words = shlex.split(line.split("&&")[0])
    assert subprocess.run([*words[:-2], str(workspace.path / "onboard.sh"), words[-1]],
                          check=False).returncode == 0
    given = (workspace.path / "onboard.sh").read_text()
    assert settings(given)["resource_group"] == "fleet"
    assert controlplane.cli("onboard", "script", "--resource-group", "fleet").stdout == given
    pin = words.index("--pinnedpubkey") + 1
    words[pin] = "sha256//" + "A" * 43 + "="
    assert subprocess.run([*words[:-2], "/dev/null", words[-1]], capture_output=True,
                          check=False).returncode == 90


def test_root_makes_no_files_in_the_state_of_another_user(controlplane, workspace):
    state = workspace.path / "others"
    state.mkdir()
    os.chown(state, 65534, 65534)
    offered = workspace.path / NAME
    offered.write_bytes(b"x")
    for command in (["init"], ["agent", "publish", str(offered)]):
        done = run([program("mooring-controlplane"), *command, "--state", str(state)],
                   workspace.environment(), check=False)
        assert done.returncode == 1
        assert "belongs to another user (uid 65534)" in done.stderr
    assert not list(state.iterdir())
