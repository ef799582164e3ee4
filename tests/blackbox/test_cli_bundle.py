# SPDX-License-Identifier: Apache-2.0
"""`mooring logs`: what is in the zip, and that no secret is."""
import base64
import json
import os
import re
import secrets
import subprocess
import zipfile

import pytest
from harness.canary import forms, traces
from harness.cli import fails
from harness.machine import Machine
from harness.process import program
from test_logs_sources import Journal, needs_exporter

HANDLER = "Contoso.Echo-1.0.0"


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


def write(box, path, content, mode=0o600):
    file = box.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return file


def bundle(box, *arguments):
    """{name: bytes} of the zip."""
    out = box.workspace.path / f"bundle-{secrets.token_hex(4)}.zip"
    done = box.mooring("logs", "-o", out, "-j", *arguments)
    answer = json.loads(done.stdout)
    assert answer["file"] == str(out)
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as opened:
        assert len(opened.namelist()) == answer["files"]
        return {name: opened.read(name) for name in opened.namelist()}


def protect(box, settings):
    """A handler's folder with these protected settings, as the extensions role leaves it."""
    folder = box.path("/var/lib/waagent")
    folder.mkdir(parents=True)
    run = lambda *argv, **options: subprocess.run(argv, check=True, capture_output=True, **options)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=settings",
        "-days", "9", "-keyout", folder / "k", "-out", folder / "c")
    digest = run("openssl", "x509", "-in", folder / "c", "-noout", "-fingerprint", "-sha1").stdout
    thumbprint = digest.decode().strip().split("=")[1].replace(":", "")
    (folder / "k").rename(folder / f"{thumbprint}.prv")
    (folder / "c").rename(folder / f"{thumbprint}.crt")
    sealed = run("openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes256",
                 folder / f"{thumbprint}.crt", input=json.dumps(settings).encode()).stdout
    write(box, f"/var/lib/waagent/{HANDLER}/config/0.settings", json.dumps({"runtimeSettings": [{
        "handlerSettings": {"protectedSettings": base64.b64encode(sealed).decode(),
                            "protectedSettingsCertThumbprint": thumbprint,
                            "publicSettings": {}}}]}))
    return thumbprint


def test_no_secret_of_the_machine_leaves_it(box):
    canaries = {name: f"Ca{secrets.token_urlsafe(9)}+/ {name}&x" for name in
                ("leaf", "nested", "proxy", "challenge")}
    canaries = {name: value.replace(" ", "~") for name, value in canaries.items()}
    thumbprint = protect(box, {"password": canaries["leaf"],
                               "inner": json.dumps({"list": [{"key": canaries["nested"]}]})})
    write(box, "/etc/proxy-secret", f"user:{canaries['proxy']}\n")
    box.mooring("config", "set", "proxy.url", "http://proxy.example:3128")
    box.mooring("config", "set", "proxy.credentialsFile", box.path("/etc/proxy-secret"))
    write(box, "/var/opt/azcmagent/tokens/a.key", canaries["challenge"])
    prv = box.path(f"/var/lib/waagent/{thumbprint}.prv").read_text()
    token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQi" + secrets.token_urlsafe(30) + ".sig"
    for name, value in canaries.items():
        for form, text in forms(value).items():
            write(box, f"/var/log/azure/{HANDLER}/{name}-{form}.log", b"before " + text + b" after\n")
    write(box, f"/var/log/azure/{HANDLER}/rest.log",
          f"{prv}\nBearer {token}\nhttps://h.blob/c?sig=SasCanary%2B1&x=1\n"
          "DB_PASSWORD=EnvCanary1\nhttps://u:UrlCanary1@host/\nkept line\n")
    write(box, f"/var/lib/waagent/{HANDLER}/status/0.status",
          json.dumps([{"status": {"formattedMessage": {"message": f"used {canaries['leaf']}"}}}]))
    files = bundle(box, "--full")
    whole = b"\n".join(files.values())
    assert b"kept line" in whole and b"before [removed" in whole
    for name, value in canaries.items():
        assert not traces(whole, value), name
    for value in ("SasCanary", "EnvCanary1", "UrlCanary1", token, prv.splitlines()[3]):
        assert value.encode() not in whole
    assert not [name for name in files if re.search(r"\.(key|prv|settings|crt)$", name)]


@needs_exporter
def test_what_the_services_said_is_in_it_without_secrets(box):
    secret = f"Ca{secrets.token_urlsafe(12)}"
    write(box, "/etc/proxy-secret", f"user:{secret}\n")
    box.mooring("config", "set", "proxy.url", "http://proxy.example:3128")
    box.mooring("config", "set", "proxy.credentialsFile", box.path("/etc/proxy-secret"))
    ours = {"_SYSTEMD_UNIT": "mooring-identity.service"}
    Journal(box).write([{"MESSAGE": "heartbeat.accepted", **ours},
                        {"MESSAGE": f"proxy said {secret} and Bearer eyJhbGciOi.eyJhdWQi.canary", **ours},
                        {"MESSAGE": "somebody else's words", "_SYSTEMD_UNIT": "ssh.service"},
                        *({"MESSAGE": f"{n:05d} " + "x" * 3000, **ours} for n in range(1000)),
                        {"MESSAGE": "last words", "_SYSTEMD_UNIT": "mooring-logs.service"}])
    text = bundle(box, "--full")["journal.log"].decode()
    assert "mooring-identity.service: heartbeat.accepted" in text and "proxy said [removed" in text
    assert secret not in text and "eyJhdWQi" not in text and "somebody else" not in text
    assert text.endswith("mooring-logs.service: last words\n") and " 00000 x" in text
    brief = bundle(box)["journal.log"].decode()  # of much the end
    assert "last words" in brief and " 00999 x" in brief and " 00000 x" not in brief


def test_what_a_helper_needs_is_in_it(connected):
    connected.mooring("config", "set", "extensions.blocklist", "a/b")
    files = bundle(connected)
    shown = json.loads(files["show.json"])
    assert shown["status"] == "Connected"
    assert b"level=info" in files["log/azcmagent.log"]
    for name in ("state/agentconfig.json", "state/localconfig.json", "manifest.txt"):
        assert files[name]
    assert b"TestCloud" in files["etc/clouds.d/TestCloud.json"]


def test_older_and_compressed_files_are_named_when_left_out(box):
    for name in ("x.log", "x.log.1", "x.log.2.gz"):
        write(box, f"/var/log/azure/{HANDLER}/{name}", "text\n")
    folder = f"extensions/log/{HANDLER}"
    brief, full = bundle(box), bundle(box, "-f")
    assert f"{folder}/x.log" in brief and f"{folder}/x.log.1" not in brief
    assert f"{folder}/x.log.1" in full and f"{folder}/x.log.2.gz" not in full
    assert f"{folder}/x.log.1: left out: older".encode() in brief["manifest.txt"]
    assert f"{folder}/x.log.2.gz: left out: compressed".encode() in full["manifest.txt"]


def test_an_empty_file_is_in_it_too(box):
    write(box, f"/var/log/azure/{HANDLER}/x.log", "")
    files = bundle(box)
    assert files[f"extensions/log/{HANDLER}/x.log"] == b""
    assert f"{HANDLER}/x.log: 0 bytes".encode() in files["manifest.txt"]


def test_of_a_long_file_the_end_is_taken(box):
    write(box, f"/var/log/azure/{HANDLER}/x.log",
          "".join(f"line {n:07d}\n" for n in range(300_000)))
    taken = bundle(box)[f"extensions/log/{HANDLER}/x.log"]
    assert taken.startswith(b"line ") and taken.endswith(b"line 0299999\n")
    assert len(taken) <= 2 << 20


@pytest.mark.parametrize("trap", ["symlink", "folder link", "hardlink", "pipe"])
def test_no_path_that_somebody_else_may_have_turned_is_followed(box, trap):
    secret = write(box, "/etc/shadow-of-the-test", "ShadowCanary\n")
    folder = box.path(f"/var/log/azure/{HANDLER}")
    folder.mkdir(parents=True)
    os.chown(folder, 65534, 65534)
    if trap == "symlink":
        (folder / "x.log").symlink_to(secret)
    elif trap == "folder link":
        (folder / "sub").symlink_to(secret.parent)
    elif trap == "hardlink":
        os.link(secret, folder / "x.log")
    else:
        os.mkfifo(folder / "x.log")
    files = bundle(box)
    assert not [name for name, text in files.items() if b"ShadowCanary" in text]
    assert trap == "folder link" or b"x.log: " in files["manifest.txt"]


def test_a_zip_that_is_there_is_not_overwritten(box):
    there = write(box, "/there.zip", "mine")
    fails(box.mooring("logs", "-o", there, check=False), 5)
    assert there.read_text() == "mine"


def test_the_default_name_tells_time_and_computer(box):
    done = subprocess.run([program("mooring"), "logs"], env=box.env, cwd=box.workspace.path,
                          capture_output=True, text=True, check=True, timeout=60)
    assert re.search(r"/azcmagent-\d{4}-\d\d-\d\dT\d{6}-[\w-]+\.zip$", done.stdout.strip())
