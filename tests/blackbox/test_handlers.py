# SPDX-License-Identifier: Apache-2.0
"""The handler contract as handlers see it: environment, several instances, updates and failures."""
import json
import os
import shutil
import time

import pytest
from harness.extensions import ENABLED, PUBLISHER
from harness.process import wait_for


def told(lab, verb, version="1.0.0", seq=0):
    lines = (lab.folder / f"{verb}.{version}.{seq}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def telling(lab, body=ENABLED, version="1.0.0", **more):
    """A package whose commands leave their environment in the lab's folder."""
    return lab.package(f'*) env > {lab.folder}/$verb.{version}.$seq.env ;;\nesac\ncase $verb in\n' + body,
                       version=version, **more)


# Environment

def test_every_command_is_told_path_version_number_and_features(lab):
    lab.publish(telling(lab))
    assert lab.put_and_settle()[0] == "Succeeded"
    lab.delete()
    for verb in ("install", "enable", "disable", "uninstall"):
        env = told(lab, verb)
        assert env["AZURE_GUEST_AGENT_EXTENSION_PATH"] == str(lab.handler_folder())
        assert env["PWD"] == str(lab.handler_folder())
        assert env["AZURE_GUEST_AGENT_EXTENSION_VERSION"] == "1.0.0"
        assert env["ConfigSequenceNumber"] == "0"
        assert json.loads(env["AZURE_GUEST_AGENT_EXTENSION_SUPPORTED_FEATURES"]) == [
            {"Key": "ExtensionTelemetryPipeline", "Value": "1.0"}]
        assert "ConfigExtensionName" not in env and "VERSION" not in env
        assert (env.get("AZURE_GUEST_AGENT_UNINSTALL_CMD_EXIT_CODE") == "NOT_RUN") == (
            verb in ("install", "enable"))


@pytest.mark.parametrize("continues", [True, "True"])
def test_exit_codes_of_the_old_version_reach_the_new_one(lab, continues):
    lab.publish(telling(lab, "disable) exit 7 ;;\nuninstall) exit 9 ;;\n" + ENABLED))
    lab.put_and_settle(settings={"a": 1})
    lab.publish(telling(lab, version="1.1.0", continueOnUpdateFailure=continues), version="1.1.0")
    assert lab.put_and_settle(settings={"a": 1}, version="1.1")[0] == "Succeeded"
    update = told(lab, "update", "1.1.0")
    assert update["AZURE_GUEST_AGENT_DISABLE_CMD_EXIT_CODE"] == "7"
    assert (update["VERSION"], update["AZURE_GUEST_AGENT_UPDATING_FROM_VERSION"]) == ("1.1.0", "1.0.0")
    for verb in ("install", "enable"):
        assert told(lab, verb, "1.1.0")["AZURE_GUEST_AGENT_UNINSTALL_CMD_EXIT_CODE"] == "9"
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.trace()[-2:] == ["enable 1.1.0 0"] * 2, 30)
    wait_for(lambda: told(lab, "enable", "1.1.0").get("AZURE_GUEST_AGENT_UNINSTALL_CMD_EXIT_CODE")
             == "NOT_RUN", 10)


@pytest.mark.parametrize("verb", ["disable", "uninstall"])
def test_a_failure_of_the_old_version_stops_the_update_until_the_next_wish(lab, verb):
    gate = lab.folder / "gate"
    lab.publish(lab.package(f"{verb}) [ -e {gate} ] || exit 5 ;;\n" + ENABLED))
    lab.put_and_settle(settings={"a": 1})
    lab.publish(lab.package(version="1.1.0"), version="1.1.0")
    state, message = lab.put_and_settle(settings={"a": 1}, version="1.1")
    assert state == "Failed" and f"{verb} ended with exit code 5" in message
    gate.touch()
    assert lab.put_and_settle(settings={"a": 1}, version="1.1", forceUpdateTag="2")[0] == "Succeeded"
    assert lab.trace()[-1] == "enable 1.1.0 1" and lab.trace().count("install 1.1.0 1") == 1


def test_a_failed_update_is_repeated_from_its_start(lab):
    gate = lab.folder / "gate"
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.publish(lab.package(f"update) [ -e {gate} ] || exit 5 ;;\n" + ENABLED, version="1.1.0"),
                version="1.1.0")
    assert lab.put_and_settle(settings={"a": 1}, version="1.1")[0] == "Failed"
    gate.touch()
    assert lab.put_and_settle(settings={"a": 1}, version="1.1", forceUpdateTag="2")[0] == "Succeeded"
    # The old version is disabled already and is not disabled again.
    assert lab.trace()[2:] == ["disable 1.0.0 0", "update 1.1.0 0", "update 1.1.0 1", "uninstall 1.0.0 1",
                               "install 1.1.0 1", "enable 1.1.0 1"]


def test_towards_a_lower_version_the_old_handler_updates(lab):
    lab.publish(telling(lab, version="2.0.0"), version="2.0.0")
    lab.put_and_settle(settings={"a": 1}, version="2.0")
    lab.publish(telling(lab, version="1.0.0"), version="1.0.0")
    assert lab.put_and_settle(settings={"a": 1}, version="1.0.0")[0] == "Succeeded"
    assert lab.trace()[2:] == ["disable 2.0.0 0", "update 2.0.0 0", "uninstall 2.0.0 0",
                               "install 1.0.0 0", "enable 1.0.0 0"]
    env = told(lab, "update", "2.0.0")
    assert env["AZURE_GUEST_AGENT_EXTENSION_VERSION"] == "2.0.0"
    assert (env["VERSION"], env["AZURE_GUEST_AGENT_UPDATING_FROM_VERSION"]) == ("1.0.0", "2.0.0")


@pytest.mark.parametrize("body, said", [
    ("update) exit 6 ;;", "update ended with exit code 6"),
    ("install) exit 6 ;;", "install ended with exit code 6"),
    ("enable) exit 6 ;;", "enable ended with exit code 6"),
    ('enable) status error 4 "it does not work" ;;', "it does not work"),
], ids=["update", "install", "enable", "status"])
def test_an_automatic_upgrade_that_fails_is_taken_back_to_the_last_good_version(lab, body, said):
    lab.publish()
    lab.put_and_settle(settings={"a": 1}, enableAutomaticUpgrade=True)
    lab.publish(lab.package(body, version="1.1.0"), version="1.1.0")
    lab.machine.restart_role("extensions")  # it asks at once instead of within a minute
    wait_for(lambda: "taken back" in lab.shown()["message"], 60, "the upgrade to be taken back")
    shown = lab.shown()
    assert (shown["state"], shown["provisioningState"], shown["version"]) == (
        "enabled", "Succeeded", "1.0.0")
    assert said in shown["message"] and "1.1.0" in shown["message"]
    assert lab.trace()[-1] == "enable 1.0.0 0"
    assert not lab.handler_folder("1.1.0").exists()
    lab.publish(lab.package(version="1.2.0"), version="1.2.0")
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.shown()["version"] == "1.2.0" and lab.shown()["state"] == "enabled", 60)
    wait_for(lambda: not lab.handler_folder().exists(), 20, "the old version to go")


# Several instances

def test_instances_of_a_multi_config_handler_share_it(lab):
    lab.publish(telling(lab, f'enable) status success 0 "$ConfigExtensionName"; '
                             'cp status/$seq.status status/$ConfigExtensionName.$seq.status ;;',
                        supportsMultipleExtensions=True))
    assert lab.put_and_settle("one", settings={"n": 1}) == ("Succeeded", "Extension Message: one")
    assert lab.put_and_settle("two-b", settings={"n": 2}) == ("Succeeded", "Extension Message: two_b")
    assert lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0", "enable 1.0.0 0"]
    assert told(lab, "enable")["ConfigExtensionName"] == "two_b"
    config = lab.handler_folder() / "config"
    assert json.loads((config / "two_b.0.settings").read_text())["runtimeSettings"][0][
        "handlerSettings"] == {"publicSettings": {"n": 2}, "protectedSettings": None,
                               "protectedSettingsCertThumbprint": None}
    assert lab.put_and_settle("one", settings={"n": 3})[0] == "Succeeded"
    assert {p.name for p in config.glob("*.settings")} == {
        "one.0.settings", "one.1.settings", "two_b.0.settings"}
    lab.delete("one")
    assert {p.name for p in config.glob("*.settings")} == {"two_b.0.settings"}
    assert lab.trace()[3:] == ["enable 1.0.0 1", "disable 1.0.0 1"]
    lab.delete("two-b")
    assert lab.trace()[-2:] == ["disable 1.0.0 0", "uninstall 1.0.0 0"]
    assert not lab.handler_folder().exists()


def test_an_update_of_a_multi_config_handler_is_one_for_all(lab):
    body = ('enable) status success 0 "$version"; mv status/$seq.status '
            'status/$ConfigExtensionName.$seq.status ;;\ndisable) [ $ConfigExtensionName = one ] || exit 3 ;;')
    lab.publish(telling(lab, body, supportsMultipleExtensions="true"))
    for name in ("one", "two"):
        assert lab.put_and_settle(name, settings={"n": name})[0] == "Succeeded"
    lab.publish(telling(lab, body, version="1.1.0", supportsMultipleExtensions="true",
                        continueOnUpdateFailure=True), version="1.1.0")
    lab.put("one", settings={"n": "one"}, version="1.1")
    assert lab.settled("one") == ("Succeeded", "Extension Message: 1.1.0")
    wait_for(lambda: lab.shown("two")["version"] == "1.1.0" and lab.shown("two")["state"] == "enabled",
             30, "the other to follow")
    assert lab.trace().count("update 1.1.0 0") == lab.trace().count("install 1.1.0 0") == 1
    assert lab.trace().count("disable 1.0.0 0") == lab.trace().count("enable 1.1.0 0") == 2
    codes = json.loads(told(lab, "update", "1.1.0")[
        "AZURE_GUEST_AGENT_DISABLE_CMD_EXIT_CODES_MULTIPLE_EXTENSIONS"])
    assert sorted((c["extensionName"], c["exitCode"]) for c in codes) == [("one", "0"), ("two", "3")]


def test_a_handler_of_one_extension_takes_no_second(lab):
    lab.publish()
    assert lab.put_and_settle("one")[0] == "Succeeded"
    answer = lab.controlplane.arm("PUT", lab.path("two"), {
        "location": lab.controlplane.info["location"],
        "properties": {"publisher": PUBLISHER, "type": lab.type, "typeHandlerVersion": "1.0"}})
    assert answer.status == 409, answer


# Failures

@pytest.mark.parametrize("verb, code", [("install", 1007), ("enable", 1009)])
def test_failures_carry_the_codes_of_the_contract(lab, verb, code):
    lab.publish(lab.package(rf"{verb}) printf 'a\377b'; (sleep 20 &); exit 3 ;;"))
    state, message = lab.put_and_settle(settings={"a": 1})
    assert state == "Failed" and f"{verb} ended with exit code 3" in message
    assert "[stdout]\na\ufffdb" in message, "output that is no text, before a child holds the pipe"
    state = json.loads(lab.machine.path("/var/lib/GuestConfig/manager/state.json").read_text())
    assert [i["code"] for i in state["items"] if i["name"] == "ext"] == [code]


def test_a_command_over_its_limit_is_ended_with_all_it_started(lab):
    lab.local_config(extensions__commandTimeouts=["install=1", "disable=1"])
    child = lab.folder / "child"
    lab.publish(lab.package(f"install) sleep 600 & echo $! > {child}; wait ;;"))
    state, message = lab.put_and_settle(settings={"a": 1})
    assert state == "Failed" and "install took longer than 1 seconds and was ended" in message
    assert lab.shown()["errorCode"] == "HandlerTimeout"
    pid = int(child.read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in
             open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1], 20)


def test_a_timeout_of_the_old_version_is_told_as_1011(lab):
    lab.local_config(extensions__commandTimeouts=["disable=1"])
    lab.publish(lab.package("disable) sleep 600 ;;\n" + ENABLED))
    lab.put_and_settle(settings={"a": 1})
    lab.publish(telling(lab, version="1.1.0", continueOnUpdateFailure=True), version="1.1.0")
    assert lab.put_and_settle(settings={"a": 1}, version="1.1")[0] == "Succeeded"
    assert told(lab, "update", "1.1.0")["AZURE_GUEST_AGENT_DISABLE_CMD_EXIT_CODE"] == "1011"


def test_a_disable_that_fails_stops_the_removal_until_it_is_asked_for_again(lab):
    gate = lab.folder / "gate"
    lab.publish(lab.package(f"disable) [ -e {gate} ] || exit 5 ;;\n" + ENABLED))
    lab.put_and_settle()
    assert lab.controlplane.arm("DELETE", lab.path("ext")).status == 202
    wait_for(lambda: lab.get().json["properties"]["provisioningState"] == "Failed", 60)
    assert "uninstall 1.0.0 0" not in lab.trace() and lab.handler_folder().is_dir()
    gate.touch()
    lab.delete()
    assert lab.trace()[-1] == "uninstall 1.0.0 0"


def test_an_uninstall_that_fails_stops_nothing(lab):
    lab.publish(lab.package("uninstall) exit 5 ;;\n" + ENABLED))
    lab.put_and_settle()
    lab.delete()
    assert not lab.handler_folder().exists()


def test_continuing_after_failures_does_not_cover_the_new_versions(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.publish(lab.package("enable) exit 8 ;;", version="1.1.0", continueOnUpdateFailure=True),
                version="1.1.0")
    state, message = lab.put_and_settle(settings={"a": 1}, version="1.1")
    assert state == "Failed" and "enable ended with exit code 8" in message


def test_a_failure_says_that_the_machine_waits_for_a_restart(lab):
    mark = lab.machine.path("/run/reboot-required")
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    try:
        lab.publish(lab.package("install) exit 3 ;;"))
        assert "this machine waits for a restart" in lab.put_and_settle()[1]
    finally:
        mark.unlink()


# Side by side and one after another

def test_handlers_do_not_wait_for_one_another(lab):
    gate = lab.folder / "gate"
    slow = f"{lab.type}S"
    lab.publish(lab.package(f'install) while [ ! -e {gate} ]; do sleep 0.05; done ;;\n' + ENABLED),
                type_name=slow)
    lab.publish()
    lab.put("slow", type_name=slow)
    wait_for(lambda: (lab.shown("slow") or {}).get("state") == "installing", 30)
    assert lab.put_and_settle("quick")[0] == "Succeeded"
    assert lab.shown("slow")["state"] == "installing"
    gate.touch()
    assert lab.settled("slow")[0] == "Succeeded"


def test_extensions_come_after_what_they_name_and_go_before_it(lab):
    gate = lab.folder / "gate"
    base = f"{lab.type}B"
    lab.publish(lab.package(f'enable) echo base >> {lab.folder}/order; while [ ! -e {gate} ]; do sleep 0.05;'
                            ' done; status success 0 ok ;;\n'
                            f'uninstall) echo base gone >> {lab.folder}/order ;;'), type_name=base)
    lab.publish(lab.package(f'enable) echo top >> {lab.folder}/order; status success 0 ok ;;\n'
                            f'uninstall) sleep 0.5; echo top gone >> {lab.folder}/order ;;'))
    lab.put("base", settings={"a": 1}, type_name=base)
    lab.put("top", settings={"a": 1}, provisionAfterExtensions=["base"])
    assert lab.get("top").json["properties"]["provisionAfterExtensions"] == ["base"]
    wait_for(lambda: (lab.folder / "order").exists(), 30)
    gate.touch()
    assert lab.settled("top")[0] == "Succeeded"
    lab.machine.kill_role("extensions")
    for name in ("base", "top"):
        assert lab.controlplane.arm("DELETE", lab.path(name)).status == 202
    lab.machine.start_role("extensions")
    wait_for(lambda: lab.get("base").status == 404, 60)
    order = (lab.folder / "order").read_text().split("\n")[:-1]
    assert (order[:2], order[-2:]) == (["base", "top"], ["top gone", "base gone"])


def test_what_depends_on_a_failure_is_not_run_and_says_on_what(lab):
    base = f"{lab.type}B"
    lab.publish(lab.package("enable) exit 3 ;;"), type_name=base)
    lab.publish()
    lab.put("top", settings={"a": 1}, provisionAfterExtensions=["base"])
    lab.put("base", settings={"a": 1}, type_name=base)
    state, message = lab.settled("top")
    assert state == "Failed" and "it depends on base, which failed" in message
    assert "install 1.0.0 0" not in lab.trace()[2:]


# Residents, the disk, memory

def test_a_heartbeat_is_told_beside_the_status(lab):
    beat = ('[{"version":1.0,"heartbeat":{"status":"%s","code":"0","formattedMessage":'
            '{"lang":"en","message":"%s"}}}]')
    lab.publish(lab.package('enable) status success 0 "up" ;;', reportHeartbeat="true"))
    assert lab.put_and_settle(settings={"a": 1})[0] == "Succeeded"
    wait_for(lambda: "Heartbeat: NotReady" in lab.shown()["message"], 20, "the missing file to be told")
    path = lab.handler_folder() / "heartbeat.log"
    path.write_text(beat % ("ready", "all is well"))
    lab.local_config(extensions__enabled=True)  # anything makes it look again
    wait_for(lambda: "Heartbeat: Ready: all is well" in lab.shown()["message"], 20)
    old = time.time() - 700
    os.utime(path, (old, old))
    lab.local_config()
    wait_for(lambda: "Heartbeat: Unresponsive" in lab.shown()["message"], 20)
    assert lab.shown()["provisioningState"] == "Succeeded"


def test_no_settings_are_an_empty_file(lab):
    lab.publish()
    assert lab.put_and_settle() == ("Succeeded", "Extension Message: enabled 1.0.0 with 0 bytes")
    assert (lab.handler_folder() / "config/0.settings").read_bytes() == b""


def test_folders_a_handler_lost_or_changed_are_taken_as_they_are(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    logs = lab.machine.path(f"/var/log/azure/{PUBLISHER}.{lab.type}")
    logs.chmod(0o700)
    (logs / "events/1.json").write_text("[]")
    (logs / "events/kept.txt").write_text("")
    shutil.rmtree(lab.handler_folder() / "config")
    assert lab.put_and_settle(settings={"a": 2})[0] == "Succeeded"
    assert logs.stat().st_mode & 0o777 == 0o700
    lab.machine.restart_role("extensions")
    wait_for(lambda: [p.name for p in (logs / "events").iterdir()] == ["kept.txt"], 20)


def test_a_folder_that_vanished_is_fetched_again_or_forgotten(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    (lab.handler_folder() / "HandlerManifest.json").unlink()
    assert lab.put_and_settle(settings={"a": 2})[0] == "Succeeded"
    assert lab.trace()[-2:] == ["install 1.0.0 1", "enable 1.0.0 1"]
    lab.machine.kill_role("extensions")
    shutil.rmtree(lab.handler_folder())
    lab.machine.start_role("extensions")
    lab.delete()


def test_a_damaged_memory_is_rebuilt_from_the_disk(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.put_and_settle(settings={"a": 2})
    lab.machine.kill_role("extensions")
    state = lab.machine.path("/var/lib/GuestConfig/manager/state.json")
    state.write_bytes(state.read_bytes()[:100])
    orphan = lab.handler_folder("0.9.0")
    orphan.mkdir()
    half = lab.machine.path("/var/lib/GuestConfig/downloads/0123.zip")
    half.write_bytes(b"half a package")
    lab.machine.start_role("extensions")
    wait_for(lambda: lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0", "enable 1.0.0 1",
                                     "enable 1.0.0 1"], 30)
    wait_for(lambda: lab.shown()["state"] == "enabled", 20)
    assert "state.damaged" in lab.machine.roles["extensions"].log_text()
    assert state.with_name("state.json.damaged").exists() and not orphan.exists() and not half.exists()
    assert lab.put_and_settle(settings={"a": 3})[0] == "Succeeded"
    assert lab.trace()[-1] == "enable 1.0.0 2"


def test_what_an_earlier_memory_called_otherwise_is_adopted(lab):
    lab.publish()
    lab.put_and_settle("before", settings={"a": 1})
    lab.machine.kill_role("extensions")
    manager = lab.machine.path("/var/lib/GuestConfig/manager")
    state = json.loads((manager / "state.json").read_text())
    for item in state["items"]:
        item["name"] = "elsewhere"
    (manager / "state.json").write_text(json.dumps(state))
    lab.machine.start_role("extensions")
    wait_for(lambda: (lab.shown("before") or {}).get("state") == "enabled", 30)
    assert lab.trace().count("install 1.0.0 0") == 1
