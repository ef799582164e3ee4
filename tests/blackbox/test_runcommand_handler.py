# SPDX-License-Identifier: Apache-2.0
"""The handler RunCommandHandlerLinux, from the PUT of an extension to its script's end and back."""
import http.server
import json
import pathlib
import threading
import zipfile

import pytest
from harness.extensions import zipped
from harness.process import program, wait_for

COMMANDS = {"publisher": "Microsoft.CPlat.Core", "type_name": "RunCommandHandlerLinux", "version": "1.3",
            "autoUpgradeMinorVersion": False}
VERSION = "1.3.100"


@pytest.fixture
def run(lab):
    """A lab where the handler is published; call it with a script for state and instance view."""
    lab.publish_built("Microsoft.CPlat.Core.RunCommandHandlerLinux", VERSION)

    def run(script, name="rc", protected=None, **more):
        state, message = lab.put_and_settle(name, settings={"source": {"script": script}, **more},
                                            protected=protected, **COMMANDS)
        return state, view_of(message)
    run.lab = lab
    return run


def view_of(message):
    return json.loads(message[message.index("{"):])


def seen(lab, name):
    status = lab.get(name).json["properties"].get("instanceView", {}).get("status", {})
    return view_of(status["message"]) if "{" in status.get("message", "") else {}


def test_a_script_runs_and_its_view_tells_how_it_went(run):
    state, view = run("echo from ${BASH##*/} $0; echo words >&2; exit 0")
    assert state == "Succeeded"
    assert (view["executionState"], view["exitCode"], view["error"]) == ("Succeeded", 0, "words\n")
    assert view["output"].startswith("from bash /") and view["startTime"] <= view["endTime"]
    assert set(view) == {"executionState", "executionMessage", "output", "error", "exitCode",
                         "startTime", "endTime"}


@pytest.mark.parametrize("counts, state", [(False, "Succeeded"), (True, "Failed")])
def test_a_script_that_fails_fails_the_deployment_only_when_asked_to(run, counts, state):
    got, view = run("echo half; exit 7", treatFailureAsDeploymentFailure=counts)
    assert (got, view["executionState"], view["exitCode"]) == (state, "Failed", 7)
    assert view["output"] == "half\n"


def test_a_script_that_takes_too_long_is_ended_with_all_it_started(run, workspace):
    late = workspace.path / "late"
    state, view = run(f"(sleep 600; touch {late}) & echo $!; sleep 600", timeoutInSeconds=2)
    assert (state, view["executionState"]) == ("Succeeded", "TimedOut")
    left = int(view["output"])
    wait_for(lambda: not pathlib.Path(f"/proc/{left}").exists(), 20, "the child to go")


def test_parameters_reach_the_script_byte_for_byte_and_secrets_nothing_else(run, workspace):
    out = workspace.path / "out"
    odd = "a 'b' \"c\"\n$(id) `d` \\ é"
    state, view = run(f'printf "%s|" "$1" "$NAME" "$2" > {out}; echo ${{#SECRET}}; tr "\\0" " " < /proc/$$/cmdline',
                      parameters=[{"value": odd}, {"name": "NAME", "value": odd}, {"name": "", "value": "2"}],
                      protected={"protectedParameters": [{"name": "SECRET", "value": "canary-7f3a"}]})
    assert state == "Succeeded", view
    assert out.read_text() == f"{odd}|{odd}|2|"
    assert view["output"].startswith("11\n")
    everything = b"".join(p.read_bytes() for p in workspace.path.rglob("*") if p.is_file())
    assert b"canary-7f3a" not in everything


def test_two_instances_run_at_the_same_time(run, workspace):
    lab, results = run.lab, {}
    one, two = workspace.path / "one", workspace.path / "two"

    def meet(name, mine, other):
        results[name] = run(f"touch {mine}; for i in $(seq 400); do [ -e {other} ] && exit 0; "
                            "sleep 0.1; done; exit 1", name=name)
    threads = [threading.Thread(target=meet, args=a) for a in (("one", one, two), ("two-b", two, one))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {n: r[1]["exitCode"] for n, r in results.items()} == {"one": 0, "two-b": 0}
    folder = lab.handler_folder(VERSION, "RunCommandHandlerLinux", "Microsoft.CPlat.Core")
    assert {p.name for p in folder.glob("*mrseq")} == {"one.mrseq", "two_b.mrseq"}
    lab.delete("one")
    assert {p.name for p in folder.glob("*mrseq")} == {"two_b.mrseq"}


def test_a_number_runs_once_and_a_deleted_name_again(run, workspace):
    ran = workspace.path / "ran"
    for script in ("one", "one", "two"):
        run(f"echo {script} >> {ran}")
    run.lab.machine.restart_role("extensions")
    run(f"echo three >> {ran}")
    run.lab.delete("rc")
    run(f"echo three >> {ran}")
    assert ran.read_text().split() == ["one", "two", "three", "three"]


def test_another_version_of_the_handler_runs_nothing_again(run, workspace):
    ran, name = workspace.path / "ran", "Microsoft.CPlat.Core.RunCommandHandlerLinux"
    run(f"echo one >> {ran}")
    run(f"echo long >> {ran}; sleep 600", name="long", asyncExecution=True)
    wait_for(lambda: "long" in ran.read_text(), 30, "the second script to run")
    built = pathlib.Path(program("mooring")).parent.parent / f"extensions/{name}__{VERSION}.zip"
    newer = workspace.path / f"{name}__1.4.0.zip"
    with zipfile.ZipFile(built) as archive:
        newer.write_bytes(zipped([(i, archive.read(i).replace(VERSION.encode(), b"1.4.0") if i.filename.endswith(
            "xml") else archive.read(i)) for i in archive.infolist()]))
    run.lab.controlplane.cli("extension", "publish", str(newer))
    run.lab.put("rc", settings={"source": {"script": f"echo one >> {ran}"}}, **{**COMMANDS, "version": "1.4"})
    wait_for(lambda: run.lab.shown("rc")["version"] == "1.4.0" and run.lab.shown("rc")["state"] == "enabled", 60,
             "the update")
    state, message = run.lab.settled("rc")
    assert (state, view_of(message)["executionState"]) == ("Succeeded", "Succeeded")
    wait_for(lambda: seen(run.lab, "long").get("executionState") == "Canceled", 60, "the other's end")
    wait_for(lambda: run.lab.shown("long")["version"] == "1.4.0", 60, "the other to follow")
    assert ran.read_text().split() == ["one", "long"]


def test_an_asynchronous_script_is_a_success_while_it_runs(run, workspace):
    go = workspace.path / "go"
    state, view = run(f"echo begun; until [ -e {go} ]; do sleep 0.1; done; echo done", asyncExecution=True)
    assert (state, view["executionState"]) == ("Succeeded", "Running")
    go.touch()
    view = wait_for(lambda: (v := seen(run.lab, "rc")).get("executionState") == "Succeeded" and v, 60,
                    "its end to be told")
    assert view["output"] == "begun\ndone\n"


def test_a_deleted_instance_ends_its_script(run, workspace):
    pid = workspace.path / "pid"
    run.lab.put("rc", settings={"source": {"script": f"sleep 600 & echo $! > {pid}; wait"}}, **COMMANDS)
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 60, "the script to run")
    child = pathlib.Path(f"/proc/{pid.read_text().strip()}")
    wait_for(lambda: run.lab.controlplane.arm("DELETE", run.lab.path("rc")).status in (202, 204), 60,
             "the deletion to be taken")
    wait_for(lambda: not child.exists(), 60, "the script to be ended")


@pytest.mark.parametrize("more, protected, member", [
    ({"source": {"commandId": "RunShellScript"}}, None, "source.commandId"),
    ({"outputBlobUri": "https://example.com/canary"}, None, "outputBlobUri"),
    ({}, {"runAsPassword": "canary"}, "runAsPassword"),
    ({"runAsUser": "nobody-of-that-name"}, None, "runAsUser"),
    ({"source": {}}, None, "source.script and source.scriptUri"),
], ids=lambda v: v if isinstance(v, str) else None)
def test_what_it_does_not_do_is_refused_by_name(run, more, protected, member):
    settings = {"source": {"script": "true"}, **more}
    state, message = run.lab.put_and_settle("rc", settings=settings, protected=protected, **COMMANDS)
    view = view_of(message)
    assert (state, view["executionState"]) == ("Failed", "Failed")
    assert member in view["executionMessage"] and "canary" not in message


def test_a_script_runs_as_another_user_who_sees_no_settings(run):
    state, view = run("id -un; cat /proc/self/fd/0; pwd", runAsUser="nobody")
    assert (state, view["exitCode"]) == ("Succeeded", 0), view
    assert view["output"].startswith("nobody\n")


def test_a_newer_request_ends_the_older_one(run, workspace):
    pid = workspace.path / "pid"
    run("sleep 600 & echo $! > %s; wait" % pid, asyncExecution=True)
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 60, "the script to run")
    state, view = run("echo newer")
    assert (state, view["output"]) == ("Succeeded", "newer\n")
    child = pathlib.Path(f"/proc/{pid.read_text().strip()}")
    wait_for(lambda: not child.exists(), 20, "the older script to go")


def test_a_script_is_fetched_with_its_signature_which_is_shown_nowhere(run, workspace):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"echo fetched\n")

        def log_message(self, format, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        state, message = run.lab.put_and_settle(
            "rc", settings={"source": {"scriptUri": f"http://127.0.0.1:{server.server_address[1]}/a/s.sh"}},
            protected={"sourceSASToken": "?sig=canary-51d0"}, **COMMANDS)
    finally:
        server.shutdown()
        server.server_close()
    assert (state, view_of(message)["output"]) == ("Succeeded", "fetched\n")
    assert asked == ["/a/s.sh?sig=canary-51d0"]
    everything = b"".join(p.read_bytes() for p in workspace.path.rglob("*") if p.is_file())
    assert b"canary-51d0" not in everything
