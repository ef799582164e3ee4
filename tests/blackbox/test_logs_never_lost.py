# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: numbered lines, and everything that can go wrong between them and the service.

Under --full: 489,925 lines and 200 kills; otherwise a part of that, from a printed seed.
"""
import itertools
import os
import shutil
import subprocess
import threading
import time

import pytest

from harness.process import wait_for
from log_machine import LogMachine

LINE = "2026-11-22T17:19:30Z %07d the quick brown fox jumps over the lazy dog %032x"


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


class Writer(threading.Thread):
    """Writes numbered lines as fast as it is told, and rotates the file now and then."""

    def __init__(self, path, total, seeded, rotate):
        super().__init__(daemon=True)
        self.path, self.total, self.rotate = path, total, rotate
        self.choices = [seeded.random() for _ in range(4096)]
        self.written = 0

    def run(self):
        chance = itertools.cycle(self.choices)
        while self.written < self.total:
            n = min(int(next(chance) * 4000) + 1, self.total - self.written)
            with open(self.path, "a", encoding="ascii") as file:
                file.write("".join(LINE % (i, i * 7919) + "\n" for i in range(self.written, self.written + n)))
            self.written += n
            if self.rotate and next(chance) < 0.08:
                self.path.rename(self.path.with_name(f"app.log.{self.written:07d}"))
            time.sleep(next(chance) * 0.02)


FAULTS = [413, 400, 401, 403, 404, 500, 503, (429, {"Retry_After": "1"}), None, b"HTTP/1.1 204 No",
          b"garbage\r\n\r\n"]


def fault(seeded):
    """Something that the next requests meet; what is refused is refused for its size only."""
    what = seeded.choice(FAULTS)
    limit = seeded.randrange(1, 2000)
    if what in (413, 400):
        return lambda rows: what if len(rows) > limit else 204
    return what


def numbers(box):
    return [int(r["RawData"].split()[1]) for r in box.endpoint.rows()]


def pace(box, starts):
    """Lines taken in a second, in lives that had much to do: from their start to the last answer."""
    lines = seconds = 0
    for start, end in zip(starts, starts[1:] + [time.monotonic()]):
        taken = [(at, rows) for at, status, rows, _ in box.endpoint.requests
                 if start <= at < end and status == 204]
        if sum(rows for _, rows in taken) >= 10_000:
            lines += sum(rows for _, rows in taken)
            seconds += taken[-1][0] - start
    return lines / seconds if seconds else 0


def test_numbered_lines_survive_kills_and_every_fault(box, seeded, full):
    total, kills = (489_925, 200) if full else (60_000, 12)
    box.connect()
    box.rule(box.log())
    box.start()
    writer = Writer(box.log(), total, seeded, rotate=True)
    writer.start()
    starts = [time.monotonic()]
    for _ in range(kills):
        box.endpoint.always = fault(seeded) if seeded.random() < 0.5 else None
        time.sleep(seeded.random() * (0.5 if full else 0.4))
        box.kill()
        box.endpoint.always = None
        starts.append(time.monotonic())
        box.start()
        time.sleep(seeded.random() * 0.3)
    writer.join(600)
    try:
        wait_for(lambda: len(set(numbers(box))) >= total, 300 if full else 60, f"{total} lines")
    except AssertionError:
        missing = sorted(set(range(total)) - set(numbers(box)))
        print(f"{len(missing)} are missing, {missing[:3]} to {missing[-3:]}; {dict(box.counts())}")
        raise
    got = numbers(box)
    assert sorted(set(got)) == list(range(total))
    wait_for(lambda: box.counts()["queued"] == 0 and box.counts()["acknowledged"] >= total, 60)
    counts = box.balanced()
    assert counts["droppedRefused"] == counts["droppedFormat"] == counts["droppedDamaged"] == 0
    # A kill repeats at most what was on its way: one body a flow.
    bodies = [len(rows) for _, rows in box.endpoint.bodies]
    print(f"{len(got) - total} of {total} lines came again after {kills} kills; "
          f"{pace(box, starts):,.0f} lines a second between them")
    assert len(got) - total <= kills * max(bodies)


def test_a_full_disk_loses_nothing(box, seeded):
    """The role's own folder on a file system that is full for a while."""
    folder = box.root / "var/lib/mooring/logs"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", str(folder)],
                             capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("cannot mount a file system here")
    try:
        box.connect()
        box.rule(box.log())
        box.start()
        writer = Writer(box.log(), 500, seeded, rotate=False)
        writer.run()
        wait_for(lambda: box.counts()["acknowledged"] == 500)
        (folder / "ballast").write_bytes(b"x" * 1024)
        try:
            with open(folder / "ballast", "ab", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass
        writer.total = 2000
        writer.run()
        box.wait_said("logs.positions_not_saved", 60)
        assert set(numbers(box)) <= set(range(2000))
        (folder / "ballast").unlink()
        box.process.child.send_signal(1)
        wait_for(lambda: box.counts()["acknowledged"] == 2000, 90)
        assert numbers(box) == list(range(2000))
        box.process.stop()
    finally:
        box.kill()
        subprocess.run(["umount", str(folder)], check=False)


# logrotate, as packages configure it


ROTATIONS = {
    "create": "create",
    "copytruncate": "copytruncate",
    "dateext": "create\n dateext\n dateformat -%Y%m%d-%s",
    "compress": "create\n compress\n delaycompress",
    "copytruncate-dateext": "copytruncate\n dateext\n dateformat -%Y%m%d-%s",
}


class LogRotate:
    def __init__(self, box, how):
        self.folder = box.workspace.path / "logrotate"
        self.folder.mkdir()
        os.chmod(box.logs, 0o755)
        self.config = self.folder / "conf"
        self.config.write_text(f"{box.log()} {{\n rotate 100\n missingok\n notifempty\n {how}\n}}\n")
        os.chmod(self.config, 0o644)
        self.turn = 0

    def run(self):
        self.turn += 1
        subprocess.run(["logrotate", "-f", "-s", str(self.folder / "state"), str(self.config)], check=True)


needs_logrotate = pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")


def write(box, first, count):
    """Without a time at their front: with one, the last line would wait for what belongs to it."""
    with open(box.log(), "a", encoding="ascii") as file:
        file.write("".join(f"line {i:07d} {i * 7919:032x}\n" for i in range(first, first + count)))


@needs_logrotate
@pytest.mark.parametrize("how", ROTATIONS)
def test_logrotate_in_its_stock_configurations_loses_and_repeats_nothing(box, how, full):
    rotation = LogRotate(box, ROTATIONS[how])
    box.connect()
    box.rule(box.log())
    box.start()
    total = 0
    for turn in range(10 if full else 2):
        write(box, total, 400)
        total += 400
        wait_for(lambda n=total: len(numbers(box)) >= n, 30, f"{total} lines before rotation {turn}")
        write(box, total, 100)
        total += 100
        rotation.run()
        if "dateext" in how:
            time.sleep(1.05)  # the date in a file's name has seconds
    # Stopped across one rotation.
    wait_for(lambda: box.counts()["acknowledged"] == total)
    box.process.stop()
    write(box, total, 300)
    rotation.run()
    write(box, total + 300, 200)
    total += 500
    box.start()
    wait_for(lambda: len(numbers(box)) >= total, 40, f"all {total} lines")
    time.sleep(0.5)
    assert sorted(numbers(box)) == list(range(total))
    wait_for(lambda: box.counts()["acknowledged"] == total)
    box.balanced()
