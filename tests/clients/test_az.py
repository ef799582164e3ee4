# SPDX-License-Identifier: Apache-2.0
"""azure-cli, as Debian ships it, against the control plane."""
import json

import pytest
from harness.process import Workspace, run

GROUP = "rg-az"


class Az:
    """az with a configuration folder of its own."""

    def __init__(self, controlplane, folder):
        self.controlplane = controlplane
        self.space = Workspace(folder)
        self.env = self.space.environment(
            AZURE_CONFIG_DIR=folder / "az", REQUESTS_CA_BUNDLE=controlplane.ca_file,
            AZURE_CORE_COLLECT_TELEMETRY="no", AZURE_CORE_ONLY_SHOW_ERRORS="1",
            AZURE_CORE_NO_COLOR="1")

    def __call__(self, *arguments, check=True):
        done = run(["az", *arguments], self.env, timeout=90, check=check)
        return done if not check else json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="session")
def az(_shared_controlplane, tmp_path_factory):
    """Signed in as the administrator's service principal, in a group."""
    server = _shared_controlplane
    command = Az(server, tmp_path_factory.mktemp("az"))
    command("cloud", "register", "-n", "Mooring", "--endpoint-resource-manager", server.endpoint)
    command("cloud", "set", "-n", "Mooring")
    subscriptions = command("login", "--service-principal", "-u", server.admin_id, "-p",
                            f"@{server.info['adminSecretFile']}", "--tenant", server.tenant)
    assert [s["id"] for s in subscriptions] == [server.subscription]
    server.publish("Microsoft.Azure.Extensions.CustomScript")
    group = command("group", "create", "-n", GROUP, "-l", server.info["location"])
    assert group["properties"]["provisioningState"] == "Succeeded"
    return command


@pytest.fixture
def box(az, machine, unique):
    """A connected machine in az's group: (az, resource id, machine)"""
    machine.connect(az.controlplane, resource_name=unique, group=GROUP)
    return az, machine.resource_id, machine


def test_login_with_a_wrong_secret_says_so(controlplane, tmp_path):
    command = Az(controlplane, tmp_path)
    command("cloud", "register", "-n", "Mooring", "--endpoint-resource-manager",
            controlplane.endpoint)
    command("cloud", "set", "-n", "Mooring")
    done = command("login", "--service-principal", "-u", controlplane.admin_id, "-p", "wrong",
                   "--tenant", controlplane.tenant, check=False)
    assert done.returncode != 0
    assert "AADSTS7000215" in done.stderr


def test_resource_show_says_the_machine_is_connected(box):
    az, resource, machine = box
    shown = az("resource", "show", "--ids", resource)
    assert shown["properties"]["status"] == "Connected"
    assert shown["properties"]["vmId"] == machine.config["vmId"]
    assert shown["identity"]["principalId"] == machine.config["principalId"]
    by_name = az("resource", "show", "-g", GROUP, "-n", shown["name"], "--resource-type",
                 "Microsoft.HybridCompute/machines")
    assert by_name["id"].lower() == resource.lower()


def test_resource_list_has_the_machine_by_group_type_and_table(box):
    az, resource, _ = box
    listed = az("resource", "list", "-g", GROUP, "--resource-type",
                "Microsoft.HybridCompute/machines")
    assert resource.lower() in [item["id"].lower() for item in listed]
    table = az("resource", "list", "-o", "table", check=False)
    assert table.returncode == 0, table.stderr
    assert resource.rsplit("/", 1)[1] in table.stdout


def test_tags_written_by_resource_tag_leave_the_machine_as_it_was(box):
    az, resource, machine = box
    before = az("resource", "show", "--ids", resource)
    az("resource", "tag", "--ids", resource, "--tags", "owner=tests", "tier=1")
    after = az("resource", "show", "--ids", resource)
    assert after["tags"] == {"owner": "tests", "tier": "1"}
    assert after["identity"] == before["identity"]
    for name in ("vmId", "clientPublicKey", "status", "agentVersion", "osName"):
        assert after["properties"].get(name) == before["properties"].get(name), name
    assert machine.token(az.controlplane.arm_audience)


def test_rest_puts_an_extension_and_its_operation_ends(box):
    az, resource, _ = box
    url = f"{resource}/extensions/script?api-version=2024-07-10"
    body = {"location": az.controlplane.info["location"], "properties": {
        "publisher": "Microsoft.Azure.Extensions", "type": "CustomScript",
        "typeHandlerVersion": "2.1", "settings": {"commandToExecute": "echo put by az"}}}
    az("rest", "--method", "put", "--url", url, "--body", json.dumps(body))
    az("resource", "wait", "--ids", f"{resource}/extensions/script", "--api-version", "2024-07-10",
       "--custom", "properties.provisioningState=='Succeeded'", "--interval", "1",
       "--timeout", "60")
    shown = az("rest", "--url", f"{url}&$expand=instanceView")
    assert shown["properties"]["provisioningState"] == "Succeeded"
    assert "put by az" in shown["properties"]["instanceView"]["status"]["message"]


def test_rest_runs_a_command_and_resource_tag_does_not_run_it_again(box):
    az, resource, machine = box
    url = f"{resource}/runCommands/once?api-version=2025-01-13"
    trace = machine.root / "trace"
    body = {"location": az.controlplane.info["location"], "properties": {
        "source": {"script": f"echo $SECRET | wc -c; echo ran >> {trace}"}, "timeoutInSeconds": 60,
        "protectedParameters": [{"name": "SECRET", "value": "canary"}]}}
    az("rest", "--method", "put", "--url", url, "--body", json.dumps(body))
    az("resource", "wait", "--ids", f"{resource}/runCommands/once", "--api-version", "2025-01-13",
       "--custom", "properties.provisioningState=='Succeeded'", "--interval", "1", "--timeout", "60")
    az("resource", "tag", "--ids", f"{resource}/runCommands/once", "--tags", "tier=1",
       "--api-version", "2025-01-13")
    shown = az("rest", "--url", url)
    assert shown["tags"] == {"tier": "1"} and "protectedParameters" not in shown["properties"]
    view = shown["properties"]["instanceView"]
    assert (view["executionState"], view["exitCode"], view["output"]) == ("Succeeded", 0, "7\n")
    assert trace.read_text() == "ran\n"
    az("resource", "delete", "--ids", f"{resource}/runCommands/once", "--api-version", "2025-01-13")
    assert az("rest", "--url", url, check=False).returncode != 0


def test_resource_delete_removes_the_machine(box):
    az, resource, _ = box
    az("resource", "delete", "--ids", resource)
    gone = az("resource", "show", "--ids", resource, check=False)
    assert gone.returncode != 0
    assert "ResourceNotFound" in gone.stderr


def test_mooring_connects_as_whoever_uses_az(az, machine, unique):
    server = az.controlplane
    machine.register_cloud(server)
    machine.mooring("connect", "--use-azcli", "--subscription-id", server.subscription,
                    "--resource-group", GROUP, "--location", server.info["location"],
                    "--resource-name", unique, timeout=180,
                    env={k: str(az.env[k]) for k in ("AZURE_CONFIG_DIR", "REQUESTS_CA_BUNDLE")})
    assert machine.config["resourceName"] == unique


def test_mooring_names_the_remedy_when_nobody_uses_az(controlplane, machine, tmp_path, unique):
    machine.register_cloud(controlplane)
    done = machine.mooring("connect", "--use-azcli", "--subscription-id", controlplane.subscription,
                           "--resource-group", GROUP, "--location", "local", "-n", unique,
                           timeout=180, check=False, env={"AZURE_CONFIG_DIR": str(tmp_path)})
    assert done.returncode == 41 and "az login" in done.stderr
