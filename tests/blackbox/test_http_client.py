# SPDX-License-Identifier: Apache-2.0
"""platform/http's client against servers that do as a test says."""
import datetime
import email.utils
import os
import socket
import ssl
import subprocess
import time

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from harness.process import PATIENCE
from harness.wire import Authority, ScriptServer, answer_bytes, ask, built_program

OK = answer_bytes(200, b"fine")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def good(authority):
    return authority.issue("good")


def hang(s, _asked):
    s.recv(1)


def echo(s, asked):
    head = "\n".join(f"{k}={v}" for k, v in sorted(asked.headers.items()))
    s.sendall(answer_bytes(200, f"{asked.method} {asked.target}\n{head}\n\n".encode() + asked.body))
    return True


def test_get_and_the_headers_it_sends(workspace):
    with ScriptServer({"/a": OK}) as server:
        answer, = ask(workspace, f"{server.url}/a?b=c%20d")
        asked, = server.asked
    assert (answer["code"], answer["status"], answer["body"]) == ("ok", 200, "fine")
    assert (asked.method, asked.target, asked.body) == ("GET", "/a?b=c%20d", b"")
    assert asked.headers["user-agent"].startswith("mooring/")
    assert len(asked.headers["x-ms-client-request-id"]) == 36
    assert asked.headers["host"] == f"localhost:{server.port}"
    for absent in ("authorization", "expect", "accept-encoding", "content-type", "range"):
        assert absent not in asked.headers


def test_each_request_has_its_own_id_and_shares_the_connection(workspace):
    with ScriptServer({"/a": OK}) as server:
        assert len(ask(workspace, *[f"{server.url}/a"] * 5)) == 5
        assert len({a.headers["x-ms-client-request-id"] for a in server.asked}) == 5
        assert server.connections == 1


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_bodies_are_sent_with_every_method(workspace, method):
    with ScriptServer({"/a": OK}) as server:
        ask(workspace, "--method", method, "--body", "{}", f"{server.url}/a")
        ask(workspace, "--method", method, "--body", "x" * 90000, "--type", "text/plain",
            "--encoding", "x", f"{server.url}/a")
        small, long = server.asked
    assert (small.method, small.body, small.headers["content-type"]) == (method, b"{}", "application/json")
    assert (long.method, long.body, long.headers["content-type"]) == (method, b"x" * 90000, "text/plain")
    assert long.headers["content-encoding"] == "x" and "expect" not in long.headers


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_empty_bodies_have_a_length_and_no_type(workspace, method):
    with ScriptServer({"/a": OK}) as server:
        ask(workspace, "--method", method, f"{server.url}/a")
        asked, = server.asked
    assert asked.method == method and asked.headers["content-length"] == "0"
    assert "content-type" not in asked.headers


def test_head_ends_without_a_body(workspace):
    with ScriptServer({"/a": answer_bytes(200, Content_Length=1000)}) as server:
        answer, = ask(workspace, "--method", "HEAD", f"{server.url}/a")
    assert answer["status"] == 200 and answer["headers"]["content-length"] == "1000"


def test_own_headers_and_token_are_sent(workspace):
    with ScriptServer({"/a": OK}) as server:
        ask(workspace, "--bearer", "t0ken", "--header", "x-one:1", "--header", "x-empty:",
            "--header", "X-Ms-Client-Request-Id:mine", f"{server.url}/a")
        asked, = server.asked
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert asked.headers["x-one"] == "1" and asked.headers["x-empty"] == ""
    assert asked.headers["x-ms-client-request-id"] == "mine"


@pytest.mark.parametrize("argument", ["--header", "--bearer"])
def test_headers_that_would_end_their_line_are_refused(workspace, argument):
    with ScriptServer({"/a": OK}) as server:
        answer, = ask(workspace, argument, "x:y\r\nEvil: 1", f"{server.url}/a")
        assert not server.asked
    assert answer["code"] == "bad input" and "Evil" not in answer["message"]


@pytest.mark.parametrize("url", ["ftp://localhost/", "file:///etc/passwd", "localhost", "http://",
                                 "http://u:p@localhost/", "http://local host/"])
def test_urls_that_are_not_ours_are_refused(workspace, url):
    answer, = ask(workspace, url)
    assert answer["code"] == "bad input"
    assert "u:p" not in answer["message"]


def test_failed_connection_is_transient_and_named(workspace):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        answer, = ask(workspace, f"http://127.0.0.1:{port}/secret?sig=canary")
    assert answer["code"] == "transient"
    assert f"http://127.0.0.1:{port}: " in answer["message"]
    assert "secret" not in answer["message"] and "canary" not in answer["message"]


def test_unknown_name_is_transient(workspace):
    answer, = ask(workspace, "http://no-such-name.invalid/")
    assert answer["code"] == "transient" and "no-such-name.invalid" in answer["message"]


def test_deadline_covers_a_server_that_hangs(workspace):
    with ScriptServer({"/a": hang}) as server:
        answer, = ask(workspace, "--timeout", 400, f"{server.url}/a")
    assert answer["code"] == "timeout" and 350 < answer["ms"] < 5000 * PATIENCE


def test_deadline_covers_a_body_that_drips(workspace):
    def drip(s, _asked):
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            s.sendall(b"x")
            time.sleep(0.02)
    with ScriptServer({"/a": drip}) as server:
        answer, = ask(workspace, "--timeout", 500, f"{server.url}/a")
    assert answer["code"] == "timeout" and answer["ms"] < 5000 * PATIENCE


def test_deadline_covers_a_handshake_that_hangs(workspace):
    with socket.create_server(("127.0.0.1", 0)) as s:
        answer, = ask(workspace, "--connect-timeout", 300, f"https://127.0.0.1:{s.getsockname()[1]}/")
    assert answer["code"] == "timeout" and answer["ms"] < 5000 * PATIENCE


@pytest.mark.parametrize("how", ["--timeout", "--cancel"])
def test_giving_up_does_not_wait_for_a_name_look_up(workspace, how):
    """The system's look-up cannot be interrupted; its thread is left behind."""
    source, library = workspace.path / "slow.c", workspace.path / "slow.so"
    source.write_text("int sleep(unsigned);"
                      "int getaddrinfo(void *a, void *b, void *c, void *d)"
                      "{ (void)a; (void)b; (void)c; (void)d; sleep(20); return -3; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-fno-builtin", "-o", library, source], check=True)
    workspace.extra["LD_PRELOAD"] = library
    start = time.monotonic()
    ask(workspace, how, 300, "http://slow.example/", sanitize=False)
    assert time.monotonic() - start < 10


def test_cancelled_request_is_forgotten(workspace):
    with ScriptServer({"/a": hang}) as server:
        answer, = ask(workspace, "--cancel", 200, f"{server.url}/a")
    assert 150 < answer["cancelled"] < 5000 * PATIENCE


def test_requests_run_side_by_side(workspace):
    def slow(s, _asked):
        time.sleep(0.3)
        s.sendall(OK)
        return True
    with ScriptServer({"/a": slow}) as server:
        answers = ask(workspace, "--parallel", 1, *[f"{server.url}/a"] * 8)
        assert server.connections == 4, "at most four to one host"
    assert [a["status"] for a in answers] == [200] * 8
    assert max(a["ms"] for a in answers) < 8 * 300 + 2000 * PATIENCE


CUT = {
    "nothing at all": b"",
    "a head cut in half": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a body cut in half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "a chunk cut in half": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
}


@pytest.mark.parametrize("what", CUT)
def test_cut_answers_are_transient(workspace, what):
    def cut(s, _asked):
        s.sendall(CUT[what])
    with ScriptServer({"/a": cut}) as server:
        answer, = ask(workspace, f"{server.url}/a")
    assert answer["code"] == "transient" and "status" not in answer


GARBAGE = {
    "noise": b"\x00\x01\x02garbage\r\n\r\n" * 10,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "a bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhalf\r\n",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"b" * 60000 + b"\r\n\r\n",
    "many long headers": b"HTTP/1.1 200 OK\r\n" + b"".join(
        b"X-%d: %s\r\n" % (i, b"b" * 2000) for i in range(40)) + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_an_error_and_no_answer(workspace, what):
    def send(s, _asked):
        s.sendall(GARBAGE[what])
    with ScriptServer({"/a": send}) as server:
        answer, = ask(workspace, f"{server.url}/a")
    assert answer["code"] in ("unreadable answer", "transient"), answer
    assert "status" not in answer


@pytest.mark.parametrize("headers", [{}, {"Content_Length": None, "Connection": "close"}])
def test_body_over_its_limit_is_refused(workspace, headers):
    with ScriptServer({"/a": answer_bytes(200, b"x" * 5001, **headers),
                       "/b": answer_bytes(200, b"x" * 5000, **headers)}) as server:
        over, at = ask(workspace, "--body-max", 5000, f"{server.url}/a", f"{server.url}/b")
    assert over["code"] == "answer too long" and "longer than 5000 bytes" in over["message"]
    assert at["status"] == 200 and len(at["body"]) == 5000


def test_interim_answers_are_skipped(workspace):
    data = b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n" + answer_bytes(200, b"real", X_Late="2")
    with ScriptServer({"/a": data}) as server:
        answer, = ask(workspace, f"{server.url}/a")
    assert (answer["status"], answer["body"]) == (200, "real")
    assert "x-early" not in answer["headers"] and answer["headers"]["x-late"] == "2"


def test_errors_of_the_service_are_told(workspace):
    arm = b'{"error":{"code":"ResourceGroupNotFound","message":"Resource group \'x\' is gone."}}'
    oauth = b'{"error":"invalid_client","error_description":"AADSTS7000215: bad secret"}'
    with ScriptServer({"/arm": answer_bytes(404, arm, X_Ms_Request_Id="id-1"),
                       "/oauth": answer_bytes(401, oauth)}) as server:
        first, second = ask(workspace, f"{server.url}/arm", f"{server.url}/oauth")
    assert first["said"] == "reply: HTTP 404 ResourceGroupNotFound: Resource group 'x' is gone."
    assert first["requestId"] == "id-1"
    assert second["said"] == "reply: HTTP 401 invalid_client: AADSTS7000215: bad secret"


def test_waits_asked_for_are_read(workspace):
    def dated(s, _asked):
        now = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
        later = now + datetime.timedelta(seconds=90)
        s.sendall(answer_bytes(503, Date=email.utils.format_datetime(now, usegmt=True),
                               Retry_After=email.utils.format_datetime(later, usegmt=True)))
        return True
    with ScriptServer({"/s": answer_bytes(429, Retry_After=17), "/d": dated,
                       "/ms": answer_bytes(429, Retry_After=17, Retry_After_Ms=250)}) as server:
        answers = ask(workspace, *[f"{server.url}/{p}" for p in ("s", "d", "ms")])
    assert [a["retryAfterMs"] for a in answers] == [17000, 90000, 250]


# Redirects.

def redirect(to, status=302):
    return answer_bytes(status, b"moved", Location=to)


def test_redirects_are_answers_unless_asked_for(workspace):
    with ScriptServer({"/a": redirect("https://localhost/b")}) as server:
        answer, = ask(workspace, f"{server.url}/a")
    assert (answer["status"], answer["body"]) == (302, "moved")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_drop_the_token(workspace, authority, good, status):
    with ScriptServer({"/end": OK}, tls=good) as other:
        with ScriptServer({"/a": redirect("/b", status), "/b": redirect(f"{other.url}/end", status)},
                          tls=good) as first:
            answer, = ask(workspace, "--ca", authority.file, "--redirects", 3, "--bearer", "canary",
                          "--header", "x-keep:1", "--header", "Authorization:canary", f"{first.url}/a")
            begin, same = first.asked
        end, = other.asked
    assert (answer["status"], answer["body"]) == (200, "fine")
    assert "canary" in begin.headers["authorization"]
    assert "authorization" not in same.headers and "authorization" not in end.headers
    assert end.headers["x-keep"] == "1"


def test_redirects_to_http_are_refused(workspace, authority, good):
    with ScriptServer({"/b": OK}) as plain:
        with ScriptServer({"/a": redirect(f"{plain.url}/b")}, tls=good) as first:
            answer, = ask(workspace, "--ca", authority.file, "--redirects", 3, f"{first.url}/a")
        assert not plain.asked
    assert answer["code"] == "denied" and "https" in answer["message"]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "gopher://localhost/", "https://u:p@localhost/"])
def test_redirects_to_strange_urls_are_refused(workspace, authority, good, to):
    with ScriptServer({"/a": redirect(to)}, tls=good) as server:
        answer, = ask(workspace, "--ca", authority.file, "--redirects", 3, f"{server.url}/a")
    assert answer["code"] in ("denied", "bad input") and "status" not in answer


def test_redirects_end(workspace, authority, good):
    with ScriptServer({"/a": redirect("/a")}, tls=good) as server:
        answer, = ask(workspace, "--ca", authority.file, "--redirects", 2, f"{server.url}/a")
        assert len(server.asked) == 3
    assert "redirected too often" in answer["message"]


def test_redirects_end_after_three_whatever_was_asked(workspace, authority, good):
    with ScriptServer({"/a": redirect("/a")}, tls=good) as server:
        answer, = ask(workspace, "--ca", authority.file, "--redirects", 9, f"{server.url}/a")
        assert len(server.asked) == 4
    assert "redirected too often" in answer["message"]


def test_redirects_of_what_changes_things_are_answers(workspace, authority, good):
    with ScriptServer({"/a": redirect("/b", 307)}, tls=good) as server:
        answer, = ask(workspace, "--ca", authority.file, "--redirects", 2, "--method", "POST",
                      "--body", "x", f"{server.url}/a")
    assert answer["status"] == 307


# Where a connection may go.

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]",
                                  "0.0.0.0", "169.254.169.254", "[fe80::1]", "224.0.0.1", "2130706433"])
def test_local_addresses_are_refused_for_public_requests(workspace, host):
    with ScriptServer({"/a": OK}) as server:
        answer, = ask(workspace, "--public-only", 1, "--timeout", 3000, f"http://{host}:{server.port}/a")
        assert not server.asked and server.connections == 0
    assert answer["code"] == "denied", answer


def test_names_of_local_addresses_are_refused_after_look_up(workspace):
    name = socket.gethostname()
    try:
        local = socket.gethostbyname(name).startswith("127.")
    except OSError:
        local = False
    if not local:
        # Every system knows this one, and it is no literal.
        name = "localhost.localdomain" if resolves("localhost.localdomain") else "ip6-localhost"
    if not resolves(name):
        pytest.skip("no name but localhost leads to a local address here")
    with ScriptServer({"/a": OK}) as server:
        answer, = ask(workspace, "--public-only", 1, f"http://{name}:{server.port}/a")
        assert server.connections == 0
    assert answer["code"] == "denied", answer


def resolves(name):
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False


def test_redirect_to_a_local_address_is_refused(workspace, authority, good):
    """Through a proxy, the only way a test on one machine gets past the first hop."""
    with ScriptServer({"/secret": OK}, tls=good) as inner:
        def tunnel(s, asked):
            s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            c.load_cert_chain(*authority.issue("far", dns=["far.example"], ips=[]))
            with c.wrap_socket(s, server_side=True) as t:
                t.recv(65536)
                t.sendall(redirect(f"https://127.0.0.1:{inner.port}/secret"))
        with ScriptServer({"far.example:443": tunnel}) as proxy:
            answer, = ask(workspace, "--ca", authority.file, "--proxy", f"http://localhost:{proxy.port}",
                          "--public-only", 1, "--redirects", 2, "https://far.example/a")
            assert [a.target for a in proxy.asked] == ["far.example:443"]
        assert not inner.asked
    assert answer["code"] == "denied", answer


def test_https_only_refuses_http(workspace):
    with ScriptServer({"/a": OK}) as server:
        answer, = ask(workspace, "--https-only", 1, f"{server.url}/a")
        assert not server.asked
    assert answer["code"] == "denied"


# Proxies.

def test_proxy_is_used_but_for_its_exceptions(workspace):
    with ScriptServer({"/a": OK}) as server, ScriptServer({}) as proxy:
        proxy.script[f"http://localhost:{server.port}/a"] = answer_bytes(200, b"by proxy")
        address = f"http://localhost:{proxy.port}"
        by, = ask(workspace, "--proxy", address, f"{server.url}/a")
        around, = ask(workspace, "--proxy", address, "--no-proxy", "localhost", f"{server.url}/a")
    assert (by["body"], around["body"]) == ("by proxy", "fine")


def test_a_proxy_s_ca_counts_for_nobody_who_is_reached_directly(workspace, authority, good, tmp_path):
    ours, theirs = authority, Authority(tmp_path, "Proxy CA")
    with ScriptServer({"/a": OK}, tls=good) as server, \
            ScriptServer({"/a": OK}, tls=theirs.issue("made-up")) as other:
        direct, foreign = ask(workspace, "--ca", ours.file, "--proxy", "http://127.0.0.1:1", "--proxy-ca",
                              theirs.file, "--no-proxy", "localhost", f"{server.url}/a", f"{other.url}/a")
        assert not other.asked
    assert direct["body"] == "fine"
    assert foreign["code"] == "not trusted" and "certificate" in foreign["message"]


def test_proxy_of_the_environment_is_not_used(workspace, monkeypatch):
    with ScriptServer({"/a": OK}) as server:
        workspace.extra.update(http_proxy="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1",
                               ALL_PROXY="http://127.0.0.1:1", all_proxy="http://127.0.0.1:1")
        answer, = ask(workspace, f"{server.url}/a")
    assert answer["body"] == "fine"


def test_proxy_that_refuses_is_told(workspace):
    with ScriptServer({"localhost:9": answer_bytes(407, b"who?", Connection="close")}) as proxy:
        answer, = ask(workspace, "--proxy", f"http://localhost:{proxy.port}",
                      "--proxy-user", "user:canary", "https://localhost:9/")
        assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")
    assert answer["code"] == "refused by the proxy" and "407" in answer["message"]
    assert "canary" not in str(answer)


def test_token_does_not_go_to_the_proxy(workspace):
    with ScriptServer({"localhost:9": answer_bytes(403, Connection="close")}) as proxy:
        ask(workspace, "--proxy", f"http://localhost:{proxy.port}", "--bearer", "canary",
            "--header", "x-secret:canary", "https://localhost:9/")
        assert "canary" not in str(proxy.asked[0].headers)


def test_unix_socket_carries_http(workspace):
    path = str(workspace.path / "s")
    with ScriptServer({"/status": echo}, unix=path) as server:
        answer, = ask(workspace, "--unix", path, "--proxy", "http://127.0.0.1:1", "http://himds/status")
        assert server.asked[0].headers["host"] == "himds"
    assert answer["status"] == 200


# Downloads.

CONTENT = bytes(i * 7 % 256 for i in range(300000))


def ranged(s, asked):
    start = int(asked.headers.get("range", "bytes=0-")[6:-1])
    if not start:
        s.sendall(answer_bytes(200, CONTENT))
    elif start >= len(CONTENT):
        s.sendall(answer_bytes(416, b"past the end"))
    else:
        s.sendall(answer_bytes(206, CONTENT[start:],
                               Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"))
    return True


def download(workspace, server, *arguments, kept=b""):
    sink = workspace.path / "sink"
    sink.write_bytes(kept)
    answer, = ask(workspace, "--sink", sink, "--offset", len(kept), *arguments, f"{server.url}/f")
    return answer, sink.read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 123456, len(CONTENT) - 1])
def test_download_resumes_where_it_ended(workspace, kept):
    with ScriptServer({"/f": ranged}) as server:
        answer, got = download(workspace, server, kept=CONTENT[:kept])
    assert answer["status"] == (206 if kept else 200)
    assert got == CONTENT and answer["received"] == len(CONTENT)


def test_download_cut_short_keeps_what_came(workspace):
    def cut(s, _asked):
        s.sendall(answer_bytes(200, CONTENT)[:100000])
    with ScriptServer({"/f": cut}) as server:
        answer, got = download(workspace, server)
    assert answer["code"] == "transient"
    assert 90000 < len(got) < 100000 and CONTENT.startswith(got)


def test_server_that_knows_no_ranges_starts_anew(workspace):
    with ScriptServer({"/f": answer_bytes(200, b"short")}) as server:
        answer, got = download(workspace, server, kept=b"k" * 5000)
    assert (answer["status"], got, answer["received"]) == (200, b"short", 5)


def test_empty_answer_empties_what_was_kept(workspace):
    with ScriptServer({"/f": answer_bytes(200)}) as server:
        _, got = download(workspace, server, kept=b"k" * 5000)
    assert got == b""


@pytest.mark.parametrize("content_range", [None, "bytes 0-4/5", "bytes 4999-5003/5004", "bytes */5000",
                                           "items 5000-5004/5005", "bytes +5000-5004/5005"])
def test_wrong_part_is_refused_and_nothing_written(workspace, content_range):
    with ScriptServer({"/f": answer_bytes(206, b"wrong", Content_Range=content_range)}) as server:
        answer, got = download(workspace, server, kept=b"k" * 5000)
    assert "not the part that was asked for" in answer["message"]
    assert got == b"k" * 5000


@pytest.mark.parametrize("status", [206, 200, 404])
def test_only_answers_that_succeeded_are_kept(workspace, status):
    with ScriptServer({"/f": answer_bytes(status, b"said", Content_Range="bytes 4-7/8")}) as server:
        answer, got = download(workspace, server, kept=b"kept")
    assert got == {206: b"keptsaid", 200: b"said", 404: b"kept"}[status]
    assert answer["body"] == ("said" if status == 404 else "")


def test_download_over_its_limit_stops(workspace):
    with ScriptServer({"/f": ranged}) as server:
        answer, got = download(workspace, server, "--sink-max", 100000)
        at, whole = download(workspace, server, "--sink-max", len(CONTENT))
        resumed, _ = download(workspace, server, "--sink-max", len(CONTENT) - 1, kept=CONTENT[:1000])
    assert "longer than 100000 bytes" in answer["message"] and len(got) <= 100000
    assert at["status"] == 200 and whole == CONTENT
    assert "longer than" in resumed["message"]


def test_redirected_download_holds_only_the_end(workspace, authority, good):
    with ScriptServer({"/f": redirect("/real"), "/real": ranged}, tls=good) as server:
        answer, got = download(workspace, server, "--ca", authority.file, "--redirects", 1,
                               kept=CONTENT[:777])
        assert [a.headers["range"] for a in server.asked] == ["bytes=777-"] * 2
    assert answer["status"] == 206 and got == CONTENT


# TLS.

BAD_CERTIFICATES = {
    "expired": dict(from_days=-10, to_days=-1),
    "not yet valid": dict(from_days=1, to_days=10),
    "of another host": dict(dns=["elsewhere.example"], ips=[]),
    "with the name only as common name": dict(dns=[], ips=[], subject="localhost"),
    "self-signed": dict(self_signed=True),
    "with a wildcard for the whole name": dict(dns=["*"], ips=[]),
    "for clients": dict(usage=ExtendedKeyUsageOID.CLIENT_AUTH),
}


@pytest.mark.parametrize("what", BAD_CERTIFICATES)
def test_certificate_is_refused(workspace, authority, what):
    files = authority.issue(what.replace(" ", "-"), **BAD_CERTIFICATES[what])
    with ScriptServer({"/a": OK}, tls=files) as server:
        answer, = ask(workspace, "--ca", authority.file, "--bearer", "canary", f"{server.url}/a")
        assert not server.asked, "the request did not leave"
    assert answer["code"] == "not trusted" and "SSL" in answer["message"], answer


def test_certificate_of_another_authority_is_refused(workspace, authority, good, tmp_path):
    other = Authority(tmp_path, "Other CA")
    with ScriptServer({"/a": OK}, tls=good) as server:
        answer, = ask(workspace, "--ca", other.file, f"{server.url}/a")
        by_system, = ask(workspace, f"{server.url}/a")
        fine, = ask(workspace, "--ca", authority.file, f"{server.url}/a")
    assert answer["code"] == by_system["code"] == "not trusted"
    assert "certificate" in answer["message"] and fine["status"] == 200


def test_address_in_the_certificate_is_enough(workspace, authority, good):
    with ScriptServer({"/a": OK}, tls=good) as server:
        answer, = ask(workspace, "--ca", authority.file, f"https://127.0.0.1:{server.port}/a")
    assert answer["status"] == 200


def test_environment_does_not_change_whom_we_trust(workspace, authority, good):
    workspace.extra.update(SSL_CERT_FILE=authority.file, CURL_CA_BUNDLE=authority.file)
    with ScriptServer({"/a": OK}, tls=good) as server:
        answer, = ask(workspace, f"{server.url}/a")
    assert answer["code"] == "not trusted"


def test_missing_authority_file_is_an_error(workspace, good):
    with ScriptServer({"/a": OK}, tls=good) as server:
        answer, = ask(workspace, "--ca", "/nowhere/ca.pem", f"{server.url}/a")
        assert not server.asked
    assert answer["code"] != "ok" and "/nowhere/ca.pem" in answer["message"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_tls_before_1_2_is_refused(workspace, authority, good, version):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.set_ciphers("ALL:@SECLEVEL=0")
    c.minimum_version = c.maximum_version = ssl.TLSVersion[version]
    c.load_cert_chain(*good)
    with ScriptServer({"/a": OK}, tls=c) as server:
        answer, = ask(workspace, "--ca", authority.file, f"{server.url}/a")
    assert answer["code"] == ("ok" if version in ("TLSv1_2", "TLSv1_3") else "transient")


def test_only_http_1_1_is_offered(workspace, authority, good):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*good)
    c.set_alpn_protocols(["h2", "http/1.1"])
    seen = []

    def look(s, _asked):
        seen.append(s.selected_alpn_protocol())
        s.sendall(OK)
    with ScriptServer({"/a": look}, tls=c) as server:
        ask(workspace, "--ca", authority.file, f"{server.url}/a")
    assert seen == ["http/1.1"]


def test_session_is_resumed_on_the_next_connection(workspace, authority, good):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*good)
    reused = []

    def look(s, _asked):
        reused.append(s.session_reused)
        s.sendall(answer_bytes(200, Connection="close"))
    with ScriptServer({"/a": look}, tls=c) as server:
        ask(workspace, "--ca", authority.file, *[f"{server.url}/a"] * 3)
    assert reused == [False, True, True]


def test_dead_kept_connection_is_replaced(workspace):
    def once(s, _asked):
        s.sendall(OK)
        return False  # closed without having said so
    with ScriptServer({"/a": once}) as server:
        answers = ask(workspace, "--wait", 100, *[f"{server.url}/a"] * 3)
        assert server.connections == 3
    assert [a["status"] for a in answers] == [200] * 3


def test_idle_client_closes_its_connections_and_sleeps(workspace, full):
    """An idle agent holds nothing open and has no timer for it."""
    if not full:
        pytest.skip("waits for the 30 s after which kept connections are closed; --full runs it")
    closed = []

    def watch(s, asked):
        s.sendall(OK)
        start = time.monotonic()
        if asked.connection == 1:
            s.recv(1)
            closed.append(time.monotonic() - start)
    with ScriptServer({"/a": watch}) as server:
        ask(workspace, "--wait", 35000, f"{server.url}/a", f"{server.url}/a", timeout=90)
        assert server.connections == 2
    assert 25 < closed[0] < 34


def test_test_client_is_built():
    assert os.access(built_program("http_test_client"), os.X_OK)
