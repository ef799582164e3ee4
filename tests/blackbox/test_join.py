# SPDX-License-Identifier: Apache-2.0
"""`mooring connect existing`, `ensure-connected`, `disconnect --remove-extensions`, and what a thief
of onboarding material gets; with the real control plane and the real roles."""
import base64
import concurrent.futures
import json
import os
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from fake_agent import FakeAgent, new_key, public_text
from harness.fixtures import running
from harness.machine import CLOUD, Machine
from harness.process import wait_for

GROUP = "rg-join"


@pytest.fixture
def box(workspace, controlplane):
    """A machine that has its identity role and knows the cloud."""
    with running(Machine(workspace), "identity") as machine:
        machine.register_cloud(controlplane)
        yield machine


@pytest.fixture
def prepared(controlplane, unique):
    """A machine that was registered beforehand, with its key."""
    return FakeAgent(controlplane, GROUP, unique).register()


def private_text(key):
    """As `mooring genkey` has it: base64 of the PKCS#1 DER."""
    return base64.b64encode(key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption())).decode()


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def existing(box, agent, text, *extra, check=True):
    return box.mooring(
        "connect", "existing", "--cloud", CLOUD, "--subscription-id", agent.cp.subscription,
        "--tenant-id", agent.cp.tenant, "--resource-group", agent.group, "--location",
        agent.cp.info["location"], "--resource-name", agent.name, "--vmid", agent.vm_id,
        "--private-key-file", "-", *extra, stdin=text, check=check, timeout=120)


def current_key(agent):
    return agent.cp.arm("GET", agent.resource_id).json["properties"]["clientPublicKey"]


@pytest.mark.parametrize("form", [private_text, pem])
def test_a_given_key_connects_and_ends(box, prepared, form):
    done = existing(box, prepared, form(prepared.key))
    assert done.stdout == f"Connected: {prepared.resource_id}\n"
    assert box.show()["status"] == "Connected" and box.config["vmId"] == prepared.vm_id
    assert current_key(prepared) != public_text(prepared.key)
    assert prepared.ask_certificate().error_code == "KeySuperseded"
    kept = [p for p in box.root.rglob("*") if p.is_file() and
            form(prepared.key).strip()[60:160].encode() in p.read_bytes()]
    assert kept == [] and not (box.state / "certs/given.key").exists()
    assert existing(box, prepared, form(prepared.key)).stdout.startswith("Machine is already")


def test_a_given_key_proves_for_one_key_only(prepared):
    mine, other = new_key(), new_key()
    first = prepared.csr(mine)
    assert prepared.ask_certificate(first).status == 200
    assert prepared.ask_certificate(first).status == 200  # the answer was lost
    for key in (other, prepared.key):
        answer = prepared.ask_certificate(prepared.csr(key))
        assert answer.status == 403 and answer.error_code == "KeySuperseded"


def at_once(calls):
    """The answers, in the order of the calls, which are all made at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


def test_a_given_key_that_many_use_at_once_makes_one_machine(prepared):
    requests = [prepared.csr(new_key()) for _ in range(12)]
    answers = at_once([lambda csr=csr: prepared.ask_certificate(csr) for csr in requests])
    assert sorted(a.status for a in answers) == [200] + [403] * 11
    assert {a.error_code for a in answers if a.status == 403} == {"KeySuperseded"}


def test_a_name_that_many_want_at_once_is_one_machine_s(controlplane, unique):
    token = token_of(controlplane, onboarder(controlplane, unique))
    many = [FakeAgent(controlplane, GROUP, unique) for _ in range(12)]

    def join(agent):
        return controlplane.arm("PUT", agent.resource_id, {
            "location": controlplane.info["location"], "identity": {"type": "SystemAssigned"},
            "properties": {"vmId": agent.vm_id, "clientPublicKey": public_text(agent.key)}},
            token=token)
    answers = at_once([lambda agent=agent: join(agent) for agent in many])
    won = [agent for agent, answer in zip(many, answers) if answer.status in (200, 201)]
    assert len(won) == 1 and {a.status for a in answers} <= {200, 201, 409}
    assert current_key(won[0]) == public_text(won[0].key)
    assert [a for a in many if a.ask_certificate().status == 200] == won


def test_who_comes_second_with_a_given_key_is_told(box, prepared):
    assert prepared.ask_certificate(prepared.csr(new_key())).status == 200  # the thief was first
    done = existing(box, prepared, pem(prepared.key), check=False)
    assert done.returncode == 81 and "KeySuperseded" in done.stderr
    assert not (box.state / "agentconfig.json").exists()
    assert list((box.state / "certs").glob("*")) == []
    assert prepared.cp.arm("GET", prepared.resource_id).status == 200


def test_a_foreign_key_is_refused_and_leaves_nothing(box, prepared):
    done = existing(box, prepared, pem(new_key()), check=False)
    assert done.returncode == 81 and "ProofInvalid" in done.stderr
    assert not (box.state / "agentconfig.json").exists()
    assert existing(box, prepared, pem(prepared.key)).returncode == 0


def test_a_machine_that_lost_its_key_gets_a_new_one_by_reconnect(box, prepared):
    existing(box, prepared, pem(prepared.key))
    box.roles["identity"].stop()
    for name in os.listdir(box.state / "certs"):
        os.unlink(box.state / "certs" / name)
    box.start("identity")
    fresh = new_key()
    answer = prepared.cp.arm("POST", f"{prepared.resource_id}/reconnect",
                             {"clientPublicKey": public_text(fresh)})
    assert answer.status in (200, 204), answer
    assert existing(box, prepared, pem(fresh)).stdout.startswith("Connected: ")
    assert box.show()["status"] == "Connected"


@pytest.mark.parametrize("text, extra, expected", [
    ("", [], 104), ("nonsense", [], 104), ("AAAA", [], 104),
    (None, ["--private-key", "x"], 23), (None, ["--vmid", "x"], 23),
    (None, ["--subscription-id", "by name"], 23), (None, ["--config", "/nonexistent"], 19),
])
def test_wrong_input_of_connect_existing_is_refused(workspace, controlplane, text, extra, expected):
    machine = Machine(workspace)
    machine.register_cloud(controlplane)
    options = {"--vmid": controlplane.tenant, "--subscription-id": controlplane.subscription,
               **dict(zip(extra[::2], extra[1::2]))}
    done = machine.mooring("connect", "existing", "-g", "g", "-l", "l", "-t", controlplane.tenant,
                           "--private-key-file", "-", *(x for o in options.items() for x in o),
                           stdin=text or "x", check=False)
    assert done.returncode == expected, done.stderr


# ensure-connected


def ensure(box, controlplane, name, *extra, check=True, **changes):
    options = {"--cloud": CLOUD, "--tenant-id": controlplane.tenant, "--resource-group": GROUP,
               "--subscription-id": controlplane.subscription, "--resource-name": name,
               "--location": controlplane.info["location"], **changes}
    return box.mooring("ensure-connected", *(x for o in options.items() for x in o), *extra,
                       check=check, timeout=120)


def test_ensure_connected_connects_once_and_then_only_looks(box, controlplane, unique):
    credentials = ("-i", controlplane.admin_id, "--service-principal-secret-file",
                   controlplane.info["adminSecretFile"])
    assert ensure(box, controlplane, unique, *credentials).stdout.startswith("Connected: ")
    before = (box.state / "agentconfig.json").read_bytes()
    again = ensure(box, controlplane, unique)  # nobody signs in
    assert again.stdout.startswith("Machine is already connected: ")
    assert box.mooring("ensure-connected").returncode == 0
    assert (box.state / "agentconfig.json").read_bytes() == before
    for option, value in (("--resource-group", "rg-other"), ("--resource-name", "other"),
                          ("--location", "mars"), ("--tenant-id", controlplane.subscription)):
        done = ensure(box, controlplane, unique, check=False, **{option: value})
        assert done.returncode == 67 and option[2:] in done.stderr and value in done.stderr
    assert (box.state / "agentconfig.json").read_bytes() == before


def administrator(controlplane):
    return ("-i", controlplane.admin_id, "--service-principal-secret-file",
            controlplane.info["adminSecretFile"])


def tags_of(controlplane, box):
    return controlplane.arm("GET", box.resource_id).json.get("tags", {})


def test_ensure_connected_sets_the_tags_that_are_others_and_leaves_the_rest(machine, controlplane, unique):
    credentials = administrator(controlplane)
    machine.register_cloud(controlplane)
    ensure(machine, controlplane, unique, *credentials, "--tags", "env=test,owner=me")
    controlplane.arm("PATCH", machine.resource_id, {"tags": {"ENV": "other", "cost": "7"}})
    done = ensure(machine, controlplane, unique, *credentials, "--tags", "env=prod,owner=me", "-j")
    assert json.loads(done.stdout)["changed"] == ["tags"]
    assert tags_of(controlplane, machine) == {"ENV": "prod", "cost": "7", "owner": "me"}
    wait_for(lambda: machine.admin("GET", "/status").json["tags"] == tags_of(controlplane, machine), 60,
             "the machine to know its tags")
    again = ensure(machine, controlplane, unique, "--tags", "env=prod,Owner=me", "-j")  # nobody signs in
    assert "changed" not in json.loads(again.stdout)
    done = ensure(machine, controlplane, unique, "--tags", "env=lab", check=False)
    assert done.returncode == 16 and "tag env is prod, not lab" in done.stderr
    done = ensure(machine, controlplane, unique, "--tags", "new=1", check=False)
    assert done.returncode == 16 and "tag new is not there" in done.stderr
    assert tags_of(controlplane, machine) == {"ENV": "prod", "cost": "7", "owner": "me"}


def test_ensure_connected_sets_the_private_link_scope(box, controlplane, unique):
    credentials = administrator(controlplane)
    ensure(box, controlplane, unique, *credentials)
    scope = f"/subscriptions/{controlplane.subscription}/resourceGroups/g/providers/x/privateLinkScopes/y"
    done = ensure(box, controlplane, unique, "--private-link-scope", scope, check=False)
    assert done.returncode == 16 and "--private-link-scope" in done.stderr
    done = ensure(box, controlplane, unique, *credentials, "--private-link-scope", scope)
    assert "Changed: privateLinkScopeResourceId" in done.stdout
    properties = controlplane.arm("GET", box.resource_id).json["properties"]
    assert properties["privateLinkScopeResourceId"] == scope
    done = ensure(box, controlplane, unique, *credentials, "--private-link-scope", scope)
    assert "Changed" not in done.stdout


def test_ensure_connected_names_what_only_connecting_anew_would_change(box, controlplane, unique):
    ensure(box, controlplane, unique, *administrator(controlplane))
    for text, options in (("identity-key-store is Default, not tpm", ["--identity-key-store", "tpm"]),
                          ("identity-mode is mooring, not service-principal",
                           ["--identity-mode", "service-principal", "--identity-client-id", str(uuid.uuid4())])):
        done = ensure(box, controlplane, unique, *options, check=False)
        assert done.returncode == 67 and text in done.stderr, done.stderr


def test_ensure_connected_does_not_take_a_deleted_resource_for_a_connection(box, controlplane, unique):
    credentials = administrator(controlplane)
    ensure(box, controlplane, unique, *credentials)
    assert controlplane.arm("DELETE", box.resource_id).status == 200
    done = ensure(box, controlplane, unique, *credentials, "--tags", "a=b", check=False)
    assert done.returncode == 62 and "is not there any more" in done.stderr
    assert ensure(box, controlplane, unique, check=False).returncode == 81


def test_ensure_connected_without_credentials_says_what_is_missing(box, controlplane, unique):
    done = box.mooring("ensure-connected", check=False)
    assert done.returncode == 16 and "--subscription-id" in done.stderr
    assert ensure(box, controlplane, unique, check=False).returncode == 16


def test_ensure_connected_asks_the_service_and_not_the_file(workspace, own_controlplane, unique):
    machine = Machine(workspace)
    machine.start("identity")
    machine.connect(own_controlplane, resource_name=unique, group=GROUP)
    assert machine.mooring("ensure-connected").returncode == 0
    own_controlplane.kill()
    assert machine.show()["status"] == "Connected"  # for fifteen minutes
    done = machine.mooring("ensure-connected", check=False, timeout=240)
    assert done.returncode == 81
    own_controlplane.start()
    assert machine.mooring("ensure-connected", timeout=240).returncode == 0
    machine.stop()


# disconnect


def test_disconnect_can_remove_the_extensions_first(machine, controlplane, unique):
    controlplane.publish("Mooring.Samples.Hello")
    machine.connect(controlplane, resource_name=unique, group=GROUP)
    resource = machine.resource_id
    answer = controlplane.arm("PUT", f"{resource}/extensions/hello", {
        "location": controlplane.info["location"],
        "properties": {"publisher": "Mooring.Samples", "type": "Hello",
                       "typeHandlerVersion": "1.0", "settings": {"name": "join"}}})
    assert answer.status in (200, 201, 202), answer
    folder = machine.path("/var/lib/waagent")
    wait_for(lambda: controlplane.arm("GET", f"{resource}/extensions/hello").json["properties"][
        "provisioningState"] == "Succeeded", 60, "the extension to be installed")
    assert list(folder.glob("Mooring.Samples.Hello-*"))
    machine.mooring("disconnect", "--remove-extensions", "-i", controlplane.admin_id,
                    "--service-principal-secret-file", controlplane.info["adminSecretFile"],
                    timeout=180)
    assert controlplane.arm("GET", resource).status == 404
    assert list(folder.glob("Mooring.Samples.Hello-*")) == []


# What a thief of onboarding material gets (peers' attack class 17)


def onboarder(controlplane, unique, *extra):
    return json.loads(controlplane.cli(
        "principal", "create", unique, "--role", "Azure Connected Machine Onboarding", "--scope",
        f"/subscriptions/{controlplane.subscription}/resourceGroups/{GROUP}", "-j", *extra).stdout)


def token_of(controlplane, made):
    return controlplane.sign_in(made["clientId"], made["secret"]).json["access_token"]


def test_an_onboarding_secret_cannot_take_over_a_machine(prepared, controlplane, unique):
    token = token_of(controlplane, onboarder(controlplane, unique))
    squatter = FakeAgent(controlplane, GROUP, unique)
    for body in ({"vmId": prepared.vm_id, "clientPublicKey": public_text(squatter.key)},
                 {"vmId": squatter.vm_id, "clientPublicKey": public_text(squatter.key)},
                 {"clientPublicKey": public_text(squatter.key)}):
        answer = controlplane.arm("PUT", prepared.resource_id, {
            "location": controlplane.info["location"], "properties": body}, token=token)
        assert answer.status == 409, answer
        assert answer.error_code == "MachineAlreadyRegistered"
    assert current_key(prepared) == public_text(prepared.key)
    for method, path in (("DELETE", ""), ("POST", "/reconnect"), ("PUT", "/extensions/x")):
        answer = controlplane.arm(method, prepared.resource_id + path, {
            "location": "x", "clientPublicKey": public_text(squatter.key), "properties": {}},
            token=token)
        assert answer.status == 403, (method, path, answer)
    squatter.vm_id = prepared.vm_id
    assert squatter.ask_certificate().error_code == "ProofInvalid"


def test_an_onboarding_secret_opens_its_group_only(controlplane, unique):
    token = token_of(controlplane, onboarder(controlplane, unique))
    other = controlplane.group("rg-foreign")
    answer = controlplane.arm(
        "PUT", f"resourceGroups/{other}/providers/Microsoft.HybridCompute/machines/{unique}",
        {"location": controlplane.info["location"], "properties": {}}, token=token)
    assert answer.status == 403


def test_a_name_that_is_taken_is_not_joined_under(box, controlplane, prepared):
    done = box.connect(controlplane, resource_name=prepared.name, group=GROUP, check=False)
    assert done.returncode == 44 and "exists already" in done.stderr
    assert current_key(prepared) == public_text(prepared.key)


def test_an_overheard_proof_gets_no_second_certificate(prepared):
    csr = prepared.csr()
    proof = prepared.proof(csr)
    first = prepared.ask_certificate(csr, proof)
    assert first.status == 200
    assert prepared.ask_certificate(csr, proof).json["certificates"] == first.json["certificates"]
    stolen = prepared.ask_certificate(prepared.csr(new_key()), proof)
    assert stolen.status == 403 and stolen.error_code == "ProofInvalid"
