# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: what is not a file. Real logger, rsyslogd and journal files on the other side."""
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from harness.process import program, wait_for
from log_machine import ID, LogMachine, append


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sockets:
    def __init__(self, box):
        self.box = box
        self.tcp, self.udp = free_port(), free_port(socket.SOCK_DGRAM)
        self.unix = str(box.workspace.path / "dev-log")
        box.settings(syslog=[f"unix:{self.unix}", f"udp:127.0.0.1:{self.udp}", f"tcp:127.0.0.1:{self.tcp}"])

    def start(self, **source):
        self.box.connect()
        self.box.rule_of("syslog", source)
        self.box.start()
        wait_for(lambda: self.box.process.log_text().count("logs.syslog_listens") >= 3, 30, "listeners")
        return self

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.tcp), timeout=20)


@pytest.fixture
def sockets(box):
    return Sockets(box)


def texts(box):
    return [r["SyslogMessage"] for r in box.endpoint.rows()]


def test_logger_is_heard_on_every_socket(box, sockets):
    sockets.start(facilityNames=["*"], logLevels=["*"])
    tcp, udp = str(sockets.tcp), str(sockets.udp)
    ways = {"local": ["-u", sockets.unix], "udp": ["-n", "127.0.0.1", "-d", "-P", udp],
            "old": ["-n", "127.0.0.1", "-T", "-P", tcp, "--rfc3164"],
            "new": ["-n", "127.0.0.1", "-T", "-P", tcp, "--rfc5424"],
            "counted": ["-n", "127.0.0.1", "-T", "-P", tcp, "--octet-count"]}
    for text, way in ways.items():
        subprocess.run(["logger", *way, "-t", "prog", "-i", "-p", "local3.err", f"it is {text}"], check=True)
    rows = {r["SyslogMessage"]: r for r in box.endpoint.wait_rows(5)}
    assert set(rows) == {f"it is {text}" for text in ways}
    for row in rows.values():
        assert row["Facility"] == "local3" and row["SeverityLevel"] == "err"
        assert row["ProcessName"] == "prog" and row["ProcessID"] > 0
        assert row["HostName"].split(".")[0] == os.uname().nodename.split(".")[0]
        assert abs(time.time() - time.mktime(time.strptime(row["EventTime"][:19], "%Y-%m-%dT%H:%M:%S"))
                   + time.timezone) < 3700
    assert rows["it is udp"]["HostIP"] == "127.0.0.1" and "HostIP" not in rows["it is local"]
    wait_for(lambda: box.counts()["acknowledged"] == 5)
    box.balanced()


def test_only_the_facilities_and_levels_of_the_rule_come_through(box, sockets):
    sockets.start(facilityNames=["auth", "cron"], logLevels=["Error", "Critical"])
    with sockets.connect() as s:
        for facility in (3, 4, 9):
            for severity in (2, 3, 4):
                s.sendall(b"<%d>tag: %d.%d\n" % (facility * 8 + severity, facility, severity))
    box.endpoint.wait_rows(4)
    assert sorted(texts(box)) == ["4.2", "4.3", "9.2", "9.3"]


def start_rsyslogd(folder, rule):
    config = folder / "rsyslog.conf"
    config.write_text(f'module(load="imuxsock" SysSock.Use="off")\n'
                      f'input(type="imuxsock" Socket="{folder}/in")\n'
                      f'global(workDirectory="{folder}")\n{rule}\n')
    child = subprocess.Popen(["rsyslogd", "-n", "-f", str(config), "-i", str(folder / "pid")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(folder / "in"), 30, "rsyslogd")
    return child


@pytest.mark.skipif(not shutil.which("rsyslogd"), reason="rsyslogd is not installed")
@pytest.mark.parametrize("format_", ["RSYSLOG_TraditionalForwardFormat", "RSYSLOG_ForwardFormat",
                                     "RSYSLOG_SyslogProtocol23Format"])
def test_rsyslog_forwards_to_us_in_each_of_its_formats(box, sockets, format_):
    sockets.start()
    folder = box.workspace.path / "rsyslog"
    folder.mkdir()
    framing = "octet-counted" if format_.endswith("23Format") else "traditional"
    child = start_rsyslogd(folder, f'*.* action(type="omfwd" target="127.0.0.1" port="{sockets.tcp}" '
                                   f'protocol="tcp" TCP_Framing="{framing}" template="{format_}")')
    try:
        for n in range(200):
            subprocess.run(["logger", "-u", str(folder / "in"), "-t", "app", "-p", "daemon.info", f"n {n}"],
                           check=True)
        rows = box.endpoint.wait_rows(200)
    finally:
        child.terminate()
        child.wait()
    assert [r["SyslogMessage"].strip() for r in rows] == [f"n {n}" for n in range(200)]
    assert {(r["Facility"], r["SeverityLevel"], r["ProcessName"]) for r in rows} == {("daemon", "info", "app")}


def test_messages_survive_kill_9_once_they_are_in_the_queue(box, sockets):
    box.endpoint.always = 503
    sockets.start()
    with sockets.connect() as s:
        s.sendall(b"".join(b"<13>app: %d\n" % n for n in range(5000)))
        wait_for(lambda: box.counts()["queued"] == 5000, 30, "the queue to have them")
    box.kill()
    box.endpoint.always = None
    box.start()
    box.endpoint.wait_rows(5000)
    assert texts(box) == [str(n) for n in range(5000)]
    wait_for(lambda: box.counts()["acknowledged"] == 5000)
    assert box.balanced()["queued"] == 0


def test_a_stop_in_order_loses_no_message(box, sockets):
    sockets.start()
    with sockets.connect() as s:
        s.sendall(b"".join(b"<13>app: %d\n" % n for n in range(1000)))
        wait_for(lambda: len(texts(box)) > 0 or box.queue(), 30)
        time.sleep(0.2)
    box.process.stop()
    box.start()
    wait_for(lambda: box.process.log_text().count("logs.syslog_listens") == 6, 30)
    box.endpoint.wait_rows(1000)
    assert texts(box) == [str(n) for n in range(1000)]


def test_a_full_queue_stops_tcp_and_counts_what_udp_loses(workspace):
    box = LogMachine(workspace, ["--queue-max", "60000"])
    try:
        sockets = Sockets(box)
        box.endpoint.always = 503
        sockets.start()
        line = b"<13>app: %07d " + b"x" * 900
        sent = 0
        with sockets.connect() as s:
            s.settimeout(0.5)
            with pytest.raises(TimeoutError):
                for n in range(40000):
                    message = line % n + os.urandom(300).hex().encode() + b"\n"
                    s.sendall(message)
                    sent = n
            box.wait_said("logs.queue_full")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                for _ in range(300):
                    u.sendto(b"<13>app: by udp", ("127.0.0.1", sockets.udp))
                    time.sleep(0.001)
            wait_for(lambda: box.counts()["droppedQueueFull"] == 300, 10, f"the count of what was dropped {box.positions()}")
            box.endpoint.always = None
            box.process.child.send_signal(1)
            s.settimeout(60)
            s.sendall(b"\n<13>app: last\n")
        wait_for(lambda: "last" in texts(box), 60, "the last message")
        got = [t[:7] for t in texts(box) if t != "last"]
        assert got[:sent] == [f"{n:07d}" for n in range(sent)]
        wait_for(lambda: box.counts()["queued"] == 0)
        box.balanced()
    finally:
        box.close()


def test_hostile_senders_exhaust_nothing(box, sockets):
    sockets.start()
    crowd = []
    for n in range(120):
        s = sockets.connect()
        try:
            s.sendall(b"9" * 9 if n % 2 else b"<13>" + b"z" * 70000)
        except OSError:
            pass
        crowd.append(s)
    box.wait_said("logs.syslog_connection_refused")
    assert len(os.listdir(f"/proc/{box.process.pid}/fd")) < 120
    for s in crowd:
        s.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for junk in (b"", b"\0", b"<", b"<999>", b"<13>1 " + b"[" * 500, os.urandom(2000), b"\xff" * 60000):
            s.sendto(junk, sockets.unix)
        s.sendto(b"<13>Nov 22 10:00:00 still: here", sockets.unix)
    wait_for(lambda: "here" in texts(box), 30, "a message after all that")
    wait_for(lambda: box.counts()["cut"] > 0)
    box.balanced()


# The journal


EXPORTER = "/lib/systemd/systemd-journal-remote"
needs_exporter = pytest.mark.skipif(not os.path.exists(EXPORTER), reason="systemd-journal-remote is not installed")
MACHINE, BOOT = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


class Journal:
    """Journal files as systemd-journal-remote writes them."""

    def __init__(self, box):
        self.folder = box.root / "var/log/journal"
        self.folder.mkdir(parents=True)
        self.count = self.files = 0

    def write(self, entries, name=None):
        text = bytearray()
        for fields in entries:
            at = int(time.time() * 1e6)
            fields = {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "app", "_PID": "77", "_HOSTNAME": "there",
                      "_SYSTEMD_UNIT": "app.service", "SYSLOG_FACILITY": "3", **fields}
            text += b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n" % (
                at, 1000 + self.count, BOOT.encode(), MACHINE.encode())
            for key, value in fields.items():
                data = value.encode() if isinstance(value, str) else value
                text += key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n" \
                    if b"\n" in data else key.encode() + b"=" + data + b"\n"
            text += b"\n"
            self.count += 1
        self.files += 1
        path = self.folder / (name or f"part{self.files}.journal")
        subprocess.run([EXPORTER, "-o", str(path), "-"], input=bytes(text), check=True, capture_output=True)
        return path


@pytest.fixture
def journal(box):
    return Journal(box)


@needs_exporter
def test_the_journal_is_read_from_its_cursor_on(box, journal):
    journal.write({"MESSAGE": f"entry {n}"} for n in range(500))
    box.connect()
    box.rule_of("syslog", {"facilityNames": ["*"], "logLevels": ["*"]})
    box.start()
    rows = box.endpoint.wait_rows(500)
    assert [r["SyslogMessage"] for r in rows] == [f"entry {n}" for n in range(500)]
    assert (rows[0]["Facility"], rows[0]["SeverityLevel"], rows[0]["ProcessName"], rows[0]["ProcessID"],
            rows[0]["HostName"]) == ("daemon", "info", "app", 77, "there")
    journal.write({"MESSAGE": f"more\n{n}"} for n in range(100))
    box.endpoint.wait_rows(600)
    assert texts(box)[500:] == [f"more\n{n}" for n in range(100)]
    wait_for(lambda: box.counts()["acknowledged"] == 600)
    box.kill()
    journal.write({"MESSAGE": f"after {n}"} for n in range(50))
    box.start()
    box.endpoint.wait_rows(650)
    assert texts(box)[600:] == [f"after {n}" for n in range(50)]
    box.balanced()


@needs_exporter
def test_units_facilities_and_levels_choose_entries(box, journal):
    journal.write([{"MESSAGE": "a", "_SYSTEMD_UNIT": "a.service"},
                   {"MESSAGE": "b", "_SYSTEMD_UNIT": "b.service"},
                   {"MESSAGE": "a bad", "_SYSTEMD_UNIT": "a.service", "PRIORITY": "3"},
                   {"MESSAGE": "c bad", "_SYSTEMD_UNIT": "c.service", "PRIORITY": "3"},
                   {"MESSAGE": "a mail", "_SYSTEMD_UNIT": "a.service", "PRIORITY": "3", "SYSLOG_FACILITY": "2"}])
    box.connect()
    box.rule_of("journal", {"units": ["a.service", "b.service"], "logLevels": ["Error"],
                            "facilityNames": ["daemon"]})
    box.start()
    box.endpoint.wait_rows(1)
    journal.write([{"MESSAGE": "b bad", "_SYSTEMD_UNIT": "b.service", "PRIORITY": "3"}])
    box.endpoint.wait_rows(2)
    assert texts(box) == ["a bad", "b bad"]


@needs_exporter
def test_entries_that_are_gone_are_told(box, journal):
    first = journal.write({"MESSAGE": f"entry {n}"} for n in range(10))
    box.connect()
    box.rule_of("syslog", {})
    box.start()
    wait_for(lambda: box.counts()["acknowledged"] == 10)
    box.process.stop()
    first.unlink()
    journal.write({"MESSAGE": f"later {n}"} for n in range(10))
    box.start()
    box.endpoint.wait_rows(20)
    assert texts(box)[10:] == [f"later {n}" for n in range(10)]
    box.wait_said("logs.journal_gap")
    wait_for(lambda: box.counts()["gaps"] == 1)


@needs_exporter
def test_the_journal_waits_for_its_destination_without_a_copy(box, journal):
    box.endpoint.always = 503
    journal.write({"MESSAGE": f"entry {n}"} for n in range(300))
    box.connect()
    box.rule_of("syslog", {})
    box.start()
    box.wait_said("logs.flow_waits")
    assert not box.queue()
    box.endpoint.always = None
    box.process.child.send_signal(1)
    box.endpoint.wait_rows(300)
    assert texts(box) == [f"entry {n}" for n in range(300)]


# Samples


def test_counters_and_heartbeats_become_rows(box):
    body = box.rule_body([])
    body["properties"]["dataSources"] = {"performanceCounters": [
        {"name": "perf", "streams": ["Microsoft-Perf"], "samplingFrequencyInSeconds": 1,
         "counterSpecifiers": ["Processor(*)\\% Processor Time", "\\Memory(*)\\Available MBytes Memory",
                               "Logical Disk(*)\\% Used Space", "Nonsense(*)\\x"]},
        {"name": "vm", "streams": ["Microsoft-InsightsMetrics"], "samplingFrequencyInSeconds": 1,
         "counterSpecifiers": ["\\VmInsights\\DetailedMetrics"]}]}
    body["properties"]["dataFlows"] = [{"streams": ["Microsoft-Perf", "Microsoft-InsightsMetrics",
                                                    "Microsoft-Heartbeat"], "destinations": ["ws"]}]
    box.connect()
    box.write_rule(body)
    box.start()

    def named(stream, column):
        return {r[column] for r in box.endpoint.rows(stream)}
    wait_for(lambda: {"% Processor Time", "Available MBytes Memory"} <= named("Microsoft-Perf", "CounterName")
             and {"UtilizationPercentage", "AvailableMB"} <= named("Microsoft-InsightsMetrics", "Name"), 40)
    memory = next(r for r in box.endpoint.rows("Microsoft-Perf") if r["ObjectName"] == "Memory")
    with open("/proc/meminfo", encoding="ascii") as file:
        available = int(next(line for line in file if line.startswith("MemAvailable")).split()[1]) / 1024
    assert 0.3 * available < memory["CounterValue"] < 3 * available
    assert memory["CounterPath"].endswith("\\Memory(_Total)\\Available MBytes Memory")
    for row in box.endpoint.rows("Microsoft-Perf"):
        assert "%" not in row["CounterName"] or 0 <= row["CounterValue"] <= 100, row
    (beat,) = box.endpoint.wait_rows(1, stream="Microsoft-Heartbeat")
    assert beat["OSType"] == "Linux" and beat["Resource"] == "m" and beat["VMUUID"] and beat["Version"]
    box.wait_said("Nonsense")
    wait_for(lambda: box.counts()["queued"] == 0)
    box.balanced()


# The command


def ask(box, *words):
    answer = subprocess.run([program("mooring"), "logs", *words], capture_output=True, text=True, timeout=60,
                            env=box.workspace.environment(MOORING_ROOT=box.root), check=False)
    return answer.returncode, answer.stdout, answer.stderr


def test_the_command_accounts_for_every_record(box):
    box.connect()
    box.endpoint.always = lambda rows: 400 if any("bad" in r["RawData"] for r in rows) else 204
    box.log().write_text("one\nbad\ntwo\n")
    box.rule(box.log())
    assert ask(box, "status")[0] != 0
    box.start()
    wait_for(lambda: box.counts()["droppedRefused"] == 1 and box.counts()["acknowledged"] == 2)
    box.process.stop()
    code, text, _ = ask(box, "status")
    assert code == 0 and "3 received = 2 acknowledged + 0 queued + 1 dropped" in text
    assert "droppedRefused: 1" in text
    code, text, _ = ask(box, "status", "-j")
    assert code == 0 and json.loads(text)["flows"][0]["counts"]["received"] == 3


def test_the_command_shows_what_waits_on_the_disk(box, sockets):
    box.endpoint.always = 503
    sockets.start()
    assert ask(box, "queue") == (0, "", "")
    with sockets.connect() as s:
        s.sendall(b"<13>app: waits\n")
        wait_for(lambda: box.counts()["queued"] == 1)
    code, text, _ = ask(box, "queue", "-j")
    (entry,) = json.loads(text)
    assert code == 0 and entry["rows"] == 1 and entry["flow"].endswith("/Microsoft-Syslog/src")
    assert "1 rows" in ask(box, "queue")[1]


def test_the_command_judges_a_rule_before_it_is_used(box):
    body = box.rule_body([box.log()])
    body["properties"]["dataSources"]["logFiles"][0]["filePattern"] = "x"
    body["properties"]["dataSources"]["windowsEventLogs"] = [{"name": "w"}]
    body["propertis"] = {}
    path = box.workspace.path / "rule.json"
    path.write_text(json.dumps(body))
    code, text, _ = ask(box, "check", str(path), "-j")
    answer = json.loads(text)
    assert code == 0 and answer["flows"] == [f"{ID}/Custom-App/app"]
    assert answer["notCollected"] == "windowsEventLogs"
    assert answer["unknownMembers"] == "propertis, properties.dataSources.logFiles[].filePattern"
    assert "can be used" in ask(box, "check", str(path))[1]
    # As Azure writes it: the identifier and the endpoint among the properties.
    del body["immutableId"], body["endpoint"], body["propertis"]
    body["properties"].update(immutableId=ID, endpoints={"logsIngestion": "https://a.example"})
    path.write_text(json.dumps(body))
    assert ask(box, "check", str(path))[0] == 0
    body["properties"]["dataSources"]["logFiles"][0]["filePatterns"] = ["relative"]
    path.write_text(json.dumps(body))
    code, _, error = ask(box, "check", str(path))
    assert code == 23 and "properties.dataSources.logFiles: app: filePatterns[0]" in error
    path.write_text('{"schema": 1,\n "id": }')
    code, _, error = ask(box, "check", str(path))
    assert code == 23 and ("line 2" in error or "byte" in error), error


def test_the_forwarders_own_accounting_becomes_rows(box):
    body = box.rule_body([box.log()])
    body["properties"]["dataSources"]["performanceCounters"] = [
        {"name": "own", "streams": ["Microsoft-Perf", "Microsoft-InsightsMetrics"],
         "samplingFrequencyInSeconds": 1, "counterSpecifiers": ["\\Log Forwarder(*)\\*"]}]
    body["properties"]["dataFlows"][0]["streams"] += ["Microsoft-Perf", "Microsoft-InsightsMetrics"]
    append(box.log(), *(f"line {n}" for n in range(1234)))
    box.connect()
    box.write_rule(body)
    box.start()
    flow = f"{ID}/Custom-App/app"

    def latest(stream, which, value):
        return {row[which]: row[value] for row in box.endpoint.rows(stream)
                if flow in (row.get("InstanceName"), json.loads(row.get("Tags", "{}")).get("flow"))}
    wait_for(lambda: latest("Microsoft-Perf", "CounterName", "CounterValue") == {
        "Records Received": 1234, "Records Acknowledged": 1234, "Records Queued": 0,
        "Records Dropped": 0, "Oldest Unacknowledged Seconds": 0}, 40)
    wait_for(lambda: latest("Microsoft-InsightsMetrics", "Name", "Val").get("RecordsAcknowledged") == 1234, 40)
