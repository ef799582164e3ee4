# SPDX-License-Identifier: Apache-2.0
"""Attack 1 on the control plane: every route, as its own tables list them, against everybody who
has no business there. What is refused has changed nothing: the database is compared."""
import base64
import contextlib
import hmac
import http.client
import json
import re
import socket
import sqlite3
import ssl
import time
import urllib.parse
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from fake_agent import FakeAgent, b64url, new_key, sign_jws
from harness import routes
from harness.fixtures import serving
from harness.wire import receive
from log_site import INGESTION, QUERY, LogSite

MACHINES = "Microsoft.HybridCompute"
VERSIONS = {MACHINES: "2024-07-10", "Microsoft.Insights": "2023-03-11",
            "Microsoft.OperationalInsights": "2023-09-01", "/his/": "2026-11-01",
            "/gas/": "2026-11-01", "/notify/": "2026-11-01", "/packages/": "2026-11-01"}
AUDIENCES = ("arm", "service", "ingestion", "query")


def version_of(path):
    """Of the last provider that the path names: that is what the route is about."""
    named = {path.rfind(part): version for part, version in VERSIONS.items() if part in path}
    return named[max(named)] if named else "2021-04-01"


class World:
    """A control plane with something behind every route, and sound tokens for each audience."""

    def __init__(self, controlplane):
        self.cp = controlplane
        self.site = LogSite(controlplane, "attacked")
        self.agent, self.other, self.disabled = (
            FakeAgent(controlplane, self.site.group, name).register().enrol()
            for name in ("attacked", "other", "disabled"))
        assert self.site.associate(self.agent.resource_id, "attacked").status in (200, 201)
        controlplane.cli("machine", "disable", "disabled")
        controlplane.stop()  # what it writes late is then written
        controlplane.start()
        self.sound = {"arm": controlplane.token(), "ingestion": controlplane.token(INGESTION),
                      "query": controlplane.token(QUERY), "service": self.agent.token}
        self.signing = serialization.load_pem_private_key(
            (controlplane.state / "keys/token.key").read_bytes(), None)
        self.stranger = new_key()
        self.context = ssl.create_default_context(cafile=controlplane.ca_file)
        self.routes = routes.of("controlplane")
        self.line = None
        tags = f"{self.agent.resource_id}/providers/Microsoft.Resources/tags/default"
        self.names = {"sub": controlplane.subscription, "group": self.site.group, "name": "attacked",
                      "machine": "attacked", "res": "attacked", "type": "machines", "ns": MACHINES,
                      "table": self.site.table, "vmId": self.agent.vm_id, "id": self.site.workspace,
                      "rule": self.site.immutable_id, "stream": self.site.stream,
                      "location": controlplane.info["location"], "rest": tags.split("/", 3)[3]}

    def closed(self, *audiences):
        """The routes that ask for a token."""
        found = [r for r in self.routes if r.who in (audiences or AUDIENCES)]
        assert found
        return found

    def target(self, route, **names):
        path = routes.path(route, {**self.names, **names})
        return (f"{path}?api-version={version_of(path)}"
                f"&query={self.site.table}&revision=none&seconds=1")

    def body(self, route):
        if route.method in ("GET", "HEAD"):
            return None
        said = {"query": {"query": self.site.table}, "ingestion": [{"RawData": "x"}]}
        return json.dumps(said.get(route.who, {}))

    def connect(self):
        parts = urllib.parse.urlsplit(self.cp.endpoint)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=60,
                                           context=self.context)

    def ask(self, route, authorization, **names):
        """(status, error code, headers) of one request; authorization None: no such header."""
        headers = {} if authorization is None else {"Authorization": authorization}
        self.line = self.line or self.connect()
        self.line.request(route.method, self.target(route, **names), self.body(route), headers)
        answer = self.line.getresponse()
        said = json.loads(answer.read() or b"{}")
        return answer.status, said.get("error", {}).get("code", ""), answer.headers, said

    def resigned(self, who, header=None, key=None, alg="RS256", **changes):
        """The sound token with other claims; None takes one out."""
        claims = {k: v for k, v in {**self.part(who, 1), **changes}.items() if v is not None}
        head = {k: v for k, v in {**self.header("arm"), **(header or {})}.items() if v is not None}
        return "Bearer " + sign_jws(key or self.signing, head, claims, alg)

    def part(self, who, number):
        """0: the header of the sound token, 1: its claims."""
        return json.loads(base64.urlsafe_b64decode(self.sound[who].split(".")[number] + "=="))

    def header(self, who):
        """The service's own tokens name no key."""
        return {name: value for name, value in self.part(who, 0).items() if name != "alg"}

    def claim(self, who, name):
        return self.part(who, 1)[name]

    def state(self):
        """Every row, and what of the machines is in memory only."""
        shown = [self.cp.arm("GET", m.resource_id).body.decode() for m in (self.agent, self.other)]
        with contextlib.closing(sqlite3.connect(
                f"file:{self.cp.state}/controlplane.db?mode=ro", uri=True)) as db:
            return {*db.iterdump(), *shown}

    @contextlib.contextmanager
    def unchanged(self):
        before = self.state()
        yield
        assert self.state() ^ before == set(), "a refused request changed the database"


@pytest.fixture(scope="module")
def world():
    with serving() as server:
        yield World(server)


# Tokens that are not what they say


def unsigned(w, who, alg, signature):
    payload = w.sound[who].split(".")[1]
    head = b64url(json.dumps({**w.header("arm"), "alg": alg}).encode())
    return f"Bearer {head}.{payload}.{signature(f'{head}.{payload}')}"


def hashed(w, who):
    """Signed as if our public key were a shared secret."""
    public = w.signing.public_key().public_bytes(serialization.Encoding.PEM,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
    return unsigned(w, who, "HS256",
                    lambda text: b64url(hmac.new(public, text.encode(), "sha256").digest()))


def own_key(w, who):
    """Signed by a key that the token brings along."""
    numbers = w.stranger.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": b64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    return w.resigned(who, {"jwk": jwk, "kid": None}, key=w.stranger)


def swapped(w, who):
    """The claims of one sound token under the signature of another."""
    other = w.sound["service" if who != "service" else "arm"].split(".")
    head, payload, _ = w.sound[who].split(".")
    return f"Bearer {head}.{payload}.{other[2]}"


def audience(wanted):
    def forge(w, who):
        fits = who == wanted or (who == "query" and wanted == "arm")
        return SOUND if fits else w.resigned(who, aud=w.claim(wanted, "aud"))
    return forge


def now():
    return int(time.time())


SOUND = object()  # nothing is wrong with it at this route
MISSING, INVALID = "AuthenticationFailed", "InvalidAuthenticationToken"
AUDIENCE, TENANT = "InvalidAuthenticationTokenAudience", "InvalidAuthenticationTokenTenant"
ELSEWHERE = "00000000-0000-4000-8000-000000000000"
# what: (error code, but at the service, which has one; the header's value)
FORGERIES = {
    "no header": (MISSING, lambda w, who: None),
    "an empty header": (MISSING, lambda w, who: ""),
    "a scheme and nothing": (MISSING, lambda w, who: "Bearer"),
    "a scheme and a blank": (MISSING, lambda w, who: "Bearer "),
    "no scheme": (MISSING, lambda w, who: w.sound[who]),
    "another scheme": (MISSING, lambda w, who: f"Basic {w.sound[who]}"),
    "a scheme that is longer": (MISSING, lambda w, who: f"BearerX {w.sound[who]}"),
    "the scheme twice": (INVALID, lambda w, who: f"Bearer Bearer {w.sound[who]}"),
    "something behind it": (INVALID, lambda w, who: f"Bearer {w.sound[who]}.AAAA"),
    "no token at all": (INVALID, lambda w, who: "Bearer x"),
    "alg none": (INVALID, lambda w, who: unsigned(w, who, "none", lambda _: "")),
    "alg none, in capitals, signed": (
        INVALID, lambda w, who: unsigned(w, who, "NONE", lambda _: w.sound[who].split(".")[2])),
    "alg HS256 with the public key": (INVALID, hashed),
    "alg PS256": (INVALID, lambda w, who: w.resigned(who, alg="PS256")),
    "another key": (INVALID, lambda w, who: w.resigned(who, key=w.stranger)),
    "another key that it names": (
        INVALID, lambda w, who: w.resigned(who, {"kid": "k"}, key=w.stranger)),
    "another key that it brings": (INVALID, own_key),
    "another key and none named": (
        INVALID, lambda w, who: w.resigned(who, {"kid": None}, key=w.stranger)),
    "a header that must be understood": (INVALID, lambda w, who: w.resigned(who, {"crit": ["exp"]})),
    "another's signature": (INVALID, swapped),
    "half a signature": (INVALID, lambda w, who: f"Bearer {w.sound[who][:-100]}"),
    "expired": ("ExpiredAuthenticationToken", lambda w, who: w.resigned(who, exp=now() - 1)),
    "without an end": (INVALID, lambda w, who: w.resigned(who, exp=None)),
    "not yet valid": (INVALID, lambda w, who: w.resigned(who, nbf=now() + 3600)),
    "for somebody else": (AUDIENCE, lambda w, who: w.resigned(who, aud="https://elsewhere.example")),
    "for a name that ours begins": (AUDIENCE, lambda w, who: w.resigned(
        who, aud=w.claim(who, "aud").rstrip("/") + ".elsewhere.example")),
    "for nobody": (INVALID, lambda w, who: w.resigned(who, aud=None)),
    **{f"for {name}": (AUDIENCE, audience(name)) for name in AUDIENCES},
    "of another tenant": (INVALID, lambda w, who: w.resigned(who, tid=ELSEWHERE)),
    "by another tenant's issuer": (TENANT, lambda w, who: w.resigned(
        who, iss=f"{w.cp.endpoint}/{ELSEWHERE}/v2.0")),
    "by another host": (TENANT, lambda w, who: w.resigned(who, iss="https://elsewhere.example/adfs")),
    "of nobody we know": (INVALID, lambda w, who: w.resigned(who, oid=str(uuid.uuid4()))),
    "of another application": (INVALID, lambda w, who: w.resigned(
        who, appid=w.claim("service" if who != "service" else "arm", "appid"))),
}


def test_what_is_forged_here_is_sound_but_for_the_forgery(world):
    """The same token with nothing changed is believed."""
    for route in world.closed():
        if route.method == "GET":
            status, code, _, said = world.ask(route, world.resigned(route.who))
            assert status in (200, 404) or code == "BadArgumentError", (route, said)
    assert {r.who for r in world.closed()} == set(AUDIENCES)


@pytest.mark.parametrize("what", FORGERIES)
def test_no_route_takes_such_a_token(world, what):
    code, forge = FORGERIES[what]
    tried, believed = 0, []
    with world.unchanged():
        for route in world.closed():
            authorization = forge(world, route.who)
            if authorization is SOUND:
                continue
            tried += 1
            status, said, headers, _ = world.ask(route, authorization)
            wanted = INVALID if route.who == "service" else code
            if status != 401 or said != (wanted if route.method != "HEAD" else "") or \
                    not headers["WWW-Authenticate"].startswith("Bearer"):
                believed.append((route, status, said))
    assert not believed
    assert tried >= 8


# Somebody who is known, at somebody else's


# What every caller with a token may read: it names no resource of anybody's.
FOR_EVERYBODY = re.compile(r"GET (/tenants|/subscriptions|/subscriptions/{sub}"
                           r"|/providers/Microsoft\.HybridCompute/locations/{location}/publishers.*)")


def expect_no_right(world, token):
    """Every ARM, ingestion and query route says 403, or lists nothing, or has no such verb."""
    for route in world.closed("arm", "ingestion", "query"):
        status, code, _, said = world.ask(route, f"Bearer {token[route.who]}")
        if FOR_EVERYBODY.fullmatch(f"{route.method} {route.pattern}"):
            continue
        empty = route.method == "GET" and status == 200 and said["value"] == []
        unseen = "/operation" in route.pattern and status == 404
        assert status in (403, 405) or empty or unseen, (route, status, code, said)


def test_a_right_to_something_else_opens_nothing(world):
    name = f"/subscriptions/{world.cp.subscription}/resourceGroups/elsewhere"
    made = json.loads(world.cp.cli("principal", "create", "elsewhere", "--role", "Owner", "--scope",
                                   name, "-j").stdout)
    tokens = {who: world.cp.sign_in(made["clientId"], made["secret"], aud).json["access_token"]
              for who, aud in (("arm", None), ("ingestion", INGESTION), ("query", QUERY))}
    with world.unchanged():
        expect_no_right(world, tokens)


def test_a_machine_is_no_administrator(world):
    tokens = {who: world.other.sign_in(audience=aud).json["access_token"] for who, aud in
              (("arm", world.cp.endpoint), ("ingestion", INGESTION), ("query", QUERY))}
    with world.unchanged():
        expect_no_right(world, tokens)


def test_another_subscription_is_not_there(world):
    with world.unchanged():
        for route in world.closed("arm"):
            if "{sub}" in route.pattern:
                status, _, _, said = world.ask(route, f"Bearer {world.sound['arm']}", sub=ELSEWHERE)
                assert status in (403, 404, 405) or said.get("value") == [], (route, status, said)


@pytest.mark.parametrize("who", ["another machine", "an application"])
def test_the_service_knows_a_machine_by_its_own_token_only(world, who):
    token = world.other.token if who == "another machine" else world.cp.token(
        world.cp.service_audience)
    with world.unchanged():
        for route in world.closed("service"):
            if "{vmId}" in route.pattern or who == "an application":
                status, code, _, _ = world.ask(route, f"Bearer {token}")
                assert (status, code) == (404, "MachineNotFound"), route


def test_a_disabled_machine_may_do_nothing_more(world):
    audiences = {"arm": world.cp.endpoint, "ingestion": INGESTION, "query": QUERY}
    claims = {"appid": world.disabled.identity["clientId"],
              "oid": world.disabled.identity["principalId"]}
    with world.unchanged():
        for route in world.closed():
            aud = audiences.get(route.who, world.cp.service_audience)
            status, code, _, _ = world.ask(route, world.resigned(route.who, aud=aud, **claims),
                                           vmId=world.disabled.vm_id)
            wanted = (403, "MachineDisabled") if route.who == "service" else (401, INVALID)
            assert (status, code if route.method != "HEAD" else wanted[1]) == wanted, route


# Requests that are none


def raw_forms(method, target, host, token):
    """what: bytes; each would be served, but for what its name says."""
    line = f"{method} {target} HTTP/1.1\r\n"
    rest = f"Host: {host}\r\n"
    rest += "" if method in ("GET", "HEAD") else "Content-Length: 2\r\n"
    body = "" if method in ("GET", "HEAD") else "{}"
    sound = f"Authorization: Bearer {token}\r\n"
    yield "the token twice", line + rest + sound * 2 + "\r\n" + body
    yield "a wrong token behind the token", (line + rest + sound + "Authorization: Bearer x\r\n\r\n"
                                             + body)
    yield "a blank before the colon", (line + rest + f"Authorization : Bearer {token}\r\n\r\n" + body)
    yield "a folded header", line + rest + f"Authorization:\r\n Bearer {token}\r\n\r\n" + body
    yield "HTTP/1.0", line.replace("1.1", "1.0") + rest + sound + "\r\n" + body
    yield "HTTP/0.9", f"{method} {target}\r\n"
    yield "HTTP/2.0", line.replace("1.1", "2.0") + rest + sound + "\r\n" + body
    yield "no Host", line + rest.replace(f"Host: {host}\r\n", "") + sound + "\r\n" + body
    yield "length and coding", (line + f"Host: {host}\r\nContent-Length: 2\r\n" + sound +
                                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    yield "a chunk that is none", (line + f"Host: {host}\r\n" + sound +
                                   "Transfer-Encoding: chunked\r\n\r\nzz\r\n")


def side_doors(target, token):
    """what: (target, headers); a token where it does not count, another way to name the route."""
    yield "the token in the query", (f"{target}&access_token={token}", {})
    yield "the token in a cookie", (target, {"Cookie": f"Authorization=Bearer {token}"})
    yield "another header", (target, {"X-Authorization": f"Bearer {token}",
                                      "Proxy-Authorization": f"Bearer {token}",
                                      "X-Ms-Token-Aad-Access-Token": token})
    yield "a proxy's word", (target, {"X-Forwarded-User": "admin", "X-Remote-User": "root",
                                      "X-Forwarded-For": "127.0.0.1"})
    for name in ("X-Original-URL", "X-Rewrite-URL"):
        yield name, ("/his/discovery?api-version=2026-11-01", {name: target})


def tell(world, text):
    """The statuses of everything that is said to these bytes."""
    parts = urllib.parse.urlsplit(world.cp.endpoint)
    with socket.create_connection((parts.hostname, parts.port), 60) as plain, \
            world.context.wrap_socket(plain, server_hostname=parts.hostname) as one:
        one.sendall(text.encode())
        said = b""
        while piece := receive(one):
            said += piece
        return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def test_no_route_serves_what_is_no_request(world):
    host = urllib.parse.urlsplit(world.cp.endpoint).netloc
    with world.unchanged():
        for route in world.closed():
            for what, text in raw_forms(route.method, world.target(route), host,
                                        world.sound[route.who]):
                said = tell(world, text)
                assert len(said) == 1 and 400 <= said[0] <= 505 and said[0] != 404, (what, route, said)


def test_no_token_counts_but_in_its_place(world):
    with world.unchanged():
        for route in world.closed():
            for what, (target, headers) in side_doors(world.target(route), world.sound[route.who]):
                world.line.request(route.method, target, world.body(route), headers)
                answer = world.line.getresponse()
                said = answer.read()
                if what.startswith("X-") and answer.status != 401:
                    assert answer.status == 405 or b"hisEndpoint" in said or \
                        route.method == "HEAD", (what, route)
                else:
                    assert answer.status == 401, (what, route)


def test_requests_sent_ahead_are_judged_each_by_itself(world):
    """A sound request does not lend its token to those behind it."""
    host = urllib.parse.urlsplit(world.cp.endpoint).netloc
    sound = next(r for r in world.closed("arm") if r.method == "GET")
    first = (f"GET {world.target(sound)} HTTP/1.1\r\nHost: {host}\r\n"
             f"Authorization: Bearer {world.sound['arm']}\r\n\r\n")
    with world.unchanged():
        for route in world.closed():
            bare = f"{route.method} {world.target(route)} HTTP/1.1\r\nHost: {host}\r\n"
            bare += "\r\n" if route.method in ("GET", "HEAD") else "Content-Length: 2\r\n\r\n{}"
            last = bare.replace("Host:", "Connection: close\r\nHost:")
            assert tell(world, first + bare + first + last) == [200, 401, 200, 401], route
