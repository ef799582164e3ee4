# SPDX-License-Identifier: Apache-2.0
"""The border of platform/http's server: each rule with the bytes that break it."""
import contextlib
import os
import pathlib
import resource
import socket
import ssl
import struct
import time

import pytest
from harness.process import PATIENCE
from harness.wire import Authority, TestServer, eventually, read_answer, read_answers, receive

LINE = b"GET /hello HTTP/1.1\r\n"
HEAD = LINE + b"Host: a\r\n"


@pytest.fixture
def server(workspace):
    with TestServer(workspace) as s:
        yield s


REFUSED = {
    "a method nobody knows": (501, "MethodNotImplemented", b"BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "OPTIONS": (501, "MethodNotImplemented", b"OPTIONS /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "OPTIONS in asterisk form": (501, "MethodNotImplemented", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "TRACE": (501, "MethodNotImplemented", b"TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "CONNECT": (501, "MethodNotImplemented", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method in lower case": (501, "MethodNotImplemented", b"get /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "absolute form": (400, "InvalidRequestTarget", b"GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "asterisk form": (400, "InvalidRequestTarget", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "authority form": (400, "InvalidRequestTarget", b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, "HttpVersionNotSupported", b"GET /hello\r\n"),
    "HTTP/1.0": (505, "HttpVersionNotSupported", b"GET /hello HTTP/1.0\r\nHost: a\r\n\r\n"),
    "HTTP/2": (505, "HttpVersionNotSupported", b"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n"),
    "the preface of HTTP/2": (501, "MethodNotImplemented", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a version in lower case": (400, "InvalidRequestLine", b"GET /hello http/1.1\r\nHost: a\r\n\r\n"),
    "two blanks": (400, "InvalidRequestLine", b"GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a blank in the target": (400, "InvalidRequestLine", b"GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an empty line first": (400, "InvalidLineEnd", b"\r\n" + HEAD + b"\r\n"),
    "TLS on a plain port": (400, "InvalidRequestLine", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a bare LF behind the request line": (400, "InvalidLineEnd", b"GET /hello HTTP/1.1\nHost: a\n\n"),
    "a bare LF behind a header": (400, "InvalidLineEnd", LINE + b"Host: a\n\r\n"),
    "a bare LF at the end": (400, "InvalidLineEnd", HEAD + b"\n"),
    "a bare CR in a header": (400, "InvalidLineEnd", LINE + b"Host: a\rX: b\r\n\r\n"),
    "a bare CR in the request line": (400, "InvalidLineEnd", b"GET /hello HTTP/1.1\rHost: a\r\n\r\n"),
    "NUL in the target": (400, "InvalidRequestTarget", b"GET /hel\0lo HTTP/1.1\r\nHost: a\r\n\r\n"),
    "NUL in a name": (400, "InvalidHeader", HEAD + b"X\0: a\r\n\r\n"),
    "NUL in a value": (400, "InvalidHeader", HEAD + b"X: a\0b\r\n\r\n"),
    "a blank in a name": (400, "InvalidHeader", HEAD + b"X Y: a\r\n\r\n"),
    "a blank behind a name": (400, "InvalidHeader", HEAD + b"X : a\r\n\r\n"),
    "a tab behind a name": (400, "InvalidHeader", HEAD + b"X\t: a\r\n\r\n"),
    "an empty name": (400, "InvalidHeader", HEAD + b": a\r\n\r\n"),
    "a colon missing": (400, "InvalidLineEnd", HEAD + b"X\r\n\r\n"),
    "folding": (400, "InvalidHeader", HEAD + b"X: a\r\n b\r\n\r\n"),
    "folding with a tab": (400, "InvalidHeader", HEAD + b"X: a\r\n\tb\r\n\r\n"),
    "folding of the request line": (400, "InvalidHeader", LINE + b" Host: a\r\n\r\n"),
    "bytes over 127 in a value": (400, "InvalidHeader", HEAD + b"X: \xc3\xa9\r\n\r\n"),
    "bytes over 127 in the target": (400, "InvalidRequestTarget", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a control character in a value": (400, "InvalidHeader", HEAD + b"X: \x1b[31m\r\n\r\n"),
    "no Host": (400, "MissingHost", LINE + b"\r\n"),
    "an empty Host": (400, "InvalidHost", LINE + b"Host:\r\n\r\n"),
    "two Hosts": (400, "DuplicateHeader", HEAD + b"Host: a\r\n\r\n"),
    "two different Hosts": (400, "DuplicateHeader", HEAD + b"host: b\r\n\r\n"),
    "a list of Hosts": (400, "InvalidHost", LINE + b"Host: a, b\r\n\r\n"),
    "a Host with a path": (400, "InvalidHost", LINE + b"Host: a/b\r\n\r\n"),
    "a Host with a user": (400, "InvalidHost", LINE + b"Host: u@a\r\n\r\n"),
    "a Host with a port that is no number": (400, "InvalidHost", LINE + b"Host: a:b\r\n\r\n"),
    "two Content-Lengths": (400, "DuplicateHeader", HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    "a list of lengths": (400, "InvalidContentLength", HEAD + b"Content-Length: 0, 0\r\n\r\n"),
    "a length with plus": (400, "InvalidContentLength", HEAD + b"Content-Length: +0\r\n\r\n"),
    "a length with minus": (400, "InvalidContentLength", HEAD + b"Content-Length: -1\r\n\r\n"),
    "a hexadecimal length": (400, "InvalidContentLength", HEAD + b"Content-Length: 0x0\r\n\r\n"),
    "a length with a blank inside": (400, "InvalidContentLength", HEAD + b"Content-Length: 1 0\r\n\r\n"),
    "an empty length": (400, "InvalidContentLength", HEAD + b"Content-Length:\r\n\r\n"),
    "a length over 64 bits": (413, "RequestEntityTooLarge", HEAD + b"Content-Length: 18446744073709551616\r\n\r\n"),
    "a length of 64 bits": (413, "RequestEntityTooLarge", HEAD + b"Content-Length: 18446744073709551615\r\n\r\n"),
    "two Authorizations": (400, "DuplicateHeader", HEAD + b"Authorization: a\r\nAuthorization: b\r\n\r\n"),
    "two Metadatas": (400, "DuplicateHeader", HEAD + b"Metadata: true\r\nMETADATA: true\r\n\r\n"),
    "length and coding": (400, "InvalidContentLength",
                          HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "coding and length": (400, "InvalidContentLength",
                          HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    "gzip as a transfer coding": (501, "TransferCodingNotImplemented", HEAD + b"Transfer-Encoding: gzip\r\n\r\n"),
    "gzip before chunked": (501, "TransferCodingNotImplemented", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    "chunked with a parameter": (501, "TransferCodingNotImplemented", HEAD + b"Transfer-Encoding: chunked;a=b\r\n\r\n"),
    "identity": (501, "TransferCodingNotImplemented", HEAD + b"Transfer-Encoding: identity\r\n\r\n"),
    "chunked twice": (400, "DuplicateHeader",
                      HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "another expectation": (417, "ExpectationFailed", HEAD + b"Expect: 200-ok\r\n\r\n"),
    "an escaped NUL": (400, "InvalidRequestTarget", b"GET /see/%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an escaped NUL in the query": (400, "InvalidRequestTarget", b"GET /see?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an escaped slash": (400, "InvalidRequestTarget", b"GET /see/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an escaped backslash": (400, "InvalidRequestTarget", b"GET /see/a%5cb HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a broken escape": (400, "InvalidRequestTarget", b"GET /see/%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a fragment": (400, "InvalidRequestTarget", b"GET /see#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "dot segments": (400, "InvalidRequestTarget", b"GET /see/../hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "escaped dot segments": (400, "InvalidRequestTarget", b"GET /see/%2e%2E/hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "bytes that are not UTF-8": (400, "InvalidRequestTarget", b"GET /see/%ff HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a target that is too long": (414, "RequestTargetTooLong", b"GET /" + b"a" * 20000),
    "headers that are too long": (431, "RequestHeadersTooLarge", HEAD + b"X: " + b"a" * 20000),
    "too many headers": (431, "RequestHeadersTooLarge", HEAD + b"X: a\r\n" * 64 + b"\r\n"),
    "a body that is too long": (413, "RequestEntityTooLarge",
                                b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n"),
    "a body longer than its route takes": (413, "RequestEntityTooLarge",
                                           b"PATCH /small HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
    "chunks longer than the route takes": (413, "RequestEntityTooLarge",
                                           b"PATCH /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                                           b"\r\n\r\n9\r\n123456789\r\n0\r\n\r\n"),
    "a chunk size with a sign": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                 b"chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"),
    "a chunk size with 0x": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                             b"chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
    "a chunk extension": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                          b"chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n"),
    "a chunk line that ends in LF": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                     b"chunked\r\n\r\n1\na\r\n0\r\n\r\n"),
    "a chunk longer than it says": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                    b"chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    "a trailer": (400, "InvalidChunk", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                  b"chunked\r\n\r\n1\r\na\r\n0\r\nHost: b\r\n\r\n"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses_in_our_words_and_closes(server, what):
    status, code, data = REFUSED[what]
    # A second request behind it must not be served: nobody knows where it starts.
    answers = server.say(data + b"\r\n\r\n" + HEAD + b"\r\n")
    assert [(a.status, a.code, a.closed) for a in answers] == [(status, code, True)]
    assert answers[0].headers["content-type"].startswith("application/json")
    assert answers[0].headers["x-ms-request-id"], "the last touch is on refusals too"


@pytest.mark.parametrize("what", [w for w, (_, _, data) in REFUSED.items() if len(data) < 2000])
def test_refuses_the_same_byte_by_byte(server, what):
    status, code, data = REFUSED[what]
    with server.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            try:
                s.send(bytes([byte]))
            except OSError:
                break
        answers = read_answers(s)
    assert [(a.status, a.code) for a in answers] == [(status, code)]


def test_nothing_refused_reaches_a_handler(server):
    for status, _, data in REFUSED.values():
        if status != 413 and b"chunked\r\n\r\n" not in data:
            server.say(data)
    # The gate saw only the question itself.
    assert server.count()["handled"] == 1


GOOD = {
    "GET": (b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, b"hello"),
    "DELETE": (b"DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, b"hello"),
    "PUT": (b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    "POST with a leading zero": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 03\r\n\r\nabc", 200, b"abc"),
    "PATCH at the limit": (b"PATCH /small HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678", 200, b"12345678"),
    "chunks": (b"PATCH /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nabcd\r\n"
               b"0004\r\nefgh\r\n0\r\n\r\n", 200, b"abcdefgh"),
    "an empty chunked body": (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b""),
    "a Host with IPv6 and port": (b"GET /hello HTTP/1.1\r\nHost: [::1]:40342\r\n\r\n", 200, b"hello"),
    "upper case in the path": (b"GET /HELLO HTTP/1.1\r\nHost: a\r\n\r\n", 200, b"hello"),
    "empty segments": (b"GET //hello// HTTP/1.1\r\nHost: a\r\n\r\n", 200, b"hello"),
    "a body on GET": (b"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx", 200, b"hello"),
    "63 headers": (b"GET /hello HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 63 + b"\r\n", 200, b"hello"),
    "no content": (b"GET /status?code=204 HTTP/1.1\r\nHost: a\r\n\r\n", 204, b""),
}


@pytest.mark.parametrize("what", GOOD)
def test_serves_and_keeps_the_connection(server, what):
    data, status, body = GOOD[what]
    with server.connect() as s:
        for _ in range(3):
            s.sendall(data)
            answer, rest = read_answer(s)
            assert (answer.status, answer.body, rest, answer.closed) == (status, body, b"", False)
            assert ("content-length" in answer.headers) == (status != 204)


def test_pipelined_requests_are_answered_in_order(server):
    wanted = []
    data = b""
    for i in range(40):
        if i % 3 == 0:
            data += b"GET /later?ms=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (3 - i % 2)
            wanted.append(b"late")
        elif i % 3 == 1:
            data += b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%02d" % i
            wanted.append(b"%02d" % i)
        else:
            data += b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
            wanted.append(b"{")
    data += b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    wanted.append(b"hello")
    answers = server.say(data)
    assert [a.body[:len(w)] for a, w in zip(answers, wanted)] == wanted
    assert len(answers) == len(wanted) and answers[-1].closed


def test_flood_behind_a_pending_request_is_thrown_away(server):
    flood = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" * 1000
    with server.connect() as s:
        s.sendall(b"GET /later?ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: server.count()["handled"] >= 1)
        before = resident(server)
        for _ in range(500):
            s.sendall(flood)
        assert resident(server) - before < 2 << 20
        answer, = read_answers(s)
        assert (answer.body, answer.closed) == (b"late", True)


def test_leaving_after_a_flood_is_noticed(server):
    with server.connect() as s:
        s.sendall(b"GET /later?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 200000)
    assert eventually(lambda: server.count()["gone"] == 1)


def test_requests_behind_the_last_one_are_not_served(server):
    data = b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n" + HEAD + b"\r\n"
    assert len(server.say(data)) == 1


def test_head_has_the_length_and_no_body(server):
    with server.connect() as s:
        s.sendall(b"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD + b"\r\n")
        answer, rest = read_answer(s, head_only=True)
        assert answer.status == 200 and answer.headers["content-length"] == "5"
        answer, rest = read_answer(s, rest)
        assert answer.body == b"hello" and rest == b""


def test_unknown_paths_and_methods_keep_the_connection(server):
    with server.connect() as s:
        s.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        answer, _ = read_answer(s)
        assert (answer.status, answer.code, answer.closed) == (404, "ResourceNotFound", False)
        s.sendall(b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        answer, _ = read_answer(s)
        assert (answer.status, answer.code, answer.closed) == (405, "MethodNotAllowed", False)
        assert answer.headers["allow"] == "GET, HEAD, DELETE"


def test_gate_answers_before_the_routes_and_the_body(server):
    with server.connect() as s:
        s.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\nX-Deny: 1\r\n\r\n")
        answer, _ = read_answer(s)
        assert (answer.status, answer.code, answer.closed) == (401, "Denied", False)
        s.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nX-Deny: 1\r\nContent-Length: 100\r\n\r\n")
        answer, _ = read_answer(s)
        assert (answer.status, answer.code, answer.closed) == (401, "Denied", True)


def test_expectation_is_met_before_the_body(server):
    with server.connect() as s:
        s.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        answer, _ = read_answer(s)
        assert answer.status == 100
        s.sendall(b"abc")
        answer, _ = read_answer(s)
        assert (answer.status, answer.body) == (200, b"abc")
        s.sendall(b"PATCH /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        answer, _ = read_answer(s)
        assert answer.status == 413 and answer.closed


def test_header_values_cannot_end_their_line(server):
    answer = server.say(b"GET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[0]
    assert answer.status == 201
    assert answer.headers["x-hostile"] == "a  Set-Cookie: b"
    assert "set-cookie" not in answer.headers


def test_refusal_is_read_by_a_client_that_is_still_sending(server):
    """Without a lingering close the unread bytes would reset the connection."""
    with server.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        try:
            for _ in range(50):
                s.sendall(b"x" * 65536)
        except OSError:
            pass
        answers = read_answers(s)
    assert [a.status for a in answers] == [413]


def test_lingering_ends(workspace):
    with TestServer(workspace) as server, server.connect() as s:
        s.sendall(b"BAD\r\n\r\n")
        assert read_answers(s)[0].status == 400
        start = time.monotonic()

        def closed():
            try:
                s.sendall(b"x")
                return False
            except OSError:
                return True
        assert eventually(closed)
        assert time.monotonic() - start < 5 * PATIENCE


def drip(s, data, gap):
    """Sends a byte at a time until the server has had enough; what it then says."""
    s.settimeout(gap)
    for byte in data:
        try:
            s.send(bytes([byte]))
            got = s.recv(1)
        except (socket.timeout, ssl.SSLWantReadError):
            continue
        except OSError:
            return []
        s.settimeout(20)
        answer, _ = read_answer(s, got) if got else (None, b"")
        return [answer] if answer else []
    raise AssertionError("the server waited for ever")


def test_slow_head_is_refused_however_it_drips(workspace):
    with TestServer(workspace, head_ms=500) as server, server.connect() as s:
        start = time.monotonic()
        answers = drip(s, HEAD + b"X: " + b"a" * 1000, 0.02)
        assert 0.4 < time.monotonic() - start < 3 * PATIENCE
        assert [(a.status, a.code, a.closed) for a in answers] == [(408, "RequestTimeout", True)]


def test_slow_body_is_refused_however_it_drips(workspace):
    with TestServer(workspace, body_ms=500) as server, server.connect() as s:
        s.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        start = time.monotonic()
        answers = drip(s, b"a" * 1000, 0.02)
        assert 0.4 < time.monotonic() - start < 3 * PATIENCE
        assert [(a.status, a.code, a.closed) for a in answers] == [(408, "RequestTimeout", True)]


def test_slow_chunks_are_refused_however_they_drip(workspace):
    with TestServer(workspace, body_ms=500) as server, server.connect() as s:
        s.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        answers = drip(s, b"1\r\na\r\n" * 200, 0.02)
        assert [a.status for a in answers] == [408]


def test_silent_connection_is_closed_without_a_word(workspace):
    with TestServer(workspace, head_ms=300, idle_ms=600) as server:
        with server.connect() as s:
            start = time.monotonic()
            assert receive(s) == b""
            assert 0.2 < time.monotonic() - start < 3 * PATIENCE
        with server.connect() as s:
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
            start = time.monotonic()
            assert receive(s) == b""
            assert 0.5 < time.monotonic() - start < 3 * PATIENCE


def test_second_request_has_a_deadline_of_its_own(workspace):
    with TestServer(workspace, head_ms=400) as server, server.connect() as s:
        for _ in range(3):
            s.sendall(HEAD)
            time.sleep(0.25)
            s.sendall(b"\r\n")
            assert read_answer(s)[0].status == 200


def test_answer_that_nobody_reads_is_given_up(workspace):
    big = workspace.path / "big"
    with open(big, "wb") as f:
        f.truncate(64 << 20)
    with TestServer(workspace, body_ms=400) as server, server.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /file?path=%s&length=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (bytes(big), 64 << 20))
        descriptors = f"/proc/{server.process.pid}/fd"

        def given_up():
            return not any("big" in os.readlink(f"{descriptors}/{d}") for d in listed(descriptors))
        time.sleep(0.1)
        assert eventually(given_up)


def listed(folder):
    return [d for d in os.listdir(folder) if os.path.lexists(f"{folder}/{d}")]


def test_files_are_sent_in_pieces_with_little_memory(workspace):
    big = workspace.path / "big"
    pattern = b"".join(struct.pack("<I", i) for i in range(1 << 16))
    with open(big, "wb") as f:
        for _ in range(256):
            f.write(pattern)
    length = (64 << 20) - 4
    with TestServer(workspace) as server, server.connect() as s:
        s.sendall(b"GET /file?path=%s&offset=4&length=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (bytes(big), length))
        before = resident(server)
        answer, rest = read_answer(s)
        assert (answer.status, len(answer.body), rest) == (200, length, b"")
        assert answer.body == (pattern * 256)[4:]
        assert resident(server) - before < 8 << 20


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * 4096


def test_file_shorter_than_promised_ends_early(workspace):
    small = workspace.path / "small"
    small.write_bytes(b"x" * 10)
    with TestServer(workspace) as server, server.connect() as s:
        s.sendall(b"GET /file?path=%s&length=100000 HTTP/1.1\r\nHost: a\r\n\r\n" % bytes(small))
        got = b""
        while (more := receive(s)):
            got += more
        assert b"Content-Length: 100000" in got and len(got) < 1000


def test_leaving_while_the_answer_is_pending_is_noticed(server):
    clients = [server.connect() for _ in range(20)]
    for s in clients:
        s.sendall(b"GET /later?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert eventually(lambda: server.count()["handled"] >= 20)
    descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    for i, s in enumerate(clients):
        if i % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    assert eventually(lambda: server.count()["gone"] == 20)
    assert eventually(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors - 20)


def test_answer_for_somebody_who_left_goes_nowhere(server):
    with server.connect() as s:
        s.sendall(b"GET /orphan?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: server.count()["handled"] >= 1)
    before = server.count()
    assert eventually(lambda: server.count()["finished"] - before["finished"]
                      > server.count()["handled"] - before["handled"] - 2)
    time.sleep(0.4)
    assert server.count()["last"] == 200


def test_half_closed_client_gets_its_answer(server):
    with server.connect() as s:
        s.sendall(HEAD + b"\r\n" + HEAD + b"\r\n")
        s.shutdown(socket.SHUT_WR)
        assert [a.status for a in read_answers(s)] == [200, 200]


def test_connections_of_one_peer_are_limited(workspace):
    with TestServer(workspace, per_peer=5) as server:
        kept = [server.connect() for _ in range(5)]
        for s in kept:
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
        with server.connect() as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(HEAD + b"\r\n")
            assert receive(s) == b"", "one too many is served"
        kept.pop().close()
        assert eventually(lambda: server.say(HEAD + b"Connection: close\r\n\r\n"))
        for s in kept:
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
            s.close()


def test_idle_connections_give_way_at_the_limit(workspace):
    with TestServer(workspace, connections=5) as server:
        kept = [server.connect() for _ in range(5)]
        for s in kept:
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
        assert server.say(HEAD + b"Connection: close\r\n\r\n")[0].status == 200
        assert receive(kept[0]) == b"", "the one idle for longest went"
        for s in kept[1:]:
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
        for s in kept:
            s.close()


def test_busy_connections_make_new_ones_wait(workspace):
    with TestServer(workspace, connections=3) as server:
        busy = [server.connect() for _ in range(3)]
        for s in busy:
            s.sendall(b"GET /later?ms=700 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(0.2)
        start = time.monotonic()
        assert server.say(HEAD + b"Connection: close\r\n\r\n")[0].status == 200
        assert time.monotonic() - start > 0.2
        for s in busy:
            assert read_answer(s)[0].body == b"late"
            s.close()


def test_two_thousand_connections_are_served_and_cheap(workspace):
    want = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < want + 200:
        pytest.skip(f"only {hard} descriptors allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want + 200), hard))
    with TestServer(workspace, connections=4000, per_peer=4000, idle_ms=60000, head_ms=60000) as server:
        before = resident(server)
        clients = [server.connect() for _ in range(want)]
        for s in clients:
            s.sendall(HEAD + b"\r\n")
        for s in clients:
            assert read_answer(s)[0].status == 200
        # The sanitizers' red zones are in this figure: a release build takes a third of it.
        assert (resident(server) - before) / want < 12000
        for s in clients:
            s.close()
        assert eventually(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) < 20)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_server_without_descriptors_recovers(workspace):
    with TestServer(workspace) as server:
        pid = server.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        clients = [server.connect() for _ in range(12)]
        for s in clients:
            s.sendall(b"GET /later?ms=100 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for s in clients:
            assert read_answer(s)[0].body == b"late"
            s.close()
        assert server.count()["gone"] == 0
        spent = sum(map(int, open(f"/proc/{pid}/stat", encoding="ascii").read().split()[13:15]))
        assert spent < 300, "it did not spin while it had none"


def test_unix_socket_knows_its_caller(workspace):
    path = str(workspace.path / "s")
    with TestServer(workspace, unix=path):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(path)
            s.sendall(b"GET /see/x HTTP/1.1\r\nHost: a\r\nX-Seen: y\r\n\r\n")
            lines = read_answer(s)[0].body.decode().split("\n")
    assert lines[:5] == ["GET", "/see/x", "/see/x", "x", "y"]
    assert lines[6] == f"1 {os.getuid()} {os.getpid()}"


def test_draining_answers_what_is_pending_and_closes_the_rest(workspace):
    with TestServer(workspace) as server:
        idle, fresh, busy = server.connect(), server.connect(), server.connect()
        idle.sendall(HEAD + b"\r\n")
        assert read_answer(idle)[0].status == 200
        busy.sendall(b"GET /later?ms=600 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: server.count()["handled"] >= 3)
        server.process.child.terminate()
        assert receive(idle) == b"" and receive(fresh) == b""
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        answer, _ = read_answer(busy)
        assert (answer.body, answer.closed) == (b"late", True)
        for s in (idle, fresh, busy):
            s.close()
        assert server.process.child.wait(10) == 0


# TLS.

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_server(workspace, authority):
    with TestServer(workspace, tls=authority.issue("server"), head_ms=3000) as s:
        yield s


def context(authority, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3):
    c = ssl.create_default_context(cafile=authority.file)
    c.minimum_version, c.maximum_version = low, high
    return c


def secure(server, c, session=None):
    return c.wrap_socket(server.connect(), server_hostname="localhost", session=session)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_serves_the_same(tls_server, authority, version):
    v = ssl.TLSVersion[version]
    with secure(tls_server, context(authority, v, v)) as s:
        for _ in range(3):
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].body == b"hello"
        s.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"z" * 200000)
        assert read_answer(s)[0].body == b"z" * 200000
        s.sendall(b"GARBAGE\r\n")
        assert read_answers(s)[0].status == 400
        assert "ECDHE" in s.cipher()[0] or version == "TLSv1_3"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_tls_is_refused(tls_server, authority, version):
    v = ssl.TLSVersion[version]
    c = context(authority, v, v)
    c.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        secure(tls_server, c)


def test_ciphers_without_forward_secrecy_are_refused(tls_server, authority):
    c = context(authority, high=ssl.TLSVersion.TLSv1_2)
    c.set_ciphers("AES128-GCM-SHA256:AES256-SHA:ECDHE-ECDSA-AES128-SHA")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        secure(tls_server, c)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_resumed_by_ticket(tls_server, authority, version):
    v = ssl.TLSVersion[version]
    c = context(authority, v, v)
    session = None
    for round_trip in range(3):
        with secure(tls_server, c, session) as s:
            assert s.session_reused == (round_trip > 0)
            s.sendall(HEAD + b"\r\n")
            assert read_answer(s)[0].status == 200
            session = s.session
            assert session.has_ticket


def test_ticket_of_another_server_is_not_taken(workspace, authority):
    files = authority.issue("server")
    c = context(authority)
    with TestServer(workspace, tls=files) as first, secure(first, c) as s:
        s.sendall(HEAD + b"\r\n")
        read_answer(s)
        session = s.session
    with TestServer(workspace, tls=files) as second, secure(second, c, session) as s:
        assert not s.session_reused


def renew(tls_server, c):
    with secure(tls_server, c) as s:
        s.sendall(b"GET /renew HTTP/1.1\r\nHost: a\r\n\r\n")
        return read_answer(s)[0]


def test_a_renewed_certificate_serves_new_connections_and_ends_no_old_one(tls_server, authority):
    c = context(authority)
    with secure(tls_server, c) as old:
        before = old.getpeercert()["serialNumber"]
        authority.issue("server")  # the same files
        assert renew(tls_server, c).body == b"renewed"
        old.sendall(HEAD + b"\r\n")
        assert read_answer(old)[0].body == b"hello"
        session = old.session
    with secure(tls_server, c) as new:
        assert new.getpeercert()["serialNumber"] != before
    with secure(tls_server, c, session) as s:
        assert s.session_reused


@pytest.mark.parametrize("broken", ["no PEM", "another's key", "no file"])
def test_a_certificate_that_cannot_be_read_leaves_the_former(tls_server, authority, broken):
    c, key = context(authority), pathlib.Path(tls_server.tls[1])
    if broken == "another's key":
        key.write_bytes(pathlib.Path(authority.issue("other")[1]).read_bytes())
    elif broken == "no PEM":
        key.write_text("-----BEGIN PRIVATE KEY-----\n")
    else:
        key.unlink()
    answer = renew(tls_server, c)
    assert (answer.status, answer.code) == (500, "NotRenewed") and str(key) in answer.body.decode()
    with secure(tls_server, c) as s:
        s.sendall(HEAD + b"\r\n")
        assert read_answer(s)[0].body == b"hello"


def test_plain_text_on_a_tls_port_is_closed(tls_server):
    with tls_server.connect() as s:
        s.sendall(HEAD + b"\r\n")
        got = receive(s)
        assert not got.startswith(b"HTTP") and (not got or receive(s) == b"")


def test_slow_handshake_is_closed(workspace, authority):
    with TestServer(workspace, tls=authority.issue("server"), head_ms=400) as server:
        with server.connect() as s:
            s.sendall(b"\x16\x03\x01\x02\x00")
            start = time.monotonic()
            assert receive(s) == b""
            assert time.monotonic() - start < 3 * PATIENCE


def test_leaving_under_tls_is_noticed(tls_server, authority):
    def count():
        with secure(tls_server, context(authority)) as s:
            s.sendall(b"GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return read_answer(s)[0].body
    s = secure(tls_server, context(authority))
    s.sendall(b"GET /later?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert eventually(lambda: b"handled 2" in count())
    s.close()
    assert eventually(lambda: b"gone 1 " in count())


def test_hundred_tls_connections_are_cheap_while_idle(tls_server, authority):
    c = context(authority)
    first = secure(tls_server, c)
    before = resident(tls_server)
    clients = []
    for _ in range(100):
        clients.append(secure(tls_server, c))
        clients[-1].sendall(HEAD + b"\r\n")
        assert read_answer(clients[-1])[0].status == 200
    # With record buffers it would be over 34 KB more for each.
    assert (resident(tls_server) - before) / len(clients) < 60000
    for s in [first, *clients]:
        s.close()
