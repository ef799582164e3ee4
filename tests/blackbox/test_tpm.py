# SPDX-License-Identifier: Apache-2.0
"""A machine whose key is in a TPM, and what it does when the TPM is lost, cleared or locked."""
import base64
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          PublicFormat)
from harness.extensions import Lab
from harness.machine import Machine
from harness.process import TREE, program, wait_for
from harness.wire import built_program

sys.path.insert(0, str(TREE / "tests/fakes"))
from soft_tpm import SoftTpm, missing  # noqa: E402

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")


@pytest.fixture
def tpm(workspace):
    soft = SoftTpm(workspace.path / "tpm").start()
    yield soft
    soft.stop()


@pytest.fixture
def box(workspace, tpm):
    """A machine whose local settings name the software TPM."""
    machine = Machine(workspace)
    machine.state.mkdir(parents=True, exist_ok=True)
    (machine.state / "localconfig.json").write_text(
        json.dumps({"schema": 1, "identity.tpm": tpm.device}))
    machine.start("identity")
    yield machine
    machine.stop()


def connect(machine, controlplane, name):
    machine.connect(controlplane, resource_name=name, extra=["--identity-key-store", "tpm"])


def key_text(machine):
    return (machine.state / "certs/identity.key").read_text()


def shown_error(machine):
    return wait_for(lambda: machine.show()["agentErrorDetails"], 60, "an error in show")


def test_unit_tests_of_keys_in_a_tpm_pass_on_one(tpm):
    done = subprocess.run([built_program("test_unit_platform_crypto_tpm")], check=False,
                          env={**os.environ, "MOOR_TPM": tpm.device}, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0 and "SKIP" not in done.stdout, done.stdout + done.stderr
    assert tpm.handles() == []


def test_connect_puts_the_key_into_the_tpm(box, tpm, controlplane, unique):
    connect(box, controlplane, unique)
    assert key_text(box).startswith("-----BEGIN TSS2 PRIVATE KEY-----")
    assert (box.state / "certs/identity.key").stat().st_mode & 0o777 == 0o600
    shown = box.show()
    assert shown["status"] == "Connected" and shown["identityKeyStore"] == "TPM", shown
    assert box.token("https://monitor.azure.com")
    assert tpm.handles() == []
    # A restart serves from the sealed cache, which only the TPM opens.
    controlplane_url = controlplane.endpoint
    box.restart_role("identity")
    assert wait_for(lambda: box.token_answer("https://monitor.azure.com").status == 200, 60,
                    f"a token after the restart, from the cache or {controlplane_url}")


def test_a_key_in_a_file_loads_no_provider(workspace, tpm, controlplane, unique):
    machine = Machine(workspace)
    machine.start("identity")
    try:
        machine.connect(controlplane, resource_name=unique)
        assert machine.show()["identityKeyStore"] == "Default"
        pid = next(p.pid for p in machine.roles.values() if p.running)
        maps = open(f"/proc/{pid}/maps", encoding="ascii").read()
        assert "tpm2.so" not in maps and "tss2" not in maps
    finally:
        machine.stop()


def test_a_tpm_that_is_gone_is_named_and_found_again(box, tpm, controlplane, unique):
    connect(box, controlplane, unique)
    tpm.stop()
    box.restart_role("identity")
    assert tpm.device in shown_error(box)
    assert box.show()["identityKeyStore"] == "TPM"
    assert box.himds_get("/metadata/instance?api-version=2020-06-01",
                         {"Metadata": "true"}).status == 200
    assert box.token_answer("https://fresh.example").status >= 400
    tpm.start()
    assert wait_for(lambda: box.token_answer("https://fresh.example").status == 200, 60,
                    "a token once the TPM is back")


def test_extensions_and_the_other_roles_go_on_without_the_tpm(box, tpm, controlplane, unique,
                                                              workspace):
    roles = ("extensions", "logs", "identity")
    for role in roles[:2]:
        box.start_role(role)
    connect(box, controlplane, unique)
    lab = Lab(box, controlplane, workspace.path, unique)
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    tpm.stop()
    for role in roles:
        box.restart_role(role)
    assert tpm.device in shown_error(box)
    shown = wait_for(lab.shown, 60, "the extension in show")
    assert shown["state"] == "enabled" and lab.handler_folder().is_dir()
    assert all(box.roles[role].running for role in roles)


def test_a_locked_tpm_is_named_and_used_again_when_it_opens(box, tpm, controlplane, unique):
    connect(box, controlplane, unique)
    tpm.lock()
    box.restart_role("identity")
    assert "lockout" in shown_error(box)
    assert box.token_answer("https://fresh.example").status >= 400
    tpm.unlock()
    assert wait_for(lambda: box.token_answer("https://fresh.example").status == 200, 60,
                    "a token once the TPM is open")


def test_a_cleared_tpm_is_named_and_the_machine_gets_another_key(box, tpm, controlplane, unique):
    connect(box, controlplane, unique)
    before, config = key_text(box), box.config
    tpm.clear()
    box.restart_role("identity")
    assert "cleared, or another TPM" in shown_error(box)
    # What `mooring connect existing` does: another key, named to the service, then the first beat.
    asked = {"vmId": config["vmId"], "resourceId": config["resourceId"], "keyStore": "tpm"}
    answer = box.admin("POST", "/connect/begin", asked)
    assert answer.status == 200, answer
    assert key_text(box) != before
    done = controlplane.arm("POST", config["resourceId"] + "/reconnect",
                            {"clientPublicKey": answer.json["clientPublicKey"]})
    assert done.status in (200, 202), done
    finished = box.admin("POST", "/connect/finish", {}, timeout=120)
    assert finished.status == 200, finished
    assert box.show()["status"] == "Connected"
    assert box.token("https://monitor.azure.com")


def test_connect_existing_gives_a_machine_whose_tpm_was_cleared_another_key(
        box, tpm, controlplane, unique, workspace):
    connect(box, controlplane, unique)
    before, config = key_text(box), box.config
    tpm.clear()
    box.restart_role("identity")
    given = rsa.generate_private_key(65537, 2048)
    public = base64.b64encode(given.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1))
    done = controlplane.arm("POST", config["resourceId"] + "/reconnect",
                            {"clientPublicKey": public.decode()})
    assert done.status in (200, 202), done
    file = workspace.path / "given.pem"
    file.write_bytes(given.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    box.mooring("connect", "existing", "--cloud", config["cloud"], "-s", config["subscriptionId"],
                "-g", config["resourceGroup"], "-n", config["resourceName"], "-l",
                config["location"], "-t", config["tenantId"], "--vmid", config["vmId"],
                "--private-key-file", file, "--identity-key-store", "tpm", timeout=120)
    assert key_text(box).startswith("-----BEGIN TSS2 PRIVATE KEY-----")
    assert key_text(box) != before
    assert box.show()["status"] == "Connected" and box.show()["identityKeyStore"] == "TPM"
    assert box.token("https://monitor.azure.com")


def test_begin_keeps_a_key_the_tpm_still_takes(box, tpm, controlplane, unique):
    connect(box, controlplane, unique)
    before = key_text(box)
    asked = {"vmId": box.config["vmId"], "resourceId": box.config["resourceId"], "keyStore": "tpm"}
    assert box.admin("POST", "/connect/begin", asked).status == 200
    assert key_text(box) == before


def test_without_a_tpm_connect_says_so_and_leaves_nothing(box, tpm, controlplane, unique):
    tpm.stop()
    box.register_cloud(controlplane)
    done = box.connect(controlplane, resource_name=unique, check=False,
                       extra=["--identity-key-store", "tpm"])
    assert done.returncode != 0 and tpm.device in done.stdout + done.stderr, done
    assert not (box.state / "agentconfig.json").exists()
    assert not (box.state / "certs/identity.key").exists()


@pytest.mark.parametrize("device", ["libevil.so:x", "swtpm:host=10.0.0.1,port=2321", "/tmp/x.so"])
def test_no_library_can_be_named_as_a_tpm(workspace, device):
    machine = Machine(workspace)
    done = machine.mooring("config", "set", "identity.tpm", device, check=False)
    assert done.returncode == 23 or done.returncode == 69, done
    assert program("mooring")
