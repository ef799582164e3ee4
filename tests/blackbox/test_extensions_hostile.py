# SPDX-License-Identifier: Apache-2.0
"""Extensions from a service that lies, breaks off, answers nonsense or nothing."""
import base64
import hashlib
import io
import json
import os
import re
import threading
import zipfile

import pytest
from fault_proxy import Fault, corrupt, cut, garbage, hang, service_error, status
from harness.extensions import ENABLED, Hostile, by_hand, manifest, with_mode, zipped
from harness.fixtures import Space
from harness.process import wait_for

MANIFEST = ("HandlerManifest.json", manifest())
PLAIN = ("HandlerManifest.json", manifest().encode(), {})


@pytest.fixture(scope="module")
def _service():
    with Space() as space:
        lab = Hostile(space, f"h{os.getpid()}")
        lab.publish(lab.package(ENABLED + "\nboth) ;;"))
        try:
            yield lab
        finally:
            lab.close()


@pytest.fixture
def service(_service):
    """One machine for all tests of this file; what a test put is gone after it."""
    yield _service
    _service.edits.clear()
    _service.served.clear()
    _service.proxy.clear()
    _service.listen()
    if _service.get().status == 200:
        _service.delete()
    _service.trace_file.unlink(missing_ok=True)


@pytest.fixture
def broken(workspace, unique):
    """A service and machine of this test's own."""
    lab = Hostile(workspace, unique)
    lab.publish()
    yield lab
    lab.close()


def refused(service, code, said):
    state, message = service.put_and_settle(settings={"try": len(service.proxy.requests)})
    assert state == "Failed" and said in message, message
    shown = service.shown()
    assert (shown["errorCode"], shown["state"]) == (code, "failed")
    assert said in shown["message"]
    handlers = service.machine.path("/var/lib/waagent")
    assert [p.name for p in handlers.iterdir() if p.is_dir()] == [], "something was left unpacked"
    left = service.machine.path("/var/lib/GuestConfig/downloads").glob("*")
    assert [p.name for p in left] == []
    assert service.trace() == []


# Bytes and signatures

def test_a_package_of_another_size_is_refused(service):
    service.offer("ext", service.package(), size=5)
    refused(service, "PackageCorrupt", "more bytes than the 5 the service said")
    service.edits["ext"] = lambda item: item["package"].update(size=item["package"]["size"] + 7)
    refused(service, "PackageCorrupt", "bytes, the service said")


def test_a_package_with_a_changed_byte_is_refused(service):
    service.proxy.fault(r"^GET /packages/", corrupt())
    refused(service, "PackageCorrupt", "SHA-256 is ")


def test_a_package_that_is_too_long_is_refused(service):
    data = service.package()
    service.offer("ext", data)
    for name in service.served:
        service.served[name] = data + b"more" * 1000
    refused(service, "PackageCorrupt", f"more bytes than the {len(data)} the service said")


def test_a_signature_of_other_bytes_is_refused(service):
    service.offer("ext", service.package(), signature=service.sign(b"other bytes"))
    refused(service, "PackageSignatureInvalid", "signature of the gallery")


def test_a_signature_that_is_none_is_refused(service):
    service.offer("ext", service.package(), signature=base64.b64encode(b"0" * 80).decode())
    refused(service, "PackageSignatureInvalid", "signature of the gallery")


def test_a_package_without_a_signature_is_refused(service):
    service.offer("ext", service.package(), signature=None, signatureFormat=None)
    refused(service, "PackageSignatureInvalid", "wants a signature of the gallery or publisher")


@pytest.mark.parametrize("change", [
    lambda d: d.update(publishers=["Somebody.Else"]),
    lambda d: d.update(purpose="agent"),
    lambda d: d.update(certificates=[]),
], ids=["other-publisher", "other-purpose", "unknown-gallery"])
def test_a_gallery_that_is_not_trusted_for_it_counts_as_no_signature(service, change):
    before = service.trust(change=lambda d: None)
    service.trust(change)
    try:
        refused(service, "PackageSignatureInvalid", "wants a signature")
    finally:
        service.trust(lambda d: d.update(before))


def test_a_revoked_gallery_is_refused(service):
    before = service.trust()
    digest = hashlib.sha256(base64.b64decode(before["certificates"][0])).hexdigest()
    service.trust(lambda d: d.update(revoked=[digest]))
    try:
        refused(service, "PackageSignatureInvalid", "wants a signature")
    finally:
        service.trust(lambda d: d.update(before))


def test_the_gallery_does_not_count_where_the_publisher_must_sign(service):
    service.local_config(extensions__signatureRequired="publisher")
    try:
        refused(service, "PackageSignatureInvalid", "wants a signature of the publisher")
    finally:
        service.local_config()


# Archives

def bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(*MANIFEST)
        archive.writestr("zeros", b"\0" * (48 << 20))
    return out.getvalue()


def overlapping():
    big = os.urandom(20000)
    return by_hand([PLAIN, ("a", big, {})]
                   + [(c, big, {"offset": len(PLAIN[1]) + 30 + 20}) for c in "bcd"])


ARCHIVES = {
    "climbs": (zipped([MANIFEST, ("../evil", "x")]), "unsafe path"),
    "climbs-inside": (zipped([MANIFEST, ("bin/../../evil", "x")]), "unsafe path"),
    "absolute": (zipped([MANIFEST, ("/tmp/evil", "x")]), "unsafe path"),
    "backslash": (by_hand([PLAIN, ("..\\evil", b"x", {})]), "unsafe character"),
    "drive": (zipped([MANIFEST, ("C:evil", "x")]), "unsafe character"),
    "control": (by_hand([PLAIN, ("a\nb", b"x", {})]), "unsafe character"),
    "bad-utf8": (by_hand([PLAIN, (b"a\xff", b"x", {"flags": 0})]), "UTF-8"),
    "double-slash": (zipped([MANIFEST, ("a//b", "x")]), "unsafe path"),
    "deep": (zipped([MANIFEST, ("a/" * 40 + "b", "x")]), "folders"),
    "long-name": (zipped([MANIFEST, ("a" * 300, "x")]), "unsafe path"),
    "symlink": (zipped([MANIFEST, (with_mode("link", 0o120777), "/etc")]), "is a link"),
    "fifo": (zipped([MANIFEST, (with_mode("fifo", 0o010644), "")]), "is a link, a device"),
    "device": (zipped([MANIFEST, (with_mode("null", 0o020666), "")]), "is a link, a device"),
    "encrypted": (by_hand([PLAIN, ("a", b"x" * 20, {"flags": 0x801})]), "encrypted"),
    "case": (zipped([MANIFEST, ("Readme", "x"), ("README", "y")]), "stands twice"),
    "twice": (by_hand([PLAIN, ("a", b"x", {}), ("a", b"y", {})]), "stands twice"),
    "file-and-folder": (zipped([MANIFEST, ("a", "x"), ("a/b", "y")]), "is a file and a folder"),
    "overlap": (overlapping(), "overlap"),
    "bomb": (bomb(), "times its size"),
    "bad-crc": (by_hand([PLAIN, ("a", b"x", {"crc": 1})]), "zip"),
    "longer-than-said": (by_hand([PLAIN, ("a", b"x" * 50, {"size": 3})]), "entry"),
    "empty": (by_hand([]), "package"),
    "no-zip": (b"PK, but not really" * 10, "not a readable zip"),
    "cut": (zipped([MANIFEST, ("a", "x")])[:-30], "not a readable zip"),
    "no-manifest": (zipped([("bin/handler", "x")]), "holds no HandlerManifest.json"),
    "manifest-cut": (zipped([("HandlerManifest.json", manifest()[:40])]), "HandlerManifest.json"),
    "no-command": (zipped([("HandlerManifest.json", manifest(updateCommand=None))]), "updateCommand"),
    "signing-info": (zipped([("HandlerManifest.json", manifest()[:-2]
                              + ',"signingInfo":{"publisher":"Test.Handlers","type":"Other",'
                                '"version":"1.0.0"}}]')]), "its signingInfo names another"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_cannot_be_trusted_is_refused_whole(service, case):
    data, said = ARCHIVES[case]
    service.offer("ext", data)
    refused(service, "PackageInvalid", said)
    assert not service.machine.path("/var/lib/evil").exists()
    assert not os.path.exists("/tmp/evil")


def test_a_good_package_takes_the_place_of_a_refused_one(service):
    service.offer("ext", b"rubbish")
    refused(service, "PackageInvalid", "zip")
    service.edits.clear()
    assert service.put_and_settle(settings={"another": "try"})[0] == "Succeeded"


def test_the_next_place_is_asked_when_the_first_has_other_bytes(service):
    data = service.package()
    service.offer("ext", data)
    good = service.edits["ext"]

    def edit(item):
        good(item)
        uri, = item["package"]["uris"]
        item["package"]["uris"] = [uri.replace("/packages/", "/packages/nowhere/"),
                                   f"{service.proxy.url}/packages/rubbish.zip", uri]
    service.edits["ext"] = edit
    service.served["rubbish.zip"] = b"x" * len(data)
    assert service.put_and_settle(settings={})[0] == "Succeeded"


def test_names_that_mean_something_to_a_shell_go_nowhere_near_one(service):
    def edit(item):
        item["version"] = "1.0.0;touch /tmp/evil"
    service.edits["ext"] = edit
    refused(service, "ItemInvalid", "version")
    assert not os.path.exists("/tmp/evil")


def test_an_unknown_state_fails_its_item_and_no_other(service):
    service.edits["ext"] = lambda item: item.update(state="frobnicate")
    refused(service, "ItemInvalid", "state")


# Dependencies

def pair(service, body):
    other = service.type + "B"
    service.publish(service.package(body, version="1.5.0"), version="1.5.0", type_name=other)
    service.edits["above"] = lambda item: item.update(dependsOn=["base"])
    service.put("above", settings={})
    service.put("base", settings={}, type_name=other, version="1.5")


def test_what_another_extension_depends_on_comes_first(broken):
    pair(broken, 'enable) sleep 0.3; status success 0 done ;;')
    assert broken.settled("above")[0] == "Succeeded"
    assert [t for t in broken.trace() if t.startswith("enable")] == ["enable 1.5.0 0", "enable 1.0.0 0"]


def test_what_depends_on_a_failure_fails_with_its_name(broken):
    pair(broken, "install) exit 9 ;;")
    assert broken.settled("above") == ("Failed", "it depends on base, which failed")
    assert broken.shown("above")["errorCode"] == "DependencyFailed"


# A service in trouble

TROUBLE = {
    "500": status(500),
    "own-500": service_error(500, "InternalServerError"),
    "429": service_error(429, "TooManyRequests", {"Retry-After": "1"}),
    "503": service_error(503, "ServiceUnavailable"),
    "404-of-a-balancer": status(404, b"<html>no such page</html>"),
    "garbage": garbage(),
    "cut": cut(),
}


@pytest.mark.parametrize("where", [r"/desiredState", r"^PUT .*/report"], ids=["desired", "report"])
@pytest.mark.parametrize("fault", TROUBLE)
def test_trouble_with_the_service_passes_by_itself(service, where, fault):
    rule = service.proxy.fault(where, TROUBLE[fault], times=2)
    assert service.put_and_settle(settings={})[0] == "Succeeded"
    assert rule.hits == 2 and service.trace() == ["install 1.0.0 0", "enable 1.0.0 0"]


@pytest.mark.parametrize("fault", ["500", "429", "503", "cut"])
def test_trouble_with_a_download_passes_by_itself(service, fault):
    rule = service.proxy.fault(r"^GET /packages/", TROUBLE[fault], times=1)
    service.put(settings={})
    service.proxy.wait_for(r"^GET /packages/", 1)
    if fault != "cut":
        wait_for(lambda: (service.shown() or {}).get("errorCode") == "PackageDownloadFailed", 20)
        assert service.shown()["provisioningState"] == "Creating"
    assert service.settled()[0] == "Succeeded" and rule.hits == 1


def test_a_download_tells_how_far_it_is(service):
    gate, archive = threading.Event(), io.BytesIO(service.package())
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("data", os.urandom(1 << 20))
    data = archive.getvalue()
    service.offer("ext", data)

    def slowly(handler, _forward):
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        gate.wait(120)
        handler.wfile.write(data[len(data) // 2:])
        return True
    service.proxy.fault(r"^GET /packages/", Fault("slowly", slowly))
    service.put(settings={"try": len(service.proxy.requests)})
    try:
        told = f"downloading: [45][0-9] % of {len(data)} bytes"
        wait_for(lambda: re.search(told, json.dumps(service.get().json)), 60, told)
    finally:
        gate.set()
    assert service.settled()[0] == "Succeeded"


def test_a_package_the_service_does_not_have_fails_its_item(service):
    service.proxy.fault(r"^GET /packages/", service_error(404, "PackageNotFound"))
    refused(service, "PackageDownloadFailed", "package")


def test_a_download_whose_connection_ends_is_given_up(broken):
    broken.proxy.fault(r"^GET /packages/", hang())
    broken.put()
    broken.proxy.wait_for(r"^GET /packages/", count=1)
    role = broken.machine.roles["extensions"]
    broken.machine.mooring("disconnect", "--force-local-only")
    wait_for(lambda: "package.retry" in role.log_text(), 30, "the download to be given up")
    assert role.running


def test_a_service_that_is_down_is_waited_for(broken):
    assert broken.put_and_settle(settings={"a": 1})[0] == "Succeeded"
    broken.controlplane.kill()
    broken.machine.restart_role("extensions")
    wait_for(lambda: broken.trace().count("enable 1.0.0 0") == 2, 20, "handlers to go on without it")
    broken.serve()
    assert broken.put_and_settle(settings={"a": 2})[0] == "Succeeded"
    assert broken.trace()[-1] == "enable 1.0.0 1"


def test_a_service_that_says_nothing_stops_no_handler(broken):
    broken.put_and_settle(settings={"a": 1})
    broken.proxy.fault(r"/desiredState", hang())
    broken.machine.restart_role("extensions")
    wait_for(lambda: broken.trace().count("enable 1.0.0 0") == 2, 20, "handlers to go on without it")
