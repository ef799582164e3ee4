# SPDX-License-Identifier: Apache-2.0
"""Programs under test: where they are, how they run, how a test waits for them."""
import os
import pathlib
import signal
import subprocess
import time

TREE = pathlib.Path(__file__).resolve().parents[3]
# Sanitizers slow every program down by a factor; a loaded machine by another.
PATIENCE = float(os.environ.get("MOOR_TEST_PATIENCE", "1"))


def program(name):
    """The path of a program of this build."""
    return str(pathlib.Path(os.environ.get("MOOR_BIN", TREE / ".build/dev/bin")) / name)


def wait_for(predicate, timeout=15.0, what="the condition"):
    """Calls predicate until it gives a true value, which is returned; AssertionError after
    timeout seconds. An OSError of the predicate (not listening yet, no such file) is 'not yet'."""
    deadline = time.monotonic() + timeout * PATIENCE
    last = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except OSError as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout * PATIENCE:.0f} s for {what}; last: {last!r}")
        time.sleep(0.02)


def undefined_behaviour(text):
    """The lines of UBSan, which heeds no log_path and writes to standard error."""
    return [line for line in text.splitlines() if ": runtime error: " in line]


class Workspace:
    """A short private folder (socket paths have 107 bytes) with the logs of everything a test
    starts. Sanitizer reports of any program land here and fail the test."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.logs = self.path / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.extra = {}  # variables for every program

    def environment(self, **extra):
        """The environment for a program under test: the caller's own, less whatever would lead it
        elsewhere, and the sanitizers told to write into this workspace."""
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("MOOR", "AZURE_", "ARM_", "IDENTITY_", "IMDS_"))
               and "proxy" not in k.lower()}
        report = f"log_path={self.logs}/sanitizer"
        env["ASAN_OPTIONS"] = f"{report}:detect_leaks=1:abort_on_error=0:handle_abort=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        env["TSAN_OPTIONS"] = report
        env["LC_ALL"] = "C.UTF-8"
        env.update({k: str(v) for k, v in {**self.extra, **extra}.items()})
        return env

    def sanitizer_reports(self):
        reports = [p.read_text(errors="replace") for p in sorted(self.logs.glob("sanitizer*"))]
        for log in sorted(self.logs.glob("*.log")):
            reports.extend(undefined_behaviour(log.read_text(errors="replace")))
        return reports

    def log_sections(self):
        """(name, end of the text) of each log, for the report of a failed test."""
        for path in sorted(self.logs.glob("*")):
            text = path.read_text(errors="replace")
            if text:
                yield path.name, text[-6000:]


class Process:
    """One long-running program. Its output goes to <workspace>/log/<name>.log, over restarts."""

    def __init__(self, workspace, name, argv, env):
        self.name, self.argv, self.env = name, [str(a) for a in argv], env
        self.log = workspace.logs / f"{name}.log"
        self.child = None

    def start(self):
        assert not self.running, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.argv, env=self.env, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=subprocess.STDOUT,
                                          start_new_session=True, cwd="/")
        return self

    @property
    def pid(self):
        return self.child.pid

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_ready(self, predicate, timeout=20.0, what=None):
        """wait_for, but a program that ended is told at once."""
        def ready():
            if not self.running:
                raise AssertionError(f"{self.name} ended with {self.child.returncode}:\n"
                                     f"{self.log_text()[-3000:]}")
            return predicate()
        return wait_for(ready, timeout, what or f"{self.name} to be ready")

    def kill(self):
        """kill -9, as a crash would; the exit is awaited."""
        if self.running:
            self.child.send_signal(signal.SIGKILL)
        if self.child:
            self.child.wait(10)

    def stop(self, timeout=10.0):
        """SIGTERM; the exit status must come within timeout seconds."""
        if not self.running:
            return self.child.returncode if self.child else None
        self.child.terminate()
        try:
            return self.child.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {timeout} s of SIGTERM") from None


def run(argv, env, stdin=None, timeout=60, check=True):
    """Runs a short program; a non-zero exit fails the test unless check is False."""
    done = subprocess.run([str(a) for a in argv], env=env, input=stdin, capture_output=True,
                          text=True, timeout=timeout * PATIENCE, cwd="/", check=False)
    if undefined_behaviour(done.stderr):
        raise AssertionError(f"{argv[0]}: {done.stderr}")
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n"
                             f"stdout: {done.stdout}\nstderr: {done.stderr}")
    return done
