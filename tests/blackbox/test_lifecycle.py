# SPDX-License-Identifier: Apache-2.0
"""Renewal, expiry, disabling, restoring and doubles of machines, with lifetimes of seconds.

The real identity role against a control plane whose config.json says so; what takes days is in
tests/unit/lifetime.
"""
import copy
import datetime
import json
import shutil
import signal
import sqlite3
import ssl
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from harness.controlplane import ControlPlane
from harness.fixtures import Space
from harness.machine import Machine
from harness.process import TREE, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
from fake_agent import FakeAgent, new_key, public_text  # noqa: E402

GROUP = "rg-lifecycle"
VAULT = "https://vault.example.com"


def start_plane(workspace, **rules):
    """A control plane with other rules in its config.json."""
    plane = ControlPlane(workspace)
    plane.cli("init")
    plane.rule(**rules)
    return plane.start()


@pytest.fixture(scope="module")
def quick():
    """Beats every second, certificates of 12 s."""
    with Space() as space:
        plane = start_plane(space, heartbeatSeconds=1, certificateSeconds=12)
        yield plane
        plane.stop()


def status(machine):
    return machine.admin("GET", "/status").json


def certificate_of(machine):
    return (machine.state / "certs/myCert").read_text()


def shown(plane, machine):
    return plane.arm("GET", machine.resource_id).json["properties"]


def code_of(answer):
    return answer.json["error"]["code"]


def connect(machine, plane, name):
    machine.connect(plane, resource_name=name, group=GROUP)


# Certificates


def test_a_certificate_is_renewed_while_the_old_one_is_good(box, quick, unique):
    connect(box, quick, unique)
    first, key = certificate_of(box), (box.state / "certs/identity.key").read_bytes()
    wait_for(lambda: certificate_of(box) != first, 60, "another certificate")
    assert (box.state / "certs/identity.key").read_bytes() == key
    assert status(box)["status"] == "Connected"
    assert box.token(VAULT)
    assert shown(quick, box)["status"] == "Connected"


def test_an_expired_machine_comes_back_by_its_key_if_it_may(box, quick, unique):
    connect(box, quick, unique)
    quick.cli("machine", "set", unique, "--reenrollment-days", "0")
    box.kill_role("identity")
    wait_for(lambda: shown(quick, box)["status"] == "Expired", 60, "the certificate to end")
    box.start_role("identity")
    assert status(box)["status"] == "Expired"
    answer = box.admin("POST", "/connect/finish", {})
    assert answer.status == 403
    assert answer.json["error"]["innererror"]["serviceCode"] == "ReenrollmentNotAllowed"
    assert status(box)["errorCode"] == "ReenrollmentNotAllowed"
    quick.cli("machine", "set", unique, "--reenrollment-days", "3650")
    assert box.admin("POST", "/connect/finish", {}).status == 200
    assert status(box)["status"] == "Connected"
    assert shown(quick, box)["status"] == "Connected"


def test_a_revoked_certificate_is_replaced(box, quick, unique):
    connect(box, quick, unique)
    revoked = certificate_of(box)
    database = sqlite3.connect(quick.state / "controlplane.db")
    with database:
        database.execute("DELETE FROM credentials WHERE object_id ="
                         " (SELECT principal_id FROM machines WHERE vm_id = ?)",
                         (box.config["vmId"],))
    database.close()
    assert box.token_answer("https://other.example.com").status != 200
    wait_for(lambda: certificate_of(box) != revoked, 60, "another certificate")
    wait_for(lambda: box.token_answer("https://other.example.com").status == 200, 60, "a token")


# Disabled, deleted, restored


def test_a_disabled_machine_gives_no_tokens_until_it_is_enabled(box, quick, unique):
    connect(box, quick, unique)
    assert box.token(VAULT)
    quick.cli("machine", "disable", unique)
    wait_for(lambda: status(box)["errorCode"] == "MachineDisabled", 60, "the machine to hear of it")
    assert box.token_answer(VAULT).status >= 400
    assert not (box.state / "certs/tokens.cache").exists()
    listed = json.loads(quick.cli("machine", "list", "-j").stdout)
    assert [m["disabled"] for m in listed if m["vmId"] == box.config["vmId"]] == [True]
    quick.cli("machine", "enable", unique)
    assert box.admin("POST", "/connect/finish", {}).status == 200
    assert box.token(VAULT)


def test_a_disabled_machine_may_ask_the_service_only(quick, unique):
    agent = FakeAgent(quick, GROUP, unique).register().enrol()
    arm = agent.sign_in(audience=quick.arm_audience).json["access_token"]
    quick.cli("machine", "disable", agent.vm_id)
    assert (agent.beat().status, code_of(agent.beat())) == (403, "MachineDisabled")
    assert code_of(agent.desired()) == "MachineDisabled"
    assert code_of(agent.ask_certificate()) == "MachineDisabled"
    assert quick.arm("GET", agent.resource_id, token=arm).status == 401
    assert agent.sign_in(audience=quick.arm_audience).status == 400
    assert agent.sign_in().status == 200
    quick.cli("machine", "enable", agent.resource_id)
    assert agent.beat().status == 200


def test_a_name_that_several_machines_have_is_not_guessed(quick, unique):
    for group in ("rg-one", "rg-two"):
        FakeAgent(quick, group, unique).register()
    answer = quick.cli("machine", "disable", unique, check=False)
    assert answer.returncode == 1 and "2 machines" in answer.stderr
    assert quick.cli("machine", "disable", "nobody", check=False).returncode == 1
    assert quick.cli("machine", "set", unique, check=False).returncode == 1


def test_a_restored_control_plane_tells_no_machine_that_it_is_gone(workspace, unique):
    plane = start_plane(workspace)
    old = FakeAgent(plane, GROUP, "old").register().enrol()
    revision = old.beat().json["desiredStateRevision"]
    plane.stop()
    backup = workspace.path / "backup"
    shutil.copytree(plane.state, backup)
    plane.start()
    young = FakeAgent(plane, GROUP, "young").register().enrol()
    assert young.beat().status == 200
    plane.stop()
    shutil.rmtree(plane.state)
    backup.rename(plane.state)
    plane.cli("restore")
    plane.start()
    answer = old.beat()
    epoch = answer.json["desiredStateRevision"].split(".")[0]
    assert answer.status == 200 and epoch != revision.split(".")[0]
    for unknown in (young.sign_in(), young.ask_certificate()):
        assert unknown.status == 503 and unknown.headers["Retry-After"] == "60"
    plane.cli("restore", "--finish")
    assert young.sign_in().status == 400
    assert code_of(young.ask_certificate()) == "MachineNotFound"
    plane.stop()


def served_certificate(plane):
    port = int(plane.listen.rsplit(":", 1)[1])
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())


def test_a_running_control_plane_renews_its_own_certificate(own_controlplane):
    """One with five days left is put in the files; the server looks when it is told to."""
    plane, tls = own_controlplane, own_controlplane.state / "tls"
    first = served_certificate(plane)
    ca_key = serialization.load_pem_private_key((tls / "ca.key").read_bytes(), None)
    ca = x509.load_pem_x509_certificate((tls / "ca.pem").read_bytes())
    ending = (x509.CertificateBuilder().subject_name(first.subject).issuer_name(ca.subject)
              .public_key(first.public_key()).serial_number(x509.random_serial_number())
              .not_valid_before(first.not_valid_before)
              .not_valid_after(datetime.datetime.utcnow() + datetime.timedelta(days=5))
              .sign(ca_key, hashes.SHA256()))
    (tls / "server.pem").write_bytes(ending.public_bytes(serialization.Encoding.PEM))
    assert served_certificate(plane) == first
    plane.process.child.send_signal(signal.SIGHUP)
    wait_for(lambda: served_certificate(plane) != first, 60, "another certificate")
    renewed = served_certificate(plane)
    assert renewed.not_valid_after - datetime.datetime.utcnow() > datetime.timedelta(days=300)
    assert plane.arm("GET", "resourcegroups", api_version="2021-04-01").status == 200


def test_another_key_signs_tokens_and_old_ones_stay_good(own_controlplane, unique):
    plane = own_controlplane
    agent = FakeAgent(plane, GROUP, unique).register().enrol()
    old = plane.request("GET", "/discovery/keys").json["keys"]
    plane.cli("token-key", "rotate")
    plane.process.child.send_signal(signal.SIGHUP)
    wait_for(lambda: plane.request("GET", "/discovery/keys").json["keys"] != old, 60, "another key")
    keys = plane.request("GET", "/discovery/keys").json["keys"]
    assert len(keys) == 2 and keys[1] == old[0]
    assert agent.beat().status == 200
    agent.token = agent.sign_in().json["access_token"]
    assert agent.beat().status == 200
    plane.restart()
    assert agent.beat().status == 200
    assert plane.request("GET", "/discovery/keys").json["keys"] == keys


# Doubles: attack class 18


def copy_of(machine, workspace):
    """The machine's disk in a second root: what a copied VM starts with (/run is not on disk)."""
    double = Machine(workspace, "double")
    shutil.rmtree(double.root)
    shutil.copytree(machine.root, double.root, symlinks=True,
                    ignore=lambda folder, names: {"run"} if folder == str(machine.root) else
                    {n for n in names if n.endswith(".sock")})
    return double


def test_a_copied_machine_is_seen_within_two_beats(box, quick, workspace, unique):
    """Both roots are on one host: the fingerprints are equal, nobody is stopped, both are told."""
    connect(box, quick, unique)
    double = copy_of(box, workspace)
    double.start("identity")
    try:
        # Its first beat, at once; the double goes on by itself, as the original does.
        assert double.admin("POST", "/connect/finish", {}).status == 200
        wait_for(lambda: shown(quick, box).get("statusReason") == "Cloned", 60, "the double to be seen")
        assert box.token(VAULT) and double.token(VAULT)
    finally:
        double.stop()


class Copied(FakeAgent):
    """The same key and tokens on other hardware."""

    @classmethod
    def of(cls, agent):
        double = copy.copy(agent)
        double.boot_id, double.sequence = "cd" * 16, 0
        double.fingerprint = {part: "ef" * 32 for part in agent.fingerprint}
        return double


def beat_in_turn(quick, original, double):
    """Beats a period apart, until the double is refused: how many it got through."""
    answers = []

    def refused():
        original.beat()
        answers.append(double.beat().status)
        return answers[-1] == 409
    wait_for(refused, 60, "the double to be refused")
    return answers.count(200)


def test_a_copy_on_other_hardware_is_stopped_and_the_original_goes_on(quick, unique):
    original = FakeAgent(quick, GROUP, unique).register().enrol()
    original.beat()
    double = Copied.of(original)
    assert double.beat().status == 200
    beat_in_turn(quick, original, double)
    answer = original.beat()
    assert answer.status == 200 and answer.json["rotate"] is True
    new = new_key()
    original.take_certificate(original.ask_certificate(original.csr(new)))
    original.token = original.sign_in(new).json["access_token"]
    assert original.beat().json["rotate"] is False
    # From here on the double is out, whatever it tries, and the original is left in peace.
    for _ in range(3):
        assert code_of(double.beat()) == "IdentityCloned"
        assert original.beat().json["rotate"] is False
    assert double.sign_in().status == 401
    print_ = {"fingerprint": original.fingerprint}
    assert code_of(double.ask_certificate(**print_)) == "KeySuperseded"
    assert not quick.arm("GET", original.resource_id).json["properties"].get("statusReason")


def test_a_reverted_snapshot_comes_back(quick, unique):
    agent = FakeAgent(quick, GROUP, unique).register().enrol()
    agent.beat()
    snapshot = copy.copy(agent)
    new = new_key()
    agent.take_certificate(agent.ask_certificate(agent.csr(new)))
    agent.token = agent.sign_in(new).json["access_token"]
    assert agent.beat().status == 200
    # The newer state is gone; the old one beats by its old token, then needs a certificate.
    snapshot.boot_id = "12" * 16
    assert snapshot.beat().status == 200
    assert snapshot.sign_in().status == 401
    csr = snapshot.csr()

    def back():
        answer = snapshot.ask_certificate(csr, fingerprint=snapshot.fingerprint)
        return answer if answer.status == 200 else None
    snapshot.take_certificate(wait_for(back, 60, "two periods of silence"))
    snapshot.token = snapshot.sign_in().json["access_token"]
    answer = snapshot.beat()
    assert answer.status == 200 and answer.json["rotate"] is False
    assert not quick.arm("GET", agent.resource_id).json["properties"].get("statusReason")


def test_a_reverted_snapshot_stays_out_where_previous_keys_do_not_count(quick, unique):
    agent = FakeAgent(quick, GROUP, unique).register().enrol()
    old = agent.key
    agent.take_certificate(agent.ask_certificate(agent.csr(agent_key := new_key())))
    assert agent.sign_in(agent_key).status == 200
    quick.cli("machine", "set", unique, "--accept-previous-key", "false")
    csr = agent.csr(old)
    answer = agent.ask_certificate(csr, agent.proof(csr, key=old), fingerprint=agent.fingerprint)
    assert code_of(answer) == "KeySuperseded"


# Stolen proofs and squatted names: attack class 17, the service's side


def test_a_proof_is_worth_one_key(quick, unique):
    agent = FakeAgent(quick, GROUP, unique).register()
    csr = agent.csr()
    proof = agent.proof(csr)
    first = agent.ask_certificate(csr, proof)
    assert first.status == 200
    # Replayed it gives what it gave; with a thief's request it gives nothing.
    assert agent.ask_certificate(csr, proof).json == first.json
    assert code_of(agent.ask_certificate(agent.csr(new_key()), proof)) == "ProofInvalid"


@pytest.mark.parametrize("claims", [
    {"iat": 1, "exp": 301}, {"exp": 4102444800}, {"aud": "https://elsewhere.example"},
    {"sub": "00000000-0000-4000-8000-000000000001"}, {"resourceId": "/subscriptions/x"}])
def test_a_proof_for_something_else_proves_nothing(quick, unique, claims):
    agent = FakeAgent(quick, GROUP, unique).register()
    csr = agent.csr()
    answer = agent.ask_certificate(csr, agent.proof(csr, **claims))
    assert answer.status == 403 and code_of(answer) in ("ProofInvalid", "ClockSkew")


def test_the_name_of_a_machine_is_not_taken_over(quick, unique):
    agent = FakeAgent(quick, GROUP, unique).register().enrol()
    squatter = FakeAgent(quick, GROUP, unique)
    body = {"location": quick.info["location"], "properties": {
        "vmId": squatter.vm_id, "clientPublicKey": public_text(squatter.key)}}
    answer = quick.arm("PUT", agent.resource_id, body)
    assert answer.status == 409 and code_of(answer) == "MachineAlreadyRegistered"
    body["properties"]["vmId"] = agent.vm_id
    assert quick.arm("PUT", agent.resource_id, body).status == 409
    assert quick.arm("PATCH", agent.resource_id, body).status == 409
    # Nor its vmId under another name, nor by a key that is not in the resource.
    other = f"{agent.resource_id}-2"
    assert quick.arm("PUT", other, body).status == 409
    csr = agent.csr(squatter.key)
    answer = agent.ask_certificate(csr, agent.proof(csr, key=squatter.key))
    assert code_of(answer) == "ProofInvalid"
    assert agent.beat().status == 200
