# SPDX-License-Identifier: Apache-2.0
"""mooringd logs: files to rows, whatever happens to either side."""
import json
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


def numbered(first, count, width=40):
    return [f"line {n:07d} " + "x" * width for n in range(first, first + count)]


def test_a_rule_appears_and_the_lines_of_its_file_arrive(running):
    append(running.log(), *numbered(0, 100))
    running.rule(running.logs / "*.log")
    assert running.endpoint.wait_lines(100) == numbered(0, 100)
    append(running.log(), *numbered(100, 50))
    assert running.endpoint.wait_lines(150) == numbered(0, 150)
    row = running.endpoint.rows()[0]
    assert set(row) == {"TimeGenerated", "RawData", "FilePath", "Computer"}
    assert row["FilePath"] == str(running.log()) and row["Computer"] == os.uname().nodename
    wait_for(lambda: running.counts()["acknowledged"] == 150)


def test_rules_of_the_administrator_need_no_control_plane_s(running):
    append(running.log(), "hello")
    running.rule(running.log(), folder="etc/mooring/logs.d")
    assert running.endpoint.wait_lines(1) == ["hello"]


def test_lines_arrive_in_order_while_they_are_written(running):
    running.rule(running.log())
    for i in range(40):
        append(running.log(), *numbered(i * 500, 500, 150))
        time.sleep(0.02)
    assert running.endpoint.wait_lines(20000) == numbered(0, 20000, 150)


def test_a_large_file_goes_in_bodies_below_the_limits(running):
    lines = numbered(0, 60000, 400)
    append(running.log(), *lines)
    running.rule(running.log())
    assert running.endpoint.wait_lines(len(lines), 90) == lines
    assert len(running.endpoint.bodies) > 1


# Rotation


def rotate_rename(path):
    path.rename(path.with_name(path.name + ".1"))
    path.touch()


def rotate_copytruncate(path):
    path.with_name(path.name + ".1").write_bytes(path.read_bytes())
    os.truncate(path, 0)


def rotate_dateext(path):
    path.rename(path.with_name(path.stem + "-20261122.log"))
    path.touch()


def rotate_rename_and_delete(path):
    path.rename(path.with_name(path.name + ".1"))
    path.with_name(path.name + ".1").unlink()
    path.touch()


ROTATIONS = [rotate_rename, rotate_copytruncate, rotate_dateext]


@pytest.mark.parametrize("rotate", ROTATIONS + [rotate_rename_and_delete])
def test_a_rotated_file_loses_and_repeats_nothing(running, rotate):
    running.rule(running.log())
    append(running.log(), *numbered(0, 500))
    running.endpoint.wait_lines(500)
    append(running.log(), *numbered(500, 500))
    rotate(running.log())
    append(running.log(), *numbered(1000, 500))
    if rotate is rotate_rename_and_delete:
        running.endpoint.wait_lines(1000)
        assert set(running.endpoint.lines()) >= set(numbered(0, 500) + numbered(1000, 500))
        return
    got = running.endpoint.wait_lines(1500)
    assert sorted(got) == numbered(0, 1500)


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_file_rotated_while_nobody_looked_loses_and_repeats_nothing(running, rotate):
    running.rule(running.log())
    append(running.log(), *numbered(0, 500))
    running.endpoint.wait_lines(500)
    wait_for(lambda: running.counts()["acknowledged"] == 500)
    running.process.stop()
    append(running.log(), *numbered(500, 500))
    rotate(running.log())
    append(running.log(), *numbered(1000, 500))
    running.start()
    assert sorted(running.endpoint.wait_lines(1500)) == numbered(0, 1500)
    time.sleep(1.5)
    assert len(running.endpoint.lines()) == 1500


@pytest.mark.parametrize("rotate,pause", [(rotate_rename, 0.05), (rotate_rename, 0.35),
                                          (rotate_copytruncate, 1.6)])
def test_a_writer_that_rotates_all_the_time_loses_nothing(running, rotate, pause):
    running.rule(running.log())
    running.log().touch()
    running.wait_said("logs.flow_started")
    rounds = 6 if pause > 1 else 20
    for i in range(rounds):
        append(running.log(), *numbered(i * 300, 300))
        time.sleep(pause)
        rotate(running.log())
    got = running.endpoint.wait_lines(300 * rounds)
    assert sorted(got) == numbered(0, 300 * rounds)


def test_a_truncated_file_begins_anew(running):
    running.rule(running.log())
    append(running.log(), *numbered(0, 100))
    running.endpoint.wait_lines(100)
    running.log().write_text("")
    append(running.log(), *numbered(100, 10))
    assert running.endpoint.wait_lines(110)[100:] == numbered(100, 10)
    # Truncated and grown past the position between two looks.
    running.log().write_text("\n".join(numbered(5000, 300)) + "\n")
    assert running.endpoint.wait_lines(410)[110:] == numbered(5000, 300)


def test_a_new_file_with_an_old_inode_is_new(running):
    running.rule(running.logs / "*.log")
    append(running.log("a.log"), *numbered(0, 100))
    running.endpoint.wait_lines(100)
    wait_for(lambda: running.counts()["acknowledged"] == 100)
    running.process.stop()
    inode = running.log("a.log").stat().st_ino
    running.log("a.log").unlink()
    for i in range(200):
        append(running.log(f"b{i}.log"), *numbered(1000, 200))
        if running.log(f"b{i}.log").stat().st_ino == inode:
            break
        running.log(f"b{i}.log").rename(running.logs / f"b{i}.kept")
    running.start()
    if running.log(f"b{i}.log").exists():
        assert running.endpoint.wait_lines(300)[100:] == numbered(1000, 200)
    else:
        running.wait_said("logs.flow_started")
        pytest.skip("this file system gave no inode twice")


def test_an_unfinished_line_waits_for_its_end_or_for_rotation(running):
    running.rule(running.log())
    with open(running.log(), "w", encoding="utf-8") as file:
        file.write("one\ntw")
        file.flush()
        assert running.endpoint.wait_lines(1) == ["one"]
        time.sleep(1.5)
        assert running.endpoint.lines() == ["one"]
        file.write("o\nthr")
        file.flush()
        assert running.endpoint.wait_lines(2) == ["one", "two"]
        running.log().rename(running.log("app.log.1"))
        file.write("ee")
    assert running.endpoint.wait_lines(3) == ["one", "two", "three"]


def test_folders_and_files_that_appear_later_are_found(running):
    running.rule(running.logs / "*" / "deep" / "*.log")
    running.wait_said("logs.flow_started")
    for name in ("a", "b"):
        (running.logs / name / "deep").mkdir(parents=True)
        append(running.logs / name / "deep" / "x.log", f"from {name}")
        append(running.logs / name / "deep" / "x.txt", "not this")
    assert sorted(running.endpoint.wait_lines(2)) == ["from a", "from b"]


# Kills


def test_no_line_is_lost_to_kill_9(running, seeded):
    running.rule(running.logs / "*.log")
    append(running.log(), *numbered(0, 1, 100))
    running.endpoint.wait_lines(1)
    total, rounds = 1, 12
    for turn in range(rounds):
        for _ in range(seeded.randrange(1, 5)):
            count = seeded.randrange(1, 4000)
            append(running.log(), *numbered(total, count, 100))
            total += count
            if seeded.random() < 0.3:
                running.log().rename(running.log(f"app.log.{turn}-{total}"))
                running.log().touch()
            time.sleep(seeded.random() * 0.6)
        if seeded.random() < 0.3:
            running.endpoint.always = 503
        running.kill()
        running.endpoint.always = None
        running.start()
    wait_for(lambda: len(set(running.endpoint.lines())) >= total, 60, f"{total} lines")
    got = running.endpoint.lines()
    assert sorted(set(got)) == numbered(0, total, 100)
    first = list(dict.fromkeys(got))
    print(f"{len(got) - total} of {total} lines came twice")
    assert first == sorted(first)


def test_a_stop_in_order_repeats_nothing(running):
    running.rule(running.log())
    for i in range(6):
        append(running.log(), *numbered(i * 1000, 1000))
        time.sleep(0.3)
        assert running.process.stop() == 0
        running.start()
    assert running.endpoint.wait_lines(6000) == numbered(0, 6000)
    time.sleep(1)
    assert len(running.endpoint.lines()) == 6000


# Answers


def test_a_body_that_is_too_large_is_halved(running):
    running.endpoint.always = lambda rows: 413 if len(rows) > 30 else 204
    append(running.log(), *numbered(0, 500))
    running.rule(running.log())
    assert running.endpoint.wait_lines(500) == numbered(0, 500)


def dead_letters(box):
    path = box.root / "var/lib/mooring/logs/dead-letter.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_that_are_refused_are_set_aside_alone(running):
    bad = {"line 0000007 bad", "line 0000300 bad"}
    running.endpoint.always = lambda rows: 400 if any(r["RawData"] in bad for r in rows) else 204
    lines = [f"line {n:07d} bad" if n in (7, 300) else f"line {n:07d}" for n in range(500)]
    append(running.log(), *lines)
    running.rule(running.log())
    assert running.endpoint.wait_lines(498) == [line for line in lines if line not in bad]
    wait_for(lambda: running.counts()["droppedRefused"] == 2)
    assert {json.loads(d["record"])["RawData"] for d in dead_letters(running)} == bad
    assert all("as told" in d["reason"] for d in dead_letters(running))
    counts = running.counts()
    assert counts["received"] == 500 and counts["acknowledged"] == 498


def test_a_single_bad_record_does_not_hold_what_follows(running):
    running.endpoint.always = lambda rows: 400 if any("bad" in r["RawData"] for r in rows) else 204
    append(running.log(), "bad")
    running.rule(running.log())
    wait_for(lambda: running.counts()["droppedRefused"] == 1)
    append(running.log(), "good")
    assert running.endpoint.wait_lines(1) == ["good"]


def test_a_table_that_takes_half_an_hour_at_a_time_gets_narrow_batches(running):
    """Auxiliary tables; the records have times of their own, over a day."""
    def span(rows):
        times = [r["TimeGenerated"] for r in rows]
        return 204 if max(times)[:13] == min(times)[:13] else 400
    running.endpoint.always = span
    times = [f"2026-11-22T{n // 60 % 24:02}:{n % 60:02}:00Z" for n in range(1440)]
    append(running.log("a.json"), *(json.dumps({"TimeGenerated": t, "N": n}) for n, t in enumerate(times)))
    running.rule(running.log("a.json"), kind="json")
    rows = running.endpoint.wait_rows(1440)
    assert [(r["N"], r["TimeGenerated"]) for r in rows] == list(enumerate(times))
    wait_for(lambda: running.counts()["acknowledged"] == 1440)
    assert running.balanced()["droppedRefused"] == 0


def test_a_destination_that_refuses_everything_is_not_fed_record_by_record(running):
    running.endpoint.always = 400
    append(running.log(), *numbered(0, 1000))
    running.rule(running.log())
    running.wait_said("logs.flow_waits")
    assert len(running.endpoint.statuses()) < 20
    assert not (running.root / "var/lib/mooring/logs/dead-letter.jsonl").exists()
    running.endpoint.always = None
    running.process.child.send_signal(1)
    assert running.endpoint.wait_lines(1000) == numbered(0, 1000)


def test_a_token_that_is_refused_is_replaced_once(running):
    running.endpoint.answers.append(401)
    append(running.log(), "x")
    running.rule(running.log())
    running.endpoint.wait_lines(1)
    assert [r[3] for r in running.endpoint.requests] == ["token-1", "token-2"]
    append(running.log(), "y")
    running.endpoint.wait_lines(2)
    assert running.tokens_given == 2


def test_a_token_about_to_expire_is_not_used(running):
    running.token_seconds = 200
    running.rule(running.log())
    append(running.log(), "x")
    running.endpoint.wait_lines(1)
    append(running.log(), "y")
    running.endpoint.wait_lines(2)
    assert running.tokens_given == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_somebody_must_grant_is_held_and_said(running, status):
    running.endpoint.always = status
    append(running.log(), "x")
    running.rule(running.log())
    line = next(t for t in running.wait_said("logs.flow_waits") and
                running.process.log_text().splitlines() if "logs.flow_waits" in t)
    assert f"http={status}" in line and "a.json" in line
    asked = len(running.endpoint.statuses())
    time.sleep(2)
    assert len(running.endpoint.statuses()) == asked
    flow = json.loads((running.root / "var/lib/mooring/logs/status.json").read_text())["flows"][0]
    assert flow["state"] == "waiting" and str(status) in flow["error"]
    running.endpoint.always = None
    running.process.child.send_signal(1)
    assert running.endpoint.wait_lines(1) == ["x"]
    running.wait_said("logs.flow_delivers_again")


def test_throttling_is_obeyed(running):
    running.endpoint.answers.append((429, {"Retry_After": "3"}))
    append(running.log(), "x")
    running.rule(running.log())
    running.endpoint.wait_lines(1)
    first, second = [r[0] for r in running.endpoint.requests]
    assert second - first >= 2.9


@pytest.mark.parametrize("answer", [500, 503, b"garbage\r\n\r\n", b"HTTP/1.1 204", b""])
def test_a_failing_service_is_tried_again(running, answer):
    running.endpoint.answers.append(answer)
    append(running.log(), "x")
    running.rule(running.log())
    running.wait_said("logs.flow_waits")
    running.process.child.send_signal(1)
    assert running.endpoint.wait_lines(1) == ["x"]
    assert running.endpoint.lines() == ["x"]


def test_an_identity_role_that_is_not_there_is_waited_for(box):
    box.token_answer = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    append(box.log(), "x")
    box.connect().start()
    box.rule(box.log())
    box.wait_said("logs.flow_waits")
    box.token_answer = None
    assert box.endpoint.wait_lines(1) == ["x"]


def test_a_broken_destination_does_not_stop_another(running):
    running.endpoint.always = lambda rows: 503 if "a.log" in rows[0]["FilePath"] else 204
    append(running.log("a.log"), "a")
    append(running.log("b.log"), "b")
    running.rule(running.log("a.log"), name="a.json", stream="Custom-A", source="a")
    running.rule(running.log("b.log"), name="b.json", stream="Custom-B", source="b")
    assert running.endpoint.wait_lines(1, stream="Custom-B") == ["b"]
    running.endpoint.always = None
    assert running.endpoint.wait_lines(1, stream="Custom-A") == ["a"]


# Rows


def test_json_lines_are_sent_as_they_are(running):
    good = ['{"a":1,"b":{"c":[1,2.50,null]},"TimeGenerated":"2026-01-02T03:04:05Z"}', '{"x":"ü"}', "{}"]
    append(running.log(), good[0], "no json", good[1], "[1]", '{"a":1,"a":2}', good[2])
    running.rule(running.log(), kind="json")
    wait_for(lambda: len(running.endpoint.rows()) == 3)
    rows = running.endpoint.rows()
    assert rows[0] == json.loads(good[0])
    assert rows[1].pop("TimeGenerated") and rows[1] == {"x": "ü"}
    assert list(rows[2]) == ["TimeGenerated"]
    wait_for(lambda: running.counts()["droppedFormat"] == 3)
    assert [d["record"] for d in dead_letters(running)] == ["no json", "[1]", '{"a":1,"a":2}']
    assert running.counts()["received"] == 6


def test_lines_of_any_bytes_and_length_arrive(running):
    big = "y" * 200_000
    running.log().write_bytes(b"\xef\xbb\xbffirst\r\nbad \xff\xfe end\n\n  \nnul \0 here\n"
                              + "ü€😀 \"\\\t\x01\n".encode() + big.encode() + b"\nlast\n")
    running.rule(running.log())
    got = running.endpoint.wait_lines(6)
    assert got[:4] == ["first", "bad \ufffd\ufffd end", "nul \ufffd here", "ü€😀 \"\\\t\x01"]
    assert got[4].startswith("yyyy") and got[4].endswith("...[cut]") and len(got[4]) == 65536
    assert got[5] == "last"
    wait_for(lambda: running.counts()["cut"] == 1)


STACK = ["2026-11-22T17:19:30Z it broke", "Traceback:", "  at one", "", "  at two"]


def test_lines_without_a_time_belong_to_the_record_before_them(running):
    running.rule(running.log())
    append(running.log(), "no time yet", "nor here", *STACK, "2026-11-22T17:19:31Z next")
    joined = "\n".join(STACK)
    assert running.endpoint.wait_lines(4) == ["no time yet", "nor here", joined, "2026-11-22T17:19:31Z next"]
    # What belongs to the last record may still come; for a while it is waited for.
    append(running.log(), "2026-11-22T17:19:32Z slow")
    time.sleep(0.3)
    append(running.log(), "  at three")
    assert running.endpoint.wait_lines(5)[4] == "2026-11-22T17:19:32Z slow\n  at three"
    wait_for(lambda: running.balanced()["acknowledged"] == 5)


# The queue


def go_away(path):
    """As rotation does at the end: no name is left."""
    path.unlink()


def test_what_is_deleted_during_an_outage_waits_on_the_disk(running):
    running.endpoint.always = 503
    append(running.log(), *numbered(0, 3000))
    running.rule(running.log())
    running.wait_said("logs.flow_waits")
    go_away(running.log())
    append(running.log(), *numbered(3000, 100))
    wait_for(lambda: running.counts()["queued"] == 3000)
    assert running.queue()
    running.kill()
    running.endpoint.always = None
    running.start()
    assert running.endpoint.wait_lines(3100) == numbered(0, 3100)
    wait_for(lambda: not running.queue() and running.counts()["acknowledged"] == 3100)
    counts = running.balanced()
    assert counts["received"] == 3100 and counts["queued"] == 0


def fill_queue(box, files=5):
    """An outage in which several files go away; the entries on the disk."""
    box.endpoint.always = 503
    box.rule(box.log())
    for i in range(files):
        append(box.log(), *numbered(i * 1000, 1000))
        box.wait_said("logs.flow_waits")
        wait_for(lambda: f"{box.log()}\n" in os.popen(f"ls -l /proc/{box.process.pid}/fd").read())
        go_away(box.log())
        wait_for(lambda n=i: box.counts()["queued"] == (n + 1) * 1000)
    return box.queue()


def test_damaged_entries_are_counted_and_the_others_sent(running):
    entries = fill_queue(running)
    assert len(entries) == 5
    running.process.stop()
    torn = entries[1].read_bytes()
    entries[1].write_bytes(torn[:len(torn) // 2])
    flipped = bytearray(entries[3].read_bytes())
    flipped[-20] ^= 0x40
    entries[3].write_bytes(flipped)
    entries[4].write_bytes(b"MOORQ001")
    (entries[0].parent / "note.txt").write_text("not an entry")
    running.endpoint.always = None
    running.start()
    assert running.endpoint.wait_lines(2000) == numbered(0, 1000) + numbered(2000, 1000)
    wait_for(lambda: running.counts()["droppedDamaged"] == 3000)
    counts = running.counts()
    assert counts["received"] == 5000 and counts["queued"] == 0
    assert running.positions()["queueDamaged"] == 3
    assert running.process.log_text().count("logs.queue_entry_damaged") == 3
    assert len([p for p in running.queue() if p.suffix == ".bad"]) == 3


def test_a_full_queue_keeps_the_oldest_and_counts_the_rest(workspace):
    box = LogMachine(workspace, ["--queue-max", "20000"])
    try:
        box.connect().start()
        box.endpoint.always = 503
        box.rule(box.log())
        total = 30
        for i in range(total):
            append(box.log(), *numbered(i * 1000, 1000))
            box.wait_said("logs.flow_waits")
            wait_for(lambda: f"{box.log()}\n" in os.popen(f"ls -l /proc/{box.process.pid}/fd").read())
            go_away(box.log())
        box.wait_said("logs.queue_full", 60)
        wait_for(lambda: box.counts()["droppedQueueFull"] >= 1000, 60)
        box.endpoint.always = None
        box.process.child.send_signal(1)
        dropped = box.counts()["droppedQueueFull"]
        wait_for(lambda: len(box.endpoint.lines()) + box.counts()["droppedQueueFull"] >= total * 1000, 60)
        wait_for(lambda: box.counts()["received"] >= total * 1000)
        counts = box.counts()
        assert dropped >= 1000 and counts["received"] == total * 1000
        assert counts["received"] == counts["acknowledged"] + counts["droppedQueueFull"]
        assert box.endpoint.lines()[:1000] == numbered(0, 1000)
        assert sum(p.stat().st_size for p in box.queue()) <= 20000
    finally:
        box.close()


def test_strict_bodies_are_small_before_compression_too(running):
    append(running.log(), *numbered(0, 30_000))
    running.rule(running.log())
    assert running.endpoint.wait_lines(30_000) == numbered(0, 30_000)
    assert max(raw for _, raw in running.endpoint.sizes) > 1_000_000
    running.endpoint.sizes.clear()
    running.settings(body_limit="strict")
    append(running.log(), *numbered(30_000, 30_000))
    assert running.endpoint.wait_lines(60_000)[30_000:] == numbered(30_000, 30_000)
    assert 800_000 < max(raw for _, raw in running.endpoint.sizes) <= 1_000_000


def test_damaged_positions_repeat_and_do_not_lose(running):
    append(running.log(), *numbered(0, 100))
    running.rule(running.log())
    running.endpoint.wait_lines(100)
    wait_for(lambda: running.counts()["acknowledged"] == 100)
    running.process.stop()
    path = running.root / "var/lib/mooring/logs/positions.json"
    path.write_text(path.read_text()[:-30])
    append(running.log(), "more")
    running.start()
    assert running.endpoint.wait_lines(201)[100:] == numbered(0, 100) + ["more"]
    assert running.said("logs.positions_damaged")


# Links and local policy

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users: needs root")


@as_root
def test_a_link_shows_only_what_its_maker_could_give(running):
    secret, own = running.workspace.path / "secret", running.workspace.path / "own"
    append(secret, "root's secret")
    append(own, "nobody's own")
    os.chown(own, 65534, 65534)
    planted, honest, by_root = running.log("p.log"), running.log("h.log"), running.log("r.log")
    planted.symlink_to(secret)
    honest.symlink_to(own)
    os.lchown(planted, 65534, 65534)
    os.lchown(honest, 65534, 65534)
    folder = running.logs / "sub.log"
    folder.symlink_to(running.workspace.path)
    os.lchown(folder, 65534, 65534)
    running.rule(running.logs / "*.log", running.logs / "sub.log" / "secret")
    assert running.endpoint.wait_lines(1) == ["nobody's own"]
    running.wait_said("logs.input_refused")
    by_root.symlink_to(secret)
    assert running.endpoint.wait_lines(2)[1] == "root's secret"
    assert len(running.endpoint.lines()) == 2
    os.mkfifo(running.log("pipe.log"))
    append(running.log("z.log"), "z")
    assert running.endpoint.wait_lines(3)[2] == "z"


def test_local_policy_decides_which_paths_may_be_read(box):
    for name in ("open", "closed"):
        (box.logs / name).mkdir()
        append(box.logs / name / "a.log", name)
    (box.logs / "open" / "link.log").symlink_to(box.logs / "closed" / "a.log")
    box.settings(allow=[str(box.logs)], deny=[str(box.logs / "closed")])
    box.connect().start()
    box.rule(box.logs / "*" / "*.log")
    assert box.endpoint.wait_lines(1) == ["open"]
    box.wait_said("logs.denyPaths")
    assert box.endpoint.lines() == ["open"]


def test_settings_that_cannot_be_read_stop_everything(running):
    running.rule(running.log())
    append(running.log(), "x")
    wait_for(lambda: running.counts()["acknowledged"] == 1)
    (running.root / "var/opt/azcmagent/localconfig.json").write_text("{")
    running.wait_said("logs.stopped_collecting")
    append(running.log(), "y")
    time.sleep(2)
    assert running.endpoint.lines() == ["x"]
    (running.root / "var/opt/azcmagent/localconfig.json").unlink()
    assert running.endpoint.wait_lines(2) == ["x", "y"]


# Rules coming and going


def test_a_bad_rule_fails_alone(running):
    append(running.log(), "x")
    running.rule("relative/*.log", name="bad.json", source="bad")
    running.rule(running.log(), name="good.json")
    (running.root / "etc/mooring/logs.d/torn.json").write_text('{"schema":1,')
    running.rule(running.log(), name="elsewhere.json", source="else", endpoint="https://example.com")
    assert running.endpoint.wait_lines(1) == ["x"]
    for text in ("bad.json: properties.dataSources.logFiles: bad: filePatterns[0]", "torn.json",
                 "elsewhere.json: endpoint"):
        running.wait_said(text)


def test_a_rule_that_is_written_again_goes_on_without_a_gap(running):
    running.rule(running.log("a.log"))
    append(running.log("a.log"), *numbered(0, 100))
    append(running.log("b.log"), *numbered(1000, 100))
    running.endpoint.wait_lines(100)
    (running.root / "var/lib/mooring/rules.d/a.json").write_text("{")
    append(running.log("a.log"), *numbered(100, 100))
    running.endpoint.wait_lines(200)
    running.rule(running.log("a.log"), running.log("b.log"))
    append(running.log("a.log"), *numbered(200, 100))
    running.endpoint.wait_lines(400)
    got = running.endpoint.lines()
    assert [x for x in got if x < "line 0001"] == numbered(0, 300)
    assert [x for x in got if x >= "line 0001"] == numbered(1000, 100)


def test_a_rule_that_goes_and_comes_back_resumes(running):
    rule = running.rule(running.log())
    append(running.log(), *numbered(0, 10))
    wait_for(lambda: running.counts()["acknowledged"] == 10)
    rule.unlink()
    running.wait_said("logs.flow_ended")
    append(running.log(), *numbered(10, 10))
    time.sleep(1.5)
    assert len(running.endpoint.lines()) == 10
    running.rule(running.log())
    assert running.endpoint.wait_lines(20) == numbered(0, 20)


def test_it_waits_for_a_connection_and_stops_with_it(box):
    append(box.log(), "x")
    box.rule(box.log())
    box.start()
    box.wait_said("logs.idle")
    box.connect()
    wait_for(lambda: box.counts()["acknowledged"] == 1)
    box.disconnect()
    wait_for(lambda: box.process.log_text().count("logs.idle") == 2)
    append(box.log(), "y")
    time.sleep(1.5)
    box.connect()
    assert box.endpoint.wait_lines(2) == ["x", "y"]


def test_nothing_to_do_wakes_nobody(running):
    running.rule(running.log())
    append(running.log(), *numbered(0, 2000))
    running.endpoint.wait_lines(2000)

    def wakeups():
        total = 0
        for task in os.listdir(f"/proc/{running.process.pid}/task"):
            with open(f"/proc/{running.process.pid}/task/{task}/status", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if "voluntary_ctxt" in line)
        return total

    wait_for(lambda: len(os.listdir(f"/proc/{running.process.pid}/task")) <= 2, 30, "the pool to end")
    before = wakeups()
    time.sleep(4)
    assert wakeups() - before <= 1
