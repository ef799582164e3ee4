# SPDX-License-Identifier: Apache-2.0
"""`mooring config`: local settings, and a machine whose file of them is broken."""
import json
import subprocess

import pytest
from harness.cli import fails
from harness.machine import Machine
from harness.process import program, wait_for


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


def settings(box):
    return {row["key"]: row for row in json.loads(box.mooring("config", "list", "-j").stdout)["localsettings"]}


def stored(box):
    return json.loads((box.state / "localconfig.json").read_text())


def test_every_setting_is_listed_with_its_default(box):
    rows = settings(box)
    assert rows["config.mode"] == {"key": "config.mode", "value": "full", "available": True}
    assert rows["extensions.allowlist"]["value"] == []
    assert rows["extensions.enabled"]["value"] is True
    assert not rows["guestconfiguration.enabled"]["available"]
    text = box.mooring("config", "list").stdout
    assert text.startswith("Local Configuration Settings\n")
    assert "proxy.bypass" in text and ": []\n" in text
    assert "incomingconnections.ports (not available)" in text
    info = json.loads(box.mooring("config", "info", "-j").stdout)
    assert [row["key"] for row in info] == list(rows)
    assert all(row["description"] and row["type"] for row in info)


def test_a_setting_is_set_added_to_taken_from_and_cleared(box):
    def run(*arguments):
        return box.mooring("config", *arguments).stdout

    assert run("set", "extensions.allowlist", "A.B/C, D/E") == \
        "Config property extensions.allowlist set to value A.B/C,D/E\n"
    run("set", "-a", "extensions.allowlist", "F/G")
    run("set", "extensions.allowlist", "d/e", "--remove")
    assert stored(box) == {"schema": 1, "extensions.allowlist": ["A.B/C", "F/G"]}
    assert run("get", "extensions.allowlist") == "A.B/C,F/G\n"
    assert json.loads(run("get", "extensions.allowlist", "-j"))["value"] == ["A.B/C", "F/G"]
    run("clear", "extensions.allowlist")
    assert stored(box) == {"schema": 1}


def test_what_was_before_is_kept_and_no_change_writes_nothing(box):
    box.mooring("config", "set", "extensions.enabled", "false")
    before = (box.state / "localconfig.json").stat()
    box.mooring("config", "set", "extensions.enabled", "FALSE")
    after = (box.state / "localconfig.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    box.mooring("config", "set", "config.mode", "monitor")
    backup = json.loads((box.state / "localconfig.json.backup").read_text())
    assert backup == {"schema": 1, "extensions.enabled": False}
    assert after.st_mode & 0o777 == 0o644


@pytest.mark.parametrize("arguments, number, text", [
    (["set", "nope", "1"], 23, "nope: no such setting"),
    (["get", "nope"], 23, "nope: no such setting"),
    (["info", "nope"], 23, "nope: no such setting"),
    (["set", "extensions.enabled", "yes"], 23, "want true or false"),
    (["set", "extensions.agent.cpulimit", "101"], 23, "want a whole number 1..100"),
    (["set", "extensions.blocklist", "Publisher"], 23, "want Publisher/Type"),
    (["set", "extensions.allowlist", "a/b/c"], 23, "want Publisher/Type"),
    (["set", "-a", "extensions.allowlist", "a b/c"], 23, "want Publisher/Type"),
    (["set", "incomingconnections.ports", "0"], 23, "want a port"),
    (["set", "connection.type", "gateway"], 23, "there is no gateway"),
    (["set", "logs.denyPaths", "var/log"], 23, "want an absolute path"),
    (["set", "-a", "proxy.url", "http://x"], 23, "is no list"),
    (["set", "-a", "-r", "extensions.allowlist", "a/b"], 23, "give one of them"),
    (["set", "extensions.enabled"], 101, "usage: mooring config set KEY VALUE"),
])
def test_what_cannot_be_understood_is_refused(box, arguments, number, text):
    done = box.mooring("config", *arguments, check=False)
    fails(done, number)
    assert text in done.stderr
    assert not (box.state / "localconfig.json").exists()


def test_in_monitor_mode_the_lists_stand_as_they_are(box):
    box.mooring("config", "set", "extensions.blocklist", "a/b")
    box.mooring("config", "set", "config.mode", "monitor")
    fails(box.mooring("config", "set", "-a", "extensions.blocklist", "c/d", check=False), 27)
    box.mooring("config", "set", "config.mode", "full")
    assert box.mooring("config", "get", "extensions.blocklist").stdout == "a/b\n"


def test_what_is_not_available_is_kept_and_said_to_be_so(box):
    done = box.mooring("config", "set", "guestconfiguration.enabled", "false")
    assert "not available" in done.stderr
    assert stored(box)["guestconfiguration.enabled"] is False


def test_many_commands_at_once_lose_no_change(box):
    running = [subprocess.Popen([program("mooring"), "config", "set", "-a", "extensions.blocklist",
                                 f"p/t{n}"], env=box.env, stdout=subprocess.DEVNULL)
               for n in range(12)]
    assert [p.wait(60) for p in running] == [0] * 12
    assert sorted(stored(box)["extensions.blocklist"]) == sorted(f"p/t{n}" for n in range(12))


def test_a_broken_file_is_named_and_not_overwritten(box):
    box.state.mkdir(parents=True)
    (box.state / "localconfig.json").write_text('{"schema":1,"extensions.enable":true}')
    fails(box.mooring("config", "set", "proxy.url", "http://p:1", check=False), 70)
    listing = box.mooring("config", "list", "-j")
    assert "localconfig.json" in listing.stderr and "extensions.enable" in listing.stderr
    assert settings(box)["extensions.enabled"]["value"] is False
    shown = box.mooring("show", "-j")
    assert "localconfig.json" in shown.stderr
    assert json.loads(shown.stdout)["status"] == "Disconnected"
    assert "enable" in (box.state / "localconfig.json").read_text()


def test_nothing_is_sent_past_a_proxy_that_cannot_be_read(connected):
    file = connected.state / "localconfig.json"
    connected.mooring("config", "set", "proxy.bypass", "localhost")
    file.write_text(file.read_text().replace("localhost", "local host"))
    wait_for(lambda: "localconfig.json" in connected.show()["agentErrorDetails"], what="the file to be named")
    assert connected.admin("POST", "/connect/finish", {}).status == 200  # as before it broke
    connected.restart_role("identity")
    answer = connected.admin("POST", "/connect/finish", {})
    assert answer.status >= 500 and "localconfig.json" in answer.json["error"]["message"]
    assert "proxy.bypass" in answer.json["error"]["message"]
    answer = connected.token_answer("https://other.example.com")
    assert answer.status == 503 and "localconfig.json" in json.dumps(answer.json)
    shown = connected.show()
    assert "localconfig.json" in shown["localConfigError"] and "localconfig.json" in shown["httpsProxy"]
    for command in (["check"], ["ensure-connected"]):
        done = connected.mooring(*command, check=False)
        assert done.returncode != 0 and "localconfig.json" in done.stderr
    file.unlink()
    wait_for(lambda: connected.admin("POST", "/connect/finish", {}).status == 200, 60, "a beat")


def test_show_names_the_proxy_of_the_environment(connected):
    variables = {"HTTPS_PROXY": "http://someone:canary@proxy.example:3128", "NO_PROXY": "localhost"}
    shown = connected.mooring("show", "-j", env=variables).stdout
    assert json.loads(shown)["httpsProxy"] == "http://proxy.example:3128" and "canary" not in shown
    connected.mooring("config", "set", "proxy.url", "http://other.example:1")
    shown = connected.mooring("show", "-j", env=variables).stdout
    assert json.loads(shown)["httpsProxy"] == "http://other.example:1"


def test_a_connected_machine_with_a_broken_file_goes_on_and_says_so(connected):
    file = connected.state / "localconfig.json"
    file.write_text("{")
    wait_for(lambda: "localconfig.json" in connected.show()["agentErrorDetails"],
               what="the broken file to be named")
    assert connected.show()["status"] == "Connected"
    assert connected.token("https://management.azure.com")
    connected.restart_role("identity")
    assert connected.show()["status"] == "Connected"
    assert "localconfig.json" in connected.show()["agentErrorDetails"]
    file.unlink()
    wait_for(lambda: connected.show()["agentErrorDetails"] == "", what="the error to go")
