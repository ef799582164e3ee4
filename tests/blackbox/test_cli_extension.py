# SPDX-License-Identifier: Apache-2.0
"""`mooring extension`: the machine's own administrator, whatever the service wants."""
import json
import subprocess

import pytest
from harness.cli import fails
from harness.extensions import ENABLED, PUBLISHER, Lab
from harness.process import program, wait_for


@pytest.fixture
def own(connected, controlplane, workspace, unique):
    """A machine of the test's own, to be disconnected."""
    return Lab(connected, controlplane, workspace.path, unique)


def listed(machine):
    return {row["name"]: row for row in
            json.loads(machine.mooring("extension", "list", "-j").stdout)}


def installed(lab):
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    assert listed(lab.machine)["ext"]["provisioningState"] == "Succeeded"


def test_an_extension_is_removed_without_the_service(own):
    installed(own)
    own.machine.mooring("disconnect", "-f")
    done = own.machine.mooring("extension", "remove", "-n", "EXT")
    assert done.stdout == "Extension ext is to be removed\n"
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")
    assert [line.split()[0] for line in own.trace()][-2:] == ["disable", "uninstall"]
    wait_for(lambda: not listed(own.machine), timeout=60, what="the list to be empty")
    assert not list(own.machine.path("/var/lib/GuestConfig/manager/removals").iterdir())


def test_what_the_service_still_wants_comes_back_unless_policy_forbids_it(own):
    installed(own)
    own.machine.mooring("extension", "remove", "--all")
    wait_for(lambda: [line.split()[0] for line in own.trace()][-2:] == ["install", "enable"] and
             len(own.trace()) >= 6, timeout=60, what="it to be installed again")
    own.machine.mooring("config", "set", "extensions.blocklist", f"{PUBLISHER}/{own.type}")
    own.machine.mooring("extension", "remove", "-n", f"{PUBLISHER}.{own.type}")
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")


def test_a_removal_is_remembered_until_the_role_runs(own):
    installed(own)
    own.machine.mooring("disconnect", "-f")
    own.machine.kill_role("extensions")
    own.machine.mooring("extension", "remove", "-n", "ext", "-j")
    assert own.handler_folder().exists()
    own.machine.start_role("extensions")
    wait_for(lambda: not own.handler_folder().exists(), timeout=60, what="the folder to go")


# show

def shown(lab, name="ext"):
    return json.loads(lab.machine.mooring("extension", "show", name, "-j").stdout)


def test_show_says_all_but_the_values_of_settings(lab):
    lab.publish(lab.package(ENABLED))
    lab.put_and_settle(settings={"greeting": "canary-public", "b": 2}, protected={"secret": "canary-hidden"})
    facts = shown(lab)
    assert (facts["name"], facts["version"], facts["provisioningState"]) == ("ext", "1.0.0", "Succeeded")
    assert (facts["sequenceNumber"], facts["enabledFor"]) == (0, 0)
    assert facts["settings"] == ["greeting", "b"] and facts["protectedSettings"] is True
    assert facts["status"]["status"] == "success" and facts["statusTime"].endswith("Z")
    assert facts["paths"]["folder"] == str(lab.handler_folder())
    assert facts["limits"]["tasks"] > 0 and facts["errorCode"] == facts["remedy"] == ""
    text = lab.machine.mooring("extension", "show", f"{PUBLISHER}.{lab.type}".upper()).stdout
    assert "Sequence Number             : 0\n" in text
    assert "Settings                    : greeting, b\n" in text
    assert "canary" not in text + json.dumps(facts)


def test_show_names_the_error_and_what_helps_while_disconnected(own):
    own.publish(own.package("install) exit 3 ;;"))
    own.put_and_settle(settings={"a": 1})
    own.machine.mooring("disconnect", "-f")
    own.machine.kill_role("extensions")
    facts = shown(own)
    assert (facts["errorCode"], facts["phase"], facts["code"]) == ("HandlerCommandFailed", "unpacked", 1007)
    assert "mooring extension repair" in facts["remedy"] and "exit code 3" in facts["message"]
    assert "Remedy" in own.machine.mooring("extension", "show", "EXT").stdout


# repair

def repaired(lab, *words):
    return json.loads(lab.machine.mooring("extension", "repair", *words, "-j").stdout)


@pytest.mark.parametrize("verb", ["install", "enable"])
def test_repair_does_again_what_failed(lab, verb):
    gate = lab.folder / "gate"
    lab.publish(lab.package(f"{verb}) [ -e {gate} ] || exit 5; status success 0 mended ;;\n" + ENABLED))
    lab.put_and_settle(settings={"a": 1})
    orphan = lab.machine.path("/var/lib/waagent/.unpack-0000beef")
    orphan.mkdir()
    first, = repaired(lab, "ext")
    assert first["name"] == "ext" and first["done"].startswith("it failed with HandlerCommandFailed; ")
    wait_for(lambda: lab.trace().count(f"{verb} 1.0.0 0") == 2 and
             shown(lab)["provisioningState"] == "Failed", 30, "the second failure")
    assert not orphan.exists()
    gate.touch()
    done = lab.machine.mooring("extension", "repair", "--all").stdout
    assert done.startswith("Extension ext: it failed with HandlerCommandFailed; ")
    wait_for(lambda: shown(lab)["provisioningState"] == "Succeeded", 30)
    assert lab.trace().count("enable 1.0.0 0") == (1 if verb == "install" else 3)
    assert lab.settled()[0] == "Succeeded", "the service hears of it"


def test_repair_fetches_a_damaged_folder_again_and_may_be_asked_twice(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    (lab.handler_folder() / "HandlerManifest.json").write_text("{")
    assert repaired(lab, "ext")[0]["done"] == "its package is downloaded, unpacked and installed again"
    wait_for(lambda: shown(lab)["provisioningState"] == "Succeeded", 30)
    for _ in range(2):
        assert repaired(lab, "ext")[0]["done"] == "enable is given again, with number 0"
    assert repaired(lab, "--all") == []
    assert lab.trace()[:3] == ["install 1.0.0 0", "enable 1.0.0 0", "install 1.0.0 0"]
    assert not list(lab.machine.path("/var/lib/GuestConfig/manager/repairs").iterdir())


def test_a_repair_is_remembered_until_the_role_runs(lab):
    gate = lab.folder / "gate"
    lab.publish(lab.package(f'enable) [ -e {gate} ] || exit 5; status success 0 "mended" ;;'))
    lab.put_and_settle(settings={"a": 1})
    lab.machine.kill_role("extensions")
    gate.touch()
    command = subprocess.Popen([program("mooring"), "extension", "repair", "ext"], env=lab.machine.env,
                               stdout=subprocess.PIPE, text=True)
    wait_for(lambda: list(lab.machine.path("/var/lib/GuestConfig/manager/repairs").iterdir()), 20)
    lab.machine.start_role("extensions")
    assert "enable is given again" in command.communicate(timeout=60)[0] and command.returncode == 0
    wait_for(lambda: shown(lab)["provisioningState"] == "Succeeded", 30)


def test_repair_of_what_nobody_wants_says_so(own):
    own.publish(own.package("enable) exit 5 ;;"))
    own.put_and_settle(settings={"a": 1})
    own.machine.mooring("disconnect", "-f")
    done = own.machine.mooring("extension", "repair", "ext").stdout
    assert "mooring extension remove removes it" in done
    assert own.trace().count("enable 1.0.0 0") == 1


# logs

def test_logs_has_the_end_of_every_file(lab):
    lab.publish(lab.package('enable) echo "said \033[31m$seq"; status success 0 ok ;;'))
    lab.put_and_settle(settings={"a": 1})
    folder = lab.machine.path(f"/var/log/azure/{PUBLISHER}.{lab.type}")
    (folder / "own.log").write_bytes(b"".join(b"line %d \xff\n" % n for n in range(200)))
    text = lab.machine.mooring("extension", "logs", "ext", "-n", "3").stdout
    assert f"==> {folder}/own.log <==\nline 197 \ufffd\nline 198 \ufffd\nline 199 \ufffd\n" in text
    assert "line 196" not in text and "\033" not in text
    files = {f["file"].rsplit("/", 1)[1]: f["text"] for f in json.loads(
        lab.machine.mooring("extension", "logs", "ext", "--all", "-j").stdout)}
    assert files["own.log"].startswith("line 0 ") and "said" in files["enable.stdout"]
    assert "enable, number 0" in files["CommandExecution.log"]


def test_logs_follows_what_is_written(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    folder = lab.machine.path(f"/var/log/azure/{PUBLISHER}.{lab.type}")
    out = lab.folder / "followed"
    with out.open("w") as f:
        command = subprocess.Popen([program("mooring"), "extension", "logs", "ext", "-f"],
                                   env=lab.machine.env, stdout=f)
    try:
        wait_for(lambda: "CommandExecution.log <==" in out.read_text(), 20)

        def comes():
            with (folder / "new.log").open("a") as log:
                log.write("fresh words\n")
            return "fresh words" in out.read_text()
        wait_for(comes, 20, "a new file")
        lab.put_and_settle(settings={"a": 2})
        wait_for(lambda: "enable, number 1" in out.read_text(), 20, "a known file's new lines")
    finally:
        command.terminate()
    assert command.wait(20) == 0


def test_mistakes_are_told(connected):
    fails(connected.mooring("extension", "show", "nope", check=False), 72)
    fails(connected.mooring("extension", "logs", "nope", check=False), 72)
    fails(connected.mooring("extension", "repair", "nope", check=False), 72)
    fails(connected.mooring("extension", "repair", check=False), 16)
    fails(connected.mooring("extension", "repair", "-a", "x", check=False), 23)
    assert connected.mooring("extension", "logs", "x", "-f", "-j", check=False).returncode == 23
    fails(connected.mooring("extension", "remove", check=False), 16)
    fails(connected.mooring("extension", "remove", "-a", "-n", "x", check=False), 23)
    fails(connected.mooring("extension", "remove", "-n", "nope", check=False), 72)
