# SPDX-License-Identifier: Apache-2.0
"""Attacks on the agent's local doors by programs and users of the machine. Each defence they meet
has a row in tests/attacks/defences.tsv."""
import concurrent.futures
import contextlib
import hashlib
import http.client
import ipaddress
import os
import pathlib
import re
import socket
import urllib.parse

import pytest
from harness import routes, web
from harness.machine import Machine
from harness.process import program
from harness.users import NOBODY, as_user

QUERY = "api-version=2020-06-01&resource=https%3A%2F%2Fvault.example.com"
TOKEN = f"/metadata/identity/oauth2/token?{QUERY}"
OPEN = "/agentstatus"  # the one route that asks for nothing
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can speak as another user")


def port_of(machine):
    return urllib.parse.urlsplit(machine.himds).port


def send(machine, text):
    """Raw bytes in, everything until the end out."""
    with socket.create_connection(("127.0.0.1", port_of(machine)), 30) as one:
        one.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        one.shutdown(socket.SHUT_WR)
        said = b""
        while piece := one.recv(65536):
            said += piece
        return said


def statuses(said):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def keys(machine):
    return list((machine.state / "tokens").glob("*.key"))


def state_hash(machine):
    """Of all the state but the key files."""
    total = hashlib.sha256()
    for path in sorted(machine.state.rglob("*")):
        if path.is_file() and path.suffix != ".key" and "log" not in path.parts:
            total.update(str(path).encode() + path.read_bytes())
    return total.hexdigest()


# 1. No header, a wrong one, another protocol: nothing is given, nothing changes


def unmarked(get, host, key):
    """Requests that lack the header that no browser sends."""
    yield "no Metadata", get + host + "\r\n"
    yield "an empty Metadata", get + host + "Metadata:\r\n\r\n"
    yield "Metadata: false", get + host + "Metadata: false\r\n\r\n"
    yield "Metadata and more", get + host + "Metadata: true, true\r\n\r\n"
    hidden = f"{get}{host}Metadata: true\r\n"
    yield "a hidden second request", (get + host + f"Content-Length: {len(hidden)}\r\n\r\n" + hidden)
    for scheme in ("", "Basic ", "Bearer ", "Digest ", "basic", "Basic\t\t", "Negotiate "):
        yield f"scheme {scheme!r}", get + host + f"Authorization: {scheme}{key}\r\n\r\n"


def malformed(get, host, key):
    """What is no request for anything."""
    metadata = "Metadata: true\r\n"
    sound = get + host + metadata
    yield "Metadata twice", sound + metadata + "\r\n"
    yield "Metadata folded", get + host + "Metadata:\r\n true\r\n\r\n"
    yield "Metadata with a blank before the colon", get + host + "Metadata : true\r\n\r\n"
    yield "no Host", get + metadata + "\r\n"
    yield "Host twice", sound + host + "\r\n"
    yield "HTTP/1.0", sound.replace("HTTP/1.1", "HTTP/1.0") + "\r\n"
    yield "HTTP/0.9", get.replace(" HTTP/1.1", "")
    yield "HTTP/2.0", sound.replace("HTTP/1.1", "HTTP/2.0") + "\r\n"
    yield "a chunked body that lies", sound + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    yield "length and coding", (sound + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "0\r\n\r\n")
    yield "the key twice", (sound + f"Authorization: Basic {key}\r\n" * 2 + "\r\n")
    route = get.split()[1]
    for header in ("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override"):
        yield header, get.replace(route, "/nothing") + host + metadata + f"{header}: {route}\r\n\r\n"


def test_no_route_gives_anything_to_a_request_that_lacks_something(served):
    before = state_hash(served)
    host, key = f"Host: localhost:{port_of(served)}\r\n", "A" * 48
    count = 0
    for route in routes.of("himds"):
        get = f"{route.method} {route.pattern}?{QUERY} HTTP/1.1\r\n"
        forms = [*malformed(get, host, key), *(unmarked(get, host, key) if route.pattern != OPEN else ())]
        for what, text in forms:
            said = send(served, text)
            assert statuses(said) and all(400 <= s < 600 for s in statuses(said)), (what, said)
            assert b"access_token" not in said and b"resourceId" not in said, what
            count += 1
    assert count > 150
    assert state_hash(served) == before


def test_every_route_serves_whoever_asks_as_it_must_be_asked(served):
    """What the forms above lack is all that they lack."""
    for route in routes.of("himds"):
        said = send(served, f"{route.method} {route.pattern}?{QUERY} HTTP/1.1\r\nMetadata: true\r\n"
                            f"Host: localhost:{port_of(served)}\r\n\r\n")
        assert statuses(said) == [401 if b"authenticate" in said.lower() else 200], (route, said)


def test_requests_sent_ahead_are_judged_each_by_itself(served):
    port = port_of(served)
    sound = f"GET {TOKEN} HTTP/1.1\r\nHost: localhost:{port}\r\nMetadata: true\r\n\r\n"
    bare = sound.replace("Metadata: true\r\n", "")
    said = send(served, sound + bare + sound.replace("localhost", "evil.example") + sound)
    assert statuses(said) == [401, 400, 403, 401]
    assert b"access_token" not in said


@pytest.mark.parametrize("key", ["", "A", "A" * 47, "A" * 48, "A" * 49, "////" * 12, "\x7f" * 48,
                                 "A" * 4096])
def test_made_up_keys_are_worth_a_new_challenge_or_nothing(served, key):
    said = send(served, f"GET {TOKEN} HTTP/1.1\r\nHost: localhost:{port_of(served)}\r\n"
                        f"Metadata: true\r\nAuthorization: Basic {key}\r\n\r\n")
    assert statuses(said)[0] in (400, 401) and b"access_token" not in said


# 2. Names that lead here, forms that come by other ways


def host_spellings(port):
    """What names 127.0.0.1 somewhere, or looks as if."""
    numbers = ["2130706433", "0x7f000001", "017700000001", "0x7f.1", "0x7f.0.0.1", "127.1", "127.0.1",
               "0177.0.0.1", "127.000.000.001", "127.0.0.01", "0127.0.0.1", "0.0.0.0", "0", "00",
               "[::]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[0::1]", "[::1%lo]", "[::1%25lo]",
               "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]", "::1",
               "[127.0.0.1]", "[localhost]", "[::1", "::1]", "127.0.0.1.", "127.0.0.1..",
               "[::1].", "[::1.]"]
    numbers += [str(ipaddress.ip_address("127.0.0.1") + n) for n in range(1, 20)]
    names = ["localhost.", "localhost..", ".localhost", "localhost.localdomain", "localhost6",
             "ip6-localhost", "ip6-loopback", "a.localhost", "localhost.evil.example",
             "evil.example", "evil.example.localhost", "127.0.0.1.nip.io", "localtest.me",
             "lvh.me", "rebind.it", "xn--localhost", "xn--lcalhost-54a", "himds", "metadata",
             "169.254.169.254", "metadata.google.internal", "local%68ost", "localhost%00",
             "localhost%2e", "localhost%20", "localhost\t", "local host", "localhost#", "localhost?",
             "localhost/", "localhost\\", "localhost@evil.example", "evil.example@localhost",
             "user@localhost", "user:x@localhost", "localhost,localhost", "localhost;", "'localhost'",
             '"localhost"', "<localhost>", "localhost&", "localhost*", "*", "*.localhost", "-", "_",
             "", " ", "\xe9localhost", "localhost\xad", "\uff4c".encode().decode("latin-1"),
             "LOCALHOST.", "LocalHost.", "l\xf6calhost", "localhost\x7f", "http://localhost"]
    for name in numbers + names:
        yield f"{name}:{port}"
        yield name
    for ours in ("localhost", "127.0.0.1", "[::1]"):
        for wrong in ("", ":", ":0", ":80", ":443", f":{port + 1}", f":0{port}", f":+{port}",
                      f":-{port}", f":{port}0", f":{port} x", f":{port}:{port}", f":{port}/",
                      f":{port + 65536}", f":0x{port:x}", f"::{port}", f":{port}.", f":{port},a"):
            yield ours + wrong


def test_two_hundred_spellings_of_host_are_refused(served):
    before = len(keys(served))
    spellings = list(host_spellings(port_of(served)))
    assert len(spellings) > 200
    for host in spellings:
        said = send(served, f"GET {TOKEN} HTTP/1.1\r\nHost: {host}\r\nMetadata: true\r\n\r\n")
        assert statuses(said) in ([400], [403]), (host, said)
    assert len(keys(served)) <= before


@pytest.mark.parametrize("line", [
    "GET http://localhost:{port}{path} HTTP/1.1", "GET http://evil.example{path} HTTP/1.1",
    "GET //localhost:{port}{path} HTTP/1.1", "GET //evil.example{path} HTTP/1.1",
    "CONNECT localhost:{port} HTTP/1.1", "OPTIONS {path} HTTP/1.1", "OPTIONS * HTTP/1.1",
    "TRACE {path} HTTP/1.1", "POST {path} HTTP/1.1", "PROPFIND {path} HTTP/1.1",
    "GET localhost:{port}{path} HTTP/1.1", "GET {path}#x HTTP/1.1", "GET \\{path} HTTP/1.1",
    "GET /metadata/../nothing{path} HTTP/1.1", "GET /%2e%2e{path} HTTP/1.1",
    "GET {path}%00 HTTP/1.1"])
def test_other_forms_of_a_request_are_refused(served, line):
    port, before = port_of(served), len(keys(served))
    said = send(served, line.format(port=port, path=TOKEN) + f"\r\nHost: localhost:{port}\r\n"
                "Metadata: true\r\nContent-Length: 0\r\n\r\n")
    assert statuses(said) and statuses(said)[0] >= 400 and statuses(said)[0] != 401, said
    assert len(keys(served)) <= before
    assert b"access-control" not in said.lower()


# 3. The key files


@as_root
def test_key_files_are_closed_to_everybody_else(served):
    said = served.himds_get(TOKEN)
    path = said.headers["WWW-Authenticate"].split("=")[1]
    gid = pathlib.Path(path).stat().st_gid

    def read():
        return pathlib.Path(path).read_text()

    def tamper(what):
        try:
            what()
            return "done"
        except PermissionError:
            return "refused"
    with pytest.raises(AssertionError, match="PermissionError"):
        as_user(NOBODY, read)
    folder = os.path.dirname(path)
    for act in (lambda: os.symlink("/etc/passwd", f"{folder}/x.key"), lambda: os.unlink(path),
                lambda: os.mkdir(f"{folder}/y.key"), lambda: open(path, "a", encoding="ascii"),
                lambda: os.rename(path, f"{folder}/z.key"), lambda: os.link(path, f"{folder}/l.key")):
        assert as_user(NOBODY, tamper, act) == "refused"
        assert as_user(NOBODY, tamper, act, groups=[gid]) == "refused"
    assert len(as_user(NOBODY, read, groups=[gid])) == 48


def race(port, path, rounds):
    """Many send the same key at once: how many tokens came of each key."""
    def redeem(key):
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        one.request("GET", path, headers={"Host": f"localhost:{port}", "Metadata": "true",
                                          "Authorization": f"Basic {key}"})
        answer = one.getresponse()
        answer.read()
        one.close()
        return answer.status
    counts = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(rounds):
            said = web.request("GET", f"http://127.0.0.1:{port}{path}",
                               headers={"Metadata": "true"})
            key = pathlib.Path(said.headers["WWW-Authenticate"].split("=")[1]).read_text()
            counts.append(list(pool.map(redeem, [key] * 8)).count(200))
    return counts


def test_a_key_sent_many_times_at_once_gives_one_token(served, full):
    assert served.token_answer("https://vault.example.com").status == 200
    assert set(race(port_of(served), TOKEN, 12500 if full else 40)) == {1}


# 5. The sockets: who may ask what



def ask_all(sock, calls):
    """What each route of a socket answers: to the sound request, and to a verb it has not."""
    found = []
    for route in calls:
        for method in (route.method, "PATCH"):
            path = f"{route.pattern}?resource=https://management.azure.com"
            found.append(web.request(method, f"http://localhost{path}",
                                     {} if method != "GET" else None, unix=sock).status)
    return found


def in_session(act, *arguments):
    """In a session of its own, as a user who logged in elsewhere."""
    os.setsid()
    return act(*arguments)


@as_root
def test_sockets_do_nothing_for_other_users(served):
    """Every route but the open one; others, a member of the group, a container's user, a user of
    another session."""
    before = state_hash(served)
    sockets = {served.socket: [r for r in routes.of("himds.sock") if r.who == "administrator"],
               served.path("/run/mooring/roles.sock"): routes.of("roles.sock")}
    gid = (served.state / "tokens").stat().st_gid
    for path, calls in sockets.items():
        for uid, groups in ((NOBODY, ()), (NOBODY, (gid,)), (12345, ()), (2**31, ())):
            for how in ((ask_all,), (in_session, ask_all)):
                assert set(as_user(uid, *how, path, calls, groups=groups)) == {403}, (path, uid)
    assert state_hash(served) == before
    assert served.token_answer("https://vault.example.com").status == 200


@as_root
def test_a_socket_passed_on_speaks_for_who_opened_it(served):
    """A user's connection stays the user's, also in root's hands."""
    ours, theirs = socket.socketpair()

    def connect_and_pass():
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(served.socket))
            socket.send_fds(theirs, [b"x"], [one.fileno()])
    as_user(NOBODY, connect_and_pass)
    ours.settimeout(10)
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=fds[0]) as passed:
        passed.settimeout(30)
        passed.sendall(b"POST /disconnect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        assert b" 403 " in passed.recv(4096)


# 6. No file is ever open to others, whatever the umask

CREATING = re.compile(r'(openat|mkdirat|mkdir|creat|mknodat)\(.*?"([^"]*)".*?,\s*0([0-7]+)(?:\)| <)')
CHANGING = re.compile(r"(?:fchmod|fchmodat|chmod)\(.*?0([0-7]+)")


@pytest.mark.skipif(not os.path.exists("/usr/bin/strace"), reason="strace is not installed")
@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_no_file_is_made_open_to_others(workspace, own_controlplane, mask):
    machine = Machine(workspace)
    trace = workspace.path / "trace"
    role = machine.roles["identity"]
    role.env["ASAN_OPTIONS"] = role.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    # The test's own: mkdir gives parents no mode but the umask's.
    machine.state.parent.mkdir(parents=True, exist_ok=True)
    before = os.umask(mask)
    try:
        role.argv = ["strace", "-D", "-f", "-qq", "-s", "300", "-o", str(trace), "-e",
                     "trace=openat,creat,mkdir,mkdirat,mknodat,fchmod,fchmodat,chmod",
                     program("mooringd"), "identity"]
        role.start()
        role.wait_ready(lambda: machine.himds_port_file.exists() and machine.socket.exists(), 60)
        machine.connect(own_controlplane)
        for _ in range(3):
            assert machine.token_answer("https://vault.example.com").status == 200
        machine.mooring("disconnect", "--force-local-only", check=False)
        role.stop(30)
    finally:
        os.umask(before)
        machine.stop()
    made = 0
    for line in trace.read_text(errors="replace").splitlines():
        if "resumed>" in line:
            continue
        if "O_CREAT" in line or "mkdir" in line or "mknod" in line or "creat(" in line:
            found = CREATING.search(line)
            assert found, line
            assert int(found.group(3), 8) & 0o022 == 0, line
            secret = any(s in found.group(2) for s in ("identity.key", "next.key", "tokens.cache"))
            assert not secret or int(found.group(3), 8) & 0o077 == 0, line
            made += 1
        elif found := CHANGING.search(line):
            socket_of_ours = int(found.group(1), 8) == 0o666
            assert socket_of_ours or int(found.group(1), 8) & 0o022 == 0, line
    assert made > 10
    for path, mode in (("certs", 0o700), ("tokens", 0o750)):
        if (machine.state / path).exists():
            assert (machine.state / path).stat().st_mode & 0o777 == mode


# 7. Links in the folders that the service writes


@pytest.mark.parametrize("what", ["tokens/x.key", "certs/identity.key", "certs/myCert",
                                  "certs/tokens.cache", "certs/next.key", "tokens/.spare"])
def test_links_planted_in_its_folders_lead_nowhere(workspace, own_controlplane, what):
    """Planted before the start: nothing outside changes, is made or goes."""
    victim = workspace.path / "victim"
    victim.mkdir()
    (victim / "file").write_text("untouched")
    (victim / "1.key").write_text("untouched")
    machine = Machine(workspace)
    link = machine.state / what
    link.parent.mkdir(parents=True, mode=0o755)
    link.parent.chmod(0o750 if "tokens" in what else 0o700)
    link.symlink_to(victim if what.endswith(".spare") else victim / "file")
    machine.start("identity")
    try:
        machine.connect(own_controlplane, check=False)
        with contextlib.suppress(AssertionError):
            machine.token("https://vault.example.com")
        machine.mooring("disconnect", "--force-local-only", check=False)
    finally:
        machine.stop()
    assert sorted(p.name for p in victim.iterdir()) == ["1.key", "file"]
    assert {p.read_text() for p in victim.iterdir()} == {"untouched"}


@pytest.mark.parametrize("folder", ["tokens", "certs"])
def test_a_folder_that_is_a_link_is_not_used(workspace, own_controlplane, folder):
    elsewhere = workspace.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old.key").write_text("untouched")
    machine = Machine(workspace)
    machine.state.mkdir(parents=True, mode=0o755)
    (machine.state / folder).symlink_to(elsewhere)
    role = machine.roles["identity"]
    try:
        with contextlib.suppress(AssertionError):
            machine.start("identity")
            machine.connect(own_controlplane, check=False)
            machine.himds_get(TOKEN)
    finally:
        role.stop()
    assert [p.name for p in elsewhere.iterdir()] == ["old.key"]
    assert elsewhere.stat().st_mode & 0o777 == 0o755
