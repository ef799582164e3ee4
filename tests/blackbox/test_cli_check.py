# SPDX-License-Identifier: Apache-2.0
"""`mooring check` and `mooring check identity`: what is reached, and what a caller lacks."""
import json
import re
import shutil
import socket
import subprocess

import pytest
from harness.machine import CLOUD, Machine
from harness.process import program

NOBODY = 65534


def check(box, *arguments, **options):
    """The answer as JSON."""
    return json.loads(box.mooring("check", *arguments, "-j", check=False, **options).stdout)


def write_cloud(box, name, endpoint, pem=None):
    """A registered cloud at this endpoint, as `cloud register` would have stored it."""
    folder = box.path("/etc/mooring/clouds.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({
        "schema": 1, "name": name, "resourceManager": endpoint, "loginEndpoint": f"{endpoint}/adfs",
        "tokenEndpoint": f"{endpoint}/adfs/oauth2/token", "armAudience": "https://a/",
        "hisEndpoint": f"{endpoint}/his", "serviceAudience": "https://a/service",
        "hostSuffixes": ["localhost"]}))
    if pem:
        (folder / f"{name}.pem").write_text(pem)


def test_every_endpoint_of_a_cloud_is_reached(workspace, controlplane):
    box = Machine(workspace)
    box.register_cloud(controlplane)
    answer = check(box)
    assert answer["cloud"] == CLOUD and answer["allReachable"]
    rows = {row["name"]: row for row in answer["endpoints"]}
    assert set(rows) >= {"resourceManager", "login", "his", "gas", "notification", "ingestion"}
    for row in rows.values():
        assert row["reachable"] and row["private"] and row["reached"] == "tls"
        assert row["tls"] == "TLSv1.3" and row["proxy"] == "not used"
        assert row["certificates"][0]["subject"] and row["certificates"][0]["notAfter"]
        assert row["httpStatus"] >= 200 and abs(row["clockSkewMs"]) < 120_000
    text = box.mooring("check").stdout.splitlines()
    assert re.match(r"ENDPOINT +\|REACHABLE +\|PRIVATE +\|TLS +\|PROXY$", text[0])
    assert all(re.search(r"\|true +\|true +\|TLSv1\.3 +\|not used$", line) for line in text[1:])


def test_a_chain_that_is_not_trusted_is_shown(workspace, controlplane):
    box = Machine(workspace)
    write_cloud(box, "Stranger", controlplane.endpoint)  # the system's CA store
    done = box.mooring("check", check=False)
    assert done.returncode == 26
    assert re.search(r"\|false +\|true +\|TLSv1\.3", done.stdout)
    assert re.search(r"CN=.*, issued by CN=.*, valid until \d{4}-", done.stderr)


def test_how_far_a_connection_gets_is_told(workspace):
    box = Machine(workspace)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        closed = listener.getsockname()[1]
    write_cloud(box, "Closed", f"https://localhost:{closed}")
    row = check(box, "--cloud", "Closed")["endpoints"][0]
    assert row["reached"] == "name" and not row["reachable"] and row["error"]
    write_cloud(box, "Nameless", "https://cp.invalid")
    row = check(box, "--cloud", "Nameless")["endpoints"][0]
    assert row["reached"] == "none" and row["error"]


# check identity


def findings(box, env=None, user=None):
    argv = [program("mooring"), "check", "identity", "-j"]
    if user:
        mooring = box.workspace.path / "mooring"
        shutil.copy(program("mooring"), mooring)
        mooring.chmod(0o755)
        argv[0] = mooring
    done = subprocess.run(argv, env={**box.env, **(env or {})}, user=user, group=user,
                          extra_groups=[] if user else None, capture_output=True, text=True,
                          cwd="/", timeout=120, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode == 0) == answer["allGood"]
    assert done.returncode in (0, 61)
    return {row["name"]: row for row in answer["findings"]}


def variables(box):
    base = f"http://localhost:{box.himds_port_file.read_text().strip()}"
    return {"IDENTITY_ENDPOINT": f"{base}/metadata/identity/oauth2/token", "IMDS_ENDPOINT": base}


def test_a_caller_that_lacks_nothing_gets_a_token(connected):
    rows = findings(connected, variables(connected))
    assert all(row["good"] and not row["remedy"] for row in rows.values()), rows
    assert rows["token"]["found"].startswith("HTTP 200")
    text = connected.mooring("check", "identity", env=variables(connected)).stdout
    assert re.search(r"^token +\|true +\|HTTP 200", text, re.M)
    assert "eyJ" not in text


def test_variables_that_are_missing_or_point_elsewhere_are_named(connected):
    rows = findings(connected, {"IMDS_ENDPOINT": "http://169.254.169.254"})
    assert not rows["IDENTITY_ENDPOINT"]["good"]
    assert rows["IDENTITY_ENDPOINT"]["remedy"] == \
        f"export IDENTITY_ENDPOINT={variables(connected)['IDENTITY_ENDPOINT']}"
    assert "169.254.169.254" in rows["IMDS_ENDPOINT"]["found"]
    assert rows["token"]["good"]


def test_a_caller_outside_the_group_is_told_so(connected):
    rows = findings(connected, variables(connected), user=NOBODY)
    assert rows["challenge"]["good"]
    assert not rows["key file"]["good"] and "token" not in rows
    assert f"user {NOBODY}" in rows["key file"]["found"]
    assert "usermod -aG himds" in rows["key file"]["remedy"]


def test_a_machine_that_is_not_connected_says_so(machine):
    rows = findings(machine, variables(machine))
    assert rows["identity service"]["good"]
    assert not rows.get("token", rows["challenge"])["good"]


SQUATTER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.sendall(b"HTTP/1.1 401 X\\r\\nWWW-Authenticate: Basic realm=" + sys.argv[2].encode() +
              b"\\r\\nContent-Length: 0\\r\\n\\r\\n")
    print("asked", flush=True)
"""


def test_a_port_that_somebody_else_holds_is_named_and_told_nothing(connected):
    env = variables(connected)
    port = env["IMDS_ENDPOINT"].rsplit(":", 1)[1]
    # A service that was started without its port: the socket is there, the port is not its own.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other = free.getsockname()[1]
    secret = connected.path("/var/opt/azcmagent/tokens/x.key")
    squatter = subprocess.Popen(["/usr/bin/python3", "-c", SQUATTER, str(other), str(secret)],
                                stdout=subprocess.PIPE, text=True)
    try:
        assert squatter.stdout.readline() == "ready\n"
        connected.himds_port_file.write_text(f"{other}\n")
        rows = findings(connected, variables(connected))
        assert not rows["port 127.0.0.1"]["good"]
        assert f"held by user {NOBODY}" in rows["port 127.0.0.1"]["found"]
        assert "challenge" not in rows and "token" not in rows
    finally:
        connected.himds_port_file.write_text(f"{port}\n")
        squatter.kill()
        heard = squatter.communicate()[0]
    assert "asked" not in heard


def test_a_service_that_does_not_run_is_named(workspace):
    rows = findings(Machine(workspace))
    assert not rows["identity service"]["good"] and not rows["port 127.0.0.1"]["good"]
    assert "systemctl start mooring-identity" in rows["identity service"]["remedy"]
