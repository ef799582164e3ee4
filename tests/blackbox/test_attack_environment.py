# SPDX-License-Identifier: Apache-2.0
"""Attack 22: whoever chooses the environment, the current folder, or the folders on the way."""
import json
import os
import re
import shutil
import subprocess

import pytest
from harness.machine import Machine
from harness.process import program

EVIL = """
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void)
{
    const char *witness = getenv("WITNESS");
    if (witness)
        (void)!write(open(witness, O_WRONLY | O_CREAT, 0600), "loaded", 6);
}
"""
CONFIG = """openssl_conf = all
[all]
providers = list
[list]
default = fine
evil = bad
[fine]
activate = 1
[bad]
module = {module}
activate = 1
"""
FAKES = ("sh", "openssl", "journalctl", "systemctl", "hostname", "dmidecode", "ip", "lsb_release",
         "uname", "az", "cmd")


class Trap:
    """A folder that the attacker owns, and an environment that leads there."""

    def __init__(self, workspace, server_ca):
        self.folder = workspace.path / "trap"
        self.witness = workspace.path / "witness"
        self.keys = workspace.path / "keys"
        for part in ("bin", "home", "tmp", "lib"):
            (self.folder / part).mkdir(parents=True)
        for name in FAKES:
            fake = self.folder / "bin" / name
            fake.write_text(f"#!/bin/sh\ntouch {self.witness}\n")
            fake.chmod(0o755)
        module = self.folder / "lib/evil.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", module, "-x", "c", "-"], input=EVIL,
                       text=True, check=True)
        for name in ("openssl.cnf", "lib/openssl.cnf"):
            (self.folder / name).write_text(CONFIG.format(module=module))
        (self.folder / "home/.netrc").write_text("machine localhost login x password y\n")
        (self.folder / "home/.curlrc").write_text("insecure\n")
        ca = self.folder / "ca.pem"
        shutil.copy(server_ca, ca)
        self.env = {
            "PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": f"{self.folder}/home",
            "TMPDIR": f"{self.folder}/tmp", "WITNESS": self.witness,
            "OPENSSL_CONF": f"{self.folder}/openssl.cnf", "OPENSSL_MODULES": f"{self.folder}/lib",
            "OPENSSL_ENGINES": f"{self.folder}/lib", "SSL_CERT_FILE": ca,
            "SSL_CERT_DIR": self.folder, "CURL_CA_BUNDLE": ca, "SSLKEYLOGFILE": self.keys,
            "GCONV_PATH": f"{self.folder}/lib", "HOSTALIASES": f"{self.folder}/aliases"}
        self.env = {name: str(value) for name, value in self.env.items()}

    def assert_untouched(self):
        assert not self.witness.exists(), "code of the attacker's ran"
        assert not self.keys.exists(), "keys of TLS sessions were written"
        assert not list((self.folder / "tmp").iterdir())


@pytest.fixture
def trap(workspace, controlplane):
    return Trap(workspace, controlplane.ca_file)


def run_in(trap, box, *arguments, check=True):
    return subprocess.run([program("mooring"), *arguments], env={**box.env, **trap.env},
                          cwd=trap.folder, capture_output=True, text=True, timeout=60, check=check)


def test_the_trap_works_on_a_program_that_trusts_its_environment(trap):
    subprocess.run(["/usr/bin/openssl", "version"], env=trap.env, check=False, capture_output=True)
    assert trap.witness.exists()


def test_no_library_is_led_elsewhere(trap, workspace, controlplane, unique):
    box = Machine(workspace)
    box.env.update(trap.env)
    box.start()
    try:
        box.connect(controlplane, resource_name=unique)
        assert box.show()["status"] == "Connected"
        assert box.token("https://management.azure.com")
        for arguments in (["genkey"], ["check"], ["show"], ["config", "list"],
                          ["logs", "-o", f"{workspace.path}/bundle.zip"]):
            run_in(trap, box, *arguments)
        box.mooring("disconnect", "-f")
    finally:
        box.stop()
    trap.assert_untouched()


def test_the_environment_makes_nobody_trusted(trap, workspace, controlplane):
    box = Machine(workspace)
    folder = box.path("/etc/mooring/clouds.d")
    folder.mkdir(parents=True)
    (folder / "Stranger.json").write_text(json.dumps({
        "schema": 1, "name": "Stranger", "resourceManager": controlplane.endpoint,
        "loginEndpoint": f"{controlplane.endpoint}/adfs",
        "tokenEndpoint": f"{controlplane.endpoint}/adfs/oauth2/token",
        "armAudience": "https://a/", "hostSuffixes": ["localhost"]}))
    done = run_in(trap, box, "check", "-j", check=False)
    assert done.returncode == 26
    assert not any(row["reachable"] for row in json.loads(done.stdout)["endpoints"])
    done = run_in(trap, box, "cloud", "register", "Other", controlplane.endpoint, check=False)
    assert done.returncode == 75
    trap.assert_untouched()


def test_nothing_of_the_current_folder_or_the_home_is_opened(trap, workspace, controlplane):
    box = Machine(workspace)
    box.register_cloud(controlplane)
    log = workspace.path / "strace"
    env = {**box.env, **trap.env, "ASAN_OPTIONS": "detect_leaks=0"}
    subprocess.run(["/usr/bin/strace", "-f", "-qq", "-e", "trace=%file", "-o", log,
                    program("mooring"), "check"], env=env, cwd=trap.folder, check=True,
                   capture_output=True, timeout=120)
    calls = [line for line in log.read_text().splitlines() if "execve(" not in line]
    assert not [line for line in calls if str(trap.folder) in line]
    relative = re.compile(r'(?:\((?=")|AT_FDCWD, )"(?!/)[^"]')
    assert not [line for line in calls if relative.search(line)]
    assert log.read_text().count("execve(") == 1


FOLDERS = ("/var/opt/azcmagent", "/var/opt", "/etc/mooring", "/var/lib/waagent",
           "/var/lib/GuestConfig", "/run/mooring")


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_folders_that_others_may_write_stop_the_start(workspace, folder, how):
    box = Machine(workspace)
    for each in FOLDERS:
        box.path(each).mkdir(parents=True, exist_ok=True)
    if how == "mode":
        box.path(folder).chmod(0o777)
    else:
        os.chown(box.path(folder), 65534, 65534)
    done = box.mooring("config", "set", "extensions.enabled", "false", check=False)
    assert done.returncode == 6 and str(box.path(folder)) in done.stderr
    for role in ("identity", "extensions", "logs"):
        done = subprocess.run([program("mooringd"), role], env=box.env, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 1 and str(box.path(folder)) in done.stderr
    assert not (box.state / "localconfig.json").exists()
