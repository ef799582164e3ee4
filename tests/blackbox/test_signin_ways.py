# SPDX-License-Identifier: Apache-2.0
"""The ways an administrator signs in to `mooring connect`, against the control plane."""
import datetime
import json
import os
import pty
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from harness.machine import CLOUD, Machine
from harness.process import program

ROLE = "Azure Connected Machine Onboarding"
PASSWORD = "correct horse canary"


@pytest.fixture
def box(workspace):
    """A machine that has only its identity role."""
    machine = Machine(workspace)
    machine.start("identity")
    yield machine
    machine.stop()


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
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
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
