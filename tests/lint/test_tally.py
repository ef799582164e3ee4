# SPDX-License-Identifier: Apache-2.0
"""tests/tally.py counts cases, and never turns a failure into a pass."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tally  # noqa: E402

TAP = "1..3\nok 1 - a\n# x.c:1: failed: n\nnot ok 2 - b\nok 3 - c # SKIP no such device\n"


def entry(name, status="run", output="", inner=""):
    return (f'<testcase name="{name}" status="{status}">{inner}'
            f"<system-out>{output}</system-out></testcase>")


def counted(tmp_path, *entries):
    (tmp_path / "ctest.xml").write_text(f"<testsuite>{''.join(entries)}</testsuite>")
    counts, lines = tally.tally(tmp_path)
    return (counts["passed"], counts["failed"], counts["skipped"]), lines


@pytest.mark.parametrize("case, want", [
    (entry("tap", "fail", TAP), (1, 1, 1)),
    (entry("crash", "fail", "1..2\nok 1 - a\n"), (1, 1, 0)),
    (entry("plain"), (1, 0, 0)),
    (entry("plain", "fail", inner='<failure message="Timeout"/>'), (0, 1, 0)),
    (entry("none", "notrun", inner='<skipped message="Not run"/>'), (0, 0, 1)),
    (entry("whole", "run", "1..0 # SKIP no kernel support\n"), (0, 0, 1)),
])
def test_entries_are_counted_by_case(tmp_path, case, want):
    assert counted(tmp_path, case)[0] == want


def test_a_skip_is_listed_with_its_reason(tmp_path):
    assert "skipped: t: c: no such device" in counted(tmp_path, entry("t", "fail", TAP))[1]


def test_pytest_results_are_counted_from_their_own_file(tmp_path):
    (tmp_path / "blackbox.x.xml").write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
        '<testcase name="c"><skipped message="not root"/></testcase></testsuite></testsuites>')
    counts, lines = counted(tmp_path, entry("blackbox.x", "fail"))
    assert counts == (1, 1, 1)
    assert lines == ["failed: blackbox.x: b", "skipped: blackbox.x: c: not root"]


def test_a_run_without_any_test_has_failed(tmp_path, monkeypatch, capsys):
    (tmp_path / "ctest.xml").write_text("<testsuite/>")
    monkeypatch.setattr(sys, "argv", ["tally.py", str(tmp_path), "0"])
    assert tally.main() == 1
    assert capsys.readouterr().out.endswith("\n0 passed, 1 failed, 0 skipped\n")
