# SPDX-License-Identifier: Apache-2.0
"""Disks that cannot take an extension, found before anything is started: in a mount namespace."""
import subprocess

import pytest
from harness.extensions import Lab
from harness.process import program, wait_for


@pytest.fixture(scope="module", autouse=True)
def mounts():
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                           text=True, check=False)
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.strip()}")


@pytest.fixture
def own(connected, controlplane, workspace, unique):
    return Lab(connected, controlplane, workspace.path, unique)


def mounted(lab, folder, options):
    """The extensions role again, with an empty file system of its own on that folder."""
    process = lab.machine.roles["extensions"]
    path = lab.machine.path(folder)
    path.mkdir(parents=True, exist_ok=True)
    process.kill()
    process.argv = ["unshare", "-m", "sh", "-c",
                    f"mount -t tmpfs -o {options} none {path} && exec {program('mooringd')} extensions"]
    process.start()


def test_handlers_on_a_disk_that_runs_nothing_fail_before_the_download(own):
    mounted(own, "/var/lib/waagent", "noexec,mode=755")
    own.publish()
    state, message = own.put_and_settle(settings={"a": 1})
    assert state == "Failed" and "noexec" in message and "exit code 64" in message
    assert own.trace() == []
    assert not list(own.machine.path("/var/lib/GuestConfig").glob("downloads/*"))
    own.machine.restart_role("extensions")  # and when the disk is mended
    assert own.put_and_settle(settings={"a": 2})[0] == "Succeeded"


@pytest.mark.parametrize("folder", ["/var/lib/GuestConfig/downloads", "/var/lib/waagent"])
def test_a_disk_that_is_nearly_full_is_told_before_anything_is_written(own, folder):
    mounted(own, folder, "size=1m,mode=755")
    own.publish()
    own.put(settings={"a": 1})
    wait_for(lambda: "bytes of disk" in (own.shown() or {}).get("message", ""), 60, "the disk to be named")
    assert own.shown()["errorCode"] == "PackageDownloadFailed" and own.trace() == []
    own.machine.restart_role("extensions")
    assert own.settled()[0] == "Succeeded", "it passes by itself once there is room"
