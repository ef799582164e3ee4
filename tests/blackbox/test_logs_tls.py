# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: syslog over TLS (RFC 5425), with friendly and hostile senders."""
import glob
import os
import shutil
import socket
import ssl
import subprocess

import pytest

from harness.process import wait_for
from harness.wire import Authority
from log_machine import LogMachine
from test_logs_sources import free_port, start_rsyslogd, texts


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


class Tls:
    """The forwarder with one TLS listener; client=True asks senders for a certificate."""

    def __init__(self, box, client=False):
        self.box, self.port = box, free_port()
        self.certificate, self.key = box.authority.issue("syslog")
        self.senders = Authority(box.workspace.path / "senders", "Senders") if client else None
        more = {"client_ca": self.senders.file} if client else {}
        box.settings(syslog=[f"tls:127.0.0.1:{self.port}"], certificate=self.certificate, key=self.key, **more)
        box.connect()
        box.rule_of("syslog", {})
        box.start()
        box.wait_said("logs.syslog_listens")

    def context(self, sender=None, version=None):
        context = ssl.create_default_context(cafile=self.box.authority.file)
        if version:
            context.minimum_version = context.maximum_version = version
        if sender:
            context.load_cert_chain(*sender)
        return context

    def connect(self, context=None):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return (context or self.context()).wrap_socket(plain, server_hostname="localhost")


def framed(text):
    return b"%d %s" % (len(text), text)


def message(n, size=0):
    return framed(b"<13>1 2026-11-22T10:00:00Z host app 7 - - %d%s" % (n, b"x" * size))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_come_in_order_over_each_version(box, version):
    tls = Tls(box)
    with tls.connect(tls.context(version=version)) as s:
        assert s.version() == version.name.replace("_", ".")
        s.sendall(b"".join(message(n) for n in range(3000)))
    box.endpoint.wait_rows(3000)
    assert texts(box) == [str(n) for n in range(3000)]
    assert box.endpoint.rows()[0]["HostIP"] == "127.0.0.1"
    wait_for(lambda: box.counts()["acknowledged"] == 3000)
    box.balanced()


def test_versions_before_1_2_and_plain_senders_are_turned_away(box):
    tls = Tls(box)
    old = tls.context(version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        tls.connect(old)
    with socket.create_connection(("127.0.0.1", tls.port), timeout=30) as s:
        s.sendall(message(1))
        try:
            assert s.recv(100)[:1] in (b"", b"\x15")
        except ConnectionError:
            pass
    with tls.connect() as s:
        s.sendall(message(2))
    box.endpoint.wait_rows(1)
    assert texts(box) == ["2"]


def test_senders_need_a_certificate_of_theirs_when_it_is_asked_for(box):
    tls = Tls(box, client=True)
    good, other = tls.senders.issue("sender"), box.authority.issue("other")
    for sender in (None, other):
        with pytest.raises((ssl.SSLError, OSError)):
            with tls.connect(tls.context(sender)) as s:
                s.sendall(message(1))
                while s.recv(100):
                    pass
                raise ConnectionResetError("let go without a word")
    with tls.connect(tls.context(good)) as s:
        s.sendall(message(2))
    box.endpoint.wait_rows(1)
    assert texts(box) == ["2"]


def test_a_certificate_that_is_replaced_is_served_at_the_next_reload(box):
    tls = Tls(box)
    with tls.connect() as first:
        new = box.authority.issue("renewed", subject="renewed")
        shutil.copy(new[0], tls.certificate)
        shutil.copy(new[1], tls.key)
        box.process.child.send_signal(1)

        def subject():
            with tls.connect() as s:
                return dict(x[0] for x in s.getpeercert()["subject"])["commonName"]
        wait_for(lambda: subject() == "renewed", 30, "the new certificate")
        with open(tls.key, "w", encoding="ascii") as file:
            file.write("nonsense")
        box.process.child.send_signal(1)
        box.wait_said("logs.syslog_certificate_refused")
        assert subject() == "renewed"
        first.sendall(message(1))
        box.endpoint.wait_rows(1)


def test_without_its_files_a_listener_is_refused_and_others_work(box):
    port = free_port()
    box.settings(syslog=["tls:127.0.0.1:0", f"tcp:127.0.0.1:{port}"])
    box.connect()
    box.rule_of("syslog", {})
    box.start()
    box.wait_said("logs.syslogCertificate and logs.syslogKey")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"<13>app: over tcp\n")
    box.endpoint.wait_rows(1)


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def test_hostile_senders_exhaust_nothing(box):
    """Silent ones, ones that break off, ones without an end: each connection is bounded, and all."""
    tls = Tls(box)
    with tls.connect() as s:
        s.sendall(message(0))
    box.endpoint.wait_rows(1)
    before, crowd = resident_kb(box.process.pid), []
    for n in range(90):
        try:
            plain = socket.create_connection(("127.0.0.1", tls.port), timeout=30)
            crowd.append(plain)
            if n % 3 == 0:
                plain.sendall(b"\x16\x03\x01\x40\x00" + os.urandom(500))
            if n % 3 == 1 and n < 60:
                crowd.append(tls.context().wrap_socket(plain, server_hostname="localhost"))
                crowd[-1].settimeout(1)
                crowd[-1].sendall(b"999999999 <13>" + b"z" * 300000)
        except (OSError, ssl.SSLError):
            pass
    box.wait_said("logs.syslog_connection_refused")
    assert len(os.listdir(f"/proc/{box.process.pid}/fd")) < 110
    assert resident_kb(box.process.pid) - before < 64 * 1024
    # Those who never shook hands are let go by themselves.
    wait_for(lambda: len([f for f in os.listdir(f"/proc/{box.process.pid}/fd")]) < 60, 40, "the silent ones to go")
    for s in crowd:
        s.close()
    with tls.connect() as s:
        s.sendall(message(7))
    wait_for(lambda: "7" in texts(box), 30, "a message after all that")
    box.balanced()


def test_a_full_queue_stops_senders_and_loses_nothing(workspace):
    box = LogMachine(workspace, ["--queue-max", "1"])
    try:
        box.endpoint.always = 503
        tls = Tls(box)
        sent = 0
        with tls.connect() as s:
            s.settimeout(2)
            try:
                while sent < 2000:
                    s.sendall(b"".join(message(n, 4000) for n in range(sent, sent + 100)))
                    sent += 100
            except OSError:
                pass
            box.endpoint.always = None
            box.process.child.send_signal(1)
            box.endpoint.wait_rows(max(sent, 1), 60)
        got = [t.rstrip("x") for t in texts(box)]
        assert got[:sent] == [str(n) for n in range(sent)]
    finally:
        box.close()


@pytest.mark.skipif(not glob.glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"), reason="rsyslog-gnutls is not installed")
def test_rsyslog_forwards_to_us_over_tls(box):
    tls = Tls(box, client=True)
    folder = box.workspace.path / "rsyslog"
    folder.mkdir()
    certificate, key = tls.senders.issue("rsyslog")
    child = start_rsyslogd(
        folder, f'global(defaultNetstreamDriverCAFile="{box.authority.file}" '
        f'defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")\n'
        f'*.* action(type="omfwd" target="127.0.0.1" port="{tls.port}" protocol="tcp" TCP_Framing="octet-counted" '
        'StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="anon" template="RSYSLOG_SyslogProtocol23Format")')
    try:
        for n in range(50):
            subprocess.run(["logger", "-u", str(folder / "in"), "-t", "app", "-p", "daemon.info", f"n {n}"], check=True)
        rows = box.endpoint.wait_rows(50)
    finally:
        child.terminate()
        child.wait()
    assert [r["SyslogMessage"].strip() for r in rows] == [f"n {n}" for n in range(50)]
