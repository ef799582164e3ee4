# SPDX-License-Identifier: Apache-2.0
"""The harness notices what it must notice."""
import subprocess
import sys

import pytest
from harness.fixtures import Space
from harness.process import Process, run, wait_for


def test_a_wait_is_bounded_and_names_what_it_waited_for():
    with pytest.raises(AssertionError, match="for the moon; last: 0"):
        wait_for(lambda: 0, 0.1, "the moon")


def test_a_program_that_ends_while_awaited_is_told_with_its_output(workspace):
    process = Process(workspace, "short", ["/bin/sh", "-c", "echo out of luck; exit 3"],
                      workspace.environment())
    process.start()
    with pytest.raises(AssertionError, match="(?s)ended with 3.*out of luck"):
        process.wait_ready(lambda: False)


def test_a_failed_command_is_told_with_its_output(workspace):
    with pytest.raises(AssertionError, match="(?s)exit 4.*words"):
        run(["/bin/sh", "-c", "echo words >&2; exit 4"], workspace.environment())


@pytest.mark.parametrize("kind, source", [
    ("leak", "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(9); p = 0;"
             " return p != 0; }"),
    ("overflow", "int main(int n, char **v) { (void)v; n += 2147483647; return n == 7; }"),
])
def test_a_sanitizer_report_of_any_program_fails_the_test(tmp_path, kind, source):
    (tmp_path / "bad.c").write_text(source)
    subprocess.run(["cc", "-g", "-fsanitize=address,undefined", "-o", tmp_path / "bad",
                    tmp_path / "bad.c"], check=True)
    with pytest.raises(AssertionError, match="LeakSanitizer|runtime error"):
        with Space() as space:
            run([tmp_path / "bad"], space.environment(), check=False)


def test_the_environment_of_a_program_leads_it_nowhere_else(workspace, monkeypatch):
    for name in ("MOORING_ROOT", "AZURE_CLIENT_ID", "IDENTITY_ENDPOINT", "https_proxy"):
        monkeypatch.setenv(name, "elsewhere")
    out = run([sys.executable, "-c", "import os; print(*os.environ.values())"],
              workspace.environment()).stdout
    assert "elsewhere" not in out
