# SPDX-License-Identifier: Apache-2.0
"""azcmagent.log: what commands said, and a folder that somebody else may write."""
import os
import re

import pytest
from harness.cli import fails
from harness.machine import Machine

LINE = re.compile(r'^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=(info|warning|fatal) '
                  r'msg="((?:[^"\\]|\\.)*)" Command=(\w+|"[\w ]+")$')


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


def journal(box):
    return box.path("/var/opt/azcmagent/log/azcmagent.log")


def lines(text):
    found = [LINE.match(line) for line in text.splitlines()]
    assert all(found), text
    return [match.groups() for match in found]


def test_commands_that_change_something_are_logged_with_their_error(box):
    fails(box.mooring("config", "set", "extensions.enabled", "yes", check=False), 23)
    box.mooring("config", "set", "extensions.enabled", "false")
    box.mooring("config", "list")
    said = lines(journal(box).read_text())
    assert [level for level, _, _ in said] == ["info", "fatal", "info", "info", "info"]
    assert said[1][1].startswith("AZCM0023: ") and said[1][2] == '"config set"'
    assert said[-1][1] == "done"
    assert journal(box).stat().st_mode & 0o777 == 0o600


def test_messages_take_that_form_on_standard_error_when_asked_for(box):
    done = box.mooring("config", "set", "nope", "1", "--log-stderr", check=False)
    assert done.returncode == 23
    assert ("fatal", "AZCM0023: an argument is invalid: nope: no such setting",
            '"config set"') in lines(done.stderr)


@pytest.mark.parametrize("trap", ["symlink", "hardlink", "folder", "stranger", "pipe"])
def test_a_file_that_is_not_ours_alone_is_not_written_to(box, trap):
    log = journal(box)
    log.parent.mkdir(parents=True)
    os.chown(log.parent, 65534, 65534)
    victim = box.root / "victim"
    victim.write_text("untouched")
    if trap == "symlink":
        log.symlink_to(victim)
    elif trap == "hardlink":
        os.link(victim, log)
    elif trap == "folder":
        log.mkdir()
    elif trap == "pipe":
        os.mkfifo(log)
    else:
        log.write_text("untouched")
        os.chown(log, 65534, 65534)
    done = box.mooring("config", "set", "extensions.enabled", "false", timeout=30)
    assert "this command is not logged" in done.stderr
    assert victim.read_text() == "untouched"
    assert trap != "stranger" or log.read_text() == "untouched"


def test_a_log_that_is_full_is_put_aside(box):
    log = journal(box)
    log.parent.mkdir(parents=True)
    log.write_text("x" * (4 << 20))
    log.chmod(0o600)
    box.mooring("config", "set", "extensions.enabled", "false")
    assert log.stat().st_size < 4096
    assert log.with_name("azcmagent.log.1").stat().st_size == 4 << 20
