# SPDX-License-Identifier: Apache-2.0
"""A cloud and an identity role that only remember what they were asked, for tests of the CLI.

FakeCloud answers metadata, sign-in and Resource Manager over TLS with a CA of its own; FakeHimds
answers on <root>/var/opt/azcmagent/socks/himds.sock. Both keep every request in `requests`.
"""
import datetime
import http.server
import ipaddress
import json
import pathlib
import re
import socketserver
import ssl
import threading
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TENANT = "0f0f2c44-0a3b-4a0e-9d8e-7b7a5f3c2d10"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CLIENT = "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11"
PRINCIPAL = "b4ab7d9b-9a3c-4d2f-8a54-0b8b6a4ad0cd"
PUBLIC_KEY = "MIIBCgKCAQEAfake"


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject, key, issuer, issuer_key, extensions):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=30)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """A CA and one server certificate; the chain holds both."""

    def __init__(self, folder, host="localhost"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        server_key = ec.generate_private_key(ec.SECP256R1())
        name = f"Fake CA of {self.folder.name}"
        self.ca = _certificate(name, key, name, key, [
            (x509.BasicConstraints(ca=True, path_length=None), True)])
        names = x509.SubjectAlternativeName([x509.DNSName(host),
                                             x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        server = _certificate("localhost", server_key, name, key, [(names, False)])
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self.ca))
        self.chain_file = self.folder / "chain.pem"
        self.chain_file.write_bytes(_pem(server) + _pem(self.ca) + server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))

    @property
    def sha256(self):
        return self.ca.fingerprint(hashes.SHA256()).hex()


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        parts = urllib.parse.urlsplit(handler.path)
        self.path, self.query = parts.path, dict(urllib.parse.parse_qsl(parts.query))
        self.headers = dict(handler.headers.items())
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    def __repr__(self):
        return f"{self.method} {self.path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "local"

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self, self.rfile.read(length) if length else b"")
        owner = self.server.owner
        with owner.lock:
            owner.requests.append(request)
            status, body = owner.answer(request)
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-ms-request-id", "00000000-0000-4000-8000-000000000001")
        try:
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # killed meanwhile, or tired of waiting
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _serve


class _Recorder:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.failures = []  # (expression over "METHOD /path", status, body)

    def fail(self, expression, status, code, message="scripted"):
        self.failures.append((re.compile(expression), status,
                              {"error": {"code": code, "message": message}}))

    def answer(self, request):
        for expression, status, body in self.failures:
            if expression.search(repr(request)):
                return status, body
        return self.route(request)

    def seen(self, expression):
        """The requests whose "METHOD /path" matches."""
        with self.lock:
            return [r for r in self.requests if re.search(expression, repr(r))]

    def _run(self, server):
        server.owner = self
        server.daemon_threads = True
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class _CountingServer(http.server.ThreadingHTTPServer):
    """Counts connections, those too that end in the handshake."""

    connections = 0

    def get_request(self):
        self.connections += 1
        return super().get_request()


class FakeCloud(_Recorder):
    def __init__(self, folder, host="localhost"):
        super().__init__()
        self.authority = Authority(folder, host)
        self.groups, self.machines = set(), {}
        self.secret = "open sesame"
        self.unknown = 0  # sign-ins before the service principal is known
        self.without_right = 0  # looks at machines before it may
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.chain_file)
        server = _CountingServer(("127.0.0.1", 0), _Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://localhost:{server.server_address[1]}"
        self.mooring = {"hisEndpoint": f"{self.url}/his", "audience": f"{self.url}/service",
                        "hostSuffixes": ["localhost"], "galleryCertificates": []}
        self._run(server)

    @property
    def connections(self):
        return self.server.connections

    def metadata(self):
        document = {"name": "Fake", "resourceManager": f"{self.url}/", "portal": f"{self.url}/portal",
                    "authentication": {"loginEndpoint": self.url,
                                       "audiences": ["https://management.azure.com/"],
                                       "tenant": "common", "identityProvider": "AAD"},
                    "suffixes": {"storage": "localhost"}}
        if self.mooring:
            document["mooring"] = self.mooring
        return document

    def route(self, r):
        if r.path == "/metadata/endpoints":
            return 200, self.metadata()
        if r.path == f"/{TENANT}/oauth2/v2.0/token":
            if self.unknown > 0:
                self.unknown -= 1
                return 400, {"error": "unauthorized_client",
                             "error_description": "AADSTS700016: Application was not found"}
            if r.form.get("client_secret") != self.secret:
                return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: no"}
            return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "arm-canary"}
        if r.headers.get("Authorization") != "Bearer arm-canary":
            return 401, {"error": {"code": "AuthenticationFailed", "message": "who?"}}
        if r.path == "/subscriptions":
            return 200, {"value": [{"displayName": "Lab", "subscriptionId": SUBSCRIPTION}]}
        return self.resource(r)

    def resource(self, r):
        kept = self.machines if "/machines/" in r.path else None
        if kept is not None and self.without_right > 0:
            self.without_right -= 1
            return 403, {"error": {"code": "AuthorizationFailed", "message": "may not"}}
        if r.method == "GET":
            there = r.path in kept if kept is not None else r.path in self.groups
            missing = {"error": {"code": "ResourceNotFound", "message": "not there"}}
            return (200, (kept or {}).get(r.path, {})) if there else (404, missing)
        if r.method == "DELETE":
            return (200 if self.machines.pop(r.path, None) else 204), None
        if kept is None:
            self.groups.add(r.path)
            return 201, {"id": r.path}
        body = r.json
        body.update(id=r.path)
        body["identity"].update(principalId=PRINCIPAL, tenantId=TENANT)
        kept[r.path] = body
        return 200, body


class FakeHimds(_Recorder):
    """The identity role's channel, without an identity."""

    def __init__(self, root):
        super().__init__()
        self.status = "Disconnected"
        path = pathlib.Path(root) / "var/opt/azcmagent/socks/himds.sock"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._run(socketserver.ThreadingUnixStreamServer(str(path), _Handler))

    def route(self, r):
        if r.path == "/connect/begin":
            return 200, {"clientPublicKey": PUBLIC_KEY, "vmId": r.json["vmId"]}
        if r.path == "/connect/finish":
            self.status = "Connected"
        if r.path == "/disconnect":
            self.status = "Disconnected"
        return 200, {"status": self.status, "clientId": CLIENT, "principalId": PRINCIPAL,
                     "agentVersion": "0.1.0", "lastHeartbeat": "2026-11-22T17:19:30.000Z",
                     "errorCode": "", "errorDetails": "", "errorTimestamp": ""}
