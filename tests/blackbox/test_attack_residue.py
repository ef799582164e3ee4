# SPDX-License-Identifier: Apache-2.0
"""Attack 8: what is left of secrets: in memory, in what others may read of a process, on the disk,
in logs, after they were used."""
import pathlib
import re
import secrets

import pytest
from cryptography.hazmat.primitives import serialization
from harness.process import wait_for

RESOURCE = "https://management.azure.com"


def memory_of(pid):
    """All that the process may write, region by region."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            begin, end = (int(n, 16) for n in span.split("-"))
            if "rw" not in rights or end - begin > 1 << 30:
                continue
            try:
                mem.seek(begin)
                yield mem.read(end - begin)
            except (OSError, ValueError):
                continue


def held(pid, needles):
    """Names of the needles that are somewhere in the memory."""
    return {name for region in memory_of(pid) for name, needle in needles.items()
            if needle in region}


def parts_of(pem):
    """What gives a private key away: text of its file, and its numbers as OpenSSL holds them."""
    key = serialization.load_pem_private_key(pem, None)
    numbers = key.private_numbers()
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    number = lambda n, order: n.to_bytes((n.bit_length() + 7) // 8, order)[4:-4]
    # Behind the public number and the head, where only private numbers stand.
    return {"pem": pem.splitlines()[-4], "der": der[len(der) // 2:len(der) // 2 + 48],
            "d": number(numbers.d, "little"), "p": number(numbers.p, "little"),
            "q": number(numbers.q, "little"), "d, as written": number(numbers.d, "big")}


def files_with(folder, needles):
    found = set()
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            found |= {(str(path.relative_to(folder)), name) for name, needle in needles.items()
                      if needle in text}
    return found


@pytest.fixture
def used(connected, controlplane):
    """A machine whose secrets were all used, some of them often; and what they are."""
    secret = pathlib.Path(controlplane.info["adminSecretFile"]).read_bytes().strip()
    pem = (connected.state / "certs/identity.key").read_bytes()
    token = connected.token(RESOURCE)
    for _ in range(40):
        assert connected.token(RESOURCE)
    connected.mooring("config", "set", "extensions.blocklist", "a/b")
    connected.secrets = {"principal's secret": secret, "token": token.encode(), **parts_of(pem)}
    return connected


def test_a_process_gives_nothing_away(used):
    for process in used.roles.values():
        proc = pathlib.Path(f"/proc/{process.pid}")
        limits = (proc / "limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
        for file in ("environ", "cmdline"):
            text = (proc / file).read_bytes()
            assert not [name for name, secret in used.secrets.items() if secret in text]


def test_only_the_identity_role_ever_holds_the_key_or_the_principals_secret_nobody(used):
    key = {name: part for name, part in used.secrets.items() if name != "token"}
    assert "d" in held(used.roles["identity"].pid, key), "the search finds what is there"
    for role in ("extensions", "logs"):
        assert not held(used.roles[role].pid, key)
    assert "principal's secret" not in held(used.roles["identity"].pid, key)


def test_nothing_is_left_when_the_machine_was_disconnected(used):
    identity = used.roles["identity"].pid
    used.mooring("disconnect", "-f")
    assert not held(identity, used.secrets)
    assert not files_with(used.root, used.secrets)


def test_the_control_plane_forgets_what_it_was_told_in_confidence(own_controlplane, unique):
    server, canary = own_controlplane, f"canary-{secrets.token_hex(15)}"
    assert server.sign_in(server.admin_id, canary).status in (400, 401)
    server.group("rg")
    server.arm("PUT", f"/subscriptions/{server.subscription}/resourceGroups/rg/providers/"
               f"Microsoft.HybridCompute/machines/{unique}/extensions/e",
               {"location": server.info["location"], "properties": {
                   "publisher": "P", "type": "T", "protectedSettings": {"x": canary}}})
    needles = {"canary": canary.encode()}
    wait_for(lambda: not held(server.process.pid, needles), 30, "the canary to be forgotten")
    assert canary not in server.process.log_text()


def test_no_secret_is_in_a_log_or_an_unencrypted_file(used):
    logs = files_with(used.workspace.logs, used.secrets)
    assert not logs
    known = files_with(used.root, used.secrets)
    assert {path for path, _ in known} == {"var/opt/azcmagent/certs/identity.key"}
