# SPDX-License-Identifier: Apache-2.0
"""The identity role and a real control plane: certificate, heartbeat, tokens, the two sockets."""
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import stat
import sys
import time
import uuid

import pytest
from harness.machine import CLOUD, Machine
from harness.process import TREE, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
import fault_proxy as fp  # noqa: E402

GROUP = "rg-identity"


def register(machine, controlplane):
    """What `mooring cloud register` leaves behind."""
    clouds = machine.path("/etc/mooring/clouds.d")
    clouds.mkdir(parents=True, exist_ok=True)
    (clouds / f"{CLOUD}.pem").write_text(pathlib.Path(controlplane.ca_file).read_text())
    (clouds / f"{CLOUD}.json").write_text(json.dumps({
        "schema": 1, "name": CLOUD, "resourceManager": controlplane.endpoint,
        "loginEndpoint": controlplane.endpoint,
        "tokenEndpoint": controlplane.endpoint + "/{tenant}/oauth2/v2.0/token",
        "armAudience": controlplane.arm_audience, "hisEndpoint": controlplane.endpoint + "/his",
        "serviceAudience": controlplane.service_audience,
        "ingestionAudience": "https://monitor.azure.com", "hostSuffixes": ["127.0.0.1", "localhost"]}))


def begin(machine, controlplane, name):
    """The ARM resource with the key the role made; the answer of begin."""
    vm_id = str(uuid.uuid4())
    group = controlplane.group(GROUP)
    resource = (f"/subscriptions/{controlplane.subscription}/resourceGroups/{group}/providers/"
                f"Microsoft.HybridCompute/machines/{name}")
    answer = machine.admin("POST", "/connect/begin", {"vmId": vm_id, "resourceId": resource})
    assert answer.status == 200, answer
    made = controlplane.arm("PUT", resource, {
        "location": controlplane.info["location"], "identity": {"type": "SystemAssigned"},
        "properties": {"vmId": vm_id, "clientPublicKey": answer.json["clientPublicKey"]}})
    assert made.status in (200, 201), made
    return vm_id, resource


def write_config(machine, controlplane, vm_id, resource):
    name = resource.rsplit("/", 1)[1]
    config = machine.state / "agentconfig.json"
    text = json.dumps({
        "schema": 1, "cloud": CLOUD, "tenantId": controlplane.tenant,
        "subscriptionId": controlplane.subscription, "resourceGroup": GROUP, "resourceName": name,
        "location": controlplane.info["location"], "resourceId": resource, "vmId": vm_id,
        "identityMode": "mooring"})
    (machine.state / "agentconfig.new").write_text(text)
    (machine.state / "agentconfig.new").rename(config)


def wire(machine, controlplane, name):
    """Connects over himds.sock, as the CLI does; the resource's id."""
    register(machine, controlplane)
    vm_id, resource = begin(machine, controlplane, name)
    write_config(machine, controlplane, vm_id, resource)
    answer = machine.admin("POST", "/connect/finish", {})
    assert answer.status == 200, answer
    return resource


def status(machine):
    return machine.admin("GET", "/status").json


def test_connect_ends_with_an_accepted_heartbeat(box, controlplane, unique):
    assert status(box)["connected"] is False
    resource = wire(box, controlplane, unique)
    told = status(box)
    assert told["status"] == "Connected" and told["connected"] is True, told
    assert told["resourceId"] == resource and told["lastHeartbeat"] and told["errorCode"] == ""
    seen = controlplane.arm("GET", resource).json["properties"]
    assert seen["status"] == "Connected", seen
    assert seen["osName"] and seen["agentVersion"] == told["agentVersion"]


def as_nobody(function, *arguments):
    """Calls it in a process of the user nobody; what it returned."""
    def child(pipe):
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        pipe.send(function(*arguments))
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    assert ours.poll(20), "no answer"
    answer = ours.recv()
    process.join(10)
    return answer


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


# The key


def test_key_is_durable_private_and_the_same_when_asked_again(box):
    vm_id, resource = str(uuid.uuid4()), "/subscriptions/s/resourceGroups/g/x"
    ask = {"vmId": vm_id, "resourceId": resource}
    first = box.admin("POST", "/connect/begin", ask).json
    assert first["vmId"] == vm_id
    folder = box.state / "certs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "identity.key").stat().st_mode) == 0o600
    box.restart_role("identity")
    assert box.admin("POST", "/connect/begin", ask).json == first
    other = box.admin("POST", "/connect/begin", {**ask, "vmId": str(uuid.uuid4())}).json
    assert other["clientPublicKey"] != first["clientPublicKey"]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"vmId":"x","resourceId":"/s"}',
                                  '{"vmId":"8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11"}'])
def test_broken_connect_requests_are_refused(box, body):
    answer = box.admin("POST", "/connect/begin", body)
    assert answer.status == 400 and answer.error_code == "bad input", answer


def test_finish_without_a_document_says_what_is_missing(box):
    answer = box.admin("POST", "/connect/finish", {})
    assert answer.status == 404 and "agentconfig.json" in answer.json["error"]["message"]


def test_connected_machine_is_not_connected_under_another_name(box, controlplane, unique):
    wire(box, controlplane, unique)
    answer = box.admin("POST", "/connect/begin",
                       {"vmId": str(uuid.uuid4()), "resourceId": "/subscriptions/s"})
    assert answer.status == 409 and "disconnect first" in answer.json["error"]["message"]


def test_finish_that_failed_can_be_repeated(box, own_controlplane, unique):
    register(box, own_controlplane)
    vm_id, resource = begin(box, own_controlplane, unique)
    own_controlplane.kill()
    write_config(box, own_controlplane, vm_id, resource)
    answer = box.admin("POST", "/connect/finish", {})
    assert answer.status == 503 and answer.error_code == "transient", answer
    assert status(box)["errorCode"] == "transient"
    own_controlplane.start()
    assert box.admin("POST", "/connect/finish", {}).status == 200
    assert status(box)["status"] == "Connected" and status(box)["errorCode"] == ""


# Who may


@needs_root
def test_other_users_read_the_status_and_nothing_else(box):
    assert as_nobody(lambda: box.admin("GET", "/status").status) == 200
    for path in ("/connect/begin", "/connect/finish", "/disconnect"):
        assert as_nobody(lambda p=path: box.admin("POST", p, {}).status) == 403
    for path in ("/token?resource=x", "/state?after="):
        assert as_nobody(lambda p=path: box.role_channel("GET", p).status) == 403
    assert as_nobody(lambda: box.role_channel("PUT", "/hashes", {}).status) == 403


@needs_root
def test_key_files_are_not_for_other_users(box, controlplane, unique):
    wire(box, controlplane, unique)
    path = "/metadata/identity/oauth2/token?api-version=2020-06-01&resource=x"
    realm = box.himds_get(path).headers["WWW-Authenticate"].split("=")[1]
    with pytest.raises(PermissionError):
        raise as_nobody(lambda: _error_of(realm))


def _error_of(path):
    try:
        pathlib.Path(path).read_text()
    except OSError as error:
        return error
    return AssertionError(f"{path} could be read")


# Tokens


def test_roles_get_the_audiences_they_need(box, controlplane, unique):
    assert box.role_channel("GET", "/token?resource=x").status == 503
    wire(box, controlplane, unique)
    for audience in (controlplane.service_audience, "https://monitor.azure.com"):
        answer = box.role_channel("GET", f"/token?resource={audience}")
        assert answer.status == 200, answer
        assert answer.json["access_token"] and answer.json["expires_on"] > time.time()
    assert box.role_channel("GET", "/token?resource=https://vault.example.com").status == 403


def test_restart_without_the_cloud_serves_cached_tokens(box, own_controlplane, unique):
    wire(box, own_controlplane, unique)
    token = box.token("https://vault.example.com")
    own_controlplane.kill()
    box.restart_role("identity")
    assert box.token("https://vault.example.com") == token
    answer = box.token_answer("https://other.example.com")
    assert answer.status == 503 and answer.headers["Retry-After"], answer
    own_controlplane.start()
    assert box.token("https://other.example.com")
    assert token not in (box.state / "certs/tokens.cache").read_bytes().decode("latin-1")


def test_first_token_comes_soon_after_the_start(box, controlplane, unique):
    wire(box, controlplane, unique)
    box.token("https://vault.example.com")
    box.kill_role("identity")
    started = time.monotonic()
    box.start_role("identity")
    box.token("https://vault.example.com")
    taken = time.monotonic() - started
    print(f"first token after {taken * 1000:.0f} ms")
    assert taken < 3  # a sanitized build; tests/bench measures the real one


# News


def test_change_of_the_desired_state_wakes_the_roles(box, controlplane, unique):
    resource = wire(box, controlplane, unique)
    state = box.role_channel("GET", "/state?after=").json
    assert state["connected"] and state["revision"]
    changed = controlplane.arm("PATCH", resource, {"tags": {"color": unique}})
    assert changed.status == 200, changed
    news = box.role_channel("GET", f"/state?after={state['state']}").json
    while news["revision"] == state["revision"]:  # a report that is wanted is news as well
        news = box.role_channel("GET", f"/state?after={news['state']}").json
    assert news["state"] != state["state"]


def test_report_is_wanted_until_its_hash_is_told(box, controlplane, unique):
    wire(box, controlplane, unique)
    if box.role_channel("GET", "/state?after=").json["reportWanted"]:
        assert box.role_channel("PUT", "/hashes", {"reportHash": "abc"}).status == 200
    assert box.role_channel("GET", "/state?after=").json["reportWanted"] is False


def test_tags_of_the_resource_reach_local_programs(connected, controlplane, unique):
    changed = controlplane.arm("PATCH", connected.resource_id, {"tags": {"color": unique}})
    assert changed.status == 200, changed

    def shown():
        path = "/metadata/instance/compute?api-version=2020-06-01"
        return connected.himds_get(path).json["tags"] == f"color:{unique}"
    wait_for(shown, 30, "the tag in the instance metadata")


# Documents come, change and go


def test_role_follows_agentconfig(box, controlplane, unique):
    wire(box, controlplane, unique)
    config = box.state / "agentconfig.json"
    text = config.read_text()
    config.unlink()
    wait_for(lambda: status(box)["connected"] is False, what="the role to notice")
    assert box.himds_get("/metadata/instance?api-version=2019-11-01").status == 503
    config.write_text(text[:40])
    wait_for(lambda: "agentconfig.json" in status(box)["errorDetails"], what="the complaint")
    config.write_text(text)
    wait_for(lambda: status(box)["connected"], what="the role to go on")
    assert box.token("https://vault.example.com")


def test_disconnect_wipes_what_is_secret(box, controlplane, unique):
    wire(box, controlplane, unique)
    box.token("https://vault.example.com")
    assert box.admin("POST", "/disconnect", {}).status == 200
    assert list((box.state / "certs").iterdir()) == []
    assert box.token_answer("https://vault.example.com").status == 503
    assert box.admin("POST", "/disconnect", {}).status == 200
    (box.state / "agentconfig.json").unlink()
    wait_for(lambda: status(box)["errorCode"] == "", what="the role to notice")
    wire(box, controlplane, unique + "b")
    assert status(box)["status"] == "Connected"


def test_deleted_machine_says_so(box, controlplane, unique):
    resource = wire(box, controlplane, unique)
    assert controlplane.arm("DELETE", resource).status in (200, 202, 204)
    answer = box.admin("POST", "/connect/finish", {})
    assert answer.status in (403, 404, 502), answer
    assert status(box)["errorCode"] in ("MachineNotFound", "unauthorized_client"), status(box)


def test_kill_at_any_moment_of_connect_leaves_a_way_on(box, controlplane, unique, seeded):
    register(box, controlplane)
    for attempt in range(6):
        vm_id, resource = begin(box, controlplane, f"{unique}-{attempt}")
        write_config(box, controlplane, vm_id, resource)
        time.sleep(seeded.random() * 0.05)  # the moment is the point of this test
        box.restart_role("identity")
        assert box.admin("POST", "/connect/finish", {}).status == 200
        assert box.admin("POST", "/disconnect", {}).status == 200
        (box.state / "agentconfig.json").unlink()
        wait_for(lambda: status(box)["errorCode"] == "", what="the role to notice")


# Rotation


def test_year_old_key_is_rotated(box, controlplane, unique):
    resource = wire(box, controlplane, unique)
    token = box.token("https://vault.example.com")
    before = (box.state / "certs/identity.key").read_bytes()
    document = box.state / "certs/identity.json"
    box.kill_role("identity")
    text = json.loads(document.read_text())
    text["keyMade"] = "2020-01-01T00:00:00Z"
    document.write_text(json.dumps(text))
    box.start_role("identity")
    assert box.admin("POST", "/connect/finish", {}).status == 200
    assert (box.state / "certs/identity.key").read_bytes() != before
    assert not list((box.state / "certs").glob("next.*"))
    assert box.token("https://vault.example.com") == token  # the cache came along
    assert box.token("https://other.example.com")
    box.restart_role("identity")
    assert box.token("https://vault.example.com") == token
    assert box.admin("POST", "/connect/finish", {}).status == 200
    machine = controlplane.arm("GET", resource).json
    assert machine["properties"]["status"] == "Connected"
    assert "key.rotated" in box.roles["identity"].log_text()


# Faults on the way


TOKEN, DISCOVERY, CERTIFICATE, BEAT = ("/oauth2/v2.0/token", "/his/discovery", "/certificate",
                                       "/heartbeat")


@pytest.mark.parametrize("call", [DISCOVERY, CERTIFICATE, TOKEN, BEAT])
@pytest.mark.parametrize("fault,code", [
    (fp.status(500), "transient"), (fp.status(404), "transient"), (fp.close(), "transient"),
    (fp.garbage(), "unreadable answer"), (fp.cut(), "transient"),
    (fp.service_error(503, "ServiceUnavailable", {"Retry-After": "1"}), "transient"),
    (fp.service_error(429, "TooManyRequests", {"Retry-After": "1"}), "throttled")],
    ids=lambda value: getattr(value, "name", value))
def test_faults_are_named_and_overcome(workspace, proxied, unique, call, fault, code):
    controlplane, proxy = proxied
    box = Machine(workspace)
    box.start("identity")
    try:
        register(box, controlplane)
        vm_id, resource = begin(box, controlplane, unique)
        proxy.fault(call, fault)
        write_config(box, controlplane, vm_id, resource)
        answer = box.admin("POST", "/connect/finish", {})
        told = status(box)
        if not (call == TOKEN and fault.name.startswith("status 404")):
            assert answer.error_code == code, answer
        assert told["errorCode"] and told["errorDetails"], told
        proxy.clear()
        assert box.admin("POST", "/connect/finish", {}).status == 200
        assert status(box)["status"] == "Connected" and status(box)["errorCode"] == ""
    finally:
        box.stop()


def test_lost_answers_do_no_harm(box, proxied, unique):
    controlplane, proxy = proxied
    register(box, controlplane)
    vm_id, resource = begin(box, controlplane, unique)
    for call in (CERTIFICATE, TOKEN, BEAT):
        proxy.fault(call, fp.lose_reply(), times=1)
    write_config(box, controlplane, vm_id, resource)
    for _ in range(3):
        box.admin("POST", "/connect/finish", {})
    assert box.admin("POST", "/connect/finish", {}).status == 200
    beats = [json.loads(body) for line, _, body in proxy.requests if BEAT in line]
    assert beats[0]["sequence"] == beats[1]["sequence"] == 1
    assert beats[0]["sentAt"] == beats[1]["sentAt"]


def test_one_sign_in_serves_all_callers(box, proxied, unique):
    controlplane, proxy = proxied
    wire(box, controlplane, unique)
    before = proxy.count(TOKEN)
    proxy.fault(TOKEN, fp.delay(1), times=1)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: box.token_answer("https://one.example.com"), range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["access_token"] for answer in answers}) == 1
    assert proxy.count(TOKEN) == before + 1


def test_key_can_be_sent_again_after_a_failure_that_may_pass(box, proxied, unique):
    controlplane, proxy = proxied
    wire(box, controlplane, unique)
    proxy.fault(TOKEN, fp.status(503), times=1)
    path = "/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://a.example.com"
    realm = pathlib.Path(box.himds_get(path).headers["WWW-Authenticate"].split("=")[1])
    headers = {"Metadata": "true", "Authorization": f"Basic {realm.read_text()}"}
    assert box.himds_get(path, headers).status == 503
    assert box.himds_get(path, headers).status == 200
    assert not realm.exists()


def test_token_goes_to_the_registered_cloud_only(box, proxied, unique):
    controlplane, proxy = proxied
    register(box, controlplane)
    vm_id, resource = begin(box, controlplane, unique)
    elsewhere = {"hisEndpoint": "https://evil.example.net/his", "gasEndpoint": proxy.url,
                 "notificationEndpoint": proxy.url, "ingestionEndpoint": proxy.url,
                 "serverTime": "2026-11-22T17:19:30Z"}
    proxy.fault(DISCOVERY, fp.status(200, elsewhere))
    write_config(box, controlplane, vm_id, resource)
    answer = box.admin("POST", "/connect/finish", {})
    assert answer.status == 403 and "evil.example.net" in answer.json["error"]["message"]
    assert proxy.count(CERTIFICATE) == 0
