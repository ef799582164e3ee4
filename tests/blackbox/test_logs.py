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
