# SPDX-License-Identifier: Apache-2.0
"""`--identity-mode service-principal`: a machine of a cloud that has Azure's public interfaces only.
The control plane plays that cloud: its Mooring members are taken out of the registered document."""
import base64
import datetime
import json
import pathlib
import re
import subprocess
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from harness.machine import CLOUD, Machine
from harness.process import program, wait_for
from log_site import INSIGHTS, WORKSPACES, LogSite

GROUP = "rg-principal"


def joined(machine, controlplane):
    """The machine's roles, which know a cloud without Mooring's members."""
    machine.start("identity", "extensions", "logs")
    machine.register_cloud(controlplane)
    path = machine.path(f"/etc/mooring/clouds.d/{CLOUD}.json")
    document = json.loads(path.read_text())
    for member in ("hisEndpoint", "serviceAudience", "metadata"):
        document.pop(member, None)
    path.write_text(json.dumps(document))
    controlplane.group(GROUP)
    return machine


@pytest.fixture
def box(workspace, controlplane):
    machine = joined(Machine(workspace), controlplane)
    yield machine
    machine.stop()


@pytest.fixture
def application(controlplane, unique):
    """The client id of an application that may read, without any certificate yet."""
    return json.loads(controlplane.cli("principal", "create", unique, "--role", "Reader",
                                       "-j").stdout)["clientId"]


def arguments(controlplane, name, application, *extra):
    return ["connect", "--cloud", CLOUD, "--subscription-id", controlplane.subscription,
            "--tenant-id", controlplane.tenant, "--resource-group", GROUP, "--location",
            controlplane.info["location"], "--resource-name", name, "-i", controlplane.admin_id,
            "--service-principal-secret-file", controlplane.info["adminSecretFile"],
            "--identity-mode", "service-principal", "--identity-client-id", application, *extra]


def certify(controlplane, box, application):
    controlplane.cli("principal", "certify", application, "--certificate",
                     str(box.state / "certs/myCert"))


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_machine_is_an_application_once_its_certificate_is_added(box, controlplane, application,
                                                                   unique):
    child = subprocess.Popen([program("mooring"), *arguments(controlplane, unique, application)],
                             env=box.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = next(line for line in child.stderr if "add the certificate" in line)
    assert application in line and str(box.state / "certs/myCert") in line
    certify(controlplane, box, application)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0 and out.startswith("Connected: "), err
    assert box.config["identityMode"] == "service-principal"
    assert box.config["clientId"] == application

    resource = controlplane.arm("GET", box.resource_id).json
    assert "identity" not in resource and "clientPublicKey" not in resource["properties"]
    token = box.token(controlplane.arm_audience)
    assert claims(token)["appid"] == application
    assert controlplane.arm("GET", box.resource_id, token=token).status == 200
    assert box.show()["status"] == "Connected"
    box.restart_role("identity")
    assert box.mooring("ensure-connected").stdout.startswith("Machine is already connected: ")
    assert claims(box.token("https://monitor.azure.com"))["appid"] == application

    resource_id = box.resource_id
    box.mooring("disconnect", "-i", controlplane.admin_id, "--service-principal-secret-file",
                controlplane.info["adminSecretFile"])
    assert controlplane.arm("GET", resource_id).status == 404
    assert list((box.state / "certs").iterdir()) == []


def test_a_wait_that_ends_is_gone_on_with(box, controlplane, application, unique):
    done = box.mooring(*arguments(controlplane, unique, application, "--timeout", "4"), check=False)
    assert done.returncode == 62 and "goes on from here" in done.stderr
    assert box.show()["status"] == "Disconnected"
    certificate = (box.state / "certs/myCert").read_bytes()
    certify(controlplane, box, application)
    done = box.mooring(*arguments(controlplane, unique, application))
    assert done.stdout.startswith("Connected: ")
    assert (box.state / "certs/myCert").read_bytes() == certificate
    assert box.show()["status"] == "Connected"


def test_logs_reach_their_table_by_public_interfaces_only(workspace, proxied, unique):
    controlplane, proxy = proxied
    site = LogSite(controlplane, unique)
    made = json.loads(controlplane.cli("principal", "create", unique, "--role",
                                       "Monitoring Metrics Publisher", "--scope", site.rule_id,
                                       "-j").stdout)["clientId"]
    machine = joined(Machine(workspace), controlplane)
    log = workspace.path / "app.log"
    log.write_text("first line\nsecond line\n")
    machine.mooring(*arguments(controlplane, unique, made, "--timeout", "4"), check=False)
    certify(controlplane, machine, made)
    machine.mooring(*arguments(controlplane, unique, made))
    rules = machine.path("/etc/mooring/logs.d")
    rules.mkdir(parents=True, exist_ok=True)
    body = site.rule_body()["properties"]
    body["dataSources"]["logFiles"][0]["filePatterns"] = [str(log)]
    (rules / "app.tmp").write_text(json.dumps({
        "schema": 1, "id": site.rule_id, "immutableId": site.immutable_id,
        "endpoint": controlplane.info["ingestionEndpoint"], "properties": body}))
    (rules / "app.tmp").rename(rules / "app.json")
    wait_for(lambda: len(site.rows("App_CL | project RawData")) == 2, 60, "the lines in the table")
    machine.stop()
    calls = {line.split(" ", 1)[1] for line, headers, _ in proxy.requests}
    public = re.compile(r"/metadata/endpoints\?|/[-0-9a-f]{36}/oauth2/v2\.0/token$|/subscriptions[/?]"
                        r"|/v1/workspaces/|/dataCollectionRules/dcr-[0-9a-f]{32}/streams/Custom-App"
                        r"\?api-version=2023-01-01$")
    assert [c for c in calls if not public.match(c)] == []
    versions = {v for c in calls for v in re.findall(r"api-version=([-0-9a-z]+)", c)}
    assert versions <= {"2022-09-01", "2021-04-01", "2024-07-10", "2023-01-01", INSIGHTS, WORKSPACES}
    assert any("/streams/" in c for c in calls)


def certificate_ending(box, days):
    """Replaces the machine's certificate by one of the same key that ends soon."""
    key = serialization.load_pem_private_key((box.state / "certs/identity.key").read_bytes(), None)
    own = x509.load_pem_x509_certificate((box.state / "certs/myCert").read_bytes())
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(own.subject).issuer_name(own.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days)).sign(key, hashes.SHA256()))
    (box.state / "certs/myCert").write_bytes(cert.public_bytes(serialization.Encoding.PEM))


def test_a_certificate_that_ends_is_replaced_as_soon_as_the_next_one_is_added(box, controlplane,
                                                                              application, unique):
    box.mooring(*arguments(controlplane, unique, application, "--timeout", "4"), check=False)
    certificate_ending(box, 59)
    certify(controlplane, box, application)
    box.restart_role("identity")
    box.mooring(*arguments(controlplane, unique, application))
    wait_for(lambda: box.show().get("certificateToAdd"), 60, "the next certificate")
    following = pathlib.Path(box.show()["certificateToAdd"])
    assert following == box.state / "certs/next.cert"
    wait_for(lambda: "certificate.ends" in box.roles["identity"].log_text(), 30, "the warning")
    assert str(following) in box.roles["identity"].log_text()
    assert f"Certificate To Add +: {following}" in re.sub(" +:", " +:", box.mooring("show").stdout)
    done = box.mooring("check", check=False)
    assert str(following) in done.stderr and application in done.stderr
    # Until it is added the former one goes on.
    first = claims(box.token("https://vault.example.com"))
    assert first["appid"] == application
    assert box.mooring("ensure-connected").returncode == 0
    text = following.read_bytes()
    controlplane.cli("principal", "certify", application, "--certificate", str(following))
    assert box.mooring("ensure-connected").returncode == 0
    assert (box.state / "certs/myCert").read_bytes() == text and not following.exists()
    shown = box.show()
    assert shown["status"] == "Connected" and shown["certificateToAdd"] == ""
    left = datetime.datetime.fromisoformat(shown["certificateNotAfter"][:19]) - datetime.datetime.utcnow()
    assert left.days > 700
    assert claims(box.token("https://other.example.com"))["appid"] == application
    assert "certificate.renewed" in box.roles["identity"].log_text()


def test_an_application_that_is_not_there_yet_is_said_to_be_so(box, controlplane, unique):
    missing = str(uuid.uuid4())
    done = box.mooring(*arguments(controlplane, unique, missing, "--timeout", "4"), check=False)
    assert done.returncode == 62 and f"the application {missing} is not known (yet)" in done.stderr
    assert "add the certificate" in done.stderr and "goes on from here" in done.stderr


def test_the_mode_and_its_application_belong_together(box, controlplane, application, unique):
    def refused(*options):
        done = box.mooring(*(a for a in arguments(controlplane, unique, application)
                             if a not in ("--identity-mode", "service-principal",
                                          "--identity-client-id", application)), *options,
                           check=False)
        return done.returncode, done.stderr
    status, text = refused()
    assert status == 3 and "--identity-mode service-principal" in text
    assert refused("--identity-mode", "service-principal")[0] == 23
    assert refused("--identity-client-id", application)[0] == 23
    assert refused("--identity-mode", "other", "--identity-client-id", application)[0] == 23
    assert refused("--identity-mode", "service-principal", "--identity-client-id", "x")[0] == 23
