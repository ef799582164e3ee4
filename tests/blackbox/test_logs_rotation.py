# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: what rotation packs, and files that are not plain UTF-8 below one folder."""
import gzip
import os
import subprocess
import time

import pytest

from harness.process import wait_for
from log_machine import LogMachine, append


@pytest.fixture
def box(workspace):
    machine = LogMachine(workspace)
    yield machine
    machine.close()


@pytest.fixture
def running(box):
    return box.connect().start()


def numbered(first, count, width=60):
    return [f"line {n:07d} " + "x" * width for n in range(first, first + count)]


def pack(path):
    """As gzip does it: the time stays, the plain file goes when the packed one is whole."""
    was = path.stat()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(was.st_atime_ns, was.st_mtime_ns))
    path.unlink()


def rename_and_pack(path):
    path.rename(path.with_name("app.log.1"))
    path.touch()
    pack(path.with_name("app.log.1"))


def date_and_pack(path):
    path.rename(path.with_name("app-20261122.log"))
    path.touch()
    pack(path.with_name("app-20261122.log"))


def copy_truncate_and_pack(path):
    path.with_name("app.log.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)
    pack(path.with_name("app.log.1"))


PACKING = [rename_and_pack, date_and_pack, copy_truncate_and_pack]


def settled(box, lines):
    """All of them came, and nothing comes after them."""
    assert sorted(box.endpoint.wait_lines(len(lines), 60)) == lines
    wait_for(lambda: box.counts()["acknowledged"] == len(lines))
    time.sleep(1.5)
    assert len(box.endpoint.lines()) == len(lines)


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
@pytest.mark.parametrize("rotate", PACKING)
def test_what_was_packed_while_nobody_looked_is_read_from_where_we_were(running, rotate, pattern):
    running.rule(running.logs / pattern)
    append(running.log(), *numbered(0, 3000))
    running.endpoint.wait_lines(3000)
    wait_for(lambda: running.counts()["acknowledged"] == 3000)
    running.process.stop()
    append(running.log(), *numbered(3000, 500))
    rotate(running.log())
    append(running.log(), *numbered(3500, 500))
    running.start()
    settled(running, numbered(0, 4000))
    assert {r["FilePath"] for r in running.endpoint.rows()} == {str(running.log())}
    running.process.stop()
    running.start()
    append(running.log(), *numbered(4000, 1))
    settled(running, numbered(0, 4001))


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
@pytest.mark.parametrize("rotate", PACKING[:2])
def test_what_is_packed_while_we_look_is_not_read_twice(running, rotate, pattern):
    running.rule(running.logs / pattern)
    running.log().touch()
    running.wait_said("logs.flow_started")
    for turn in range(4):
        for packed in running.logs.glob("*.gz"):
            packed.rename(packed.with_name(f"{packed.name[:-3]}.{turn}.gz"))
        append(running.log(), *numbered(turn * 400, 400))
        rotate(running.log())
        time.sleep(0.4)
    settled(running, numbered(0, 1600))


def shift(path):
    """app.log.1 becomes app.log.2, as logrotate has it."""
    numbers = sorted((int(p.suffix[1:]) for p in path.parent.glob("app.log.[0-9]*")), reverse=True)
    for n in numbers:
        path.with_name(f"app.log.{n}").rename(path.with_name(f"app.log.{n + 1}"))


def rename(path):
    shift(path)
    path.rename(path.with_name("app.log.1"))
    path.touch()


def copy_truncate(path):
    shift(path)
    path.with_name("app.log.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)


@pytest.mark.parametrize("pause", [0.2, 1])
@pytest.mark.parametrize("rotate", [rename, copy_truncate])
def test_a_steady_writer_that_is_rotated_loses_and_repeats_nothing(running, rotate, pause):
    running.rule(running.log())
    running.log().touch()
    running.wait_said("logs.flow_started")
    written = 0
    for _ in range(int(4 / pause)):
        stop = time.monotonic() + pause
        while time.monotonic() < stop:
            append(running.log(), *numbered(written, 400))
            written += 400
            time.sleep(0.02)
        rotate(running.log())
    settled(running, numbered(0, written))


@pytest.mark.parametrize("pattern", ["app.log", "app*"])
@pytest.mark.parametrize("rotate", [rename, copy_truncate])
def test_what_was_rotated_while_nobody_looked_is_read_by_name_and_by_pattern(running, rotate, pattern):
    running.rule(running.logs / pattern)
    append(running.log(), *numbered(0, 3000))
    running.endpoint.wait_lines(3000)
    wait_for(lambda: running.counts()["acknowledged"] == 3000)
    running.process.stop()
    append(running.log(), *numbered(3000, 500))
    rotate(running.log())
    append(running.log(), *numbered(3500, 500))
    running.start()
    settled(running, numbered(0, 4000))


def test_generations_nobody_saw_are_read_though_they_are_packed(running):
    running.rule(running.log())
    append(running.log(), *numbered(0, 100))
    running.endpoint.wait_lines(100)
    wait_for(lambda: running.counts()["acknowledged"] == 100)
    running.process.stop()
    for turn in range(1, 4):
        append(running.log(), *numbered(turn * 100, 100))
        for n in range(turn, 1, -1):
            running.log(f"app.log.{n - 1}.gz").rename(running.log(f"app.log.{n}.gz"))
        rename_and_pack(running.log())
    append(running.log(), *numbered(400, 100))
    running.start()
    settled(running, numbered(0, 500))


def test_a_kill_while_a_packed_file_is_read_loses_nothing(running):
    running.rule(running.log())
    append(running.log(), *numbered(0, 1000))
    running.endpoint.wait_lines(1000)
    wait_for(lambda: running.counts()["acknowledged"] == 1000)
    running.process.stop()
    append(running.log(), *numbered(1000, 1000))
    rename_and_pack(running.log())
    running.endpoint.always = 503
    running.start()
    running.wait_said("logs.rotated_file_found")
    running.kill()
    running.endpoint.always = None
    running.start()
    settled(running, numbered(0, 2000))
    assert not list((running.root / "var/lib/mooring/logs").glob("unpacked*"))


@pytest.mark.parametrize("start", [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"], ids=["zstd", "xz"])
def test_what_cannot_be_unpacked_is_named(running, start):
    running.rule(running.log())
    append(running.log(), *numbered(0, 100))
    running.endpoint.wait_lines(100)
    wait_for(lambda: running.counts()["acknowledged"] == 100)
    running.process.stop()
    running.log().rename(running.log("app.log.1"))
    running.log("app.log.1").unlink()
    running.log("app.log.1.zst").write_bytes(start + b"z" * 500)
    append(running.log(), *numbered(100, 10))
    running.start()
    running.endpoint.wait_lines(110)
    running.wait_said("logs.packed_unreadable")
    assert running.said("app.log.1.zst")


def test_a_damaged_packed_file_is_named_and_stops_nothing(running):
    running.rule(running.log())
    append(running.log(), *numbered(0, 2000))
    running.endpoint.wait_lines(2000)
    wait_for(lambda: running.counts()["acknowledged"] == 2000)
    running.process.stop()
    append(running.log(), *numbered(2000, 2000))
    rename_and_pack(running.log())
    packed = running.log("app.log.1.gz")
    packed.write_bytes(packed.read_bytes()[:-100])
    append(running.log(), *numbered(5000, 10))
    running.start()
    assert running.endpoint.wait_lines(2010)[2000:] == numbered(5000, 10)
    running.wait_said("logs.packed_unreadable")


def test_two_stars_find_files_at_any_depth_and_new_ones(running):
    for name in ("a.log", "one/b.log", "one/two/three/c.log", "one/.hidden/no.log", "one/two/no.txt"):
        path = running.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        append(path, f"from {path.name}")
    running.rule(running.logs / "**" / "*.log")
    assert sorted(running.endpoint.wait_lines(3)) == ["from a.log", "from b.log", "from c.log"]
    (running.logs / "four/five").mkdir(parents=True)
    append(running.logs / "four/five/d.log", "from d.log")
    assert running.endpoint.wait_lines(4)[3:] == ["from d.log"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_files_of_16_bits_a_character_are_read_as_they_grow(running, encoding):
    lines = [f"line {n} \u0394\u03b5\u03b4\u03bf\u03bc\u03ad\u03bd\u03b1 \U0001f4a1 \u010a\u0a0a" for n in range(3000)]
    running.rule(running.log())
    with open(running.log(), "wb") as file:
        file.write("\ufeff".encode(encoding))
        for n, line in enumerate(lines):
            data = (line + "\r\n").encode(encoding)
            half = len(data) // 2 | 1
            file.write(data[:half])
            if n % 300 == 0:
                file.flush()
                time.sleep(0.05)
            file.write(data[half:])
    assert running.endpoint.wait_lines(3000) == lines
    wait_for(lambda: running.counts()["acknowledged"] == 3000)
    running.kill()
    with open(running.log(), "ab") as file:
        file.write(("tail " + "y" * 70000 + "\nlone ").encode(encoding))
        file.write(b"\x00\xd8" if encoding.endswith("le") else b"\xd8\x00")
        file.write(" end\n".encode(encoding))
    running.start()
    tail = running.endpoint.wait_lines(3002)[3000:]
    assert tail[0].startswith("tail yyy") and tail[0].endswith("...[cut]") and len(tail[0]) == 65536
    assert tail[1] == "lone \ufffd end"


def test_more_files_than_descriptors_are_read_and_known_again(running):
    subprocess.run(["prlimit", "--pid", str(running.process.pid), "--nofile=500"], check=True)
    for n in range(1500):
        append(running.log(f"{n}.log"), f"first of {n}")
    running.rule(running.logs / "*.log")
    assert sorted(running.endpoint.wait_lines(1500, 60)) == sorted(f"first of {n}" for n in range(1500))
    wait_for(lambda: running.counts()["acknowledged"] == 1500)
    assert len(os.listdir(f"/proc/{running.process.pid}/fd")) < 450
    running.process.stop()
    time.sleep(1.2)
    append(running.log("7.log"), "second of 7")
    running.start()
    assert running.endpoint.wait_lines(1501)[1500:] == ["second of 7"]
    append(running.log("8.log"), "second of 8")
    rotated = running.log("8.log.1")
    running.log("8.log").rename(rotated)
    append(running.log("8.log"), "third of 8")
    assert sorted(running.endpoint.wait_lines(1503)[1501:]) == ["second of 8", "third of 8"]
    time.sleep(1)
    assert len(running.endpoint.lines()) == 1503
