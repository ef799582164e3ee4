# SPDX-License-Identifier: Apache-2.0
"""Extensions for tests: packages made on the spot, a machine to put them on, a service that lies."""
import base64
import hashlib
import io
import json
import pathlib
import socket
import struct
import zipfile
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from fault_proxy import Fault, FaultProxy

from .controlplane import ControlPlane
from .machine import CLOUD, Machine
from .process import program, wait_for

PUBLISHER = "Test.Handlers"
VERBS = ("install", "update", "enable", "disable", "uninstall")
ENABLED = 'enable) status success 0 "enabled $version with $(cat config/$seq.settings | wc -c) bytes" ;;'

HANDLER = """#!/bin/sh
verb=$1 version={version} seq=$ConfigSequenceNumber
echo "$verb $version $seq" >> {trace}
status() {{
    printf '[{{"version":1.0,"timestampUTC":"2026-01-01T00:00:00Z","status":{{"name":"t",' > status/s.tmp
    printf '"operation":"%s","status":"%s","code":%s,' "${{4:-Enable}}" "$1" "$2" >> status/s.tmp
    printf '"formattedMessage":{{"lang":"en-US","message":"%s"}}}}}}]' "$3" >> status/s.tmp
    mv status/s.tmp status/$seq.status
}}
case $verb in
{body}
esac
exit 0
"""


def manifest(**more):
    """HandlerManifest.json of a handler in bin/handler; a command given as None is left out."""
    handler = {f"{verb}Command": f"bin/handler {verb}" for verb in VERBS}
    handler.update(more)
    handler = {k: v for k, v in handler.items() if v is not None}
    return json.dumps([{"version": 1.0, "handlerManifest": handler}])


def zipped(entries):
    """A zip of (name or ZipInfo, content) pairs, in this order, duplicates included."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def with_mode(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def by_hand(entries):
    """A zip whose directory says what the test wants: (name, content, {field: lie}) with fields
    size, crc, flags, offset. Nothing is compressed."""
    body, directory = b"", b""
    for name, content, lies in entries:
        name = name if isinstance(name, bytes) else name.encode()
        offset = lies.get("offset", len(body))
        flags, crc = lies.get("flags", 0x800), lies.get("crc", zlib.crc32(content))
        common = struct.pack("<HHHHHIIIHH", 20, flags, 0, 0, 0x21, crc, len(content),
                             lies.get("size", len(content)), len(name), 0)
        if offset == len(body):
            body += b"PK\x03\x04" + common + name + content
        directory += (b"PK\x01\x02" + struct.pack("<H", 0x31E) + common
                      + struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, offset) + name)
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


class Lab:
    """A connected machine and its control plane, seen as an administrator of extensions does."""

    def __init__(self, machine, controlplane, folder, name):
        self.machine, self.controlplane = machine, controlplane
        self.folder = pathlib.Path(folder)
        self.type = "T" + name.replace("-", "")
        self.trace_file = self.folder / f"{name}.trace"

    # Packages

    def package(self, body=ENABLED, version="1.0.0", type_name=None, **more):
        """A handler in sh that writes "verb version sequence" into the trace, as bytes of a zip."""
        script = HANDLER.format(version=version, trace=self.trace_file, body=body)
        return zipped([("HandlerManifest.json", manifest(**more)),
                       (with_mode("bin/handler", 0o100755), script)])

    def publish(self, data=None, version="1.0.0", type_name=None, check=True):
        path = self.folder / f"{PUBLISHER}.{type_name or self.type}__{version}.zip"
        path.write_bytes(self.package(version=version) if data is None else data)
        return self.controlplane.cli("extension", "publish", str(path), check=check)

    def publish_built(self, name, version):
        path = pathlib.Path(program("mooring")).parent.parent / f"extensions/{name}__{version}.zip"
        return self.controlplane.cli("extension", "publish", str(path))

    def trace(self):
        if not self.trace_file.exists():
            return []
        return self.trace_file.read_text().splitlines()

    # ARM

    def path(self, name):
        return f"{self.machine.resource_id}/extensions/{name}"

    def put(self, name="ext", settings=None, protected=None, publisher=PUBLISHER, type_name=None,
            version="1.0", **more):
        properties = {"publisher": publisher, "type": type_name or self.type,
                      "typeHandlerVersion": version, "autoUpgradeMinorVersion": True, **more}
        if version is None:
            del properties["typeHandlerVersion"]
        if settings is not None:
            properties["settings"] = settings
        if protected is not None:
            properties["protectedSettings"] = protected
        answer = self.controlplane.arm("PUT", self.path(name), {
            "location": self.controlplane.info["location"], "properties": properties})
        assert answer.status in (200, 201, 202), answer
        return answer

    def get(self, name="ext"):
        return self.controlplane.arm("GET", self.path(name) + "?$expand=instanceView")

    def delete(self, name="ext"):
        answer = self.controlplane.arm("DELETE", self.path(name))
        assert answer.status in (202, 204), answer
        wait_for(lambda: self.get(name).status == 404, 30, f"{name} to be gone")

    def clear(self):
        """Deletes every extension of the machine."""
        for item in self.controlplane.arm("GET", f"{self.machine.resource_id}/extensions").json["value"]:
            def idle(name=item["name"]):
                return self.controlplane.arm("DELETE", self.path(name)).status in (202, 204)
            wait_for(idle, 30, f"{item['name']} to be deleted")
            wait_for(lambda name=item["name"]: self.get(name).status == 404, 30, "it to be gone")

    def settled(self, name="ext", timeout=60):
        """(provisioning state, message of the instance view) once it is final."""
        def look():
            properties = self.get(name).json["properties"]
            if properties["provisioningState"] in ("Succeeded", "Failed"):
                return properties
            return None
        view = wait_for(look, timeout, f"{name} to settle").get("instanceView", {})
        return self.get(name).json["properties"]["provisioningState"], view["status"]["message"]

    def put_and_settle(self, name="ext", **options):
        self.put(name, **options)
        return self.settled(name)

    # The machine

    def shown(self, name="ext"):
        """What `mooring show -j` says of it."""
        found = [e for e in self.machine.show().get("extensions", []) if e["name"] == name]
        return found[0] if found else None

    def handler_folder(self, version="1.0.0", type_name=None, publisher=PUBLISHER):
        return self.machine.path(f"/var/lib/waagent/{publisher}.{type_name or self.type}-{version}")

    def local_config(self, **settings):
        self.machine.settings(**settings)

    def trust(self, change=None):
        """The gallery's trust file; change(document) edits it."""
        path = self.machine.path(f"/etc/mooring/trust.d/{CLOUD}.json")
        document = json.loads(path.read_text())
        if change:
            change(document)
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(document))
            fresh.rename(path)
        return document


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Hostile(Lab):
    """The same behind a proxy that edits what the service says and sends."""

    def __init__(self, workspace, name):
        cp = ControlPlane(workspace)
        cp.cli("init")
        tls = [str(cp.state / "tls" / f) for f in ("server.pem", "server.key")]
        self.proxy = FaultProxy(("127.0.0.1", free_port()), tls=tls).start()
        self.controlplane = cp
        self.serve()
        box = Machine(workspace)
        box.start()
        box.connect(cp)
        super().__init__(box, cp, workspace.path, name)
        self.edits, self.served = {}, {}
        self.listen()

    def serve(self):
        """Starts the control plane, behind the proxy."""
        host, port = self.proxy.upstream
        self.controlplane.listen = f"{host}:{port}"
        self.controlplane.start("--public-url", self.proxy.url)

    def listen(self):
        """Edits what passes; wanted again after proxy.clear()."""
        self.proxy.fault(r"^GET /gas/.*/desiredState", Fault("edit", self._edit))
        self.proxy.fault(r"^GET /packages/", Fault("serve", self._serve))

    def close(self):
        self.proxy.clear()
        self.machine.stop()
        self.controlplane.stop()
        self.proxy.stop()

    def _edit(self, handler, forward):
        code, headers, data = forward()
        if code == 200:
            document = json.loads(data)
            for item in document["extensions"]:
                if item["name"] in self.edits and item["state"] == "enabled":
                    self.edits[item["name"]](item)
            data = json.dumps(document).encode()
        handler.answer(code, headers, data)
        return True

    def _serve(self, handler, _forward):
        data = self.served.get(handler.path.split("?")[0].rsplit("/", 1)[1])
        if data is None:
            return False
        handler.answer(200, [("Content-Type", "application/zip")], data)
        return True

    def sign(self, data):
        """The gallery's signature, by its own key: base64 of detached CMS."""
        keys = self.controlplane.state / "keys"
        key = serialization.load_pem_private_key((keys / "gallery.key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((keys / "gallery.pem").read_bytes())
        der = (pkcs7.PKCS7SignatureBuilder().set_data(data)
               .add_signer(certificate, key, hashes.SHA256())
               .sign(serialization.Encoding.DER,
                     [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]))
        return base64.b64encode(der).decode()

    def offer(self, name, data, **changes):
        """From now on the service offers this archive, rightly signed, as the package of name.
        changes replace members of the item's package."""
        digest = hashlib.sha256(data).hexdigest()
        self.served[f"{digest}.zip"] = data
        signature = self.sign(data)

        def edit(item):
            item["package"].update(
                uris=[f"{self.proxy.url}/packages/{digest}.zip"], size=len(data), sha256=digest,
                signature=signature, signatureFormat="cms-detached")
            item["package"].update(changes)
        self.edits[name] = edit
