# SPDX-License-Identifier: Apache-2.0
"""Extension packages: publishing, choosing a version, downloading, and the way to the agent."""
import base64
import hashlib
import json
import stat
import subprocess
import zipfile

import pytest

from fake_agent import FakeAgent

COMMANDS = {f"{verb}Command": f"bin/{verb}.sh" for verb in
            ("install", "uninstall", "update", "enable", "disable")}


def package(path, publisher=None, kind=None, version=None, manifest=None, xml=None, entries=(), extra=b""):
    """Writes a zip; publisher, kind and version go into signingInfo when given."""
    document = {"name": "x", "version": 1.0, "handlerManifest": COMMANDS}
    if publisher:
        document["signingInfo"] = {"publisher": publisher, "type": kind, "version": version}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        if manifest is not False:
            z.writestr("HandlerManifest.json", json.dumps([document]) if manifest is None else manifest)
        if xml:
            z.writestr("manifest.xml", xml)
        z.writestr("bin/enable.sh", b"#!/bin/sh\n" + extra)
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.create_system = 3
            z.writestr(info, data)
    return path


def manifest_xml(publisher, kind, version):
    return (f'<?xml version="1.0"?><ExtensionImage xmlns="http://schemas.microsoft.com/windowsazure">'
            f"<ProviderNameSpace>{publisher}</ProviderNameSpace><Type>{kind}</Type>"
            f"<Version>{version}</Version></ExtensionImage>")


def publish(cp, path, *options):
    return json.loads(cp.cli("extension", "publish", str(path), *options, "-j").stdout)


def refusal(cp, path, *options):
    answer = cp.cli("extension", "publish", str(path), *options, check=False)
    assert answer.returncode == 1, answer
    return answer.stderr


@pytest.fixture
def kind(unique):
    """A type of extension no other test publishes."""
    return "K" + unique.replace("-", "")


def test_names_come_from_signing_info_xml_or_the_file_name(controlplane, tmp_path, kind):
    for n, made in enumerate([
            package(tmp_path / "a.zip", "Contoso", kind, "1.0.1"),
            package(tmp_path / "b.zip", xml=manifest_xml("Contoso", kind, "1.0.2")),
            package(tmp_path / f"Contoso.{kind}__1.0.3.zip")], 1):
        row = publish(controlplane, made)
        assert (row["publisher"], row["type"], row["version"]) == ("Contoso", kind, f"1.0.{n}")
        assert row["sha256"] == hashlib.sha256(made.read_bytes()).hexdigest()
    plain = package(tmp_path / "plain.zip")
    row = publish(controlplane, plain, "--publisher", "Contoso", "--type", kind, "--version", "1.0.4")
    assert row["version"] == "1.0.4"


def test_names_that_disagree_or_are_missing_are_refused(controlplane, tmp_path, kind):
    made = package(tmp_path / "a.zip", "Contoso", kind, "1.0.1", xml=manifest_xml("Contoso", kind, "1.0.2"))
    assert "signingInfo says" in refusal(controlplane, made)
    made = package(tmp_path / f"Contoso.{kind}__2.0.zip", "Contoso", kind, "1.0.1")
    assert "the file name says" in refusal(controlplane, made)
    made = package(tmp_path / "b.zip", "Contoso", kind, "1.0.1")
    assert "command line" in refusal(controlplane, made, "--version", "9.9")
    assert "nothing names" in refusal(controlplane, package(tmp_path / "c.zip"))


@pytest.mark.parametrize("name,mode,word", [
    ("../evil", 0, "unsafe name"), ("/etc/passwd", 0, "unsafe name"), ("a\\b", 0, "unsafe name"),
    ("link", stat.S_IFLNK | 0o777, "neither file nor folder"), ("BIN/enable.sh", 0, "there twice"),
    ("dev", stat.S_IFCHR | 0o600, "neither file nor folder")])
def test_packages_with_dangerous_entries_are_refused(controlplane, tmp_path, kind, name, mode, word):
    made = package(tmp_path / "a.zip", "Contoso", kind, "1.0.1", entries=[(name, b"x", mode)])
    assert word in refusal(controlplane, made)


def test_what_is_no_package_is_refused(controlplane, tmp_path, kind):
    junk = tmp_path / "junk.zip"
    junk.write_bytes(b"PK\3\4 this is not a zip")
    assert "not a readable zip" in refusal(controlplane, junk)
    made = package(tmp_path / "a.zip", manifest=False)
    assert "HandlerManifest.json: missing" in refusal(controlplane, made)
    made = package(tmp_path / "b.zip", manifest="{broken")
    assert "HandlerManifest.json" in refusal(controlplane, made)
    data = bytearray(package(tmp_path / "c.zip", "Contoso", kind, "1.0").read_bytes())
    data[60] ^= 0xFF  # inside the manifest's compressed bytes
    (tmp_path / "d.zip").write_bytes(data)
    assert "HandlerManifest.json" in refusal(controlplane, tmp_path / "d.zip")


def test_a_version_is_published_once(controlplane, tmp_path, kind):
    made = package(tmp_path / "a.zip", "Contoso", kind, "1.0")
    assert publish(controlplane, made) ["sha256"] == publish(controlplane, made)["sha256"]
    other = package(tmp_path / "b.zip", "Contoso", kind, "1.0", extra=b"other")
    assert "published with other content" in refusal(controlplane, other)
    listed = controlplane.cli("extension", "list", "-j").stdout
    assert listed.count(f'"{kind}"') == 1


@pytest.fixture
def served(controlplane, tmp_path, kind, unique):
    """A published package, and an agent that has it in its desired state."""
    made = package(tmp_path / "a.zip", "Contoso", kind, "1.0.1", extra=b"x" * 5000)
    row = publish(controlplane, made)
    agent = FakeAgent(controlplane, "rg-packages", unique).register().enrol()
    agent.row, agent.bytes, agent.kind = row, made.read_bytes(), kind
    return agent


def put(agent, name="e", version="1.0", **more):
    return agent.extension(name, {"publisher": "Contoso", "type": agent.kind,
                                  "typeHandlerVersion": version, "autoUpgradeMinorVersion": False, **more})


def only(agent):
    extensions = agent.desired().json["extensions"]
    assert len(extensions) == 1, extensions
    return extensions[0]


def test_the_gallery_signs_what_it_offers(served, tmp_path):
    assert put(served).status == 202
    offered = only(served)["package"]
    assert offered["sha256"] == served.row["sha256"] and offered["size"] == len(served.bytes)
    assert offered["signatureFormat"] == "cms-detached" and offered["publisherSignature"] is None
    metadata = served.cp.request("GET", "/metadata/endpoints?api-version=2022-09-01").json["mooring"]
    (tmp_path / "sig").write_bytes(base64.b64decode(offered["signature"]))
    (tmp_path / "ca.der").write_bytes(base64.b64decode(metadata["galleryCertificates"][0]))
    subprocess.run(["openssl", "x509", "-inform", "der", "-in", tmp_path / "ca.der", "-out",
                    tmp_path / "ca.pem"], check=True)
    verify = ["openssl", "cms", "-verify", "-binary", "-inform", "der", "-in", tmp_path / "sig",
              "-content", tmp_path / "a.zip", "-purpose", "any", "-CAfile", tmp_path / "ca.pem",
              "-out", "/dev/null"]
    assert subprocess.run(verify, capture_output=True).returncode == 0
    (tmp_path / "a.zip").write_bytes(served.bytes[:-1] + b"x")
    assert subprocess.run(verify, capture_output=True).returncode != 0


def test_a_publishers_signature_is_kept(controlplane, tmp_path, kind, unique):
    made = package(tmp_path / "a.zip", "Contoso", kind, "1.0.1")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                    tmp_path / "k.pem", "-out", tmp_path / "c.pem", "-subj", "/CN=P", "-days", "2",
                    "-addext", "extendedKeyUsage=codeSigning"], check=True, capture_output=True)
    subprocess.run(["openssl", "cms", "-sign", "-binary", "-in", made, "-signer", tmp_path / "c.pem",
                    "-inkey", tmp_path / "k.pem", "-outform", "der", "-out", tmp_path / "s.p7s"],
                   check=True)
    publish(controlplane, made, "--signature", str(tmp_path / "s.p7s"))
    agent = FakeAgent(controlplane, "rg-packages", unique).register().enrol()
    agent.kind = kind
    put(agent)
    offered = only(agent)["package"]
    assert base64.b64decode(offered["publisherSignature"]) == (tmp_path / "s.p7s").read_bytes()
    assert offered["signature"] and offered["signature"] != offered["publisherSignature"]
    (tmp_path / "bad").write_bytes(b"not der")
    assert "CMS signature" in refusal(controlplane, made, "--signature", str(tmp_path / "bad"))


def get(agent, **headers):
    uri = only(agent)["package"]["uris"][0]
    return agent.cp.request("GET", uri, None, {"Authorization": f"Bearer {agent.token}", **headers})


def test_a_package_is_downloaded_whole_and_in_parts(served):
    put(served)
    whole = get(served)
    assert whole.status == 200 and whole.body == served.bytes
    assert whole.headers["Content-Type"] == "application/zip"
    assert whole.headers["Accept-Ranges"] == "bytes"
    etag = whole.headers["ETag"]
    part = get(served, Range="bytes=100-")
    assert part.status == 206 and part.body == served.bytes[100:]
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole.body) - 1}/{len(whole.body)}"
    assert get(served, Range="bytes=0-9").body == served.bytes[:10]
    assert get(served, Range="bytes=-10").body == served.bytes[-10:]
    assert get(served, **{"Range": "bytes=5-", "If-Range": etag}).status == 206
    assert get(served, **{"Range": "bytes=5-", "If-Range": '"other"'}).body == served.bytes
    assert get(served, Range="bytes=1-2,4-5").status == 200
    beyond = get(served, Range=f"bytes={len(served.bytes)}-")
    assert beyond.status == 416 and beyond.json["error"]["code"] == "InvalidRange"
    assert beyond.headers["Content-Range"] == f"bytes */{len(served.bytes)}"


def test_packages_are_for_machines(served):
    put(served)
    uri = only(served)["package"]["uris"][0]
    assert served.cp.request("GET", uri).status == 401
    head = served.cp.request("HEAD", uri, None, {"Authorization": f"Bearer {served.token}"})
    assert head.status == 200 and not head.body
    assert int(head.headers["Content-Length"]) == len(served.bytes)
    for name in ("0" * 64 + ".zip", "x.zip", "0" * 64 + ".zip.sig"):
        answer = served.call("GET", "endpoint", f"packages/{name}")
        assert answer.status == 404 and answer.json["error"]["code"] == "PackageNotFound", name
    assert served.call("GET", "endpoint", "packages/..%2f" + "0" * 61 + ".zip").status == 400


def test_versions_are_chosen_and_stay(served, tmp_path, controlplane):
    put(served)
    assert only(served)["version"] == "1.0.1"
    publish(controlplane, package(tmp_path / "b.zip", "Contoso", served.kind, "1.0.2"))
    publish(controlplane, package(tmp_path / "c.zip", "Contoso", served.kind, "1.3.0"))
    assert only(served)["version"] == "1.0.1"
    served.report([item(served, 1)])
    put(served, settings={"a": 1})
    assert only(served)["version"] == "1.0.2"
    served.report([item(served, 2)])
    put(served, settings={"a": 1}, autoUpgradeMinorVersion=True)
    assert only(served)["version"] == "1.3.0"


def item(agent, seq, **changes):
    changes = {"publisher": "Contoso", "type": agent.kind, "version": "1.0.1", **changes}
    return agent.item(changes.pop("name", "e"), seq, **changes)


def follow(agent, answer, timeout=20):
    return agent.cp.finish(answer, timeout)


def test_a_report_ends_the_operation_and_fills_the_instance_view(served):
    answer = put(served, settings={"greeting": "hi"})
    assert answer.status == 202
    document = served.desired()
    wanted = document.json["extensions"][0]
    assert wanted["state"] == "enabled" and wanted["publicSettings"] == {"greeting": "hi"}
    seq = wanted["settingsSeqNo"]
    going = served.report([item(served, seq, state="installing", provisioning="Creating")])
    assert going.status == 200 and going.json["accepted"] is True
    assert served.cp.arm("GET", answer.headers["Azure-AsyncOperation"]).json["status"] == "InProgress"
    served.report([item(served, seq, status={
        "version": 1.0, "timestampUTC": "2026-11-22T17:19:29Z", "status": {
            "status": "success", "code": 0, "formattedMessage": {"lang": "en", "message": "hi there"}}})])
    assert follow(served, answer)["status"] == "Succeeded"
    shown = served.extension("e", method="GET").json["properties"]
    assert shown["provisioningState"] == "Succeeded"
    assert shown["instanceView"]["typeHandlerVersion"] == "1.0.1"
    assert "hi there" in shown["instanceView"]["status"]["message"]
    assert served.beat(reportHash="r1").json["sendReport"] is False
    assert served.beat(reportHash="r0").json["sendReport"] is True


def test_a_failure_is_told_with_its_reason(served):
    answer = put(served)
    seq = only(served)["settingsSeqNo"]
    served.report([item(served, seq, state="failed", provisioning="Failed", code=7,
                        errorCode="HandlerCommandFailed", message="install ended with 7")])
    ended = follow(served, answer)
    assert ended["status"] == "Failed"
    assert ended["error"]["code"] == "HandlerCommandFailed"
    assert "install ended with 7" in ended["error"]["message"]
    shown = served.extension("e", method="GET").json["properties"]
    assert shown["provisioningState"] == "Failed"
    assert shown["instanceView"]["status"]["level"] == "Error"


def test_a_denial_of_local_policy_is_the_resources_error(served):
    answer = put(served)
    seq = only(served)["settingsSeqNo"]
    served.report([], denials=[{"name": "e", "publisher": "Contoso", "type": served.kind,
                                "settingsSeqNo": seq, "rule": "extensions.blocklist",
                                "message": "blocked here"}])
    ended = follow(served, answer)
    assert ended["error"]["code"] == "PolicyDenied" and "blocked here" in ended["error"]["message"]


def test_reports_about_older_settings_settle_nothing(served):
    answer = put(served)
    seq = only(served)["settingsSeqNo"]
    served.report([item(served, seq - 1)])
    assert served.cp.arm("GET", answer.headers["Azure-AsyncOperation"]).json["status"] == "InProgress"
    served.report([item(served, seq)])
    assert follow(served, answer)["status"] == "Succeeded"


def test_a_report_that_comes_again_or_late_is_dropped(served):
    put(served)
    seq = only(served)["settingsSeqNo"]
    assert served.report([item(served, seq)]).json["accepted"] is True
    served.report_sequence -= 1
    again = served.report([item(served, seq, state="failed", provisioning="Failed")])
    assert again.status == 200 and again.json["accepted"] is False
    assert served.extension("e", method="GET").json["properties"]["provisioningState"] == "Succeeded"
    served.boot_id, served.report_sequence = "cd" * 16, 0
    assert served.report([item(served, seq)]).json["accepted"] is True


def test_an_extension_leaves_when_it_is_reported_gone(served):
    put(served)
    served.report([item(served, only(served)["settingsSeqNo"])])
    answer = served.extension("e", method="DELETE")
    assert answer.status == 202
    document = served.desired()
    assert document.json["extensions"][0]["state"] == "uninstall"
    assert document.json["extensions"][0]["package"] is None
    served.report([item(served, 0, state="uninstalled", provisioning="Succeeded", version="")])
    assert follow(served, answer)["status"] == "Succeeded"
    gone = served.desired(document.headers["ETag"])
    assert gone.status == 200 and gone.json["extensions"] == []
    assert served.extension("e", method="GET").status == 404


def test_unmanaged_extensions_are_taken_note_of(served):
    answer = served.report([item(served, 0, name="Other.Tool", state="unmanaged")])
    assert answer.status == 200 and answer.json["accepted"] is True


@pytest.mark.parametrize("change", [{"state": "odd"}, {"provisioningState": "Odd"}, {"name": ""},
                                    {"settingsSeqNo": -1}, {"version": "1" * 44}, {"status": []}])
def test_a_report_that_breaks_a_rule_is_refused(served, change):
    one = item(served, 1)
    one.update(change)
    answer = served.report([one])
    assert answer.status == 400 and answer.json["error"]["code"] == "InvalidRequestContent"


def decrypt(tmp_path, key, certificate, blob):
    from cryptography.hazmat.primitives import serialization
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (tmp_path / "crt.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "blob").write_bytes(base64.b64decode(blob))
    for tool in ("cms", "smime"):
        clear = subprocess.run(["openssl", tool, "-inform", "DER", "-decrypt", "-in", tmp_path / "blob",
                                "-recip", tmp_path / "crt.pem", "-inkey", tmp_path / "key.pem"],
                               check=True, capture_output=True).stdout
    return json.loads(clear)


def test_protected_settings_wait_for_the_certificate_and_only_the_machine_reads_them(served, tmp_path):
    put(served, protectedSettings={"secret": "s3cr3t-value"})
    assert served.desired().json["extensions"] == []
    key, certificate, der = served.settings_certificate()
    thumbprint = served.put_settings_certificate(der).json["thumbprint"]
    wanted = only(served)
    assert wanted["protectedSettingsCertThumbprint"] == thumbprint
    assert decrypt(tmp_path, key, certificate, wanted["protectedSettings"]) == {"secret": "s3cr3t-value"}
    shown = served.extension("e", method="GET")
    assert b"s3cr3t" not in shown.body and "protectedSettings" not in shown.json["properties"]
    for file in served.cp.state.rglob("*"):
        if file.is_file():
            assert b"s3cr3t-value" not in file.read_bytes(), file
    # The same settings again keep ciphertext and number; others do not.
    served.report([item(served, wanted["settingsSeqNo"])])
    put(served, protectedSettings={"secret": "s3cr3t-value"})
    assert only(served)["protectedSettings"] == wanted["protectedSettings"]
    assert only(served)["settingsSeqNo"] == wanted["settingsSeqNo"]
    put(served, protectedSettings={"secret": "other"})
    changed = only(served)
    assert changed["settingsSeqNo"] > wanted["settingsSeqNo"]
    assert decrypt(tmp_path, key, certificate, changed["protectedSettings"]) == {"secret": "other"}


def test_the_catalogue_lists_publishers_types_and_versions(controlplane, tmp_path, kind):
    publisher = f"Pub{kind}"
    for version in ("1.0.0", "1.2.0"):
        publish(controlplane, package(tmp_path / f"{version}.zip", publisher, kind, version))
    base = "providers/Microsoft.HybridCompute/locations/local/publishers"
    for root in ("", "/"):  # below the subscription, and of the tenant
        def names(path, root=root):
            return [v["name"] for v in controlplane.arm("GET", root + base + path).json["value"]]
        assert names("").count(publisher) == 1
        assert names(f"/{publisher}/extensionTypes") == [kind]
        assert sorted(names(f"/{publisher}/extensionTypes/{kind}/versions")) == ["1.0.0", "1.2.0"]
        one = controlplane.arm("GET", f"{root}{base}/{publisher}/extensionTypes/{kind}/versions/1.2.0")
        assert one.json["properties"]["version"] == "1.2.0"
        missing = controlplane.arm("GET", f"{root}{base}/{publisher}/extensionTypes/{kind}/versions/9.9")
        assert missing.status == 404
