# SPDX-License-Identifier: Apache-2.0
"""Attacks 8 and 9: what is left of secrets: in memory, in what others may read of a process, on the
disk, in logs, in what the control plane shows, after they were used."""
import base64
import json
import pathlib
import re
import secrets
import zipfile

import pytest
from cryptography.hazmat.primitives import serialization
from harness.canary import traces
from harness.extensions import Lab
from harness.machine import Machine
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
    token = server.sign_in(server.admin_id, server.admin_secret).json["access_token"]
    assert server.arm("GET", "resourceGroups/rg", api_version="2021-04-01", token=token).status == 200
    signature = base64.urlsafe_b64decode(token.split(".")[2] + "==")
    needles = {"canary": canary.encode(), "token": token.encode(), "its signature": signature}
    wait_for(lambda: not held(server.process.pid, needles), 30, "it to be forgotten")
    assert canary not in server.process.log_text()


def test_no_secret_is_in_a_log_or_an_unencrypted_file(used):
    logs = files_with(used.workspace.logs, used.secrets)
    assert not logs
    known = files_with(used.root, used.secrets)
    assert {path for path, _ in known} == {"var/opt/azcmagent/certs/identity.key"}


# Many operations, with all the programs say at their loudest


class Busy:
    """A machine on which everything happens in some order; it keeps every secret that came by."""

    def __init__(self, workspace, controlplane, name, random):
        self.cp, self.random, self.said = controlplane, random, []
        self.box = Machine(workspace)
        self.box.arguments = {role: ["--verbose"] for role in self.box.roles}
        self.box.start()
        self.box.connect(controlplane, resource_name=name, extra=["--verbose"])
        self.lab = Lab(self.box, controlplane, workspace.path, name)
        self.lab.publish()
        pem = (self.box.state / "certs/identity.key").read_bytes()
        self.pem = pem.decode().splitlines()[-4]
        self.key = parts_of(pem)
        self.secrets = {"principal's secret": controlplane.admin_secret}

    def keep(self, kind, secret):
        self.secrets[f"{kind} {len(self.secrets)}"] = secret

    def verbose(self, *arguments, stdin=None):
        done = self.box.mooring(*arguments, "--verbose", stdin=stdin, check=False)
        self.said += [done.stdout, done.stderr]
        return done

    # What may happen

    def token(self):
        resource = f"https://{self.random.randrange(10**6)}.example.com"
        path = f"/metadata/identity?api-version=2020-06-01&resource={resource}"
        path += self.random.choice(("", "&bypass_cache=true"))
        realm = self.box.himds_get(path).headers["WWW-Authenticate"].split("=", 1)[1]
        key = pathlib.Path(realm).read_text()
        self.keep("key", key)
        answer = self.box.himds_get(path, {"Metadata": "true", "Authorization": f"Basic {key}"})
        self.keep("token", answer.json["access_token"])

    def wrong_key(self):
        key = secrets.token_urlsafe(36)
        self.keep("wrong key", key)
        self.box.himds_get(f"/identity?api-version=2020-06-01&resource={RESOURCE}",
                           {"Metadata": "true", "Authorization": f"Basic {key}"})

    def show(self):
        self.verbose("show", *self.random.choice(((), ("-j",))))

    def configure(self):
        self.verbose("config", *self.random.choice((("set", "extensions.blocklist", "a/b"),
                                                    ("clear", "extensions.blocklist"), ("list",))))

    def proxy_with_password(self):
        """It is refused, and must not be repeated."""
        canary = secrets.token_urlsafe(18)
        self.keep("proxy", canary)
        assert self.verbose("config", "set", "proxy.url", f"http://u:{canary}@p:1/").returncode != 0

    def sign_in_wrongly(self):
        canary = secrets.token_urlsafe(30)
        self.keep("wrong secret", canary)
        assert self.cp.sign_in(self.cp.admin_id, canary).status in (400, 401)

    def ensure(self):
        self.verbose("ensure-connected", "--service-principal-id", self.cp.admin_id,
                     "--service-principal-secret-file", "-", stdin=self.cp.admin_secret)

    def protect(self):
        """Settings that only the handler may read, with JSON inside JSON."""
        outer, inner = (secrets.token_urlsafe(24) for _ in range(2))
        self.keep("setting", outer)
        self.keep("setting in JSON", inner)
        self.lab.put(settings={"n": self.random.random()},
                     protected={"password": outer, "more": json.dumps({"list": [{"key": inner}]})})
        self.lab.settled()

    def check(self):
        self.verbose("check")

    COMMON = (token, wrong_key)
    RARE = (show, configure, proxy_with_password, sign_in_wrongly, ensure, protect, check)

    def go_on(self, operations):
        for act in self.RARE:
            act(self)
        for _ in range(operations - len(self.RARE)):
            self.random.choice(self.COMMON * 8 + self.RARE)(self)
        self.verbose("extension", "list", "-j")

    def shown(self):
        """What the portal could show of it, and what a helper is sent."""
        resource = self.box.resource_id
        texts = [self.cp.arm("GET", f"{resource}{rest}").body for rest in
                 ("", "?$expand=instanceView", "/extensions", "/extensions/ext?$expand=instanceView")]
        bundle = self.box.workspace.path / "bundle.zip"
        self.verbose("logs", "-o", bundle)
        with zipfile.ZipFile(bundle) as opened:
            return texts + [opened.read(name) for name in opened.namelist()]


def test_after_many_operations_no_secret_is_anywhere(workspace, controlplane, unique, seeded, full):
    busy = Busy(workspace, controlplane, unique, seeded)
    box = busy.box
    try:
        busy.go_on(1000 if full else 40)
        words = {**busy.secrets, "pem": busy.pem}
        texts = {str(p): p.read_bytes() for p in [*workspace.logs.glob("*.log"),
                                                  *controlplane.workspace.logs.glob("*.log")]}
        texts.update({f"shown {n}": text for n, text in enumerate(busy.shown())})
        texts.update({f"said {n}": text.encode() for n, text in enumerate(busy.said)})
        assert all("--verbose" in role.argv for role in box.roles.values())
        whole = b"\n".join(texts.values())
        assert not {(name, form) for name, word in words.items() for form in traces(whole, word)}
        raw = {name: word.encode() for name, word in words.items()}
        assert {path for path, _ in files_with(box.root, raw)} <= {
            "var/opt/azcmagent/certs/identity.key"}
        stored = {n: w for n, w in raw.items() if not n.startswith("principal")}
        assert not files_with(controlplane.state, stored)
        pids = [role.pid for role in box.roles.values()]
        box.mooring("disconnect", "-f")
        for pid in pids:
            assert held(pid, {**raw, **busy.key}) == set(), pid
    finally:
        box.stop()
