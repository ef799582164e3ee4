# SPDX-License-Identifier: Apache-2.0
"""docs/protocol/service.md against the real control plane, with an agent that shares no code."""
import concurrent.futures
import copy
import json
import sqlite3
import time

import pytest
from cryptography.hazmat.primitives import serialization

from fake_agent import FakeAgent, b64url, new_key, public_text


@pytest.fixture
def agent(controlplane, unique):
    return FakeAgent(controlplane, "rg-service", unique).register()


@pytest.fixture
def enrolled(agent):
    return agent.enrol()


def code_of(answer):
    return answer.json["error"]["code"]


def test_discovery_names_every_endpoint_without_a_token(controlplane):
    answer = controlplane.request("GET", "/his/discovery?location=local&api-version=2026-11-01")
    assert answer.status == 200
    assert answer.headers["x-ms-request-id"]
    assert answer.json["hisEndpoint"] == controlplane.info["hisEndpoint"]
    assert answer.json["gasEndpoint"] == controlplane.info["gasEndpoint"]
    assert answer.json["notificationEndpoint"] == controlplane.info["notificationEndpoint"]
    assert answer.json["ingestionEndpoint"] == controlplane.info["ingestionEndpoint"]
    assert answer.json["serverTime"].endswith("Z")


def test_the_api_version_is_required_and_known(controlplane):
    assert code_of(controlplane.request("GET", "/his/discovery")) == "MissingApiVersionParameter"
    answer = controlplane.request("GET", "/his/discovery?api-version=2020-01-01")
    assert answer.status == 400 and code_of(answer) == "InvalidApiVersionParameter"
    assert answer.json["serverTime"]


def test_a_proof_gives_a_certificate_and_the_certificate_a_token(agent):
    agent.enrol()
    assert agent.certificate.subject.rfc4514_string() == f"CN={agent.identity['clientId']}"
    assert agent.certificate.public_key().public_numbers() == agent.key.public_key().public_numbers()
    days = (agent.certificate.not_valid_after - agent.certificate.not_valid_before).days
    assert days == 90
    assert agent.identity["tenantId"] == agent.cp.tenant
    shown = agent.cp.arm("GET", agent.resource_id).json
    assert shown["identity"]["principalId"] == agent.identity["principalId"]


def test_the_same_proof_gets_the_same_certificate(agent):
    csr = agent.csr()
    proof = agent.proof(csr)
    first = agent.ask_certificate(csr, proof)
    second = agent.ask_certificate(csr, proof)
    assert first.status == 200 and first.json == second.json
    third = agent.ask_certificate(csr)
    assert third.json["certificates"][0] != first.json["certificates"][0]


def test_a_proof_in_rs256_is_taken(agent):
    csr = agent.csr()
    assert agent.ask_certificate(csr, agent.proof(csr, alg="RS256")).status == 200


@pytest.mark.parametrize("change", [
    {"aud": "https://elsewhere"}, {"sub": "00000000-0000-4000-8000-000000000000"},
    {"resourceId": "/subscriptions/x"}, {"csrSha256": b64url(b"x" * 32)}, {"life": 301}, {"life": 0}])
def test_a_claim_that_is_wrong_makes_the_proof_invalid(agent, change):
    csr = agent.csr()
    if "life" in change:
        now = int(time.time())
        change = {"iat": now, "exp": now + change["life"]}
    answer = agent.ask_certificate(csr, agent.proof(csr, **change))
    assert answer.status == 403 and code_of(answer) == "ProofInvalid"


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"kid": "1"}, {"jku": "https://x"},
                                    {"x5c": ["AA=="]}, {"crit": ["exp"]}, {"jwk": {"kty": "RSA"}}])
def test_a_header_that_says_more_makes_the_proof_invalid(agent, header):
    csr = agent.csr()
    answer = agent.ask_certificate(csr, agent.proof(csr, header=header))
    assert answer.status == 403 and code_of(answer) == "ProofInvalid"


def test_another_key_proves_nothing(agent):
    csr = agent.csr()
    answer = agent.ask_certificate(csr, agent.proof(csr, key=new_key()))
    assert answer.status == 403 and code_of(answer) == "ProofInvalid"
    none = ".".join([b64url(b'{"alg":"none","typ":"mooring-proof+jwt"}'), b64url(b"{}"), ""])
    assert code_of(agent.ask_certificate(csr, none)) == "ProofInvalid"


def test_a_clock_that_is_off_is_told_the_time(agent):
    csr = agent.csr()
    later = int(time.time()) + 3600
    answer = agent.ask_certificate(csr, agent.proof(csr, iat=later, exp=later + 300))
    assert answer.status == 403 and code_of(answer) == "ClockSkew"
    assert answer.json["serverTime"]


def test_an_unknown_machine_has_no_certificate(agent):
    agent.vm_id = "00000000-0000-4000-8000-00000000dead"
    answer = agent.ask_certificate()
    assert answer.status == 404 and code_of(answer) == "MachineNotFound"


def test_a_new_key_replaces_the_old_at_its_first_use(enrolled):
    old_key, old_certificate = enrolled.key, enrolled.certificate
    new = new_key()
    csr = enrolled.csr(new)
    assert code_of(enrolled.ask_certificate(csr, enrolled.proof(csr, key=new))) == "ProofInvalid"
    enrolled.take_certificate(enrolled.ask_certificate(csr))
    # Not used yet: the old key still proves, the new one does not.
    assert enrolled.ask_certificate().status == 200
    # Renewal with the same key ends nothing.
    assert enrolled.sign_in(old_key, old_certificate).status == 200
    answer = enrolled.ask_certificate(enrolled.csr(new), enrolled.proof(enrolled.csr(new), key=new))
    assert answer.status == 403
    assert enrolled.sign_in(new).status == 200
    enrolled.key = new
    assert enrolled.ask_certificate().status == 200
    csr = enrolled.csr(old_key)
    answer = enrolled.ask_certificate(csr, enrolled.proof(csr, key=old_key))
    assert answer.status == 403 and code_of(answer) == "KeySuperseded"
    # Rotation ends what the old key had: a stolen copy of it opens nothing.
    assert enrolled.sign_in(old_key, old_certificate).status == 401
    shown = enrolled.cp.arm("GET", enrolled.resource_id).json
    assert shown["properties"]["clientPublicKey"] == public_text(new)


def test_nobody_but_the_machine_itself_may_call(enrolled, controlplane, unique):
    assert enrolled.beat().status == 200
    refused = enrolled.his("POST", "heartbeat", enrolled.beat_body(), token="")
    assert refused.status == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
    assert code_of(refused) == "InvalidAuthenticationToken"
    assert enrolled.his("POST", "heartbeat", {}, token=enrolled.token[:-4] + "AAAA").status == 401
    # A token for another audience of the same machine.
    arm = enrolled.sign_in(audience="https://monitor.azure.com").json["access_token"]
    assert enrolled.his("POST", "heartbeat", enrolled.beat_body(), token=arm).status == 401
    # Another machine: as if there were none.
    other = FakeAgent(controlplane, "rg-service", unique + "-other").register().enrol()
    strange = enrolled.his("POST", "heartbeat", enrolled.beat_body(), token=other.token)
    assert strange.status == 404 and code_of(strange) == "MachineNotFound"
    unknown = other.call("POST", "hisEndpoint", "machines/00000000-0000-4000-8000-00000000dead/heartbeat",
                         enrolled.beat_body())
    assert (unknown.status, unknown.json["error"]) == (strange.status, strange.json["error"])
    # The administrator, for the same audience.
    answer = controlplane.sign_in(controlplane.admin_id, controlplane.admin_secret,
                                  controlplane.service_audience)
    if answer.status == 200:
        assert enrolled.desired().status == 200
        admin = enrolled.gas("GET", "desiredState", token=answer.json["access_token"])
        assert admin.status == 404


def test_every_service_route_refuses_strangers(enrolled):
    routes = [("POST", "hisEndpoint", "heartbeat"), ("PUT", "hisEndpoint", "properties"),
              ("PUT", "gasEndpoint", "settingsCertificate"), ("GET", "gasEndpoint", "desiredState"),
              ("PUT", "gasEndpoint", "report"), ("GET", "notificationEndpoint", "wait")]
    for method, base, route in routes:
        path = f"machines/{enrolled.vm_id}/{route}"
        assert enrolled.call(method, base, path, token="").status == 401, route
        assert enrolled.call(method, base, path, token="a.b.c").status == 401, route
    assert enrolled.cp.request("GET", "/packages/" + "0" * 64 + ".zip").status == 401


def test_a_heartbeat_makes_the_machine_connected(enrolled):
    before = enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]
    assert before["status"] != "Connected"
    answer = enrolled.beat()
    assert answer.status == 200
    assert answer.json["nextHeartbeatSeconds"] == 300 and answer.json["waitSeconds"] == 300
    assert answer.json["sendProperties"] is True and answer.json["sendReport"] is False
    assert answer.json["rotate"] is False
    after = enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]
    assert after["status"] == "Connected" and after["agentVersion"] == "0.1.0"


def test_properties_are_taken_from_a_list_of_names(enrolled):
    enrolled.beat()
    answer = enrolled.put_properties(osName="Debian", osType="linux", vmId="evil",
                                     detectedProperties={"coreCount": "2"},
                                     osProfile={"computerName": "box", "linuxConfiguration": {"x": 1}})
    assert answer.status == 200
    shown = enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]
    assert shown["osName"] == "Debian" and shown["vmId"] == enrolled.vm_id
    assert shown["osProfile"]["computerName"] == "box"
    assert "linuxConfiguration" not in shown["osProfile"]
    assert enrolled.beat().json["sendProperties"] is False
    enrolled.properties_hash = "p2"
    assert enrolled.beat().json["sendProperties"] is True
    assert enrolled.put_properties(osVersion="12").status == 200
    shown = enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]
    assert shown["osName"] == "Debian" and shown["osVersion"] == "12"


@pytest.mark.parametrize("change", [{"bootId": "short"}, {"bootId": "G" * 32}, {"sequence": 0},
                                    {"sequence": "1"}, {"fingerprint": {}}, {"status": "Fine"},
                                    {"fingerprint": {"machineId": "x", "smbiosUuid": "", "macs": ""}},
                                    {"sentAt": "now"}, {"agentVersion": ""}, {"propertiesHash": "x" * 65},
                                    {"errorDetails": [{"code": "", "message": "m"}]}])
def test_a_heartbeat_that_breaks_a_rule_is_refused(enrolled, change):
    answer = enrolled.beat(**change)
    assert answer.status == 400 and code_of(answer) == "InvalidRequestContent"


def test_bodies_over_their_limit_are_refused(enrolled):
    too_long = enrolled.beat_body(extra="x" * 5000)
    assert enrolled.his("POST", "heartbeat", too_long).status == 413
    assert enrolled.put_properties(osName="x" * 70000).status == 413
    assert enrolled.report([], filler="x" * (1 << 20)).status == 413


def test_errors_of_the_agent_are_shown(enrolled):
    enrolled.beat(status="Error", errorDetails=[{"code": "DiskFull", "message": "no space"}])
    shown = enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]
    assert shown["status"] == "Error"
    enrolled.beat()
    assert enrolled.cp.arm("GET", enrolled.resource_id).json["properties"]["status"] == "Connected"


def test_heartbeats_survive_a_restart_of_the_server(own_controlplane, unique):
    agent = FakeAgent(own_controlplane, "rg", unique).register().enrol()
    agent.beat()
    agent.put_properties(osName="Debian")
    own_controlplane.stop()
    own_controlplane.start()
    shown = own_controlplane.arm("GET", agent.resource_id).json["properties"]
    assert shown["status"] == "Connected" and shown["osName"] == "Debian"
    assert agent.beat().json["sendProperties"] is False


def test_the_desired_state_has_an_etag(enrolled):
    first = enrolled.desired()
    assert first.status == 200
    assert first.headers["ETag"] == f'"{first.json["revision"]}"'
    for name in ("extensions", "runCommands", "configurationAssignments", "dataCollectionRules"):
        assert first.json[name] == []
    assert first.json["settingsCertThumbprint"] is None
    assert len(first.json["trustBundle"]["certificates"]) == 1
    again = enrolled.desired(first.headers["ETag"])
    assert again.status == 304 and not again.body
    enrolled.cp.arm("PATCH", enrolled.resource_id, {"tags": {"env": "test"}})
    changed = enrolled.desired(first.headers["ETag"])
    assert changed.status == 200 and changed.json["tags"] == {"env": "test"}
    assert enrolled.beat().json["desiredStateRevision"] == changed.json["revision"]


def test_a_wait_ends_with_the_change(enrolled):
    revision = enrolled.desired().json["revision"]
    assert enrolled.wait("other").json["revision"] == revision
    start = time.monotonic()
    assert enrolled.wait(revision, 1).status == 204
    assert 0.9 < time.monotonic() - start < 10
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(enrolled.wait, revision, 60)
        deadline = time.monotonic() + 20
        n = 0
        while not waiting.done() and time.monotonic() < deadline:
            n += 1
            enrolled.cp.arm("PATCH", enrolled.resource_id, {"tags": {"n": str(n)}})
        answer = waiting.result(1)
    assert answer.status == 200 and answer.json["revision"] != revision


def test_a_second_wait_ends_the_first(enrolled):
    revision = enrolled.desired().json["revision"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waits = [pool.submit(enrolled.wait, revision, 8) for _ in range(2)]
        start = time.monotonic()
        done, _ = concurrent.futures.wait(waits, 6, concurrent.futures.FIRST_COMPLETED)
        assert done and time.monotonic() - start < 6
        assert [w.result(30).status for w in waits] == [204, 204]


def test_a_wait_without_revision_is_refused(enrolled):
    answer = enrolled.call("GET", "notificationEndpoint", f"machines/{enrolled.vm_id}/wait")
    assert answer.status == 400 and code_of(answer) == "InvalidRequestContent"


def test_a_deleted_machine_is_nobody(enrolled):
    enrolled.beat()
    assert enrolled.cp.arm("DELETE", enrolled.resource_id).status in (200, 204)
    assert enrolled.beat().status == 401
    assert enrolled.ask_certificate().status == 404


def test_two_boots_in_a_row_are_no_clone(enrolled):
    enrolled.beat()
    enrolled.boot_id, enrolled.sequence = "ab" * 16, 0
    assert enrolled.beat().json["rotate"] is False


def age_boots(controlplane, vm_id, ages):
    """Moves the first and last beat of each boot (in minutes before now) in the stored document."""
    now = int(time.time() * 1000)
    database = sqlite3.connect(controlplane.state / "controlplane.db")
    with database:
        [[text]] = database.execute("SELECT json FROM machine_docs WHERE vm_id = ? AND kind = 'heartbeat'",
                                    (vm_id,)).fetchall()
        document = json.loads(text)
        for boot in document["beats"]["boots"]:
            first, last = ages[boot["id"]]
            boot["first"], boot["last"] = now - first * 60000, now - last * 60000
        database.execute("UPDATE machine_docs SET json = ? WHERE vm_id = ? AND kind = 'heartbeat'",
                         (json.dumps(document), vm_id))
    database.close()


def test_a_clone_on_other_hardware_is_stopped_and_the_machine_rotates(own_controlplane, unique):
    agent = FakeAgent(own_controlplane, "rg", unique).register().enrol()
    agent.beat()
    clone = copy.copy(agent)
    clone.boot_id, clone.sequence = "ab" * 16, 0
    clone.fingerprint = {part: "cd" * 32 for part in agent.fingerprint}
    assert clone.beat().status == 200
    own_controlplane.stop()
    age_boots(own_controlplane, agent.vm_id, {agent.boot_id: (120, 10), clone.boot_id: (60, 60)})
    own_controlplane.start()
    refused = clone.beat()
    assert refused.status == 409 and code_of(refused) == "IdentityCloned"
    answer = agent.beat()
    assert answer.status == 200 and answer.json["rotate"] is True
    shown = own_controlplane.arm("GET", agent.resource_id).json["properties"]
    assert shown["status"] == "Connected" and shown["statusReason"] == "Cloned"
    # The rotation ends it: the clone has the old key.
    new = new_key()
    agent.take_certificate(agent.ask_certificate(agent.csr(new)))
    agent.token = agent.sign_in(new).json["access_token"]
    assert agent.beat().json["rotate"] is False
    shown = own_controlplane.arm("GET", agent.resource_id).json["properties"]
    assert not shown.get("statusReason")


def test_a_settings_certificate_must_be_rsa_and_self_signed(enrolled):
    from cryptography.hazmat.primitives.asymmetric import ec
    _, _, der = enrolled.settings_certificate(ec.generate_private_key(ec.SECP256R1()))
    answer = enrolled.put_settings_certificate(der)
    assert answer.status == 400
    leaf = enrolled.certificate.public_bytes(serialization.Encoding.DER)
    assert enrolled.put_settings_certificate(leaf).status == 400
    assert enrolled.gas("PUT", "settingsCertificate", {"certificate": "AAAA"}).status == 400


def test_the_settings_certificate_is_named_by_its_thumbprint(enrolled):
    from cryptography.hazmat.primitives import hashes
    _, certificate, der = enrolled.settings_certificate()
    answer = enrolled.put_settings_certificate(der)
    assert answer.status == 200
    assert answer.json["thumbprint"] == certificate.fingerprint(hashes.SHA1()).hex().upper()
    document = enrolled.desired()
    assert document.json["settingsCertThumbprint"] == answer.json["thumbprint"]
    enrolled.put_settings_certificate(der)
    assert enrolled.desired(document.headers["ETag"]).status == 304


def test_a_server_that_stops_ends_its_waits(own_controlplane, unique):
    agent = FakeAgent(own_controlplane, "rg", unique).register().enrol()
    revision = agent.desired().json["revision"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(agent.wait, revision, 60)
        concurrent.futures.wait([waiting], 1)
        start = time.monotonic()
        own_controlplane.stop()
        assert waiting.result(5).status == 204
    assert time.monotonic() - start < 5
