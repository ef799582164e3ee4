# SPDX-License-Identifier: Apache-2.0
"""An agent made of Python's cryptography and HTTP only: the service protocol from outside.

    agent = FakeAgent(controlplane, "rg", "web01").register()   # ARM resource with a key
    agent.enrol()                                               # certificate
    agent.beat(); agent.desired(); agent.report([...])
"""

import base64
import datetime
import hashlib
import json
import secrets
import time
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

VERSION = "2026-11-01"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_text(key):
    """ARM's clientPublicKey: base64 of the PKCS#1 DER."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return base64.b64encode(der).decode()


def now_text():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def sign_jws(key, header, payload, alg="PS256"):
    head = b64url(json.dumps({"alg": alg, **header}).encode())
    signed = f"{head}.{b64url(json.dumps(payload).encode())}".encode()
    if alg == "PS256":
        pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    else:
        pad = padding.PKCS1v15()
    return f"{signed.decode()}.{b64url(key.sign(signed, pad, hashes.SHA256()))}"


class FakeAgent:
    def __init__(self, controlplane, group, name, vm_id=None):
        self.cp = controlplane
        self.group = controlplane.group(group)
        self.name = name
        self.vm_id = vm_id or str(uuid.uuid4())
        self.key = new_key()
        self.resource_id = (f"/subscriptions/{controlplane.subscription}/resourceGroups/{group}"
                            f"/providers/Microsoft.HybridCompute/machines/{name}")
        self.boot_id = secrets.token_hex(16)
        self.sequence = 0
        self.report_sequence = 0
        self.fingerprint = {part: secrets.token_hex(32) for part in ("machineId", "smbiosUuid", "macs")}
        self.properties_hash = "p1"
        self.report_hash = ""
        self.token = None
        self.certificate = None

    # ARM
    def register(self):
        body = {"location": self.cp.info["location"], "identity": {"type": "SystemAssigned"},
                "properties": {"vmId": self.vm_id, "clientPublicKey": public_text(self.key)}}
        answer = self.cp.arm("PUT", self.resource_id, body)
        assert answer.status == 200, answer
        return self

    def extension(self, name, body=None, method="PUT"):
        if body is not None:
            body = {"location": self.cp.info["location"], "properties": body}
        return self.cp.arm(method, f"{self.resource_id}/extensions/{name}", body)

    # The service
    def call(self, method, base, path, body=None, token=None, headers=None, **options):
        url = f"{self.cp.info[base]}/{path}"
        url += ("&" if "?" in url else "?") + f"api-version={VERSION}"
        head = dict(headers or {})
        token = self.token if token is None else token
        if token:
            head["Authorization"] = f"Bearer {token}"
        return self.cp.request(method, url, body, head, **options)

    def his(self, method, rest, body=None, **options):
        return self.call(method, "hisEndpoint", f"machines/{self.vm_id}/{rest}", body, **options)

    def gas(self, method, rest, body=None, **options):
        return self.call(method, "gasEndpoint", f"machines/{self.vm_id}/{rest}", body, **options)

    def csr(self, key=None):
        return (x509.CertificateSigningRequestBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.vm_id)]))
                .sign(key or self.key, hashes.SHA256())
                .public_bytes(serialization.Encoding.DER))

    def proof(self, csr, key=None, alg="PS256", header=None, **claims):
        now = int(time.time())
        payload = {"aud": self.cp.service_audience, "sub": self.vm_id, "resourceId": self.resource_id,
                   "csrSha256": b64url(hashlib.sha256(csr).digest()), "iat": now, "exp": now + 300}
        payload.update(claims)
        return sign_jws(key or self.key, {"typ": "mooring-proof+jwt", **(header or {})}, payload, alg)

    def ask_certificate(self, csr=None, proof=None, **more):
        csr = csr or self.csr()
        body = {"csr": base64.b64encode(csr).decode(), "proof": proof or self.proof(csr), **more}
        return self.his("POST", "certificate", body, token="")

    def take_certificate(self, answer):
        assert answer.status == 200, answer
        self.identity = answer.json
        self.certificate = x509.load_der_x509_certificate(
            base64.b64decode(answer.json["certificates"][0]))
        return self

    def sign_in(self, key=None, certificate=None, audience=None):
        """The token endpoint's answer to an assertion by this certificate."""
        import urllib.parse
        endpoint = f"{self.cp.endpoint}/{self.cp.tenant}/oauth2/v2.0/token"
        certificate = certificate or self.certificate
        now = int(time.time())
        client = self.identity["clientId"]
        thumb = b64url(certificate.fingerprint(hashes.SHA256()))
        assertion = sign_jws(key or self.key, {"typ": "JWT", "x5t#S256": thumb},
                             {"aud": endpoint, "iss": client, "sub": client, "jti": str(uuid.uuid4()),
                              "iat": now, "nbf": now, "exp": now + 600})
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": client,
            "scope": (audience or self.cp.service_audience) + "/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion})
        return self.cp.request("POST", endpoint, form.encode(),
                               {"Content-Type": "application/x-www-form-urlencoded"})

    def enrol(self):
        self.take_certificate(self.ask_certificate())
        answer = self.sign_in()
        assert answer.status == 200, answer
        self.token = answer.json["access_token"]
        return self

    def beat_body(self, **changes):
        self.sequence += 1
        body = {"bootId": self.boot_id, "sequence": self.sequence, "fingerprint": self.fingerprint,
                "agentVersion": "0.1.0", "status": "Connected", "errorDetails": [],
                "propertiesHash": self.properties_hash, "settingsHash": "",
                "reportHash": self.report_hash, "sentAt": now_text()}
        body.update(changes)
        return body

    def beat(self, **changes):
        return self.his("POST", "heartbeat", self.beat_body(**changes))

    def put_properties(self, **properties):
        return self.his("PUT", "properties", {"propertiesHash": self.properties_hash,
                                              "agentVersion": "0.1.0", "properties": properties})

    def settings_certificate(self, key=None):
        """A self-signed certificate for protected settings: (key, certificate, DER)."""
        key = key or new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "settings")])
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                       .public_key(key.public_key()).serial_number(x509.random_serial_number())
                       .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=3650))
                       .sign(key, hashes.SHA256()))
        return key, certificate, certificate.public_bytes(serialization.Encoding.DER)

    def put_settings_certificate(self, der):
        return self.gas("PUT", "settingsCertificate", {"certificate": base64.b64encode(der).decode()})

    def desired(self, etag=None):
        return self.gas("GET", "desiredState", headers={"If-None-Match": etag} if etag else None)

    def wait(self, revision, seconds=10):
        return self.call("GET", "notificationEndpoint",
                         f"machines/{self.vm_id}/wait?revision={revision}&seconds={seconds}",
                         timeout=seconds + 20)

    def item(self, name, seq, state="enabled", provisioning="Succeeded", **changes):
        item = {"name": name, "publisher": "Mooring.Samples", "type": "Hello", "version": "1.0.0",
                "settingsSeqNo": seq, "state": state, "provisioningState": provisioning,
                "code": 0, "errorCode": "", "message": ""}
        item.update(changes)
        return item

    def report(self, items, denials=(), revision="", **changes):
        self.report_sequence += 1
        body = {"bootId": self.boot_id, "reportSequence": self.report_sequence, "revision": revision,
                "observedAt": now_text(), "full": True, "reportHash": self.report_hash or "r1",
                "extensions": list(items), "runCommands": [], "configurationAssignments": [],
                "denials": list(denials)}
        body.update(changes)
        return self.gas("PUT", "report", body)
