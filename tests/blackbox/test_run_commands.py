# SPDX-License-Identifier: Apache-2.0
"""Run commands from their PUT to the script's end and back."""
import hashlib
import http.server
import os
import pathlib
import signal
import ssl
import threading

import pytest
from harness.process import wait_for

FINAL = ("Succeeded", "Failed", "TimedOut", "Canceled")


class Store:
    """What scripts come from and output goes to: a web server with the control plane's own
    certificate that keeps what is PUT, as append blobs are."""

    def __init__(self, controlplane):
        self.files, self.blobs, self.requests, self.refuse = {}, {}, [], set()
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                store.requests.append(("GET", self.path, dict(self.headers)))
                body = store.files.get(self.path)
                self.answer(404) if body is None else self.answer(200, body)

            def do_PUT(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                store.requests.append(("PUT", self.path, dict(self.headers)))
                name = self.path.split("?")[0]
                if name in store.refuse:
                    self.answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>")
                elif "comp=appendblock" in self.path:
                    store.blobs[name] += body
                    self.answer(201)
                else:
                    store.blobs[name] = b""
                    self.answer(201)

            def log_message(self, format, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*[controlplane.state / "tls" / f"server.{e}" for e in ("pem", "key")])
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"https://localhost:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Runs:
    """The run commands of one machine, as an administrator sees them."""

    def __init__(self, machine, controlplane, folder):
        self.machine, self.controlplane, self.folder = machine, controlplane, folder

    def path(self, name):
        return f"{self.machine.resource_id}/runCommands/{name}"

    def put(self, script=None, name="run", protected=None, status=202, method="PUT", **properties):
        if script is not None:
            properties["source"] = {"script": script}
        if protected is not None:
            properties["protectedParameters"] = protected
        answer = self.controlplane.arm(method, self.path(name), {
            "location": self.controlplane.info["location"], "properties": properties})
        assert answer.status == status, answer
        return answer

    def get(self, name="run"):
        return self.controlplane.arm("GET", self.path(name))

    def view(self, name="run"):
        return self.get(name).json["properties"]["instanceView"]

    def ended(self, name="run", timeout=60):
        """(provisioning state, instance view) once the script has ended."""
        def look():
            properties = self.get(name).json["properties"]
            return properties if properties["instanceView"]["executionState"] in FINAL else None
        properties = wait_for(look, timeout, f"{name} to end")
        return properties["provisioningState"], properties["instanceView"]

    def run(self, script=None, name="run", **options):
        self.put(script, name, **options)
        return self.ended(name)

    def running(self, name="run"):
        wait_for(lambda: self.view(name)["executionState"] == "Running", 30, f"{name} to run")

    def delete(self, name="run"):
        answer = self.controlplane.arm("DELETE", self.path(name))
        assert answer.status in (202, 204), answer
        wait_for(lambda: self.get(name).status == 404, 30, f"{name} to be gone")

    def clear(self):
        for item in self.controlplane.arm("GET", f"{self.machine.resource_id}/runCommands").json["value"]:
            self.delete(item["name"])

    @property
    def folders(self):
        return self.machine.path("/var/lib/mooring/runs")

    def folder_of_running(self):
        """The folder of the one script that runs, once its process is known to the machine."""
        def look():
            found = [p.parent for p in self.folders.glob("*/run.json")
                     if '"Running"' in p.read_text() and (p.parent / "child").exists()]
            return found[0] if found else None
        return wait_for(look, 30, "a script to run")


@pytest.fixture
def runs(extension_machine, controlplane, workspace):
    made = Runs(extension_machine, controlplane, workspace.path)
    yield made
    (made.machine.state / "localconfig.json").unlink(missing_ok=True)
    made.clear()


@pytest.fixture
def store(controlplane):
    made = Store(controlplane)
    yield made
    made.close()


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# What a script is given, and what comes back

def test_a_script_runs_and_its_output_and_exit_code_come_back(runs):
    answer = runs.put('echo "hello from $(whoami)"; echo oops >&2')
    state, view = runs.ended()
    assert (state, view["executionState"], view["exitCode"]) == ("Succeeded", "Succeeded", 0)
    assert (view["output"], view["error"]) == ("hello from root\n", "oops\n")
    assert view["startTime"] <= view["endTime"]
    assert runs.controlplane.finish(answer)["status"] == "Succeeded"
    assert runs.get().json["properties"]["source"]["script"].startswith("echo")


def test_a_script_that_fails_was_run_all_the_same(runs):
    state, view = runs.run("echo before; exit 7")
    assert (state, view["executionState"], view["exitCode"]) == ("Succeeded", "Failed", 7)
    assert view["executionMessage"] == "the script ended with exit code 7"
    assert view["output"] == "before\n"


def test_a_failure_is_the_deployments_when_that_is_asked_for(runs):
    answer = runs.put("exit 7", treatFailureAsDeploymentFailure=True)
    assert runs.ended()[0] == "Failed"
    operation = runs.controlplane.finish(answer)
    assert (operation["status"], operation["error"]["message"]) == (
        "Failed", "the script ended with exit code 7")


def test_parameters_are_variables_and_arguments_byte_for_byte(runs):
    odd = 'a "b" $HOME `id` \\ \'c\'\nnew line é'
    _, view = runs.run('printf "%s|" "$#" "$1" "$2" "$NAME" "$EMPTY"', parameters=[
        {"name": "", "value": odd}, {"name": "NAME", "value": odd}, {"value": "two"},
        {"name": "EMPTY", "value": ""}])
    assert view["output"] == f"2|{odd}|two|{odd}||"


def test_the_first_line_chooses_the_interpreter_and_may_end_in_cr_lf(runs):
    _, view = runs.run("#!/usr/bin/python3\r\nimport sys\r\nprint(sys.argv[0].rsplit('/', 1)[1])\r\n")
    assert view["output"] == "script\n"


def test_output_is_shown_while_the_script_runs_and_only_its_end(runs):
    gate = runs.folder / "gate"
    runs.put(f"yes 0123456789 | head -c 9000; echo first; while [ ! -e {gate} ]; do sleep 0.1; done;"
             " echo last")
    wait_for(lambda: runs.view().get("output", "").endswith("first\n"), 30, "output while it runs")
    assert runs.get().json["properties"]["provisioningState"] == "Creating"
    gate.touch()
    _, view = runs.ended()
    assert view["output"].endswith("first\nlast\n") and len(view["output"]) == 4096
    kept = [p for p in runs.folders.glob("*/stdout") if p.read_text().endswith("last\n")]
    assert kept and kept[0].stat().st_size > 9000, "the machine keeps all of it"


def test_output_that_is_no_text_is_shown_as_far_as_it_is(runs):
    _, view = runs.run(r"printf 'a\377\000b\303'")
    assert view["output"] == "a��b�"


# How it ends

def test_a_script_that_takes_too_long_is_ended_with_all_it_started(runs):
    pids = runs.folder / "pids"
    state, view = runs.run(f"(setsid sleep 600 & echo $! > {pids}); sleep 600 & echo $! >> {pids};"
                           " echo started; wait", timeoutInSeconds=2)
    assert (state, view["executionState"]) == ("Succeeded", "TimedOut")
    assert view["output"] == "started\n" and "exitCode" not in view
    assert [pid for pid in pids.read_text().split() if alive(pid)] == []


def test_what_a_script_leaves_running_goes_on(runs):
    pid = runs.folder / "pid"
    _, view = runs.run(f"setsid sleep 600 >/dev/null 2>&1 & echo $! > {pid}")
    assert view["executionState"] == "Succeeded"
    left = int(pid.read_text())
    assert alive(left)
    os.kill(left, signal.SIGKILL)


def test_an_asynchronous_one_is_deployed_as_soon_as_it_runs(runs):
    gate = runs.folder / "gate"
    answer = runs.put(f"while [ ! -e {gate} ]; do sleep 0.1; done; exit 3", asyncExecution=True)
    assert runs.controlplane.finish(answer)["status"] == "Succeeded"
    properties = runs.get().json["properties"]
    assert (properties["provisioningState"], properties["instanceView"]["executionState"]) == (
        "Succeeded", "Running")
    gate.touch()
    state, view = runs.ended()
    assert (state, view["executionState"], view["exitCode"]) == ("Succeeded", "Failed", 3)


def test_deleting_ends_what_runs(runs):
    pid = runs.folder / "pid"
    answer = runs.put(f"echo $$ > {pid}; sleep 600 & wait")
    runs.running()
    wait_for(pid.exists, 10)
    runs.delete()
    assert not alive(pid.read_text().strip())
    assert runs.controlplane.finish(answer)["status"] == "Canceled"


def test_the_same_put_again_runs_nothing_and_another_one_does(runs):
    trace = runs.folder / "trace"
    runs.run(f"echo run >> {trace}")
    assert runs.put(f"echo run >> {trace}", status=200)
    body = runs.get().json
    assert runs.controlplane.arm("PUT", runs.path("run"), body).status == 200
    assert trace.read_text() == "run\n"
    runs.run(f"echo run >> {trace}; :")
    assert trace.read_text() == "run\nrun\n"


# The manager is killed, the keeper is killed

def test_a_manager_that_is_killed_learns_how_it_ended_and_starts_nothing_twice(runs):
    trace, gate = runs.folder / "trace", runs.folder / "gate"
    runs.put(f"echo run >> {trace}; while [ ! -e {gate} ]; do sleep 0.1; done; echo done; exit 5")
    wait_for(trace.exists, 30)
    runs.machine.restart_role("extensions")
    runs.machine.kill_role("extensions")
    gate.touch()
    runs.machine.start_role("extensions")
    _, view = runs.ended()
    assert (view["executionState"], view["exitCode"], view["output"]) == ("Failed", 5, "done\n")
    assert trace.read_text() == "run\n"


def keeper_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_when_nobody_can_know_how_it_ended_that_is_said(runs):
    pid = runs.folder / "pid"
    runs.put(f"echo $$ > {pid}; sleep 600 & wait")
    runs.folder_of_running()
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 30)
    script = int(pid.read_text())
    os.kill(keeper_of(script), signal.SIGKILL)
    state, view = runs.ended()
    assert (state, view["executionState"]) == ("Failed", "Failed")
    assert "was killed" in view["executionMessage"]
    wait_for(lambda: not alive(script), 10, "the script to be ended")


def test_a_restart_of_the_machine_is_told_as_such(runs):
    pid = runs.folder / "pid"
    runs.put(f"echo $$ > {pid}; exec sleep 600")
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 30)
    execution = runs.folder_of_running().name
    runs.machine.kill_role("extensions")
    script = int(pid.read_text())
    os.kill(keeper_of(script), signal.SIGKILL)
    os.kill(script, signal.SIGKILL)
    # As it would be found after another boot: /run is empty.
    runs.machine.path(f"/run/mooring/runs/{execution}.started").unlink()
    runs.machine.start_role("extensions")
    state, view = runs.ended()
    assert (state, view["executionMessage"]) == ("Failed", "this machine restarted while the script ran")


# Users

def test_a_script_runs_as_the_user_with_its_groups_and_home(runs):
    _, view = runs.run('id -un; id -Gn; echo "$USER $HOME"; cat "$0" | head -c 5; '
                       'cat /etc/shadow', runAsUser="nobody")
    lines = view["output"].splitlines()
    assert lines[:3] == ["nobody", "nogroup", "nobody /nonexistent"] and lines[3] == "id -u"
    assert "Permission denied" in view["error"]


def test_a_user_that_is_not_there_is_named(runs):
    state, view = runs.run("true", runAsUser="no-such-user-here")
    assert (state, view["executionState"]) == ("Failed", "Failed")
    assert view["executionMessage"] == "user no-such-user-here: does not exist"


def test_a_password_for_the_user_is_refused(runs):
    answer = runs.put("true", runAsUser="nobody", runAsPassword="canary", status=400)
    assert b"canary" not in answer.body


# From somewhere, to somewhere

def test_a_script_is_fetched_and_output_sent_as_append_blobs(runs, store):
    store.files["/s.sh?sig=canary-script"] = b"#!/bin/sh\nhead -c 700000 /dev/zero | tr '\\0' x; echo e >&2\n"
    state, view = runs.run(source={"scriptUri": f"{store.url}/s.sh?sig=canary-script"},
                           outputBlobUri=f"{store.url}/out?sig=canary-out",
                           errorBlobUri=f"{store.url}/err?sig=canary-err")
    assert (state, view["executionMessage"]) == ("Succeeded", "")
    assert store.blobs == {"/out": b"x" * 700000, "/err": b"e\n"}
    puts = [(path, headers) for method, path, headers in store.requests if method == "PUT"]
    assert puts[0][0] == "/out?sig=canary-out"
    assert puts[0][1]["x-ms-blob-type"] == "AppendBlob"
    assert {path for path, _ in puts[1:3]} == {"/out?sig=canary-out&comp=appendblock"}
    assert all("Authorization" not in headers for _, _, headers in store.requests), "no token of ours"
    properties = runs.get().json["properties"]
    assert properties["source"]["scriptUri"] == f"{store.url}/s.sh"
    assert properties["outputBlobUri"] == f"{store.url}/out"


def test_a_script_that_is_not_there_or_not_the_one_is_a_failure(runs, store):
    state, view = runs.run(source={"scriptUri": f"{store.url}/none?sig=canary"})
    assert state == "Failed" and "404" in view["executionMessage"]
    assert "canary" not in view["executionMessage"]
    store.files["/other"] = b"echo other > /dev/null"
    digest = hashlib.sha256(b"what was meant").hexdigest()
    state, view = runs.run(name="digest", source={"scriptUri": f"{store.url}/other",
                                                  "scriptSha256": digest})
    assert (state, view["executionState"]) == ("Failed", "Failed")
    store.files["/other"] = b"what was meant"
    digest = hashlib.sha256(store.files["/other"]).hexdigest()
    state, view = runs.run(name="digest", source={"scriptUri": f"{store.url}/other",
                                                  "scriptSha256": digest})
    assert (state, view["exitCode"]) == ("Succeeded", 127)


def test_output_that_cannot_be_sent_leaves_the_scripts_result(runs, store):
    store.refuse.add("/out")
    state, view = runs.run("echo hi; exit 4", outputBlobUri=f"{store.url}/out?sig=canary")
    assert (state, view["executionState"], view["exitCode"]) == ("Succeeded", "Failed", 4)
    assert "outputBlobUri: output was not sent" in view["executionMessage"]
    assert "canary" not in view["executionMessage"]


# Secrets

def everything_on_disk(*folders):
    for folder in folders:
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


def test_protected_parameters_reach_the_script_and_nothing_else(runs, store):
    canary = "canary-7f3a91"
    go = runs.folder / "go"
    runs.put(f'echo "${{#SECRET}} $SECRET" | cut -c 1-2; while [ ! -e {go} ]; do sleep 0.1; done',
             protected=[{"name": "SECRET", "value": canary}],
             outputBlobUri=f"{store.url}/out?sig={canary}")
    wait_for(lambda: runs.view().get("output") == f"{len(canary)}\n", 30, "the script to have it")
    shown = runs.get().body + runs.controlplane.arm(
        "GET", f"{runs.machine.resource_id}/runCommands").body
    command_lines = b"".join(p.read_bytes() for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                             if p.parent.exists())
    found = [path for path, text in everything_on_disk(runs.machine.root, runs.controlplane.state)
             if canary.encode() in text]
    go.touch()
    runs.ended()
    found += [path for path, text in everything_on_disk(
        runs.machine.root, runs.machine.workspace.path, runs.controlplane.state)
        if canary.encode() in text]
    assert found == []
    assert canary.encode() not in shown and canary.encode() not in command_lines
    wait_for(lambda: "/out" in store.blobs, 10)


def test_protected_parameters_stay_when_something_else_is_changed(runs):
    runs.run('echo "$SECRET"', protected=[{"name": "SECRET", "value": "one"}])
    runs.put(method="PATCH", timeoutInSeconds=77)
    assert runs.ended()[1]["output"] == "one\n"
    runs.put(method="PATCH", protectedParameters=[])
    assert runs.ended()[1]["output"] == "\n"


# Local policy

def test_local_policy_has_the_last_word(runs):
    config = runs.machine.state / "localconfig.json"
    config.write_text('{"schema": 1, "policy.deny": ["runCommand"]}')
    answer = runs.put("echo ran")
    operation = runs.controlplane.finish(answer)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "PolicyDenied")
    assert "policy.deny" in operation["error"]["message"]
    assert runs.view()["output"] == ""
    config.unlink()
    assert runs.run("echo ran")[1]["output"] == "ran\n"
