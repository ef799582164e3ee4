# SPDX-License-Identifier: Apache-2.0
"""The local audit log: what is in it, that changes of it are found, and that kill -9 breaks nothing."""
import json
import os
import subprocess
import time

import pytest
from harness.cli import fails
from harness.extensions import PUBLISHER
from harness.machine import Machine
from harness.process import program, wait_for

BROKEN = 150


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


def lines(box):
    return json.loads(box.mooring("audit", "list", "-j").stdout)


def verdict(box):
    done = box.mooring("audit", "verify", "-j", check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["whole"] else BROKEN)
    return answer


def folder(box):
    return box.path("/var/lib/mooring/audit")


def files(box):
    return sorted(folder(box).glob("*.log"))


def said(box, since=0):
    return [(r["by"], r["verb"], r["object"], r["verdict"], r["rule"]) for r in lines(box)[since:]]


def test_changes_of_local_settings_are_written_down(box):
    assert box.mooring("audit", "verify").stdout == "The audit log is empty\n"
    box.mooring("config", "set", "config.mode", "monitor")
    box.mooring("config", "set", "config.mode", "monitor")  # changes nothing
    fails(box.mooring("config", "set", "extensions.blocklist", "A/B", check=False), 27)
    box.mooring("config", "clear", "config.mode")
    rows = [(r["number"], r["by"], r["verb"], r["object"], r["detail"], r["verdict"], r["rule"])
            for r in lines(box)]
    assert rows == [(1, "local", "config", "config.mode", '"monitor"', "permitted", ""),
                    (2, "local", "config", "extensions.blocklist", "A/B", "refused", "config.mode"),
                    (3, "local", "config", "config.mode", '"full"', "permitted", "")]
    assert box.mooring("audit", "verify").stdout == "The audit log is whole: lines 1 to 3\n"
    shown = box.mooring("audit", "list", "--last", "1").stdout
    assert shown.startswith("3 ") and shown.endswith('local permitted config config.mode: "full"\n')
    for path in [folder(box), *folder(box).iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.fixture
def written(box):
    """A machine with four lines."""
    for value in ("false", "true", "false", "true"):
        box.mooring("config", "set", "extensions.enabled", value)
    return box


def test_a_changed_line_is_named(written):
    [log] = files(written)
    log.write_bytes(log.read_bytes().replace(b'"number":2,', b'"number":9,'))
    fails(written.mooring("audit", "verify", check=False), BROKEN)
    assert verdict(written)["broken"] == {
        "number": 2, "file": log.name, "line": 2, "reason": "its hash is not that of its bytes"}
    assert written.mooring("audit", "list", check=False).returncode == BROKEN
    written.mooring("config", "set", "extensions.enabled", "false")
    assert verdict(written)["broken"]["number"] == 2


def test_lost_lines_are_missed(written):
    [log] = files(written)
    whole = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(whole[:2]))
    assert verdict(written)["broken"]["number"] == 3
    log.write_bytes(b"".join(whole[:1] + whole[2:]))
    assert verdict(written)["broken"]["number"] == 2
    log.write_bytes(b"".join(whole))
    assert verdict(written)["whole"]
    (folder(written) / "head.json").unlink()
    assert not verdict(written)["whole"]


def test_a_line_cut_off_by_a_crash_is_sealed(written):
    [log] = files(written)
    with log.open("ab") as f:
        f.write(b'{"number":5,"time":"2026-')
    assert verdict(written) == {"whole": True, "first": 1, "last": 4, "sealed": 0, "unfinished": True}
    written.mooring("config", "set", "extensions.enabled", "false")
    assert verdict(written) == {"whole": True, "first": 1, "last": 6, "sealed": 1, "unfinished": False}
    assert [r["verb"] for r in lines(written)[4:]] == ["seal", "config"]
    assert "25 bytes before this line" in lines(written)[4]["detail"]


def test_killed_writers_leave_a_whole_chain(box, seeded, full):
    done = 0
    env = {k: str(v) for k, v in box.env.items()}
    env["ASAN_OPTIONS"] += ":detect_leaks=0"  # its check at the end takes offence at being killed
    for n in range(300 if full else 25):
        process = subprocess.Popen(
            [program("mooring"), "config", "set", "extensions.blocklist", f"A/B{n}"],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seeded.uniform(0, 0.15))
        process.kill()
        done += process.wait() == 0
        answer = verdict(box)
        assert answer["whole"] and answer["last"] >= done
    box.mooring("config", "set", "extensions.enabled", "false")
    assert verdict(box)["last"] > done


def test_what_the_cloud_asks_for_is_written_down(lab):
    since = len(lines(lab.machine))
    lab.publish()
    lab.publish(version="1.1.0")
    assert lab.put_and_settle(settings={"a": 1})[0] == "Succeeded"
    lab.local_config(extensions__blocklist=[f"{PUBLISHER}/{lab.type}"])
    assert lab.put_and_settle(settings={"a": 2})[0] == "Failed"
    lab.local_config()
    wait_for(lambda: lab.settled()[0] == "Succeeded", 30)
    lab.delete()
    wished = [("cloud", "install", "ext", "permitted", ""),
              ("cloud", "configure", "ext", "refused", "extensions.blocklist"),
              ("cloud", "configure", "ext", "permitted", ""),
              ("cloud", "uninstall", "ext", "permitted", "")]
    assert said(lab.machine, since) == wished
    assert lines(lab.machine)[since]["detail"].startswith(f"{PUBLISHER}/{lab.type} 1.")
    assert verdict(lab.machine)["whole"]


def test_a_restart_asks_for_nothing_anew(lab):
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    count, started = len(lines(lab.machine)), len(lab.trace())
    lab.machine.restart_role("extensions")
    wait_for(lambda: len(lab.trace()) > started, 30, "enable after the restart")
    assert len(lines(lab.machine)) == count


def test_without_an_audit_log_nothing_begins_but_removals(lab):
    lab.publish()
    assert lab.put_and_settle("first")[0] == "Succeeded"
    aside = folder(lab.machine).with_name("aside")
    folder(lab.machine).rename(aside)
    folder(lab.machine).write_text("in the way")
    try:
        lab.delete("first")
        before = lab.trace()
        lab.put("second")
        wait_for(lambda: (lab.shown("second") or {}).get("message") ==
                 "the local audit log cannot be written", 30)
        assert lab.trace() == before
    finally:
        os.unlink(folder(lab.machine))
        aside.rename(folder(lab.machine))
    lab.machine.restart_role("extensions")
    assert lab.settled("second")[0] == "Succeeded"
    assert said(lab.machine)[-1] == ("cloud", "install", "second", "permitted", "")
