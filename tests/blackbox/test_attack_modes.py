# SPDX-License-Identifier: Apache-2.0
"""Attack 6: whatever umask the programs are started with, no file is ever there for more people
than it is meant for, not even between two system calls."""
import os
import re
import stat

import pytest
from harness.machine import Machine

CALLS = "openat,open,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat"
CREATES = re.compile(r'\b(?:openat|open)\((?P<where>.*?), O_\S*O_CREAT\S*, (?P<mode>0\d+)\)')
OTHERS = re.compile(r'\b(?:mkdir|mkdirat|mknod|mknodat|chmod|fchmod|fchmodat|creat)\('
                    r'(?P<where>.*?), (?:S_\w+\|)?(?P<mode>0\d+)[,)]')
SECRET = re.compile(r"/certs[/>]|\.prv|settings-key|\.settings|identity\.key|tokens\.cache")


class Masked(Machine):
    """A machine whose programs all start with this umask, and may be watched."""

    def __init__(self, workspace, umask, watched):
        super().__init__(workspace)
        self.umask, self.traces = umask, []
        for folder in ("etc", "run", "var", "var/lib", "var/log", "var/opt"):
            (self.root / folder).mkdir()  # as every machine has them
        if watched:
            self.env["ASAN_OPTIONS"] += ":detect_leaks=0"
        self.watched = watched

    def wrapped(self, argv):
        shell = ["/bin/sh", "-c", f'umask {self.umask}; exec "$@"', "sh"]
        if not self.watched:
            return [*shell, *argv]
        trace = self.workspace.path / f"trace-{len(self.traces)}"
        self.traces.append(trace)
        return [*shell, "/usr/bin/strace", "-D", "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-o",
                trace, *argv]

    def modes(self):
        """Mode and kind of everything below the root, by path."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                plain = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9A-F]{40}", "ID",
                               os.path.relpath(path, self.root))
                found[plain] = stat.filemode(status.st_mode)
        return found

    def seen(self):
        """(where, mode) of everything the traces made or changed."""
        for trace in self.traces:
            for line in trace.read_text().splitlines():
                match = CREATES.search(line) or OTHERS.search(line)
                if match:
                    yield match["where"], int(match["mode"], 8)


def live(box, controlplane, name):
    """What a machine goes through; its modes while connected."""
    box.start()
    try:
        box.connect(controlplane, resource_name=name)
        assert box.token("https://management.azure.com")
        box.mooring("config", "set", "extensions.blocklist", "a/b")
        box.mooring("config", "clear", "extensions.blocklist")
        box.mooring("logs", "-o", box.root / "bundle.zip")
        box.mooring("genkey", "--private-key-file", box.root / "key")
        modes = box.modes()
        box.mooring("disconnect", "-f")
    finally:
        box.stop()
    return modes


def lasting(modes):
    """Without what comes and goes: challenges, and folders that are made when first needed."""
    return {path: mode for path, mode in modes.items()
            if not re.search(r"/tokens/|\.lock$|/\.new-", path)}


def test_files_are_the_same_under_every_umask(workspace, controlplane, unique):
    found = {}
    for umask in ("022", "000", "077"):
        box = Masked(workspace, umask, watched=False)
        found[umask] = lasting(live(box, controlplane, f"{unique}-{umask}"))
        box.root.rename(workspace.path / f"left-{umask}")
    both = set(found["022"]) & set(found["000"]) & set(found["077"])
    assert {"var/opt/azcmagent/agentconfig.json", "var/opt/azcmagent/certs/identity.key",
            "var/opt/azcmagent/localconfig.json"} <= both
    for path in sorted(both):
        assert found["022"][path] == found["000"][path] == found["077"][path], path
    for path, mode in found["000"].items():
        assert mode.startswith("s") or mode[8] != "w", (path, mode)
        assert mode.startswith("s") or mode[5] != "w", (path, mode)
    assert found["077"]["var/opt/azcmagent/agentconfig.json"] == "-rw-r--r--"
    for path in ("var/opt/azcmagent/certs/identity.key", "bundle.zip", "key"):
        assert found["000"][path] == "-rw-------"


def test_no_call_ever_opens_a_file_to_others(workspace, controlplane, unique):
    box = Masked(workspace, "000", watched=True)
    live(box, controlplane, unique)
    seen = list(box.seen())
    assert len(seen) > 30
    for where, mode in seen:
        # Sockets are meant for all and get their mode through their descriptor.
        if "/dev/" in where or "sanitizer" in where or "/proc/self/fd/" in where:
            continue
        assert not mode & 0o022, (where, oct(mode))
        assert not SECRET.search(where) or not mode & 0o077, (where, oct(mode))


@pytest.mark.parametrize("line, mode", [
    ('7 openat(5</x/certs>, ".new-1", O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0666) = 6', 0o666),
    ('7 mkdirat(5</x>, "certs", 0777) = 0', 0o777),
    ('7 fchmod(6</x/certs/.new-1>, 0644) = 0', 0o644),
])
def test_the_recorder_sees_calls(workspace, line, mode):
    box = Masked(workspace, "000", watched=True)
    box.traces.append(workspace.path / "trace")
    box.traces[0].write_text(line + "\n")
    assert [found for _, found in box.seen()] == [mode]
