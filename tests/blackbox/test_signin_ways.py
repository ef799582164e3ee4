# SPDX-License-Identifier: Apache-2.0
"""The ways an administrator signs in to `mooring connect`, against the control plane."""
import datetime
import hmac
import json
import os
import pty
import select
import signal
import subprocess
import time
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from fake_agent import b64url
from harness import web
from harness.machine import CLOUD, Machine
from harness.process import program

ROLE = "Azure Connected Machine Onboarding"
PASSWORD = "correct horse canary"


def arguments(controlplane, name, *credentials):
    return ["connect", "--cloud", CLOUD, "--subscription-id", controlplane.subscription,
            "--resource-group", "rg-ways", "--location", controlplane.info["location"],
            "--resource-name", name, "--tenant-id", controlplane.tenant,
            *map(str, credentials)]


class Pair:
    """A key and its self-signed certificate."""

    def __init__(self, folder):
        self.folder = folder
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "onboarding")])
        now = datetime.datetime.utcnow()
        self.certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30)).sign(self.key, hashes.SHA256()))

    @property
    def public(self):
        return self.write("public.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def pem(self, password=None):
        how = (serialization.BestAvailableEncryption(password.encode()) if password
               else serialization.NoEncryption())
        return self.write("both.pem", self.certificate.public_bytes(serialization.Encoding.PEM)
                          + self.key.private_bytes(serialization.Encoding.PEM,
                                                   serialization.PrivateFormat.PKCS8, how))

    def pfx(self, password=None):
        how = (serialization.BestAvailableEncryption(password.encode()) if password
               else serialization.NoEncryption())
        return self.write("both.pfx", pkcs12.serialize_key_and_certificates(
            b"onboarding", self.key, self.certificate, None, how))

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)
        return path


@pytest.fixture
def pair(workspace):
    return Pair(workspace.path)


@pytest.fixture
def certified(controlplane, pair, unique):
    """The client id of an application that signs in with the pair."""
    controlplane.group("rg-ways")
    made = json.loads(controlplane.cli("principal", "create", unique, "--role", ROLE,
                                       "--certificate", str(pair.public), "-j").stdout)
    assert "secret" not in made
    return made["clientId"]


@pytest.fixture
def password_file(workspace):
    path = workspace.path / "password"
    path.write_text(PASSWORD + "\n")
    return path


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_a_certificate_signs_in(box, controlplane, certified, pair, unique, form):
    box.register_cloud(controlplane)
    done = box.mooring(*arguments(controlplane, unique, "-i", certified,
                                  "--service-principal-cert", getattr(pair, form)()))
    assert done.stdout.startswith("Connected: ")
    assert box.config["resourceName"] == unique


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_an_encrypted_certificate_takes_its_password_from_a_file(box, controlplane, certified, pair,
                                                                 password_file, unique, form):
    box.register_cloud(controlplane)
    file = getattr(pair, form)(PASSWORD)
    options = ("-i", certified, "--service-principal-cert", file)
    done = box.mooring(*arguments(controlplane, unique, *options), check=False)
    assert done.returncode == 23 and "password" in done.stderr
    done = box.mooring(*arguments(controlplane, unique, *options,
                                  "--service-principal-cert-password-file", "-"),
                       stdin="wrong", check=False)
    assert done.returncode == 23 and "the password is wrong" in done.stderr
    done = box.mooring(*arguments(controlplane, unique, *options, "-v",
                                  "--service-principal-cert-password-file", password_file))
    assert done.stdout.startswith("Connected: ")
    assert PASSWORD not in done.stdout + done.stderr


def test_a_password_may_be_typed_and_is_not_shown(box, controlplane, certified, pair, unique):
    box.register_cloud(controlplane)
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        ["setsid", "--ctty", program("mooring"),
         *arguments(controlplane, unique, "-i", certified, "--service-principal-cert",
                    pair.pfx(PASSWORD))],
        env=box.env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    seen = b""
    typed = False
    while select.select([leader], [], [], 60)[0]:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other side is gone
            break
        seen += piece
        if not typed and b"Password of" in seen:
            typed = True
            os.write(leader, PASSWORD.encode() + b"\n")
    os.close(leader)
    assert child.wait(60) == 0, seen
    assert b"Connected: " in seen and PASSWORD.encode() not in seen


def test_another_certificate_than_the_registered_one_is_refused(box, controlplane, certified,
                                                                workspace, unique):
    folder = workspace.path / "thief"
    folder.mkdir()
    box.register_cloud(controlplane)
    done = box.mooring(*arguments(controlplane, unique, "-i", certified,
                                  "--service-principal-cert", Pair(folder).pem()), check=False)
    assert done.returncode == 41 and "AADSTS700027" in done.stderr
    assert not (box.state / "agentconfig.json").exists()


def test_a_certificate_counts_only_for_its_own_application(box, controlplane, certified, pair,
                                                           unique):
    box.register_cloud(controlplane)
    done = box.mooring(*arguments(controlplane, unique, "-i", controlplane.admin_id,
                                  "--service-principal-cert", pair.pem()), check=False)
    assert done.returncode == 41 and "AADSTS700027" in done.stderr


@pytest.mark.parametrize("secret", ["", "x", "public key", None])
def test_who_has_a_certificate_does_not_sign_in_with_less(controlplane, certified, pair, secret):
    """A secret, none, or the public half of what it has."""
    if secret == "public key":
        secret = pair.public.read_text()
    form = {"grant_type": "client_credentials", "client_id": certified,
            "scope": f"{controlplane.arm_audience}/.default"}
    body, headers = web.form(form if secret is None else {**form, "client_secret": secret})
    answer = controlplane.request("POST", f"/{controlplane.tenant}/oauth2/v2.0/token", body, headers)
    assert answer.status in (400, 401), answer
    assert answer.json["error"] in ("invalid_client", "invalid_request")


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_an_assertion_that_is_not_signed_by_the_key_is_none(controlplane, certified, pair, alg):
    endpoint = f"{controlplane.endpoint}/{controlplane.tenant}/oauth2/v2.0/token"
    now = int(time.time())
    head = {"alg": alg, "typ": "JWT",
            "x5t#S256": b64url(pair.certificate.fingerprint(hashes.SHA256()))}
    claims = {"aud": endpoint, "iss": certified, "sub": certified, "jti": str(uuid.uuid4()),
              "nbf": now, "exp": now + 300}
    text = ".".join(b64url(json.dumps(part).encode()) for part in (head, claims))
    public = pair.public.read_bytes()
    signature = "" if alg == "none" else b64url(hmac.new(public, text.encode(), "sha256").digest())
    body, headers = web.form({
        "grant_type": "client_credentials", "client_id": certified,
        "scope": f"{controlplane.arm_audience}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"{text}.{signature}"})
    answer = controlplane.request("POST", endpoint, body, headers)
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer


def test_a_certificate_added_later_signs_in_as_well(box, controlplane, pair, unique):
    made = json.loads(controlplane.cli("principal", "create", unique, "--role", "Contributor",
                                       "-j").stdout)
    controlplane.cli("principal", "certify", made["clientId"], "--certificate", str(pair.public))
    box.register_cloud(controlplane)
    box.mooring(*arguments(controlplane, unique, "-i", made["clientId"],
                           "--service-principal-cert", pair.pem()))


@pytest.mark.parametrize("options, expected", [
    (["--use-azcli", "--use-device-code"], 23),
    (["-i", "{id}", "--use-azcli"], 23),
    (["-i", "{id}", "--service-principal-cert", "x", "-p", "y"], 23),
    (["--service-principal-cert", "x"], 16),
    (["-i", "{id}", "--service-principal-cert-password-file", "x"], 16),
    (["-i", "{id}", "--service-principal-cert", "/nonexistent"], 23),
    (["-i", "{id}", "--service-principal-cert", "/etc/hostname"], 23),
    (["-i", "{id}", "--service-principal-cert-thumbprint", "ab"], 3),
    (["--use-device-code", "--user-tenant-id", "x"], 23),
])
def test_ways_that_contradict_each_other_are_refused(workspace, controlplane, options, expected):
    machine = Machine(workspace)
    machine.register_cloud(controlplane)
    options = [o.format(id=controlplane.admin_id) for o in options]
    done = machine.mooring(*arguments(controlplane, "x", *options), check=False)
    assert done.returncode == expected, done.stderr
    assert f"AZCM{expected:04}" in done.stderr


# Device code


DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def ask_device(controlplane, path="/{tenant}/oauth2/v2.0/devicecode", **changes):
    body, headers = web.form({"client_id": CLIENT, "scope": f"{controlplane.arm_audience}/.default "
                              "offline_access openid profile", **changes})
    return controlplane.request("POST", path.format(tenant=controlplane.tenant), body, headers)


def redeem(controlplane, code, **changes):
    body, headers = web.form({"grant_type": DEVICE_GRANT, "client_id": CLIENT,
                              "device_code": code, **changes})
    return controlplane.request("POST", f"/{controlplane.tenant}/oauth2/v2.0/token", body, headers)


def approve(controlplane, code, **options):
    return controlplane.cli("device", "approve", code, "--as", controlplane.admin_id, **options)


class Watched:
    """`mooring connect --use-device-code -j` whose events are read as they come."""

    def __init__(self, box, controlplane, name):
        self.child = subprocess.Popen(
            [program("mooring"), *arguments(controlplane, name, "--use-device-code", "-j")],
            env=box.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def event(self, name):
        for line in self.child.stderr:
            event = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"no {name} before the end")

    def end(self):
        out, _ = self.child.communicate(timeout=90)
        return self.child.returncode, json.loads(out)


def test_a_device_code_signs_in_once_it_is_approved(box, own_controlplane, unique):
    own_controlplane.group("rg-ways")
    box.register_cloud(own_controlplane)
    connecting = Watched(box, own_controlplane, unique)
    event = connecting.event("deviceCode")
    assert event["verificationUri"] == own_controlplane.endpoint + "/device"
    assert b"device approve" in own_controlplane.request("GET", "/device").body
    listed = json.loads(own_controlplane.cli("device", "list", "-j").stdout)
    assert [d["userCode"] for d in listed] == [event["userCode"].replace("-", "")]
    assert listed[0]["state"] == "pending" and listed[0]["address"]
    approve(own_controlplane, event["userCode"].lower())
    status, answer = connecting.end()
    assert status == 0 and answer["status"] == "Connected", answer
    assert json.loads(own_controlplane.cli("device", "list", "-j").stdout) == []


def test_a_denied_device_code_ends_the_sign_in(box, own_controlplane, unique):
    box.register_cloud(own_controlplane)
    connecting = Watched(box, own_controlplane, unique)
    own_controlplane.cli("device", "deny", connecting.event("deviceCode")["userCode"])
    status, answer = connecting.end()
    assert status == 41 and answer["error"]["code"] == "AZCM0041"
    assert "denied" in answer["error"]["message"]
    assert not (box.state / "agentconfig.json").exists()


def test_a_person_is_shown_address_and_code(box, own_controlplane, unique):
    box.register_cloud(own_controlplane)
    child = subprocess.Popen([program("mooring"), *arguments(own_controlplane, unique,
                                                             "--use-device-code")],
                             env=box.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = next(line for line in child.stderr if "enter the code" in line)
    assert own_controlplane.endpoint + "/device" in line and "10 minutes" in line
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 11


@pytest.mark.parametrize("path", ["/{tenant}/oauth2/v2.0/devicecode", "/adfs/oauth2/devicecode"])
def test_an_approved_device_code_is_worth_one_token(own_controlplane, path):
    asked = ask_device(own_controlplane, path).json
    assert redeem(own_controlplane, asked["device_code"]).json["error"] == "authorization_pending"
    assert "slow_down" in [redeem(own_controlplane, asked["device_code"]).json["error"]
                           for _ in range(4)]
    approve(own_controlplane, asked["user_code"])
    answer = redeem(own_controlplane, asked["device_code"])
    assert answer.status == 200
    token = answer.json["access_token"]
    assert own_controlplane.arm("GET", "/subscriptions", token=token).status == 200
    again = redeem(own_controlplane, asked["device_code"])
    assert again.status == 400 and again.json["error"] == "expired_token"
    assert approve(own_controlplane, asked["user_code"], check=False).returncode == 1


def test_device_codes_are_bound_to_their_client_and_secret_half(own_controlplane):
    asked = ask_device(own_controlplane).json
    approve(own_controlplane, asked["user_code"])
    for code, client in ((asked["device_code"], own_controlplane.admin_id),
                         (asked["user_code"], CLIENT), ("x", CLIENT),
                         (asked["device_code"][:-1], CLIENT)):
        answer = redeem(own_controlplane, code, client_id=client)
        assert answer.status == 400 and answer.json["error"] == "expired_token"
    assert redeem(own_controlplane, asked["device_code"]).status == 200
    assert asked["device_code"].encode() not in b"".join(
        p.read_bytes() for p in own_controlplane.state.rglob("*") if p.is_file())


def test_few_device_codes_may_wait_at_a_time(own_controlplane):
    answers = [ask_device(own_controlplane).status for _ in range(7)]
    assert answers == [200] * 5 + [429] * 2


def test_a_device_code_of_a_deleted_principal_opens_nothing(own_controlplane, unique):
    made = json.loads(own_controlplane.cli("principal", "create", unique, "--role", "Reader",
                                           "-j").stdout)
    asked = ask_device(own_controlplane).json
    own_controlplane.cli("device", "approve", asked["user_code"], "--as", made["clientId"])
    own_controlplane.cli("principal", "delete", made["clientId"])
    answer = redeem(own_controlplane, asked["device_code"])
    assert answer.status == 400 and answer.json["error"] == "unauthorized_client"


@pytest.mark.parametrize("change", [{"client_id": ""}, {"client_id": "x"}, {"scope": ""},
                                    {"scope": "openid"}])
def test_a_device_code_needs_client_and_resource(controlplane, change):
    assert ask_device(controlplane, **change).status == 400


@pytest.mark.parametrize("words", [["approve", "WDJB-MJHT"], ["approve", "AAAA-AAAA", "--as", "x"],
                                   ["approve", "WDJB", "--as", "{id}"],
                                   ["approve", "WDJB-MJHT", "--as", "{id}"],
                                   ["deny", "WDJB-MJHT"]])
def test_a_code_nobody_asked_for_cannot_be_decided(controlplane, words):
    words = [w.format(id=controlplane.admin_id) for w in words]
    done = controlplane.cli("device", *words, check=False)
    assert done.returncode == 1 and done.stderr
