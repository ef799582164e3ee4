# SPDX-License-Identifier: Apache-2.0
"""A control plane that was taken over asks for everything, rightly and wrongly, under every local policy:
only what the policy permits has effects on the machine, and each refusal is on record there."""
import json
import os
import pathlib
import re
import threading
import time
import urllib.parse

import pytest
from fault_proxy import Fault
from harness.extensions import PUBLISHER, Hostile
from harness.fixtures import Space
from harness.process import wait_for
from hostile_documents import TRAP, frames, mutations

RUN = "Microsoft.CPlat.Core/RunCommandHandlerLinux"
ALL = ("install", "update", "configure", "runCommand", "collect")
HANDLERS = ("install", "update", "configure")


class Dictator(Hostile):
    """A control plane whose documents the test writes word by word, and whose reports it reads."""

    def __init__(self, workspace, name):
        self.spoken, self.body, self.reports = 0, b"", []
        self.packages = {}
        self.turn = threading.Condition()
        super().__init__(workspace, name)
        self.machine.restart_role("identity")  # its wait is still with the real one

    @property
    def revision(self):
        return f"dead.{self.spoken}"

    def listen(self):
        super().listen()
        for pattern, run in ((r"^GET /notify/", self._wait), (r"^POST /his/.*heartbeat", self._beat),
                             (r"^GET /gas/.*/desiredState", self._document),
                             (r"^PUT /gas/.*/report", self._report)):
            self.proxy.fault(pattern, Fault("dictate", run))

    def _wait(self, handler, _forward):
        query = urllib.parse.parse_qs(handler.path.split("?", 1)[1], keep_blank_values=True)
        with self.turn:
            self.turn.wait_for(lambda: query["revision"][0] != self.revision,
                               min(int(query.get("seconds", ["55"])[0]), 20))
            same = query["revision"][0] == self.revision
        if same:
            handler.answer(204, [], b"")
        else:
            self._json(handler, {"revision": self.revision})
        return True

    def _beat(self, handler, forward):
        code, headers, data = forward()
        if code == 200:
            data = json.dumps({**json.loads(data), "desiredStateRevision": self.revision,
                               "sendReport": False}).encode()
        handler.answer(code, headers, data)
        return True

    def _document(self, handler, _forward):
        tag = f'"{self.revision}"'
        if handler.headers.get("If-None-Match") == tag:
            handler.answer(304, [("ETag", tag)], b"")
        else:
            handler.answer(200, [("ETag", tag), ("Content-Type", "application/json")], self.body)
        return True

    def _report(self, handler, _forward):
        self.reports.append(json.loads(handler.body))
        self._json(handler, {"accepted": True,
                             "serverTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        return True

    @staticmethod
    def _json(handler, value):
        handler.answer(200, [("Content-Type", "application/json")], json.dumps(value).encode())

    # What it says

    def say(self, document):
        """Sends a document (or bytes) to the machine."""
        with self.turn:
            self.spoken += 1
            self.body = document if isinstance(document, bytes) else \
                json.dumps({**document, "revision": self.revision}).encode()
            self.turn.notify_all()

    def heard(self, timeout=60):
        """The machine has reported on it; that report."""
        def look():
            found = [r for r in self.reports if r["revision"] == self.revision]
            return found[-1] if found else None
        return wait_for(look, timeout, f"a report on {self.revision}")

    def settled(self, names, timeout=60):
        """Reports on the last document once these are final, by name."""
        def look():
            found = [r for r in self.reports if r["revision"] == self.revision]
            rows = {e["name"]: e for e in found[-1]["extensions"]} if found else {}
            final = all(rows.get(n, {}).get("provisioningState") in ("Succeeded", "Failed") or
                        rows.get(n, {}).get("state") == "uninstalled" for n in names)
            return (rows, found[-1]) if final else None
        return wait_for(look, timeout, f"{names} to settle")

    def offered(self, type_name, version):
        """The package member for a handler that leaves a trace of its own type."""
        key = (type_name, version)
        if key not in self.packages:
            self.trace_file = self.folder / f"{type_name}.trace"
            data = self.package(version=version, type_name=type_name)
            self.offer(type_name, data)
            item = {"package": {}}
            self.edits.pop(type_name)(item)
            self.packages[key] = item["package"]
        return self.packages[key]

    def item(self, name, type_name, version="1.0.0", **more):
        return {"name": name, "publisher": PUBLISHER, "type": type_name, "version": version,
                "state": "enabled", "settingsSeqNo": 1, "publicSettings": {"n": 1},
                "protectedSettings": None, "protectedSettingsCertThumbprint": None,
                "forceUpdateTag": "", "autoUpgradeMinorVersion": True,
                "enableAutomaticUpgrade": False, "dependsOn": [], "instances": [],
                "package": self.offered(type_name, version), **more}

    def traced(self, type_name):
        path = self.folder / f"{type_name}.trace"
        return path.read_text().splitlines() if path.exists() else []


def document(extensions=(), **more):
    return {"extensions": list(extensions), "runCommands": [], "configurationAssignments": [],
            "dataCollectionRules": [], "tags": {}, **more}


def command(name, canary):
    """A run command in the forms that could be tried."""
    common = {"name": name, "executionId": f"{abs(hash(canary)):032x}"[:32],
              "expiresAt": "2099-01-01T00:00:00Z", "settingsSeqNo": 1, "state": "run",
              "timeoutInSeconds": 60, "asyncExecution": False, "parameters": []}
    return {**common, "source": {"script": f"touch {canary}"}}


def rule(number):
    return {"id": f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/{number}",
            "immutableId": f"dcr-{number:032x}", "endpoint": "https://127.0.0.1:1",
            "properties": {"streamDeclarations": {}, "dataSources": {}, "destinations": {}, "dataFlows": []}}


# Each: the local settings, as the file or what stands in its place, and the rule that refuses a verb.
POLICIES = {
    "nothing": ({}, {}),
    "disabled": ({"extensions.enabled": False},
                 dict.fromkeys((*HANDLERS, "runCommand"), "extensions.enabled")),
    "blocked": ({"extensions.blocklist": ["{all}", RUN.lower()]},
                dict.fromkeys((*HANDLERS, "runCommand"), "extensions.blocklist")),
    "none-listed": ({"extensions.allowlist": ["Allow/None"]},
                    dict.fromkeys((*HANDLERS, "runCommand"), "extensions.allowlist")),
    "monitor": ({"config.mode": "monitor"}, dict.fromkeys((*HANDLERS, "runCommand"), "config.mode")),
    "no-install": ({"policy.deny": ["install", "collect"]},
                   dict.fromkeys(("install", "collect"), "policy.deny")),
    "no-change": ({"policy.deny": ["update", "configure"]},
                  dict.fromkeys(("update", "configure"), "policy.deny")),
    "no-command": ({"policy.deny": ["runCommand"]}, {"runCommand": "policy.deny"}),
    "unsigned": ({"extensions.signatureByPublisher": [f"{PUBLISHER}=publisher"]},
                 dict.fromkeys(("install", "update"), "signature")),
    "broken": (b'{"schema":1,"extensions.blocklist":[', dict.fromkeys(ALL, "localconfig.json")),
    "mistyped": (b'{"schema":1,"extensions.enable":false}', dict.fromkeys(ALL, "localconfig.json")),
    "a-folder": (None, dict.fromkeys(ALL, "localconfig.json")),
}


@pytest.fixture(scope="module")
def dictator():
    with Space() as space:
        space.extra["ASAN_OPTIONS"] = f"log_path={space.logs}/sanitizer:quarantine_size_mb=1"
        lab = Dictator(space, f"d{os.getpid()}")
        try:
            yield lab
        finally:
            lab.close()


def set_policy(lab, settings, types):
    path = lab.machine.state / "localconfig.json"
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    fresh = path.with_suffix(".new")
    if settings is None:
        fresh.mkdir()
    elif isinstance(settings, bytes):
        fresh.write_bytes(settings)
    elif settings:
        filled = {k: [e for v_ in v for e in ([f"{PUBLISHER}/{t}" for t in types] if v_ == "{all}" else [v_])]
                  if isinstance(v, list) else v for k, v in settings.items()}
        fresh.write_text(json.dumps({"schema": 1, **filled}))
    if fresh.exists():
        fresh.rename(path)


def on_record(lab):
    done = lab.machine.mooring("audit", "list", "-j")
    return json.loads(done.stdout)


def files_below(folder):
    return {str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*")}


def outside(paths):
    """Those that are nowhere the agent keeps its things."""
    ours = ("machine/var/opt/azcmagent/", "machine/var/lib/GuestConfig/", "machine/var/lib/waagent/",
            "machine/var/lib/mooring/", "machine/var/log/azure/", "machine/run/", "logs/")
    return sorted(p for p in paths if not (p + "/").startswith(ours) and not p.endswith(".trace") and
                  not p.startswith(("controlplane", "cp")))


def check_nothing_escaped(lab, before):
    assert outside(files_below(lab.folder) - before) == []
    handlers = {p.name for p in lab.machine.path("/var/lib/waagent").iterdir() if p.is_dir()}
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+-[0-9.]+", h) for h in handlers), handlers
    assert not any(TRAP in p for p in files_below(lab.folder))
    for folder in ("/", "/tmp", "/var/lib", lab.folder.parent):
        assert not any(TRAP in name for name in os.listdir(folder)), folder


def alive(lab, pids):
    assert {r: lab.machine.roles[r].pid for r in pids} == pids
    assert all(lab.machine.roles[r].running for r in pids)


def anonymous_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


@pytest.mark.parametrize("policy", POLICIES)
def test_only_what_local_policy_permits_has_effects(dictator, policy, seeded, full):
    lab, number = dictator, list(POLICIES).index(policy) + 1
    settings, refused = POLICIES[policy]
    kept, same, gone, new, evil = types = [f"{c}{number}" for c in "KSGNE"]
    set_policy(lab, {}, types)
    lab.machine.restart_role("extensions")  # only so many refusals are written in an hour
    lab.say(document([lab.item(t, t) for t in (kept, same, gone)]))
    assert {r["state"] for r in lab.settled((kept, same, gone))[0].values()
            if r["name"] in types} == {"enabled"}
    pids = {r: lab.machine.roles[r].pid for r in ("identity", "extensions")}
    before, lines = files_below(lab.folder), len(on_record(lab))
    canary = lab.folder / f"{TRAP}-run{number}" if "runCommand" in refused else \
        lab.machine.path(f"/run/ran{number}")

    set_policy(lab, settings, types)
    lab.say(document(
        [lab.item(kept, kept, "1.1.0", settingsSeqNo=2),
         lab.item(same, same, settingsSeqNo=2, publicSettings={"n": 2}),
         lab.item(gone, gone, state="uninstall", settingsSeqNo=2), lab.item(new, new)],
        runCommands=[command(f"run{number}", canary)], dataCollectionRules=[rule(number)]))
    rows, report = lab.settled((kept, same, gone, new))

    # what was permitted happened, what was refused did not
    done = {"update": lab.traced(kept)[-1] == "enable 1.1.0 0",
            "configure": lab.traced(same)[-1] == "enable 1.0.0 1",
            "install": lab.traced(new) == ["install 1.0.0 0", "enable 1.0.0 0"],
            "collect": lab.machine.path(f"/var/lib/mooring/rules.d/dcr-{number:032x}.json").exists()}
    assert done == {verb: verb not in refused for verb in done}
    assert "install" not in refused or lab.traced(new) == []
    assert lab.traced(gone)[-1].startswith("uninstall"), "a removal was refused"

    # each refusal is told and on record
    asked = {"update": kept, "configure": same, "install": new}
    for verb, name in asked.items():
        wanted = {None: "", "signature": "PackageSignatureInvalid"}.get(refused.get(verb), "PolicyDenied")
        assert rows[name]["errorCode"] == wanted, rows[name]
        if wanted == "PolicyDenied":
            assert f"({refused[verb]})" in rows[name]["message"]
    denied = {(d["name"], d["rule"]) for d in report["denials"]}
    wished = {(n, refused[v]) for v, n in asked.items() if refused.get(v, "signature") != "signature"}
    assert denied == wished
    written = {(r["verb"], r["object"], r["verdict"], r["rule"]) for r in on_record(lab)[lines:]}
    assert {(v, n, "refused", refused[v]) for v, n in asked.items() if (n, refused.get(v)) in wished} <= written
    assert ("uninstall", gone, "permitted", "") in written

    # malformed items, beside one that is right: whatever of them could be installed is refused
    base = lab.item("m", evil)
    if "install" not in refused:
        base["package"] = {**base["package"], "sha256": "0" * 64,
                           "uris": [f"{lab.proxy.url}/packages/{'0' * 64}.zip"]}
    cases = list(mutations(base, seeded, None if full else 120))
    if policy in ("blocked", "unsigned"):  # under another name it is another extension
        cases = [c for c in cases if c[0] not in (("publisher",), ("type",))]
    for start in range(0, len(cases), 60):
        part = [c[2] for c in cases[start:start + 60]]
        for i, item in enumerate(part):
            if item.get("name") == "m":
                item["name"] = f"m{start + i}"
        lab.say(document([*part, lab.item(kept, kept, settingsSeqNo=3 + start)],
                         runCommands=part[:20], dataCollectionRules=part[20:40]))
        lab.heard()
    assert lab.traced(evil) == []

    alive(lab, pids)
    assert not canary.exists() or "runCommand" not in refused
    check_nothing_escaped(lab, before)
    assert json.loads(lab.machine.mooring("audit", "verify", "-j").stdout)["whole"]
    # what is still wanted when the policy goes would be permitted then
    lab.say(document([lab.item(t, t, state="uninstall", settingsSeqNo=9999) for t in (kept, same, new)]))
    lab.settled((kept, same, new))
    set_policy(lab, {}, types)


def test_documents_that_are_none_change_nothing(dictator, seeded, full):
    lab = dictator
    set_policy(lab, {}, ())
    lab.say(document([lab.item("stays", "Stays")]))
    lab.settled(["stays"])
    pids = {r: lab.machine.roles[r].pid for r in ("identity", "extensions")}
    before, trace = files_below(lab.folder), lab.traced("Stays")
    cases = list(frames(document([lab.item("bad", "Bad")], revision="x")))
    seeded.shuffle(cases)
    for name, data in cases if full else cases[:6]:
        asked = lab.proxy.count(r"^GET /gas/.*/desiredState")
        lab.say(data)
        lab.proxy.wait_for(r"^GET /gas/.*/desiredState", asked + 1, 60)
        assert lab.machine.path("/var/lib/GuestConfig/manager/desired.json").read_text().find("Bad") < 0, name
        alive(lab, pids)
        lab.machine.restart_role("extensions")  # it waits longer after every bad document
        pids["extensions"] = lab.machine.roles["extensions"].pid
    lab.say(document([lab.item("stays", "Stays", settingsSeqNo=2)]))
    lab.settled(["stays"])
    assert set(lab.traced("Stays")) == set(trace) and lab.traced("Bad") == []
    check_nothing_escaped(lab, before)


def test_documents_without_end_cost_no_memory(dictator, full):
    lab = dictator
    set_policy(lab, {"policy.deny": ["install"]}, ())
    pid, sizes = lab.machine.roles["extensions"].pid, []
    for n in range(200 if full else 16):
        lab.say(document([lab.item(f"flood{n}x{i}", "Flood", publicSettings={"x": "y" * 8000})
                          for i in range(60)]))
        lab.heard()
        sizes.append(anonymous_kib(pid))
    assert lab.machine.roles["extensions"].running and lab.machine.roles["extensions"].pid == pid
    assert max(sizes[len(sizes) // 2:]) < max(sizes[:len(sizes) // 2]) + 8192, sizes
    shown = lab.machine.show().get("extensions", [])
    assert len(shown) < 100
    refused = [r for r in on_record(lab) if r["object"].startswith("flood")]
    assert 60 <= len(refused) <= 512, "refusals are bounded"
    set_policy(lab, {}, ())
