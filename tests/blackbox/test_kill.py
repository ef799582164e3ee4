# SPDX-License-Identifier: Apache-2.0
"""kill -9 of anything at any moment: commands run once, results are true, no log line is lost.

One machine with a control plane; a round per kill point deploys a CustomScript extension with
another command, kills one process at a random moment of it and starts it again. 10 points, 50 with
MOOR_TEST_FULL=1; MOOR_TEST_SEED repeats victims and moments as far as time can be repeated.
"""
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from harness.machine import ROLES
from harness.process import PATIENCE, program, wait_for
from log_site import LogSite

PACKAGE = "Microsoft.Azure.Extensions.CustomScript__2.1.100.zip"
# The handler's enable, the process that is to the handler the command, and the command.
HANDLER = ("enable", "run", "command")
VICTIMS = ("identity", "extensions", "fetch", "logs", "controlplane", *HANDLER)
INSTALL_EVERY = 5  # rounds
ROUND_S = 120  # until an extension has ended, whoever was killed
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: ")


class Writer(threading.Thread):
    """Writes numbered lines until told to stop, whatever else happens."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.count, self.ended = path, 0, threading.Event()

    def run(self):
        with open(self.path, "a", buffering=1) as log:
            while not self.ended.wait(0.05):
                log.write(f"line {self.count:06d}\n")
                self.count += 1

    def stop(self):
        self.ended.set()
        self.join()
        return self.count


class Site:
    """What the rounds share, and what a round does."""

    def __init__(self, controlplane, machine, random):
        self.cp, self.machine, self.random = controlplane, machine, random
        self.ran = machine.root / "ran"
        self.done = machine.root / "done"
        self.name = ""
        self.logs = LogSite(controlplane, "kills")
        self.writer = Writer(machine.root / "app.log")

    # Processes

    def find(self, victim):
        """The process id of a victim that comes and goes; None when it is not there."""
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and self.is_victim(victim, pathlib.Path("/proc", entry)):
                    return int(entry)
            except OSError:
                continue  # it has ended
        return None

    def is_victim(self, victim, proc):
        words = (proc / "cmdline").read_text(errors="replace").split("\0")
        if len(words) < 2:
            return False
        if victim == "fetch":
            parent = int((proc / "stat").read_text().rsplit(")", 1)[1].split()[1])
            return words[1] == "fetch" and parent == self.machine.roles["extensions"].pid
        if victim == "command":
            found = re.search(r"/custom-script/\d+\.sh$", words[1])
        else:
            found = words[0].endswith("/customscript") and words[1] == victim
        return found and os.readlink(proc / "cwd").startswith(f"{self.machine.root}/")

    def kill(self, victim, moment):
        """Kills after `moment` seconds, started ones at once, others once they are there. Whether
        there was something to kill."""
        time.sleep(moment)
        if victim == "controlplane":
            self.cp.kill()
        elif victim in ROLES:
            self.machine.kill_role(victim)
        else:
            return self.kill_passing(victim)
        time.sleep(self.random.uniform(0, 0.5))
        if victim == "controlplane":
            self.cp.start()
        else:
            self.machine.start_role(victim)
        return True

    def kill_passing(self, victim):
        deadline = time.monotonic() + 20 * PATIENCE
        while time.monotonic() < deadline:
            pid = self.find(victim)
            if pid:
                time.sleep(self.random.uniform(0, 0.4))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    return False
                return True
            if victim in HANDLER and self.ended():
                return False
            time.sleep(0.002)
        return False

    # The log

    def watch(self):
        """Lines are written from here on."""
        sources = {"logFiles": [{"name": "files", "streams": [self.logs.stream], "format": "text",
                                 "filePatterns": [str(self.writer.path)]}]}
        self.logs.put_rule(dataSources=sources)
        assert self.logs.associate(self.machine.resource_id).status in (200, 201)
        self.writer.start()
        wait_for(self.arrived, 60, "the first lines to arrive")

    def arrived(self):
        """In the order of arrival: without `order` the newest come first."""
        return [row[0] for row in self.logs.rows(f"{self.logs.table} | project RawData")][::-1]

    def check_log(self):
        """Every line at least once, and the first of each in the order they were written in."""
        count = self.writer.stop()
        wanted = [f"line {n:06d}" for n in range(count)]
        wait_for(lambda: len(set(self.arrived())) >= count, ROUND_S, f"{count} lines to arrive")
        arrived = self.arrived()
        assert list(dict.fromkeys(arrived)) == wanted
        print(f"{count} lines, {len(arrived) - count} of them twice")

    # The extension

    @property
    def resource(self):
        return f"{self.machine.resource_id}/extensions/{self.name}"

    def settings(self, number):
        command = (f'echo "{self.name}-$ConfigSequenceNumber {number}" >> {self.ran}; sleep 0.5; '
                   f'echo {number} >> {self.done}; echo said-{number}')
        return {"location": self.cp.info["location"], "properties": {
            "publisher": "Microsoft.Azure.Extensions", "type": "CustomScript",
            "typeHandlerVersion": "2.1", "settings": {},
            "protectedSettings": {"commandToExecute": command}}}

    def deploy(self, number):
        """PUT until it is taken; the control plane may be the victim."""
        def taken():
            answer = self.cp.arm("PUT", self.resource, self.settings(number))
            return answer if answer.status in (200, 201, 202) else None
        return wait_for(taken, 30, "the extension to be taken")

    def start_anew(self, number):
        """Under another name, so that there is something to download and to install."""
        if self.name:
            answer = self.cp.arm("DELETE", self.resource)
            assert answer.status in (200, 202, 204), answer
            wait_for(lambda: self.cp.arm("GET", self.resource).status == 404, ROUND_S,
                     f"{self.name} to be gone")
        self.name = f"script{number}"

    def properties(self):
        answer = self.cp.arm("GET", self.resource + "?$expand=instanceView")
        return answer.json["properties"] if answer.status == 200 else None

    def ended(self):
        try:
            now = self.properties()
        except OSError:
            return None
        return now if now and now["provisioningState"] in ("Succeeded", "Failed") else None

    def counts(self, number):
        ran = self.ran.read_text().splitlines() if self.ran.exists() else []
        done = self.done.read_text().splitlines() if self.done.exists() else []
        sequences = [line.split()[0] for line in ran]
        assert len(sequences) == len(set(sequences)), f"a sequence number ran twice: {ran}"
        return sum(line.split()[1] == str(number) for line in ran), done.count(str(number))

    def round(self, number, victim, moment):
        killed = []
        if number % INSTALL_EVERY == 0:
            self.start_anew(number)
        if victim in HANDLER:
            self.deploy(number)
        killer = threading.Thread(target=lambda: killed.append(self.kill(victim, moment)))
        killer.start()
        if victim not in HANDLER:
            self.deploy(number)
        killer.join()
        started = time.monotonic()
        assert killed, f"the {victim} could not be killed and started again"
        end = wait_for(self.ended, ROUND_S, f"round {number} ({victim} killed) to end")
        note = (f"{number:3} {victim:12} at {moment:.2f} s: {'' if killed[0] else 'gone before, '}"
                f"{end['provisioningState']} {time.monotonic() - started:.1f} s later")
        print(note, flush=True)
        self.check(number, victim, killed[0], end)

    def check(self, number, victim, killed, end):
        status = end["instanceView"]["status"]
        what = f"round {number}, {victim} {'killed' if killed else 'missed'}: {status}"
        ran, done = self.counts(number)
        itself = killed and victim in ("run", "command")
        assert ran == 1 or (itself and ran == 0), f"{what}: ran {ran} times"
        if end["provisioningState"] == "Succeeded":
            assert done == 1 and f"said-{number}" in status["message"], what
            return
        assert killed and victim in HANDLER, what
        told = status["message"]
        assert "killed" in told or "signal 9" in told, what


@pytest.fixture
def site(own_controlplane, machine, seeded, unique):
    own_controlplane.cli("extension", "publish",
                         pathlib.Path(program("x")).parent.parent / "extensions" / PACKAGE)
    machine.connect(own_controlplane, resource_name=unique)
    site = Site(own_controlplane, machine, seeded)
    site.watch()
    return site


def handlers_said(machine):
    """Sanitizer reports of handlers, whose output the manager keeps."""
    for path in machine.root.rglob("*.std*"):
        text = path.read_text(errors="replace")
        if SANITIZER.search(text):
            yield f"{path}:\n{text}"


def test_nothing_is_lost_or_done_twice_whoever_is_killed(site, full):
    count = 50 if full else 10
    plan = list(VICTIMS) + [site.random.choice(VICTIMS) for _ in range(count - len(VICTIMS))]
    site.random.shuffle(plan)
    for number, victim in enumerate(plan):
        site.round(number, victim, 0 if victim in HANDLER else site.random.uniform(0, 1.5))
    site.check_log()
    reports = list(handlers_said(site.machine))
    assert not reports, "\n".join(reports)
