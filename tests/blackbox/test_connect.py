# SPDX-License-Identifier: Apache-2.0
"""`mooring cloud register`, `connect`, `check`, `disconnect`: what goes over the wire, what is
written, and that a failure leaves nothing behind."""
import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from harness.machine import Machine
from harness.process import TREE, program, wait_for

sys.path.insert(0, str(TREE / "tests/fakes"))
import fault_proxy  # noqa: E402
from fake_cloud import (CLIENT, PRINCIPAL, PUBLIC_KEY, SUBSCRIPTION, TENANT,  # noqa: E402
                        Authority, FakeCloud, FakeHimds)
from fault_proxy import FaultProxy  # noqa: E402

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
MACHINE = f"{GROUP}/providers/Microsoft.HybridCompute/machines/web01"
ADMIN = "ca0567c2-d52c-40d3-8d92-011ee7d9b821"


@pytest.fixture
def cloud(workspace):
    with FakeCloud(workspace.path / "cloud") as fake:
        yield fake


@pytest.fixture
def box(workspace):
    return Machine(workspace)


@pytest.fixture
def himds(box):
    with FakeHimds(box.root) as fake:
        yield fake


@pytest.fixture
def ready(box, cloud, himds):
    """The cloud is registered and the identity role answers."""
    box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file", cloud.authority.ca_file)
    cloud.requests.clear()
    return box


@pytest.fixture
def secret(workspace, cloud):
    path = workspace.path / "secret"
    path.write_text(cloud.secret + "\n")
    path.chmod(0o600)
    return path


def arguments(secret, **changes):
    options = {"--subscription-id": SUBSCRIPTION, "--resource-group": "rg", "--location": "West US",
               "--tenant-id": TENANT, "--resource-name": "web01", "--service-principal-id": ADMIN,
               "--service-principal-secret-file": secret, **changes}
    return ["connect", *(str(x) for pair in options.items() if pair[1] is not None for x in pair)]


def number(done):
    found = re.findall(r"^error: AZCM(\d{4})", done.stderr, re.M)
    assert [int(n) for n in found] == ([done.returncode] if done.returncode else []), done
    return done.returncode


def clouds_file(box, name):
    return box.path("/etc/mooring/clouds.d") / name


# cloud register


def test_register_stores_the_endpoints_and_the_ca(box, cloud):
    done = box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file",
                       cloud.authority.ca_file)
    assert cloud.authority.sha256 in done.stdout
    document = json.loads(clouds_file(box, "Fake.json").read_text())
    assert document["resourceManager"] == cloud.url
    assert document["tokenEndpoint"] == cloud.url + "/{tenant}/oauth2/v2.0/token"
    assert document["armAudience"] == "https://management.azure.com/"
    assert document["serviceAudience"] == cloud.mooring["audience"]
    assert document["metadata"] == cloud.metadata()
    assert clouds_file(box, "Fake.pem").read_bytes() == cloud.authority.ca_file.read_bytes()
    assert cloud.seen("GET /metadata/endpoints")[0].query == {"api-version": "2022-09-01"}
    assert sorted(p.name for p in clouds_file(box, "").iterdir()) == ["Fake.json", "Fake.pem"]


def test_an_unknown_issuer_is_refused_and_its_fingerprint_can_be_pinned(box, cloud):
    done = box.mooring("cloud", "register", "Fake", cloud.url, check=False)
    assert number(done) == 75
    assert cloud.authority.sha256 in done.stderr
    assert "ca fingerprint" in done.stderr
    assert not clouds_file(box, "Fake.json").exists()
    assert cloud.requests == []

    pin = cloud.authority.sha256.upper()
    pin = ":".join(pin[i:i + 2] for i in range(0, 64, 2))
    box.mooring("cloud", "register", "Fake", cloud.url, "--ca-sha256", pin)
    assert "BEGIN CERTIFICATE" in clouds_file(box, "Fake.pem").read_text()


def test_a_server_of_the_chosen_ca_that_is_no_more_than_unwell_is_not_blamed_for_its_issuer(box, cloud):
    tls = (cloud.authority.chain_file, cloud.authority.chain_file)
    with FaultProxy(("127.0.0.1", 1), tls=tls) as proxy:
        proxy.fault("/metadata/endpoints", fault_proxy.close())
        for trust in ("--ca-file", cloud.authority.ca_file), ("--ca-sha256", cloud.authority.sha256):
            done = box.mooring("cloud", "register", "Fake", proxy.url, *trust, check=False)
            assert number(done) == 26
            assert "fingerprint" not in done.stderr and "SHA-256" not in done.stderr, done.stderr
        assert proxy.count("GET /metadata") >= 2


def test_a_server_of_the_chosen_ca_under_another_name_is_refused_for_its_name(box, workspace):
    with FakeCloud(workspace.path / "other", host="elsewhere.example") as cloud:
        done = box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file",
                           cloud.authority.ca_file, check=False)
    assert number(done) == 75
    assert "localhost" in done.stderr and "SHA-256" not in done.stderr, done.stderr


def test_a_cloud_whose_ca_is_another_by_now_is_not_asked_again_and_again(ready, cloud, himds, secret,
                                                                         workspace):
    other = Authority(workspace.path / "other")
    clouds_file(ready, "Fake.pem").write_bytes(other.ca_file.read_bytes())
    before = cloud.connections
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == 26
    assert "certificate" in done.stderr
    assert cloud.connections == before + 1 and cloud.requests == []


def test_a_new_principal_and_its_rights_are_waited_for(ready, cloud, himds, secret):
    cloud.unknown, cloud.without_right = 2, 2
    done = ready.mooring(*arguments(secret), timeout=120)
    assert done.stdout.startswith("Connected: ")
    assert "the service principal is not known yet" in done.stderr and "AADSTS700016" in done.stderr
    assert "the new service principal has no right yet" in done.stderr
    assert len(cloud.seen("POST .*/token")) == 3


def test_a_principal_that_never_comes_ends_with_the_time_limit(ready, cloud, himds, secret):
    cloud.unknown = 1000
    done = ready.mooring(*arguments(secret, **{"--timeout": 3}), check=False, timeout=120)
    assert number(done) == 62 and "AADSTS700016" in done.stderr
    assert "time limit" in done.stderr


def test_a_missing_right_of_an_old_principal_is_told_at_once(ready, cloud, himds, secret):
    cloud.without_right = 1
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == 42 and "AuthorizationFailed" in done.stderr
    assert len(cloud.seen("GET .*/machines/")) == 1


def test_another_fingerprint_than_the_offered_one_is_refused(box, cloud):
    done = box.mooring("cloud", "register", "Fake", cloud.url, "--ca-sha256", "ab" * 32,
                       check=False)
    assert number(done) == 75
    assert cloud.authority.sha256 in done.stderr
    assert cloud.requests == []


@pytest.mark.parametrize("pem", ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_ca_file_without_a_certificate_is_refused(box, cloud, workspace, pem):
    path = workspace.path / "bad.pem"
    path.write_text(pem)
    done = box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file", path, check=False)
    assert number(done) == 23
    assert cloud.requests == []


@pytest.mark.parametrize("spoil, text", [
    (lambda m: m.pop("resourceManager"), "resourceManager: missing"),
    (lambda m: m.pop("authentication"), "authentication: missing"),
    (lambda m: m["authentication"].update(audiences=[]), "audiences"),
    (lambda m: m.update(resourceManager="http://localhost"), "resourceManager: want https"),
    (lambda m: m["mooring"].update(galleryCertificates=["MAA="]), "galleryCertificates[0]"),
])
def test_metadata_that_breaks_a_rule_registers_nothing(box, cloud, spoil, text):
    good = cloud.metadata()
    spoil(good)
    cloud.metadata = lambda: good
    done = box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file",
                       cloud.authority.ca_file, check=False)
    assert done.returncode != 0
    assert text in done.stderr
    assert not clouds_file(box, "Fake.json").exists()


def test_a_removed_cloud_leaves_nothing(ready):
    ready.mooring("cloud", "remove", "fake")
    assert list(clouds_file(ready, "").iterdir()) == []


# connect


def test_connect_sends_what_the_service_needs(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret, **{"--tags": "a=b,C='x, y'",
                                        "--correlation-id": TENANT}))
    assert [repr(r) for r in cloud.requests] == [
        f"POST /{TENANT}/oauth2/v2.0/token", f"GET {MACHINE}", f"GET {GROUP}", f"PUT {GROUP}",
        f"PUT {MACHINE}"]
    token, _, _, group, machine = cloud.requests
    assert token.form == {"grant_type": "client_credentials", "client_id": ADMIN,
                          "client_secret": cloud.secret,
                          "scope": "https://management.azure.com//.default"}
    assert group.json == {"location": "westus"}
    assert machine.query == {"api-version": "2024-07-10"}
    assert machine.headers["x-ms-correlation-request-id"] == TENANT
    body = machine.json
    assert body["location"] == "westus"
    assert body["tags"] == {"a": "b", "C": "x, y"}
    assert body["identity"]["type"] == "SystemAssigned"
    assert body["properties"]["clientPublicKey"] == PUBLIC_KEY
    assert body["properties"]["osType"] == "linux"
    vm_id = body["properties"]["vmId"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", vm_id)

    assert [repr(r) for r in himds.requests] == ["GET /status", "POST /connect/begin",
                                                 "POST /connect/finish"]
    assert himds.requests[1].json == {"vmId": vm_id, "resourceId": MACHINE}
    assert ready.config == {
        "schema": 1, "cloud": "Fake", "tenantId": TENANT, "subscriptionId": SUBSCRIPTION,
        "resourceGroup": "rg", "resourceName": "web01", "location": "westus",
        "resourceId": MACHINE, "vmId": vm_id, "clientId": CLIENT, "principalId": PRINCIPAL,
        "identityMode": "mooring", "correlationId": TENANT}
    assert (ready.state / "agentconfig.json").stat().st_mode & 0o777 == 0o644
    assert not (ready.state / "connect.pending.json").exists()


def test_the_answer_is_one_object_and_the_steps_are_events(ready, secret):
    done = ready.mooring(*arguments(secret), "-j")
    answer = json.loads(done.stdout)
    assert answer["status"] == "Connected" and answer["resourceId"] == MACHINE
    assert answer["portalPage"].endswith(MACHINE)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [e["step"] for e in events if e["status"] == "done"] == [
        "service", "signIn", "subscription", "conflict", "resourceGroup", "key", "resource",
        "config", "identity"]


def test_steps_are_plain_lines_when_nobody_watches(ready, secret):
    done = ready.mooring(*arguments(secret))
    assert "\x1b" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 9
    assert all(re.fullmatch(r"\[\d/9\] .+ \.\.\. done \(\d+\.\d s\)", line) for line in lines)
    assert done.stdout == f"Connected: {MACHINE}\n"


def test_connecting_again_with_the_same_parameters_changes_nothing(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret))
    before = (ready.state / "agentconfig.json").read_bytes()
    cloud.requests.clear()
    done = ready.mooring(*arguments(secret))
    assert done.stdout == f"Machine is already connected: {MACHINE}\n"
    assert cloud.requests == []
    assert (ready.state / "agentconfig.json").read_bytes() == before


@pytest.mark.parametrize("change", [{"--resource-name": "web02"}, {"--resource-group": "rg2"},
                                    {"--subscription-id": TENANT}])
def test_connecting_as_something_else_is_refused(ready, secret, change):
    ready.mooring(*arguments(secret))
    done = ready.mooring(*arguments(secret, **change), check=False)
    assert number(done) == 67
    assert MACHINE in done.stderr


def test_a_resource_of_that_name_is_a_conflict_and_stays(ready, cloud, himds, secret):
    cloud.groups.add(GROUP)
    cloud.machines[MACHINE] = {"properties": {"vmId": TENANT}}
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == 44
    assert cloud.seen("PUT|DELETE") == []
    assert himds.seen("POST") == []
    assert MACHINE in cloud.machines


def test_a_subscription_may_be_given_by_name(ready, cloud, secret):
    ready.mooring(*arguments(secret, **{"--subscription-id": "lab"}))
    assert ready.config["subscriptionId"] == SUBSCRIPTION
    assert cloud.seen("GET /subscriptions$")


def test_an_unknown_subscription_name_has_its_number(ready, secret):
    done = ready.mooring(*arguments(secret, **{"--subscription-id": "nope"}), check=False)
    assert number(done) == 68


@pytest.mark.parametrize("where, code, expected", [
    ("POST /.*/token", 401, 41),
    (f"GET {MACHINE}", 403, 42),
    (f"PUT {GROUP}$", 403, 42),
    (f"PUT {MACHINE}", 400, 42),
])
def test_a_refusal_of_the_cloud_leaves_nothing(ready, cloud, himds, secret, where, code, expected):
    cloud.fail(where, code, "AuthorizationFailed", "the canary sentence")
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == expected
    assert "the canary sentence" in done.stderr and "AuthorizationFailed" in done.stderr
    assert "request id: 00000000-0000-4000-8000-000000000001" in done.stderr
    nothing_is_left(ready, cloud, himds)


def nothing_is_left(box, cloud, himds):
    assert not (box.state / "agentconfig.json").exists()
    assert not (box.state / "connect.pending.json").exists()
    assert cloud.machines == {}
    if himds.seen("POST /connect/begin"):
        assert himds.seen("POST /disconnect")


@pytest.mark.parametrize("where, expected", [("/connect/begin", 103), ("/connect/finish", 81)])
def test_a_failure_of_the_identity_role_is_undone(ready, cloud, himds, secret, where, expected):
    himds.fail(where, 500, "Internal", "no entropy today")
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == expected
    assert "no entropy today" in done.stderr
    assert "remains: the new resource group" in done.stderr
    nothing_is_left(ready, cloud, himds)


def test_what_cannot_be_undone_is_named_and_the_next_run_goes_on(ready, cloud, himds, secret):
    himds.fail("/connect/finish", 500, "Internal")
    cloud.fail(f"DELETE {MACHINE}", 403, "AuthorizationFailed")
    done = ready.mooring(*arguments(secret), check=False)
    assert number(done) == 81
    assert f"remains: {MACHINE}" in done.stderr
    first = cloud.machines[MACHINE]["properties"]["vmId"]

    himds.failures.clear()
    ready.mooring(*arguments(secret))
    assert ready.config["vmId"] == first
    assert not (ready.state / "connect.pending.json").exists()


def test_a_run_killed_before_its_last_step_is_finished_by_the_next(ready, cloud, himds, secret):
    block = himds.route
    started = []

    def stop_at_finish(request):
        if request.path == "/connect/finish" and not started:
            started.append(child.pid)
            child.kill()
        return block(request)
    himds.route = stop_at_finish
    child = subprocess.Popen([program("mooring"), *arguments(secret)], env=ready.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert child.wait(30) == -signal.SIGKILL
    himds.status = "Disconnected"
    done = ready.mooring(*arguments(secret))
    assert done.stdout == f"Connected: {MACHINE}\n"
    assert len(cloud.seen(f"PUT {MACHINE}")) == 1


@pytest.mark.parametrize("when", ["answered", "lost"])
@pytest.mark.parametrize("where", ["POST .*/token", f"GET {MACHINE}", f"PUT {GROUP}$",
                                   "POST /connect/begin", f"PUT {MACHINE}",
                                   "POST /connect/finish"])
def test_a_run_killed_anywhere_is_finished_by_the_next(ready, cloud, himds, secret, where, when):
    killed = []

    def kill_at(answer):
        def route(request):
            if re.search(where, repr(request)) and not killed:
                killed.append(request)
                reply = answer(request) if when == "answered" else (500, None)
                child.kill()
                child.wait(10)
                return reply
            return answer(request)
        return route
    cloud.route, himds.route = kill_at(cloud.route), kill_at(himds.route)
    child = subprocess.Popen([program("mooring"), *arguments(secret)], env=ready.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert child.wait(30) == -signal.SIGKILL
    ready.mooring(*arguments(secret))
    assert list(cloud.machines) == [MACHINE]
    assert cloud.machines[MACHINE]["properties"]["vmId"] == ready.config["vmId"]
    assert himds.status == "Connected"
    assert not (ready.state / "connect.pending.json").exists()


def test_an_interrupt_is_undone_and_has_its_number(ready, cloud, himds, secret):
    answer = himds.route

    def interrupt(request):
        if request.path == "/connect/finish":
            child.send_signal(signal.SIGINT)
            wait_for(lambda: cloud.seen("DELETE"), what="the resource to be deleted")
        return answer(request)
    himds.route = interrupt
    himds.lock = type("NoLock", (), {"__enter__": lambda s: s, "__exit__": lambda *a: None})()
    child = subprocess.Popen([program("mooring"), *arguments(secret)], env=ready.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 11, err
    assert out == ""
    nothing_is_left(ready, cloud, himds)


def test_without_the_identity_role_nothing_is_sent(box, cloud, secret):
    box.mooring("cloud", "register", "Fake", cloud.url, "--ca-file", cloud.authority.ca_file)
    cloud.requests.clear()
    done = box.mooring(*arguments(secret), check=False)
    assert number(done) == 64
    assert cloud.requests == []


def test_a_cloud_whose_ca_is_another_gets_no_secret(ready, cloud, secret, workspace):
    with FakeCloud(workspace.path / "other") as other:
        text = clouds_file(ready, "Fake.json").read_text()
        clouds_file(ready, "Fake.json").write_text(text.replace(cloud.url, other.url))
        done = ready.mooring(*arguments(secret), check=False, timeout=120)
        assert number(done) == 26
        assert other.requests == []


# secrets


def test_secrets_come_from_a_file_standard_input_or_the_environment(ready, cloud, secret):
    def again(**options):
        ready.mooring("disconnect", "--force-local-only")
        cloud.machines.clear()
        return ready.mooring(*arguments(options.pop("file", None)), **options)
    again(file=secret)
    again(file="-", stdin=cloud.secret)
    again(env={"MOORING_SERVICE_PRINCIPAL_SECRET": cloud.secret})


def test_a_secret_on_the_command_line_is_taken_with_a_warning(ready, cloud):
    done = ready.mooring(*arguments(None), "-p", cloud.secret)
    assert "warning: a secret on the command line" in done.stderr


@pytest.mark.parametrize("option, value", [("-p", "open sesame"), ("--access-token", "arm-canary")])
def test_a_secret_on_the_command_line_is_wiped_there(ready, cloud, option, value):
    looks, answer = [], cloud.route

    def look(request):
        looks.append(open(f"/proc/{child.pid}/cmdline", "rb").read())
        return answer(request)
    cloud.route = look
    options = {} if option == "-p" else {"--service-principal-id": None}
    child = subprocess.Popen([program("mooring"), *arguments(None, **options), option, value],
                             env=ready.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert child.wait(60) == 0
    assert looks and not any(value.encode() in line for line in looks)


def test_an_access_token_on_the_command_line_is_taken_with_a_warning(ready, cloud):
    done = ready.mooring(*arguments(None, **{"--service-principal-id": None}), "--access-token",
                         "arm-canary")
    assert "--access-token-file" in done.stderr and "arm-canary" not in done.stderr
    assert not cloud.seen("/token$")


def test_an_access_token_from_a_file_replaces_the_sign_in(ready, cloud):
    options = {"--service-principal-id": None, "--access-token-file": "-"}
    ready.mooring(*arguments(None, **options), stdin="arm-canary\n")
    assert not cloud.seen("/token$")
    assert ready.config["tenantId"] == TENANT


@pytest.mark.parametrize("options, expected", [
    ({"--service-principal-id": None}, 16), ({}, 16), ({"--tenant-id": None}, 16),
    ({"--tenant-id": "x"}, 23), ({"--service-principal-id": "x"}, 23),
    ({"--resource-name": "web-"}, 23), ({"--tags": "a='b"}, 23), ({"--location": "a/b"}, 23),
])
def test_wrong_parameters_send_nothing(ready, cloud, options, expected):
    secret = {"MOORING_SERVICE_PRINCIPAL_SECRET": "x"} if "--tenant-id" in options else {}
    done = ready.mooring(*arguments(None, **options), check=False, env=secret)
    assert number(done) == expected
    assert cloud.requests == []


def test_no_secret_reaches_any_output_or_file(ready, cloud, himds, secret, workspace):
    outputs = []
    for extra in ([], ["-v"], ["-j"]):
        outputs.append(ready.mooring(*arguments(secret), *extra))
        outputs.append(ready.mooring("show", "-j"))
        outputs.append(ready.mooring("disconnect", "-i", ADMIN, "--service-principal-secret-file",
                                     secret, *extra))
    cloud.fail("PUT .*/machines/", 400, "Bad")
    outputs.append(ready.mooring(*arguments(secret), "-v", check=False))
    cloud.secret = "another"
    outputs.append(ready.mooring(*arguments(secret), check=False))
    written = [p.read_bytes() for p in ready.root.rglob("*") if p.is_file()]
    for canary in ("open sesame", "arm-canary"):
        assert not any(canary in d.stdout + d.stderr for d in outputs)
        assert not any(canary.encode() in text for text in written)


# options from a file, and those that scripts bring


def options_file(workspace, name, text):
    path = workspace.path / name
    path.write_text(text)
    path.chmod(0o600)
    return path


AS_JSON = json.dumps({"subscription-id": SUBSCRIPTION, "resource-group": "rg", "tags": ["a=b", "c=d"],
                      "location": "West US", "tenant-id": TENANT, "resource-name": "web01",
                      "service-principal-id": ADMIN, "service-principal-secret": "open sesame",
                      "use-azcli": False, "correlation-id": None})
AS_YAML = f"""# how this machine joins
subscription-id: {SUBSCRIPTION}
resource-group: rg
location: West US
tenant-id: '{TENANT}'
resource-name: "web01"
tags:
  - a=b
  - c=d
service-principal-id: {ADMIN}
service-principal-secret: open sesame
"""


@pytest.mark.parametrize("name, text", [("options.json", AS_JSON), ("options.yaml", AS_YAML)])
def test_options_may_come_from_a_file(ready, cloud, workspace, name, text):
    file = options_file(workspace, name, text)
    done = ready.mooring("connect", "--config", file)
    assert "warning" not in done.stderr  # the secret was in no command line
    body = cloud.seen(f"PUT {MACHINE}")[0].json
    assert body["tags"] == {"a": "b", "c": "d"} and body["location"] == "westus"
    done = ready.mooring("disconnect", "--config", file)
    assert done.stdout == "Machine is disconnected\n"


def test_the_command_line_wins_over_the_file(ready, cloud, workspace):
    file = options_file(workspace, "options.yaml", AS_YAML)
    ready.mooring("connect", "--config", file, "-n", "web02", "--tags", "")
    assert ready.config["resourceName"] == "web02"
    assert cloud.seen("PUT .*/machines/web02")[0].json["tags"] == {}


@pytest.mark.parametrize("text, expected, said", [
    (None, 19, "No such file"), ("resource-gruop: rg\n", 23, "resource-gruop: no such option"),
    ("use-azcli: maybe\n", 23, "use-azcli: want true or false"),
    ("config: other\n", 23, "config: no such option"), ("a: {b: c}\n", 23, "line 1: want a scalar"),
    ("{", 23, "line 1"), ("tags: '" + "x" * 70000 + "'\n", 23, ""),
])
def test_a_file_with_a_mistake_is_refused_and_nothing_is_sent(ready, cloud, workspace, text,
                                                              expected, said):
    file = options_file(workspace, "o", text) if text is not None else workspace.path / "none"
    done = ready.mooring("connect", "--config", file, check=False)
    assert number(done) == expected and said in done.stderr
    assert cloud.requests == []


def test_what_the_reference_has_and_scripts_bring(ready, cloud, secret):
    scope = f"{GROUP}/providers/Microsoft.HybridCompute/privateLinkScopes/pls"
    for extra, expected in ((["--gateway-id", "/x"], 3), (["--automanage-profile", "/x"], 3),
                            (["--private-link-scope", "x"], 23), (["--timeout", "0"], 23)):
        done = ready.mooring(*arguments(secret), *extra, check=False)
        assert number(done) == expected and extra[0] in done.stderr
    assert cloud.requests == []
    ready.mooring(*arguments(secret), "--ignore-network-check", "--skip-network-check",
                  "--use-aws-ec2-hostname", "--enable-automatic-upgrade",
                  "--private-link-scope", scope)
    body = cloud.seen(f"PUT {MACHINE}")[0].json
    assert body["properties"]["privateLinkScopeResourceId"] == scope


def test_the_whole_command_has_a_time_limit_and_undoes_itself(ready, cloud, himds, secret):
    answer, gone = cloud.route, threading.Event()
    cloud.lock = himds.lock = type("NoLock", (), {"__enter__": lambda s: s,
                                                  "__exit__": lambda *a: None})()

    def slow(request):
        if request.method == "PUT" and "/machines/" in request.path:
            reply = answer(request)
            gone.wait(60)
            return reply
        return answer(request)
    cloud.route = slow
    done = ready.mooring(*arguments(secret), "--timeout", "3", check=False)
    gone.set()
    assert number(done) == 62 and "time limit" in done.stderr
    assert not (ready.state / "agentconfig.json").exists()


# check, show, disconnect


def test_check_names_each_endpoint_with_its_tls_version(ready, cloud):
    document = json.loads(ready.mooring("check", "-j").stdout)
    assert document["allReachable"] is True and document["cloud"] == "Fake"
    for endpoint in document["endpoints"]:
        assert endpoint["reachable"] and endpoint["private"]
        assert endpoint["tls"] == "TLSv1.3" and len(endpoint["certificates"]) == 2
        assert abs(endpoint["clockSkewMs"]) < 60000
    table = ready.mooring("check").stdout.splitlines()
    assert [c.strip() for c in table[0].split("|")] == ["ENDPOINT", "REACHABLE", "PRIVATE", "TLS",
                                                        "PROXY"]
    assert len(table) == 1 + len(document["endpoints"])


def test_check_tells_a_refused_connection_from_a_wrong_issuer(ready, cloud, workspace):
    with FakeCloud(workspace.path / "other") as other:
        path = clouds_file(ready, "Fake.json")
        document = json.loads(path.read_text())
        document["loginEndpoint"] = other.url
        document["hisEndpoint"] = "https://localhost:1/his"
        path.write_text(json.dumps(document))
        done = ready.mooring("check", "-j", check=False)
    assert done.returncode == 26
    found = {e["name"]: e for e in json.loads(done.stdout)["endpoints"]}
    assert found["resourceManager"]["reachable"]
    assert found["login"]["reached"] == "tls" and not found["login"]["reachable"]
    assert "certificate" in found["login"]["error"]
    assert found["his"]["reached"] == "name" and found["his"]["tls"] == "unknown"


def test_show_has_the_keys_that_scripts_read(ready, secret):
    ready.mooring(*arguments(secret))
    answer = ready.show()
    assert answer["status"] == "Connected" and answer["resourceId"] == MACHINE
    for key in ("lastHeartbeat", "agentVersion", "resourceName", "resourceGroup", "subscriptionId",
                "tenantId", "location", "cloud", "httpsProxy", "upstreamProxy", "vmId"):
        assert key in answer
    assert re.search(rf"^Resource Id +: {MACHINE}$", ready.mooring("show").stdout, re.M)


def test_disconnect_deletes_the_resource_then_the_identity(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret))
    done = ready.mooring("disconnect", "-i", ADMIN, "--service-principal-secret-file", secret)
    assert done.stdout == "Machine is disconnected\n"
    nothing_is_left(ready, cloud, himds)
    assert ready.mooring("disconnect").stdout == "Machine is not connected\n"


def test_a_refused_deletion_keeps_the_machine_connected(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret))
    cloud.fail("DELETE", 403, "AuthorizationFailed")
    done = ready.mooring("disconnect", "-i", ADMIN, "--service-principal-secret-file", secret,
                         check=False)
    assert number(done) == 43
    assert himds.status == "Connected"
    assert ready.config["resourceId"] == MACHINE


def test_disconnect_of_a_resource_that_is_gone_cleans_up(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret))
    cloud.machines.clear()
    done = ready.mooring("disconnect", "-i", ADMIN, "--service-principal-secret-file", secret)
    assert "gone already" in done.stderr
    assert not (ready.state / "agentconfig.json").exists()


def test_local_only_needs_neither_cloud_nor_identity_role(ready, cloud, himds, secret):
    ready.mooring(*arguments(secret))
    himds.fail("/disconnect", 500, "Internal")
    certs = ready.state / "certs"
    certs.mkdir(exist_ok=True)
    (certs / "key.pem").write_text("x")
    cloud.requests.clear()
    done = ready.mooring("disconnect", "-f")
    assert f"remains in the cloud: {MACHINE}" in done.stderr
    assert cloud.requests == []
    assert list(certs.iterdir()) == []
    assert not (ready.state / "agentconfig.json").exists()
