# SPDX-License-Identifier: Apache-2.0
"""One half of an HTTP conversation, byte by byte: the programs of tests/fakes and raw sockets."""
import datetime
import ipaddress
import json
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .process import PATIENCE, Process, program


def built_program(name):
    return str(pathlib.Path(program("x")).parent.parent / "tests" / name)


class TestServer:
    """http_test_server with its limits: TestServer(workspace, head_ms=200, tls=(cert, key))."""

    __test__ = False

    def __init__(self, workspace, unix=None, tls=None, **limits):
        argv = [built_program("http_test_server")]
        if unix:
            argv += ["--unix", unix]
        if tls:
            argv += ["--tls", *tls]
        for name, value in limits.items():
            argv += ["--limit", name.replace("_", "-"), value]
        env = workspace.environment()
        env["ASAN_OPTIONS"] += ":quarantine_size_mb=1"  # for those who look at the memory
        name = f"server{len(list(workspace.logs.glob('server*')))}"
        self.process = Process(workspace, name, argv, env)
        self.tls = tls

    def __enter__(self):
        self.process.start()
        told = self.process.wait_ready(lambda: re.search(r"tcp (\d+)\n", self.process.log_text()))
        self.port = int(told.group(1))
        return self

    def __exit__(self, *_):
        assert self.process.stop() == 0
        assert self.process.log_text().endswith("drained\n")

    def connect(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout * PATIENCE)

    def say(self, data):
        """Sends the bytes and reads answers until the server closes or falls silent."""
        with self.connect() as s:
            s.sendall(data)
            return read_answers(s)

    def count(self):
        """What the server counted: gone, finished, handled, last."""
        text = self.say(b"GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[0].body
        words = text.decode().split()
        return {k: int(v) for k, v in zip(words[::2], words[1::2])}


class Reply:
    def __init__(self, status, headers, body, closed):
        self.status, self.headers, self.body, self.closed = status, headers, body, closed

    @property
    def code(self):
        return json.loads(self.body)["error"]["code"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r} closed={self.closed}>"


def receive(s, n=65536):
    try:
        return s.recv(n)
    except (ConnectionResetError, ssl.SSLEOFError):
        return b""


def read_answer(s, kept=b"", head_only=False):
    """One answer and what came behind it; (None, b"") when the server closed without one."""
    while b"\r\n\r\n" not in kept:
        more = receive(s)
        if not more:
            assert not kept, f"cut answer {kept!r}"
            return None, b""
        kept += more
    head, kept = kept.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]*", lines[0]).group(1))
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    length = 0 if head_only or status < 200 else int(headers.get("content-length", 0))
    kept = bytearray(kept)
    while len(kept) < length:
        more = receive(s)
        assert more, f"body ends after {len(kept)} of {length} bytes"
        kept += more
    kept = bytes(kept)
    closed = headers.get("connection") == "close"
    return Reply(status, headers, kept[:length], closed), kept[length:]


def read_answers(s):
    """All answers, up to the one that says it is the last; the server must then close."""
    answers, kept = [], b""
    while True:
        answer, kept = read_answer(s, kept)
        if answer is None:
            return answers
        answers.append(answer)
        if answer.closed:
            assert kept == b"" and receive(s) == b"", "bytes behind the last answer"
            return answers


class Authority:
    """A CA that signs what a test wants."""

    def __init__(self, folder, name="Test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._build(name, self.key.public_key(), None, {"ca": True})
        self.file = self._write(f"{name}.pem", self._pem(self.certificate))

    @staticmethod
    def _pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name, data):
        path = self.folder / name.replace(" ", "-")
        path.write_bytes(data)
        return str(path)

    def _build(self, subject, public_key, names, how):
        now = datetime.datetime.utcnow()
        start = now + datetime.timedelta(days=how.get("from_days", -1))
        end = now + datetime.timedelta(days=how.get("to_days", 30))
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
                   .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(start).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(how.get("ca", False), None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if how.get("usage"):
            builder = builder.add_extension(x509.ExtendedKeyUsage([how["usage"]]), False)
        return builder.sign(how.get("signer", self.key), hashes.SHA256())

    def issue(self, name, dns=("localhost",), ips=("127.0.0.1",), subject=None, **how):
        """(certificate file, key file). self_signed=True signs with the certificate's own key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(d) for d in dns] + [
            x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        if how.pop("self_signed", False):
            how["signer"] = key
        certificate = self._build(subject or name, key.public_key(), names, how)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        return (self._write(f"{name}.pem", self._pem(certificate)),
                self._write(f"{name}.key", pem))


def ask(workspace, *arguments, timeout=60, sanitize=True):
    """http_test_client: the answers as a list of dicts. sanitize=False lets LD_PRELOAD work, and
    does not look for leaks."""
    env = workspace.environment()
    if not sanitize:
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0:detect_leaks=0"
    done = subprocess.run([built_program("http_test_client"), *map(str, arguments)],
                          env=env, capture_output=True, text=True,
                          timeout=timeout * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def eventually(check, timeout=10):
    """The first true value of check()."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = check()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


class Asked:
    """One request that a ScriptServer read."""

    def __init__(self, line, headers, body, connection):
        self.method, self.target, _ = line.split(" ")
        self.headers, self.body, self.connection = headers, body, connection


class ScriptServer:
    """A server whose answers are bytes, or what a function sends itself.

    script: path -> bytes | function(socket, asked); a function that returns True keeps the
    connection. With tls=(certificate, key) or an SSLContext it speaks TLS.
    """

    def __init__(self, script, tls=None, unix=None):
        self.script, self.asked, self.connections = script, [], 0
        if unix:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix)
            self.listener.listen(50)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = None if unix else self.listener.getsockname()[1]
        self.context = tls
        if isinstance(tls, tuple):
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.open = set()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            self.connections += 1
            number = self.connections
            s.settimeout(30 * PATIENCE)
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            self.open.add(s)
            with s:
                while self._one(s, number):
                    pass
        except OSError:
            pass
        finally:
            self.open.discard(s)

    def _one(self, s, number):
        data = b""
        while b"\r\n\r\n" not in data:
            more = receive(s)
            if not more:
                return False
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = [line.split(": ", 1) for line in lines[1:]]
        headers = {k.lower(): v for k, v in (h if len(h) == 2 else (h[0].rstrip(":"), "") for h in headers)}
        while len(body) < int(headers.get("content-length", 0)):
            more = receive(s)
            if not more:
                return False
            body += more
        asked = Asked(lines[0], headers, body, number)
        self.asked.append(asked)
        answer = self.script.get(asked.target.split("?")[0], answer_bytes(404))
        if callable(answer):
            return answer(s, asked)
        s.sendall(answer)
        return b"connection: close" not in answer.lower()


def answer_bytes(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} Any"]
    headers.setdefault("Content_Length", len(body))
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items() if v is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
