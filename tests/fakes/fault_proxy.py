# SPDX-License-Identifier: Apache-2.0
"""A proxy with scripted faults, to stand between an agent and a control plane.

    with FaultProxy(("127.0.0.1", port), tls=(cert, key)) as proxy:
        proxy.fault(r"/heartbeat", status(500), times=3)
        ...                                     # the agent talks to proxy.url
        proxy.wait_for(r"/heartbeat", count=4)  # bounded; raises on time-out

With tls it ends TLS with that certificate (a control plane's own tls/server.pem and server.key will do,
since both are on localhost) and speaks TLS to the upstream; without, it takes and sends plain HTTP.
TcpProxy below relays bytes without looking at them. Both listen on 127.0.0.1 and a free port.

Faults: status(500), garbage(), hang(), close(), cut(n), lose_reply(), delay(s), redirect(url).
A fault hits requests whose "METHOD /path?query" matches the expression, the first `times` of them.
"""

import http.client
import http.server
import json
import re
import socket
import ssl
import threading
import time

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}


class Fault:
    """What happens to one request: run() answers it, or lets it pass by returning False."""

    def __init__(self, name, run):
        self.name = name
        self.run = run


def status(code, body=None, headers=None):
    """Answers by itself. body: bytes, or a JSON value; default an error without our shape."""

    def run(handler, _forward):
        data = body if isinstance(body, bytes) else json.dumps(body or {"fault": code}).encode()
        handler.answer(code, list((headers or {}).items()), data)
        return True

    return Fault(f"status {code}", run)


def service_error(code, name, headers=None, message="scripted fault"):
    """Answers an error in the control plane's own shape, which counts as an answer."""
    head = {"x-ms-request-id": "00000000-0000-4000-8000-000000000000", "Content-Type": "application/json"}
    head.update(headers or {})
    return status(code, {"error": {"code": name, "message": message}, "serverTime": _now()}, head)


def garbage(code=200, data=b"\x00\xff{not json at all"):
    """A well-framed answer whose body is no JSON."""
    return status(code, data, {"Content-Type": "application/json"})


def raw(data):
    """Bytes that are no HTTP, then the end of the connection."""

    def run(handler, _forward):
        handler.wfile.write(data)
        handler.hang_up()
        return True

    return Fault("raw", run)


def hang(seconds=3600):
    """No answer at all, until the time is over, the client leaves or the proxy stops."""

    def run(handler, _forward):
        handler.wait_gone(seconds)
        handler.hang_up()
        return True

    return Fault("hang", run)


def close():
    """The connection ends without a byte."""

    def run(handler, _forward):
        handler.hang_up()
        return True

    return Fault("close", run)


def cut(keep=20):
    """The real answer's head and the first bytes of its body, then the end of the connection."""

    def run(handler, forward):
        code, headers, data = forward()
        handler.answer(code, headers, data, keep=keep)
        handler.hang_up()
        return True

    return Fault("cut", run)


def lose_reply():
    """The upstream does the work; the client never hears of it."""

    def run(handler, forward):
        forward()
        handler.hang_up()
        return True

    return Fault("lose reply", run)


def delay(seconds):
    """The real answer, later."""

    def run(handler, _forward):
        handler.wait_gone(seconds)
        return False

    return Fault("delay", run)


def redirect(url, code=302):
    return status(code, b"", {"Location": url})


def corrupt(offset=100):
    """The real answer with one byte of its body changed."""

    def run(handler, forward):
        code, headers, data = forward()
        if data:
            at = min(offset, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:]
        handler.answer(code, headers, data)
        return True

    return Fault("corrupt", run)


class _Rule:
    def __init__(self, pattern, fault, times):
        self.pattern = re.compile(pattern)
        self.fault = fault
        self.left = times  # None: for ever
        self.hits = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length") or 0)
        body = self.body = self.rfile.read(length) if length else self._chunked()
        line = f"{self.command} {self.path}"
        rule = proxy._seen(line, dict(self.headers.items()), body)
        if rule and rule.fault.run(self, lambda: self._forward(body)):
            return
        try:
            self.answer(*self._forward(body))
        except (OSError, http.client.HTTPException):
            self.hang_up()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _serve

    def _chunked(self):
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return b""
        data = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return data

    def _forward(self, body):
        proxy = self.server.proxy
        if proxy.tls:
            conn = http.client.HTTPSConnection(*proxy.upstream, timeout=400, context=proxy.client_tls)
        else:
            conn = http.client.HTTPConnection(*proxy.upstream, timeout=400)
        try:
            conn.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_HEADERS and name.lower() != "content-length":
                    conn.putheader(name, value)
            if body or self.command in ("POST", "PUT", "PATCH"):
                conn.putheader("Content-Length", str(len(body)))
            conn.endheaders(body or None)
            reply = conn.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            conn.close()

    def answer(self, code, headers, data, keep=None):
        self.send_response_only(code)
        for name, value in headers:
            if name.lower() not in HOP_HEADERS and name.lower() != "content-length":
                self.send_header(name, value)
        head_length = next((v for n, v in headers if n.lower() == "content-length"), None)
        if self.command == "HEAD" and head_length is not None:
            self.send_header("Content-Length", head_length)
        elif code not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if keep is None else data[:keep])
        self.wfile.flush()

    def wait_gone(self, seconds):
        """Until the time is over, the proxy stops or the client leaves."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.server.proxy._stopping.wait(0.05):
            self.connection.settimeout(0.01)
            try:
                if not self.connection.recv(1):
                    return
            except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
                pass
            except OSError:
                return
            finally:
                self.connection.settimeout(None)

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass  # clients and faults end connections; that is the point

    def log_message(self, format, *args):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class FaultProxy:
    def __init__(self, upstream, tls=None, port=0):
        self.upstream = upstream
        self.tls = tls
        self.requests = []  # ("METHOD /path?query", headers, body)
        self._rules = []
        self._lock = threading.Condition()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.proxy = self
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        if tls:
            server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server_tls.load_cert_chain(*tls)
            self._server.socket = server_tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.client_tls.check_hostname = False
            self.client_tls.verify_mode = ssl.CERT_NONE
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        return self.__enter__()

    def stop(self):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def fault(self, pattern, fault, times=None):
        """The first `times` matching requests (all, when None) meet the fault. Later rules win."""
        rule = _Rule(pattern, fault, times)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def clear(self):
        with self._lock:
            self._rules.clear()

    def count(self, pattern):
        with self._lock:
            return self._count(pattern)

    def _count(self, pattern):
        return sum(1 for line, _, _ in self.requests if re.search(pattern, line))

    def wait_for(self, pattern, count=1, timeout=30):
        """Until that many matching requests have come in; raises TimeoutError otherwise."""
        with self._lock:
            if not self._lock.wait_for(lambda: self._count(pattern) >= count, timeout):
                seen = "\n".join(line for line, _, _ in self.requests[-20:])
                raise TimeoutError(f"{count} of {pattern} did not come in {timeout} s; last seen:\n{seen}")

    def _seen(self, line, headers, body):
        with self._lock:
            self.requests.append((line, headers, body))
            self._lock.notify_all()
            for rule in self._rules:
                if rule.left != 0 and rule.pattern.search(line):
                    rule.hits += 1
                    if rule.left:
                        rule.left -= 1
                    return rule
        return None


class TcpProxy:
    """Relays bytes; mode "pass", "hang" (takes, says nothing) or "refuse" (closes at once)."""

    def __init__(self, upstream, port=0):
        self.upstream = upstream
        self.mode = "pass"
        self._socket = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self._socket.getsockname()[1]
        self._pairs = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.close()
        self.drop()

    def drop(self):
        """Ends every connection now."""
        for sock in list(self._pairs):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self._pairs.clear()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            self._pairs.add(client)
            if self.mode == "pass":
                try:
                    upstream = socket.create_connection(self.upstream, timeout=10)
                except OSError:
                    client.close()
                    continue
                upstream.settimeout(None)
                self._pairs.add(upstream)
                for a, b in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._relay, args=(a, b), daemon=True).start()

    @staticmethod
    def _relay(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for sock, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                sock.shutdown(how)
            except OSError:
                pass


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
