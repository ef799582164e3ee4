# SPDX-License-Identifier: Apache-2.0
"""packaging/quickstart: a newcomer's first command, with the programs of this build."""
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest
from harness.process import PATIENCE, TREE, program, run

QUICKSTART = TREE / "packaging/quickstart"
STEPS = ("control plane", "agent: identity extensions logs", "cloud register", "connect",
         "token for a local program", "publish extension packages", "deploy the sample extension",
         "deploy CustomScript", "forward log files", "query the log")


def quickstart(space, root, *arguments, check=True, **extra):
    env = space.environment(**{"MOOR_BIN": pathlib.Path(program("mooring")).parent, **extra})
    return run([QUICKSTART, *arguments, "--root", root], env, timeout=200, check=check)


class Watcher(threading.Thread):
    """Looks at every argument list of the machine while a command runs."""

    def __init__(self, secret_file):
        super().__init__(daemon=True)
        self.secret_file, self.found, self.looks = secret_file, [], 0
        self.ended = threading.Event()

    def run(self):
        secret = None
        while not self.ended.wait(0.003):
            if not secret:
                secret = self.secret_file.read_bytes().strip() if self.secret_file.exists() else None
                continue
            self.looks += 1
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if secret in line:
                    self.found.append(line)


def processes_of(root):
    """Pids of programs whose environment names this root."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"MOORING_ROOT={root}\0".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def test_check_verifies_every_step_and_leaves_nothing(workspace):
    root = workspace.path / "q"
    watcher = Watcher(root / "var/lib/mooring-controlplane/admin-secret")
    watcher.start()
    begun = time.monotonic()
    done = quickstart(workspace, root, "--check")
    took = time.monotonic() - begun
    watcher.ended.set()
    watcher.join()
    titles = re.findall(r"^ok +\d+  (.*?)  +\d+\.\d s", done.stdout, re.M)
    assert [step for step in STEPS if step not in titles] == []
    assert any(title.endswith("resource show") for title in titles)
    assert "\033" not in done.stdout, "control sequences although this is no terminal"
    assert took < 60 * PATIENCE
    assert not root.exists()
    assert processes_of(root) == []
    assert watcher.looks > 10 and watcher.found == []


@pytest.fixture
def running(workspace):
    root = workspace.path / "q"
    first = quickstart(workspace, root)
    try:
        yield root, first.stdout
    finally:
        quickstart(workspace, root, "--stop", check=False)


def test_what_runs_is_reached_told_and_stopped(workspace, running):
    root, shown = running
    assert "Connected" in shown
    again = quickstart(workspace, root)
    assert "running under" in again.stdout and "controlplane (pid" in again.stdout
    script = (f'eval "$({QUICKSTART} --env --root {root})" && mooring show -j && '
              'curl -fsS --cacert "$MOORING_CA_FILE" "$MOORING_ENDPOINT/metadata/endpoints'
              '?api-version=2022-09-01" && test -n "$AZURE_CLIENT_SECRET" && '
              '[[ $MOORING_RESOURCE_ID == */machines/* ]]')
    run(["bash", "-c", script], workspace.environment())
    printed = quickstart(workspace, root, "--env").stdout
    secret = (root / "var/lib/mooring-controlplane/admin-secret").read_text().strip()
    assert secret not in printed
    assert "stopped" in quickstart(workspace, root, "--stop").stdout
    assert not root.exists() and processes_of(root) == []
    assert quickstart(workspace, root, "--env", check=False).returncode == 1


def test_a_step_that_fails_is_named_and_everything_stops(workspace, tmp_path):
    for name in ("mooring-controlplane", "mooringd"):
        (tmp_path / name).symlink_to(program(name))
    (tmp_path / "mooring").write_text("#!/bin/sh\necho no luck today >&2\nexit 42\n")
    (tmp_path / "mooring").chmod(0o755)
    root = workspace.path / "q"
    done = quickstart(workspace, root, "--check", check=False, MOOR_BIN=tmp_path)
    assert done.returncode != 0
    assert "FAILED  cloud register" in done.stdout
    assert "no luck today" in done.stderr
    assert not root.exists() and processes_of(root) == []


def test_a_folder_of_somebody_elses_is_left_alone(workspace):
    root = workspace.path / "q"
    root.mkdir()
    (root / "thesis.tex").write_text("years of work")
    assert quickstart(workspace, root, check=False).returncode == 1
    quickstart(workspace, root, "--stop", check=False)
    assert (root / "thesis.tex").read_text() == "years of work"


def test_a_terminated_run_cleans_up(workspace):
    root = workspace.path / "q"
    env = workspace.environment(MOOR_BIN=pathlib.Path(program("mooring")).parent)
    child = subprocess.Popen([QUICKSTART, "--check", "--root", root], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in child.stdout:
        if "control plane" in line:
            child.terminate()
            break
    child.communicate(timeout=60)
    assert child.returncode == 143
    assert not root.exists() and processes_of(root) == []
