# SPDX-License-Identifier: Apache-2.0
"""A Debian with a real systemd, thrown away after use.

    with Booted(root, binds={packages: "/pkgs"}) as vm:
        vm.ok("dpkg -i /pkgs/mooring_*.deb")
"""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
         "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


class Booted:
    """One container. What it changes is in memory and gone with it."""

    count = 0

    def __init__(self, root, binds=None, name="machine", network=None, options=()):
        """network: (bridge, address/prefix) that it shares with others; else only a loopback.
        options: further ones of systemd-nspawn."""
        Booted.count += 1
        self.name = f"{name}-{os.getpid()}-{Booted.count}"
        self.root, self.binds = root, binds or {}
        self.network, self.options = network, options
        self.leader = self.process = None
        self.console = tempfile.TemporaryFile()

    def __enter__(self):
        binds = [f"--bind-ro={source}:{target}" for source, target in self.binds.items()]
        link = f"--network-bridge={self.network[0]}" if self.network else "--private-network"
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", self.root, "--volatile=overlay", "--boot",
             "--register=no", "--keep-unit", "-M", self.name, link,
             "--console=pipe", *binds, *self.options, "systemd.unit=multi-user.target"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
            start_new_session=True)
        try:
            self.wait(self._find_leader, 30, "the first process")
            self.wait(lambda: self.run("systemctl is-system-running").stdout.strip()
                      in ("running", "degraded"), 60, "the end of booting")
            if self.network:
                self.ok(f"hostname {self.name} && ip address add {self.network[1]} dev host0 &&"
                        " ip link set host0 up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            # Tells PID 1 inside to power off; the second time nspawn ends it at once.
            for _ in range(2):
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(20)
                    break
                except subprocess.TimeoutExpired:
                    pass
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.console.close()

    def _find_leader(self):
        if self.process.poll() is not None:
            self.console.seek(0)
            raise AssertionError("did not boot: " + self.console.read()[-2000:].decode())
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            comm = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
            if comm == "systemd" and self._enter(child, "true").returncode == 0:
                self.leader = child
                return True
        return False

    @staticmethod
    def _enter(leader, command, timeout=120, stdin=None):
        return subprocess.run(
            ["nsenter", "-t", leader, "-m", "-u", "-i", "-n", "-p", "--", "/bin/bash", "-c",
             command], capture_output=True, text=True, timeout=timeout, env=CLEAN, input=stdin,
            cwd="/", check=False)

    def run(self, command, timeout=120, stdin=None):
        """A bash command line as root inside; never raises for its exit status."""
        return self._enter(self.leader, command, timeout, stdin)

    def ok(self, command, timeout=120, stdin=None):
        """The same; a status other than 0 fails the test. Returns standard output."""
        done = self.run(command, timeout, stdin)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def journal(self, unit="mooring*"):
        return self.run(f"journalctl --no-pager -o short-monotonic -u '{unit}' | tail -n 60").stdout

    def put(self, path, text, mode="0644"):
        """A file inside, made whole."""
        self.ok(f"install -D -m {mode} /dev/stdin '{path}'", stdin=text)

    @staticmethod
    def wait(test, timeout, what):
        deadline = time.monotonic() + timeout * float(os.environ.get("MOOR_TEST_PATIENCE", "1"))
        while not test():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout} s for {what}")
            time.sleep(0.1)

    def wait_for(self, command, timeout=60):
        """Until the command's status is 0."""
        last = {}

        def test():
            last["done"] = self.run(command)
            return last["done"].returncode == 0
        try:
            self.wait(test, timeout, command)
        except AssertionError as error:
            done = last["done"]
            raise AssertionError(f"{error}\n{done.stdout}{done.stderr}\n{self.journal()}") from None
        return last["done"].stdout
