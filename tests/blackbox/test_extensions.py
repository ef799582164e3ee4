# SPDX-License-Identifier: Apache-2.0
"""Extensions from their PUT to the handler and back, with good and bad handlers."""
import base64
import gzip
import hmac
import http.server
import os
import signal
import threading
import urllib.parse

import pytest
from harness.extensions import ENABLED, PUBLISHER, manifest, zipped
from harness.process import wait_for

HELLO = {"publisher": "Mooring.Samples", "type_name": "Hello"}
SCRIPT = {"publisher": "Microsoft.Azure.Extensions", "type_name": "CustomScript", "version": "2.1"}


@pytest.fixture
def script(lab):
    """A lab where CustomScript is published; call it with settings for state and message."""
    lab.publish_built("Microsoft.Azure.Extensions.CustomScript", "2.1.100")

    def run(settings=None, protected=None, name="cs"):
        return lab.put_and_settle(name, settings=settings, protected=protected, **SCRIPT)
    run.lab = lab
    return run


@pytest.fixture
def files(workspace):
    """A web server for scripts: (base URL, folder)."""
    folder = workspace.path / "www"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


# The whole way

def test_the_sample_greets_with_public_and_protected_settings(lab):
    lab.publish_built("Mooring.Samples.Hello", "1.0.0")
    state, message = lab.put_and_settle("hello", settings={"greeting": "hi"},
                                        protected={"secret": "canary"}, **HELLO)
    assert (state, message.split(" from ")[0]) == ("Succeeded", "Extension Message: hi")
    assert message.endswith("and a secret of 6 characters")
    shown = lab.shown("hello")
    assert (shown["state"], shown["provisioningState"]) == ("enabled", "Succeeded")
    everything = b"".join(p.read_bytes() for p in lab.machine.root.rglob("*") if p.is_file())
    assert b"canary" not in everything, "the secret stands on the disk"


def test_deleting_disables_uninstalls_and_leaves_nothing(lab):
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    folder = lab.handler_folder()
    assert folder.is_dir()
    lab.delete()
    assert lab.trace() == [f"{v} 1.0.0 0" for v in ("install", "enable", "disable", "uninstall")]
    assert not folder.exists()
    assert lab.machine.path(f"/var/log/azure/{PUBLISHER}.{lab.type}/events").is_dir()
    wait_for(lambda: lab.shown() is None, 10, "show to forget it")


def test_a_version_published_beside_the_server_wakes_its_machines(lab):
    lab.publish()
    assert lab.put_and_settle(enableAutomaticUpgrade=True)[0] == "Succeeded"
    lab.publish(version="1.1.0")  # the machine's wait is minutes long
    wait_for(lambda: lab.trace()[-1] == "enable 1.1.0 0", 60, "the new version to be enabled")


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not-begun"])
def test_what_was_put_without_a_version_is_deleted_while_it_installs(lab, begun):
    gate, before = lab.folder / "gate", len(lab.machine.roles["extensions"].log_text())
    lab.publish(lab.package(f"install) while [ ! -e {gate} ]; do sleep 0.05; done ;; {ENABLED}"))
    lab.put(version=None)
    if begun:
        wait_for(lambda: lab.trace() == ["install 1.0.0 0"], 30, "install to begin")
    answer = lab.controlplane.arm("DELETE", lab.path("ext"))
    assert answer.status in (202, 204), answer
    gate.touch()
    wait_for(lambda: lab.get().status == 404, 30, "it to be gone")
    assert "ItemInvalid" not in lab.machine.roles["extensions"].log_text()[before:]
    assert not lab.handler_folder().exists()


def test_what_was_deleted_can_be_put_again(lab):
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    lab.delete()
    assert lab.put_and_settle()[0] == "Succeeded"
    assert lab.trace()[-2:] == ["install 1.0.0 0", "enable 1.0.0 0"]


def test_new_settings_are_enabled_under_the_next_number(lab):
    lab.publish()
    assert lab.put_and_settle(settings={"a": 1})[0] == "Succeeded"
    assert lab.put_and_settle(settings={"a": "longer"})[0] == "Succeeded"
    assert lab.put_and_settle(settings={"a": "longer"}, forceUpdateTag="again")[0] == "Succeeded"
    assert lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0", "enable 1.0.0 1", "enable 1.0.0 2"]
    assert sorted(p.name for p in (lab.handler_folder() / "config").iterdir()) == [
        "0.settings", "1.settings", "2.settings"]


def test_the_same_settings_are_not_enabled_twice(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1}, protected={"b": 2})
    lab.put_and_settle(settings={"a": 1}, protected={"b": 2})
    assert lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0"]


@pytest.mark.parametrize("end", ["true", "exit 1"], ids=["succeeds", "fails"])
def test_settings_that_come_while_the_old_are_enabled_again_are_enabled_after_it(lab, end):
    hold, gate = lab.folder / "hold", lab.folder / "gate"
    lab.publish(lab.package(f'enable) if [ $seq = 0 ] && [ -e {hold} ]; then'
                            f' while [ ! -e {gate} ]; do sleep 0.05; done; {end}; fi;'
                            ' status success 0 "number $seq" ;;'))
    assert lab.put_and_settle(settings={"a": 1}) == ("Succeeded", "Extension Message: number 0")
    hold.touch()
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.trace().count("enable 1.0.0 0") == 2, 20, "enable after the restart")
    lab.put(settings={"a": 2})
    desired = lab.machine.path("/var/lib/GuestConfig/manager/desired.json")
    wait_for(lambda: '"a":2' in desired.read_text().replace(" ", ""), 20, "the new settings to come")
    gate.touch()
    assert lab.settled() == ("Succeeded", "Extension Message: number 1")
    assert lab.trace()[-2:] == ["enable 1.0.0 0", "enable 1.0.0 1"]


def test_a_new_version_is_updated_to_in_the_order_of_the_contract(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    (lab.handler_folder() / "mrseq").write_text("7")
    lab.publish(lab.package(version="1.1.0"), version="1.1.0")
    state, message = lab.put_and_settle(settings={"a": 1}, version="1.1")
    assert (state, message.split(" with ")[0]) == ("Succeeded", "Extension Message: enabled 1.1.0")
    assert lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0", "disable 1.0.0 0", "update 1.1.0 0",
                           "uninstall 1.0.0 0", "install 1.1.0 0", "enable 1.1.0 0"]
    assert not lab.handler_folder().exists()
    assert (lab.handler_folder("1.1.0") / "mrseq").read_text() == "7"


def test_an_update_without_install_skips_it(lab):
    lab.publish()
    lab.put_and_settle()
    lab.publish(lab.package(version="1.1.0", updateMode="UpdateWithoutInstall"), version="1.1.0")
    assert lab.put_and_settle(version="1.1")[0] == "Succeeded"
    assert lab.trace()[-3:] == ["update 1.1.0 0", "uninstall 1.0.0 0", "enable 1.1.0 0"]


def test_statuses_of_the_new_version_are_noticed(lab):
    lab.publish()
    lab.put_and_settle(settings={})
    body = ('enable) status transitioning 0 "on it"; (while [ ! -e go ]; do sleep 0.05; done;'
            ' status success 0 "later") & ;;')
    lab.publish(lab.package(body, version="1.1.0"), version="1.1.0")
    lab.put(settings={}, version="1.1")
    wait_for(lambda: lab.trace()[-1] == "enable 1.1.0 0", 20)
    (lab.handler_folder("1.1.0") / "go").touch()
    assert lab.settled(timeout=20) == ("Succeeded", "Extension Message: later")


def test_a_version_whose_update_fails_is_left_behind_by_the_next(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.publish(lab.package('update) echo no room >&2; exit 4 ;;', version="1.1.0"), version="1.1.0")
    state, message = lab.put_and_settle(settings={"a": 1}, version="1.1")
    assert state == "Failed" and "update ended with exit code 4" in message and "no room" in message
    lab.publish(lab.package(version="1.2.0"), version="1.2.0")
    assert lab.put_and_settle(settings={"a": 1}, version="1.2")[0] == "Succeeded"
    assert lab.trace()[-4:] == ["update 1.2.0 0", "uninstall 1.0.0 0", "install 1.2.0 0",
                                "enable 1.2.0 0"]
    assert not lab.handler_folder("1.1.0").exists() and not lab.handler_folder().exists()


def test_handlers_are_enabled_again_after_a_restart_of_the_role(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.trace()[2:] == ["enable 1.0.0 0"], 20, "enable after the restart")


# CustomScript

def test_customscript_runs_a_command_and_keeps_its_output(script):
    state, message = script({}, {"commandToExecute": "echo out-$(id -u); echo err >&2"})
    assert state == "Succeeded"
    assert message == "Extension Message: Enable succeeded: \n[stdout]\nout-0\n\n[stderr]\nerr\n"


def test_customscript_tells_the_exit_code_of_a_command_that_fails(script):
    state, message = script({"commandToExecute": "echo half; exit 3"})
    assert state == "Failed"
    assert "the command ended with exit code 3\n[stdout]\nhalf" in message
    assert script.lab.shown("cs")["errorCode"] == "HandlerCommandFailed"


@pytest.mark.parametrize("pack", [base64.b64encode, lambda b: base64.b64encode(gzip.compress(b))],
                         ids=["plain", "gzip"])
def test_customscript_runs_a_script_from_its_settings(script, pack):
    text = b"#!/bin/bash\r\nset -o pipefail\r\necho from ${BASH##*/}\r\n"
    state, message = script({"script": pack(text).decode()})
    assert state == "Succeeded" and "[stdout]\nfrom bash\n" in message


def test_customscript_downloads_files_and_mends_their_line_ends(script, files):
    url, folder = files
    (folder / "two words.sh").write_bytes(b"#!/bin/sh\r\n. ./data.txt\r\necho $word\r\n")
    (folder / "data.txt").write_bytes(b"word=fetched\n")
    state, message = script({"fileUris": [f"{url}/data.txt?sig=secret"]},
                            {"fileUris": [f"{url}/two%20words.sh"],
                             "commandToExecute": "sh './two words.sh'"})
    assert state == "Succeeded" and "[stdout]\nfetched\n" in message


def test_customscript_names_the_file_it_cannot_get(script, files):
    state, message = script({"fileUris": [f"{files[0]}/absent.sh?sig=canary"],
                             "commandToExecute": "true"})
    assert state == "Failed" and "404" in message and "canary" not in message


@pytest.mark.parametrize("settings, said", [
    ({}, "commandToExecute or script: one is required"),
    ({"commandToExecute": "a", "script": "Yg=="}, "give only one"),
    ({"script": "not base64"}, "script"),
    ({"commandToExecute": 3}, "commandToExecute"),
], ids=["none", "both", "base64", "number"])
def test_customscript_says_what_is_wrong_with_its_settings(script, settings, said):
    state, message = script(settings)
    assert state == "Failed" and said in message


def test_customscript_runs_each_request_once(script, workspace):
    ran = workspace.path / "ran"
    script({"commandToExecute": f"echo one >> {ran}"})
    script({"commandToExecute": f"echo one >> {ran}"})
    script({"commandToExecute": f"echo two >> {ran}"})
    script.lab.machine.restart_role("extensions")
    script({"commandToExecute": f"echo three >> {ran}"})
    assert ran.read_text().split() == ["one", "two", "three"]


def test_customscript_keeps_files_where_it_is_documented(script, files):
    (files[1] / "data.txt").write_bytes(b"x")
    script({"fileUris": [f"{files[0]}/data.txt"], "commandToExecute": "echo said", "timestamp": 1})
    folder = script.lab.machine.path("/var/lib/waagent/custom-script/download/0")
    assert (folder / "stdout").read_text() == "said\n" and (folder / "data.txt").exists()
    script({"fileUris": [f"{files[0]}/data.txt"], "commandToExecute": "echo said", "timestamp": 2})
    assert (folder.parent / "1/stdout").exists(), "another time stamp is another request"


def test_customscript_signs_for_a_blob_with_the_accounts_key_through_the_proxy(script, workspace):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"#!/bin/sh\necho from the blob\n")

        def log_message(self, format, *args):
            pass
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
    key = base64.b64encode(b"the account's own key").decode()
    script.lab.local_config(proxy__url=f"http://127.0.0.1:{proxy.server_address[1]}",
                            proxy__bypass=["localhost", "127.0.0.1"])
    try:
        state, message = script({"commandToExecute": "./two.sh"}, {
            "fileUris": ["http://acct.blob.core.windows.net/scripts/one%20and/two.sh"],
            "storageAccountName": "acct", "storageAccountKey": key})
    finally:
        proxy.shutdown()
        proxy.server_close()
    assert state == "Succeeded" and "[stdout]\nfrom the blob\n" in message, message
    url = urllib.parse.urlsplit(asked[0][0])
    query = dict(urllib.parse.parse_qsl(url.query))
    assert (url.netloc, url.path) == ("acct.blob.core.windows.net", "/scripts/one%20and/two.sh")
    to_sign = "\n".join(["r", "", query["se"], "/blob/acct/scripts/one and/two.sh", "", "", "",
                         "2015-04-05", "", "", "", "", ""])
    mac = hmac.new(base64.b64decode(key), to_sign.encode(), "sha256").digest()
    assert query["sig"] == base64.b64encode(mac).decode()
    assert (query["sp"], query["sr"], query["sv"]) == ("r", "b", "2015-04-05")
    everything = "".join(p.read_text(errors="replace") for p in workspace.path.rglob("*") if p.is_file())
    assert query["sig"] not in everything and key not in everything


def test_customscript_gets_a_token_of_this_machine_for_blobs_alone(script, files):
    (files[1] / "plain.sh").write_bytes(b"#!/bin/sh\necho plain\n")
    tokens = script.lab.machine.path("/var/opt/azcmagent/log/tokens.log")
    before = tokens.read_text() if tokens.exists() else ""
    state, message = script({"commandToExecute": "./plain.sh"}, {
        "fileUris": [f"{files[0]}/plain.sh"], "managedIdentity": {}})
    assert state == "Succeeded" and "[stdout]\nplain\n" in message, message
    assert "https://storage.azure.com" in tokens.read_text()[len(before):]
    state, message = script({"commandToExecute": "true"}, {"managedIdentity": {"clientId": "x"}})
    assert state == "Failed" and "managedIdentity: want {}" in message


# Handlers that misbehave

def test_a_handler_that_fails_is_told_with_its_output(lab):
    lab.publish(lab.package("install) echo words; echo more words >&2; exit 52 ;;"))
    state, message = lab.put_and_settle()
    assert state == "Failed"
    assert message == ("install ended with exit code 52 (by convention: something it needs is missing)\n"
                       "[stdout]\nwords\n\n\n[stderr]\nmore words\n")
    shown = lab.shown()
    assert (shown["state"], shown["errorCode"]) == ("failed", "HandlerCommandFailed")
    assert "HandlerCommandFailed: install ended with exit code 52" in lab.machine.mooring("show").stdout


def test_new_settings_give_a_failed_extension_another_try(lab):
    lab.publish(lab.package('enable) grep -q good config/$seq.settings || exit 1; status success 0 ok ;;'))
    assert lab.put_and_settle(settings={"a": "bad"})[0] == "Failed"
    assert lab.put_and_settle(settings={"a": "good"}) == ("Succeeded", "Extension Message: ok")


def test_success_by_exit_code_does_not_outvote_an_error_status(lab):
    lab.publish(lab.package('enable) status error 7 "the disk is full" ;;'))
    assert lab.put_and_settle(settings={}) == (
        "Failed", "Extension Message: the disk is full")
    assert lab.shown()["errorCode"] == "HandlerCommandFailed"


def test_a_handler_that_is_killed_is_given_its_command_again(lab):
    lab.publish(lab.package('install) [ -e ../once ] || { touch ../once; kill -9 $$; } ;;\n' + ENABLED))
    assert lab.put_and_settle()[0] == "Succeeded"
    assert lab.trace() == ["install 1.0.0 0", "install 1.0.0 0", "enable 1.0.0 0"]


def test_a_handler_that_is_always_killed_fails_with_the_signal(lab):
    lab.publish(lab.package("install) kill -9 $$ ;;"))
    state, message = lab.put_and_settle()
    assert state == "Failed" and "install was ended by signal 9" in message
    assert lab.trace() == ["install 1.0.0 0"] * 3


def test_a_handler_killed_together_with_the_manager_is_taken_up_again(lab):
    pid = lab.folder / "pid"
    lab.publish(lab.package(f'install) [ -e {pid} ] || {{ echo $$ > {pid}.new; mv {pid}.new {pid};'
                            ' sleep 60; exit 1; } ;;\n' + ENABLED))
    lab.put(settings={})
    wait_for(pid.exists, 20)
    lab.machine.kill_role("extensions")
    os.killpg(os.getpgid(int(pid.read_text())), signal.SIGKILL)
    lab.machine.start_role("extensions")
    assert lab.settled()[0] == "Succeeded"


def test_a_command_outlives_the_manager_and_is_waited_for(lab):
    gate = lab.folder / "gate"
    lab.publish(lab.package(f'install) while [ ! -e {gate} ]; do sleep 0.05; done ;;\n' + ENABLED))
    lab.put(settings={})
    wait_for(lambda: lab.trace() == ["install 1.0.0 0"], 20)
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.shown()["state"] == "installing", 10)
    gate.touch()
    assert lab.settled()[0] == "Succeeded"
    # How the first ended nobody saw; it is given again, as the contract has it.
    assert lab.trace() == ["install 1.0.0 0", "install 1.0.0 0", "enable 1.0.0 0"]


def test_a_background_child_that_holds_the_output_delays_nothing(lab):
    lab.publish(lab.package('enable) sleep 30 & echo $! > child; status success 0 "in the background" ;;'))
    assert lab.put_and_settle(settings={}) == ("Succeeded", "Extension Message: in the background")
    child = int((lab.handler_folder() / "child").read_text())
    os.kill(child, signal.SIGKILL)  # and it was left running


def test_a_handler_may_open_its_output_by_name(lab):
    lab.publish(lab.package('install) echo loud > /dev/stdout; echo louder > /dev/stderr; exit 1 ;;'))
    message = lab.put_and_settle()[1]
    assert "[stdout]\nloud\n" in message and "[stderr]\nlouder\n" in message


def test_a_status_cut_in_half_is_believed_when_it_is_whole(lab):
    body = ("""enable) printf '[{"version":1,"status":{"operation":"Enable","sta' > status/$seq.status;"""
            """ (while [ ! -e go ]; do sleep 0.05; done;"""
            """ printf 'tus":"success","code":"0"}}]' >> status/$seq.status) & ;;""")
    lab.publish(lab.package(body))
    lab.put(settings={})
    wait_for(lambda: (lab.handler_folder() / "status/0.status").exists(), 20)
    (lab.handler_folder() / "go").touch()
    assert lab.settled()[0] == "Succeeded"


def test_a_status_that_stays_cut_is_malformed_until_it_is_mended(lab):
    lab.publish(lab.package("""enable) printf '[{"version":1,"status":{"oper' > status/$seq.status ;;"""))
    state, message = lab.put_and_settle(settings={})
    assert state == "Failed" and "status file" in message
    shown = lab.shown()
    assert shown["errorCode"] == "HandlerStatusMalformed" and "status file" in shown["message"]
    (lab.handler_folder() / "status/0.status").write_text(
        '[{"status":{"operation":"Enable","status":"success","code":0,'
        '"formattedMessage":{"message":"mended"}}}]')
    wait_for(lambda: lab.shown()["provisioningState"] == "Succeeded", 20)
    wait_for(lambda: lab.settled() == ("Succeeded", "Extension Message: mended"), 20)


def test_without_a_status_an_extension_with_settings_is_waited_for(lab):
    lab.publish(lab.package("enable) ;;"))
    lab.put(settings={"a": 1})
    wait_for(lambda: (lab.shown() or {}).get("message") == "the handler has not reported yet", 20)
    assert lab.get().json["properties"]["provisioningState"] in ("Creating", "Updating")


def test_without_settings_and_status_an_extension_is_there_when_enabled(lab):
    lab.publish(lab.package("enable) ;;"))
    assert lab.put_and_settle() == ("Succeeded", "Plugin enabled")


@pytest.mark.parametrize("archive, said", [
    ([("HandlerManifest.json", manifest(enableCommand=None))], "enableCommand"),
    ([("readme", "no manifest")], "manifest"),
], ids=["no-command", "no-manifest"])
def test_a_package_that_cannot_work_is_not_published(lab, archive, said):
    done = lab.publish(zipped(archive), check=False)
    if done.returncode == 0:
        state, message = lab.put_and_settle()
        assert state == "Failed" and said in message
    else:
        assert said.lower() in done.stderr.lower()


# Local policy

@pytest.mark.parametrize("settings, rule", [
    ({"extensions__enabled": False}, "extensions.enabled"),
    ({"extensions__blocklist": ["{0}"]}, "extensions.blocklist"),
    ({"extensions__allowlist": ["Some/Other"]}, "extensions.allowlist"),
    ({"extensions__allowlist": ["{0}"], "extensions__blocklist": ["{0}"]}, "extensions.blocklist"),
    ({"config__mode": "monitor"}, "config.mode"),
], ids=["disabled", "blocked", "not-allowed", "block-wins", "monitor"])
def test_local_policy_refuses_and_is_taken_back(lab, settings, rule):
    lab.publish()
    name = f"{PUBLISHER.lower()}/{lab.type}"  # case is ignored
    lab.local_config(**{k: [name if e == "{0}" else e for e in v] if isinstance(v, list) else v
                        for k, v in settings.items()})
    state, message = lab.put_and_settle(settings={})
    assert state == "Failed" and rule in message and lab.type in message
    assert lab.shown()["errorCode"] == "PolicyDenied" and rule in lab.shown()["message"]
    assert lab.trace() == []
    lab.local_config()
    wait_for(lambda: lab.trace() == ["install 1.0.0 0", "enable 1.0.0 0"], 20)
    wait_for(lambda: lab.settled()[0] == "Succeeded", 20)


def test_local_settings_that_cannot_be_read_allow_nothing(lab):
    lab.publish()
    lab.local_config(extensions__blocklist=[f"{PUBLISHER}/{lab.type}"])
    assert lab.put_and_settle(settings={})[0] == "Failed"
    (lab.machine.state / "localconfig.json").write_text('{"schema":1,"extensions.blocklist":[')
    wait_for(lambda: "policy.unreadable" in lab.machine.roles["extensions"].log_text(), 20)
    lab.machine.restart_role("extensions")
    wait_for(lambda: lab.machine.roles["extensions"].log_text().count("policy.unreadable") > 1, 20)
    assert lab.trace() == []
    lab.local_config()
    wait_for(lambda: lab.settled()[0] == "Succeeded", 20)


def test_policy_leaves_what_is_installed_and_never_stops_deleting(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1})
    lab.local_config(extensions__blocklist=[f"{PUBLISHER}/{lab.type}"])
    assert lab.put_and_settle(settings={"a": 2})[0] == "Failed"
    assert lab.handler_folder().is_dir() and lab.trace()[-1] == "enable 1.0.0 0"
    lab.delete()
    assert lab.trace()[-2:] == ["disable 1.0.0 1", "uninstall 1.0.0 1"]


# The settings key

def test_settings_for_a_lost_key_are_named_and_a_new_put_helps(lab):
    lab.publish()
    lab.put_and_settle(protected={"a": "b"})
    lab.machine.kill_role("extensions")
    for path in lab.machine.path("/var/lib/waagent").glob("*.prv"):
        path.unlink()
    lab.machine.start_role("extensions")
    wait_for(lambda: lab.shown()["errorCode"] == "SettingsUndecryptable", 20)
    wait_for(lambda: "encrypted to a key this machine does not have" in lab.settled()[1], 20)
    assert lab.put_and_settle(protected={"a": "c"})[0] == "Succeeded"
    assert lab.shown()["errorCode"] == ""


def test_modes_of_files_keep_secrets_to_root(lab):
    lab.publish()
    lab.put_and_settle(settings={"a": 1}, protected={"a": "b"})
    folder = lab.handler_folder()
    for path in [folder, folder / "config", folder / "status", folder / "config/0.settings",
                 *lab.machine.path("/var/lib/waagent").glob("*.prv")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert lab.machine.path(f"/var/log/azure/{PUBLISHER}.{lab.type}").stat().st_mode & 0o777 == 0o755
    assert (folder / "bin/handler").stat().st_mode & 0o777 == 0o700


# What handlers use

def test_the_time_and_memory_of_a_handler_are_told_here_and_in_arm(lab):
    lab.publish(lab.package(ENABLED.replace("enable)", "enable) i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done;")))
    assert lab.put_and_settle()[0] == "Succeeded"
    shown = lab.shown()
    if shown["commandsRunIn"] == "rlimits":
        assert "usage" not in shown  # nobody counts
        return
    assert shown["commandsRunIn"] in ("cgroup1", "cgroup2")
    assert shown["usage"]["cpuMilliseconds"] > 0 and shown["usage"]["memoryBytes"] >= 0
    told = lab.get().json["properties"]["instanceView"]["usage"]
    assert 0 < told["cpuMilliseconds"] <= shown["usage"]["cpuMilliseconds"]
