# SPDX-License-Identifier: Apache-2.0
"""What each service's sandbox forbids, tried from inside: sandbox.tsv."""
import pathlib
import re

import pytest
from booted import Booted

HERE = pathlib.Path(__file__).parent
UNITS = {"identity": "mooring-identity.service", "logs": "mooring-logs.service",
         "extensions": "mooring-extensions.service", "fetch": "mooring-fetch@.service",
         "controlplane": "mooring-controlplane.service"}
# A container has none of these; with them what forbids is the unit alone.
OPTIONS = ("--capability=CAP_SYS_MODULE,CAP_SYS_TIME,CAP_SYS_NICE,CAP_NET_RAW,CAP_NET_ADMIN",
           "--system-call-filter=init_module clock_settime sched_setscheduler",
           "--bind=/dev/net/tun")
SECRETS = ("/var/lib/GuestConfig/secret", "/var/lib/mooring/logs/secret", "/root/secret",
           "/run/user/secret", "/var/opt/azcmagent/certs/secret",
           "/var/opt/azcmagent/tokens/secret", "/var/lib/waagent/secret")
# Of the service's unit, what is about starting and not about what it may do.
DROPPED = ("Type", "ExecStart", "Sockets", "Restart", "RestartSec", "WatchdogSec", "Requires",
           "Wants", "After", "StartLimitIntervalSec", "StartLimitBurst", "CollectMode", "Alias",
           "Also", "WantedBy", "KillMode")


def rows():
    for line in (HERE / "sandbox.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield tuple(line.split("\t"))


@pytest.fixture(scope="module")
def vm(root, packages):
    binds = {packages: "/pkgs", HERE / "probe.py": "/usr/local/lib/probe.py"}
    with Booted(root, binds, "sandbox", options=OPTIONS) as booted:
        booted.ok("ip address add 10.213.0.1/32 dev lo")
        booted.ok("dpkg -i /pkgs/mooring_*.deb /pkgs/mooring-controlplane_*.deb")
        booted.ok("mkdir -p /etc/mooring-controlplane")
        for path in SECRETS:
            booted.put(path, "secret\n", "0600")
        yield booted


def probe(vm, unit_text, name, tried):
    """The answers of the rows, in order."""
    vm.put("/run/probe.tsv", "".join(f"{act}\t{argument}\n" for act, argument in tried))
    vm.put(f"/run/systemd/system/{name}.service", unit_text)
    vm.ok("systemctl daemon-reload")
    done = vm.run(f"systemctl start {name}")
    answers = vm.ok(f"journalctl -q -o cat -t {name}").splitlines()
    assert done.returncode == 0, answers
    assert len(answers) == len(tried), answers
    return answers


def service(name):
    return (f"\n[Service]\nType=oneshot\nSyslogIdentifier={name}\nExecStart=\n"
            "ExecStart=/usr/bin/python3 -B /usr/local/lib/probe.py /run/probe.tsv\n")


@pytest.mark.parametrize("which", UNITS)
def test_the_sandbox_refuses_what_the_list_says(vm, which):
    tried = [row[1:] for row in rows() if row[0] == which]
    assert len(tried) > 20
    text = vm.ok(f"cat /lib/systemd/system/{UNITS[which]}")
    kept = [line for line in text.splitlines() if line.split("=")[0] not in DROPPED]
    name = f"probe-{which}"
    answers = probe(vm, "\n".join(kept) + service(name), name, tried)
    through = [f"{row}: {answer}" for row, answer in zip(tried, answers)
               if not answer.startswith("refused")]
    assert not through, "\n".join(through)


def test_without_the_sandbox_all_of_it_works(vm):
    tried = sorted({row[1:] for row in rows()})
    answers = dict(zip(tried, probe(vm, service("probe-free"), "probe-free", tried)))
    if not pathlib.Path("/proc/modules").exists():
        # A kernel that knows no modules says so to whom nothing forbids to ask.
        assert answers.pop(("load-module", "-")) == "failed ENOSYS"
    refused = [f"{row}: {answer}" for row, answer in answers.items() if answer != "worked"]
    assert not refused, "\n".join(refused)


def test_every_service_of_the_packages_is_in_the_list(vm):
    listed = vm.ok("dpkg -L mooring mooring-controlplane | grep -E '/mooring[^/]*\\.service$'")
    assert {line.rsplit("/", 1)[1] for line in listed.split()} == set(UNITS.values())
    assert {row[0] for row in rows()} == set(UNITS)
    assert all(re.fullmatch(r"[a-z-]+", row[1]) and len(row) == 3 for row in rows())
