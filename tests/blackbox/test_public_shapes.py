# SPDX-License-Identifier: Apache-2.0
"""Handlers in the shapes that others publish (tests/fakes/handlers), unchanged, from PUT to DELETE."""
import json
import os
import pathlib
import shlex
import subprocess
import time

import pytest
from harness.extensions import zipped
from harness.process import wait_for

SHAPES = pathlib.Path(__file__).resolve().parents[1] / "fakes/handlers"
ACCESS = {"publisher": "Contoso.Extensions.Edp", "type_name": "AccessForLinux"}
SCRIPT = {"publisher": "Contoso.Scripts", "type_name": "CompiledScript"}
COMMANDS = {"publisher": "Contoso.Core", "type_name": "CommandsLinux"}
RESIDENT = {"publisher": "Contoso.Monitor", "type_name": "ResidentAgent.Linux"}


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """The compiled half of the script handler."""
    path = tmp_path_factory.mktemp("worker") / "script-worker"
    subprocess.run(["cc", "-O1", "-o", path, SHAPES / "script/worker.c"], check=True)
    return path.read_bytes()


def packed(shape, version, *more, edit=None):
    """The package as its author zips it: folders as entries, no execute bits."""
    entries = []
    for path in sorted((SHAPES / shape).rglob("*")):
        name = str(path.relative_to(SHAPES / shape))
        if path.suffix == ".c" or "__pycache__" in name:
            continue
        if path.is_dir():
            entries.append((name + "/", b""))
        else:
            data = path.read_bytes().replace(b"@VERSION@", version.encode())
            entries.append((name, edit(name, data) if edit else data))
    return zipped(entries + list(more))


def put_out(lab, shape, target, version="1.0.0", *more, edit=None):
    path = lab.folder / f"{target['publisher']}.{target['type_name']}__{version}.zip"
    path.write_bytes(packed(shape, version, *more, edit=edit))
    lab.controlplane.cli("extension", "publish", str(path))


def folder(lab, target, version="1.0.0"):
    return lab.handler_folder(version, type_name=target["type_name"], publisher=target["publisher"])


def log_folder(lab, target):
    return lab.machine.path(f"/var/log/azure/{target['publisher']}.{target['type_name']}")


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def versions(lab, shape, target, *numbers, more=()):
    """Publishes under numbers that no other test of this control plane has used."""
    lab.base = getattr(versions, "next", 1)
    versions.next = lab.base + 1
    for n in numbers:
        put_out(lab, shape, target, f"{lab.base}.{n}.0", *more)
    return [f"{lab.base}.{n}.0" for n in numbers]


# A shim with a Python library

def test_a_python_handler_decrypts_hides_and_is_given_its_settings_again(lab):
    out = lab.folder / "out"
    one, two = versions(lab, "access", ACCESS, 0, 1)
    asked = {"settings": {"file": str(out), "user": "ann"}, "protected": {"password": "canary"}}
    assert lab.put_and_settle("access", version=one[:-2], autoUpgradeMinorVersion=False, **asked,
                              **ACCESS) == ("Succeeded", "Extension Message: Enable succeeded for ann.")
    assert lines(out) == ["first ann canary"]
    settings = folder(lab, ACCESS, one) / "config/0.settings"
    assert "*** REDACTED ***" in settings.read_text()
    lab.machine.restart_role("extensions")
    wait_for(lambda: lines(out) == ["first ann canary", "again ann canary"], 30,
             "enable after the restart to see the secret again")
    assert lab.put_and_settle("access", version=two[:-2], **asked, **ACCESS)[0] == "Succeeded"
    assert lines(out)[2:] == ["again ann canary"], "the new version has the old one's memory"
    said = log_folder(lab, ACCESS) / "extension.log"
    assert [line.split(" ", 2)[2] for line in lines(said)] == [
        f"Install of version {one}, number 0", f"Enable of version {one}, number 0",
        f"Enable of version {one}, number 0", f"Disable of version {one}, number 0",
        f"Update of version {two}, number 0", f"Uninstall of version {one}, number 0",
        f"Install of version {two}, number 0", f"Enable of version {two}, number 0"]
    lab.delete("access")
    assert b"canary" not in b"".join(p.read_bytes() for p in lab.machine.root.rglob("*") if p.is_file())


def test_a_manifest_behind_a_byte_order_mark_in_a_folder_of_its_own_is_found(lab):
    def deeper(name, data):
        return b"\xef\xbb\xbf" + data if name == "HandlerManifest.json" else data
    version = f"{versions(lab, 'access', ACCESS)or lab.base}.7.0"
    put_out(lab, "access", ACCESS, version, edit=deeper)
    state, message = lab.put_and_settle("access", settings={"user": "bob"}, version=version[:-2], **ACCESS)
    assert (state, message) == ("Succeeded", "Extension Message: Enable succeeded for bob.")
    assert (folder(lab, ACCESS, version) / "HandlerManifest.json").read_bytes().startswith(b"[")


@pytest.mark.parametrize("settings, public", [(None, None), ({}, {})], ids=["none", "an empty object"])
def test_no_settings_and_an_empty_object_are_told_apart(lab, settings, public):
    version, = versions(lab, "access", ACCESS, 3)
    assert lab.put_and_settle("access", settings=settings, version=version[:-2], **ACCESS)[0] == "Succeeded"
    text = (folder(lab, ACCESS, version) / "config/0.settings").read_text()
    assert text == "" if public is None else json.loads(text)["runtimeSettings"][0]["handlerSettings"][
        "publicSettings"] == public


# A shim with a compiled worker

def test_a_compiled_handler_runs_a_command_once_over_restart_and_upgrade(lab, worker):
    out, gate = lab.folder / "out", lab.folder / "gate"
    more = [("bin/script-worker", worker)]
    one, two = versions(lab, "script", SCRIPT, 0, 1, more=more)
    command = f"echo ran >> {out}; while [ ! -e {gate} ]; do sleep 0.05; done"
    lab.put("script", settings={"commandToExecute": command}, version=one[:-2],
            autoUpgradeMinorVersion=False, **SCRIPT)
    wait_for(lambda: (lab.shown("script") or {}).get("message") == "Enable in progress", 30,
             "the placeholder to be told while the worker goes on")
    lab.machine.restart_role("extensions")
    wait_for(lambda: "will not run again" in "\n".join(
        lines(log_folder(lab, SCRIPT) / "handler.log")), 30, "enable after the restart")
    gate.touch()
    assert lab.settled("script") == ("Succeeded", "Extension Message: Enable succeeded: exit status=0")
    assert lab.put_and_settle("script", settings={"commandToExecute": command}, version=two[:-2],
                              **SCRIPT)[0] == "Succeeded"
    assert lines(out) == ["ran"]
    assert lab.put_and_settle("script", settings={"commandToExecute": f"echo more >> {out}; exit 3"},
                              version=two[:-2], **SCRIPT) == (
        "Failed", "Extension Message: Enable failed: exit status=3")
    assert lines(out) == ["ran", "more"]
    config = folder(lab, SCRIPT, two) / "config"
    assert [p.name for p in sorted(config.iterdir()) if p.stat().st_size] == ["1.settings"]
    assert not list(folder(lab, SCRIPT, two).glob("*logFolder*")), "the log folder was cut out wrongly"


def test_what_a_handler_writes_by_name_and_by_descriptor_does_not_overwrite_each_other(lab):
    lab.publish(lab.package('install) echo one; echo two >> /dev/stdout; echo three; exit 3 ;;'))
    assert "[stdout]\none\ntwo\nthree\n" in lab.put_and_settle()[1]


# Several extensions of one handler

def test_a_multi_config_handler_keeps_its_extensions_apart(lab):
    one, two = versions(lab, "commands", COMMANDS, 0, 1)
    out = lab.folder / "out"

    def run(name, script, version=one):
        state, message = lab.put_and_settle(name, settings={"source": {"script": script}},
                                            version=version[:-2], autoUpgradeMinorVersion=False, **COMMANDS)
        assert state == "Succeeded", message
        return json.loads(message.split(": ", 1)[1])
    assert run("first", f"echo first >> {out}; echo hello")["output"] == "hello\n"
    failed = run("second-one", f"echo second >> {out}; echo bad >&2; exit 7")
    assert (failed["executionState"], failed["exitCode"], failed["error"]) == ("Failed", 7, "bad\n")
    assert run("first", "echo again")["output"] == "again\n"
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.shown("first")["state"] == lab.shown("second-one")["state"] == "enabled", 30)
    lab.delete("second-one")
    handler = folder(lab, COMMANDS, one)
    assert sorted(p.name for p in handler.glob("*.mrseq")) == ["first.mrseq"]
    assert {p.name for p in (handler / "config").iterdir()} == {"first.0.settings", "first.1.settings"}
    assert lines(out) == ["first", "second"], "no script ran twice"
    logs = log_folder(lab, COMMANDS)
    assert "disable, number 0: " in (logs / "CommandExecution_second_one.log").read_text()
    assert "enable, number 1: " in (logs / "CommandExecution_first.log").read_text()
    assert "install" not in (logs / "CommandExecution_second_one.log").read_text()


def test_one_extensions_failure_is_a_status_of_that_one_alone(lab):
    version, = versions(lab, "commands", COMMANDS, 0)
    lab.put_and_settle("good", settings={"source": {"script": "true"}}, version=version[:-2], **COMMANDS)
    lab.put("silent", settings={"source": "no object"}, version=version[:-2], **COMMANDS)
    wait_for(lambda: "Running" in (lab.shown("silent") or {}).get("message", ""), 30)
    assert lab.shown("silent")["provisioningState"] not in ("Succeeded", "Failed")
    assert lab.shown("good")["provisioningState"] == "Succeeded"


# A resident

def daemon(lab):
    path = lab.machine.path("/var/lib/waagent/resident.pid")
    pid = int(path.read_text().split()[0]) if path.exists() else 0
    if not pid or not os.path.exists(f"/proc/{pid}"):
        return None
    return None if ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text() else pid


def test_a_resident_outlives_manager_and_update_and_says_nothing_new(lab):
    one, two = versions(lab, "resident", RESIDENT, 0, 1)
    state, message = lab.put_and_settle("agent", settings={"workspace": "w"}, version=one[:-2],
                                        autoUpgradeMinorVersion=False, **RESIDENT)
    assert (state, message.splitlines()[0]) == ("Succeeded", "Extension Message: monitoring")
    pid = daemon(lab)
    lab.machine.restart_role("extensions")
    wait_for(lambda: "Heartbeat: Ready: up" in lab.shown("agent")["message"], 30)
    memory = lab.machine.path("/var/lib/GuestConfig/manager/state.json")
    wait_for(lambda: time.time() - memory.stat().st_mtime > 1, 30,
             "statuses that differ in their time only to be no news")
    assert daemon(lab) == pid
    assert lab.put_and_settle("agent", settings={"workspace": "w"}, version=two[:-2], **RESIDENT)[0] == "Succeeded"
    wait_for(lambda: (folder(lab, RESIDENT, two) / "heartbeat.log").exists(), 30)
    assert daemon(lab) == pid, "an update without install leaves the service running"
    log = (log_folder(lab, RESIDENT) / "CommandExecution.log").read_text()
    commands = [line.split(" ")[1].rstrip(",") for line in log.splitlines() if ", number " in line]
    assert commands == ["install", "enable", "enable", "disable", "update", "uninstall", "enable"]
    lab.delete("agent")
    wait_for(lambda: daemon(lab) is None, 20, "the daemon to end with its extension")


def test_events_of_every_form_are_cleared_away(lab):
    lab.publish()
    lab.put_and_settle()
    old = lab.machine.path("/var/lib/waagent/events")
    old.mkdir(exist_ok=True)
    (old / "1700000000000000.tld").write_text("{}")
    events = lab.machine.path(f"/var/log/azure/Test.Handlers.{lab.type}/events")
    for name, text in (("1.json", "{"), ("2.json", ""), ("3.json", "x" * 5_000_000),
                       ("4.json", '[{"TaskName": "\u00e9"}]'), ("notes.txt", "kept")):
        (events / name).write_text(text)
    lab.machine.restart_role("extensions")
    wait_for(lambda: [p.name for p in events.iterdir()] == ["notes.txt"] and not list(old.iterdir()), 20)


# What commands are told and how they end

@pytest.mark.parametrize("body, said", [
    ("enable) no-such-interpreter2.6 ./x.py ;; esac; case $? in 127) exit 127 ;;",
     "127 (a program that it needs is not on this machine: see [stderr])"),
    ("enable) /etc; exit $? ;;", "126 (a program was found that cannot be run"),
    ("enable) exit 51 ;;", "51 (by convention: this operating system is not supported)"),
], ids=["missing", "not executable", "unsupported"])
def test_an_exit_code_comes_with_its_meaning(lab, body, said):
    lab.publish(lab.package(body))
    state, message = lab.put_and_settle(settings={"a": 1})
    assert state == "Failed" and f"enable ended with exit code {said}" in message


def test_commands_start_as_the_contract_has_it(lab):
    """Nothing of the manager's own leaks: descriptors, signals, umask, input, session."""
    out = lab.folder / "out"
    lab.publish(lab.package(f"install) {{ ls -l /proc/self/fd | sed 's/.*[0-9] \\([0-9]* ->\\)/\\1/'; umask;"
                            " grep -E 'Sig(Blk|Ign)' /proc/self/status; cat | wc -c;"
                            f" cut -d' ' -f1,6 /proc/$$/stat; }} > {out} 2>&1 ;;\n"))
    lab.put_and_settle()
    said = lines(out)
    assert "0022" in said and "SigBlk:\t0000000000000000" in said and "SigIgn:\t0000000000000000" in said
    assert "0 -> /dev/null" in said and said[-2] == "0"
    assert sorted(line.split()[0] for line in said if " -> " in line) == ["0", "1", "2", "3"], (
        "3 is the folder that ls reads")
    pid, session = said[-1].split()
    assert int(session) > 0 and int(session) != os.getsid(0) and int(pid) > 0


def test_the_proxy_of_this_machine_is_handed_on_without_its_password(lab):
    secret = lab.folder / "credentials"
    secret.write_text("agent:canary\n")
    secret.chmod(0o600)
    out = lab.folder / "env"
    lab.publish(lab.package(f"enable) env > {out}; status success 0 ok ;;"))
    lab.put_and_settle(settings={"a": 1})
    assert "proxy" not in out.read_text().lower()
    lab.local_config(proxy__url="http://192.0.2.7:3128", proxy__bypass=["*", ".internal.example"],
                     proxy__credentialsFile=str(secret))
    lab.machine.restart_role("extensions")
    wait_for(lambda: "proxy" in out.read_text().lower(), 30, "enable with the proxy")
    env = dict(line.split("=", 1) for line in lines(out) if "=" in line)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        assert env[name] == "http://192.0.2.7:3128"
    assert env["no_proxy"] == env["NO_PROXY"]
    assert {"localhost", "127.0.0.1", "169.254.169.254", ".internal.example"} <= set(env["no_proxy"].split(","))
    assert "canary" not in out.read_text()


def test_the_command_log_is_cut_at_ten_megabytes_and_made_again_when_lost(lab):
    lab.publish(lab.package('enable) echo "said $seq"; status success 0 ok ;;'))
    lab.put_and_settle(settings={"a": 1})
    log = lab.machine.path(f"/var/log/azure/Test.Handlers.{lab.type}/CommandExecution.log")
    text = log.read_text()
    assert "install, number 0: " in text and "    ConfigSequenceNumber=0\n" in text
    assert "enable ended with exit code 0\n[stdout]\nsaid 0\n" in text
    with log.open("a") as f:
        f.write("filler of a line\n" * 700_000)
    assert lab.put_and_settle(settings={"a": 2})[0] == "Succeeded"
    assert log.stat().st_size < 2 * 1024 * 1024
    assert log.read_text().startswith("filler of a line\n") and "said 1" in log.read_text()
    subprocess.run(["rm", "-r", log.parent], check=True)
    assert lab.put_and_settle(settings={"a": 3})[0] == "Succeeded"
    assert "said 2" in log.read_text()


def test_output_that_a_handler_removed_is_told_as_empty(lab):
    outputs = lab.machine.path("/var/lib/GuestConfig/extension_logs")
    lab.publish(lab.package(f"install) echo gone; rm -f {shlex.quote(str(outputs))}/*/install.std*; exit 3 ;;"))
    state, message = lab.put_and_settle()
    assert state == "Failed" and message.endswith("[stdout]\n\n\n[stderr]\n")
