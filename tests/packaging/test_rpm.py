# SPDX-License-Identifier: Apache-2.0
"""The rpm and the tarball. There is no rpm distribution here: rpm itself is Debian's, in a booted
Debian, and what the package requires of a distribution is looked at, not resolved."""
import pathlib
import re
import subprocess

import pytest
from test_life_cycle import SERVICES, SOCKETS, is_active, snapshot

SPEC = pathlib.Path(__file__).resolve().parents[2] / "packaging/rpm"
# The newest that EL 9, SUSE 15 SP6 and Ubuntu 22.04 all have.
NEWEST = {"GLIBC": (2, 34), "OPENSSL": (3, 0, 0), "LIBSYSTEMD": (249,)}
SHARED = {"libc.so.6", "libm.so.6", "libz.so.1", "libssl.so.3", "libcrypto.so.3",
          "libsystemd.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def requirements(program):
    """[(library, symbol version)] of an ELF file."""
    shown = subprocess.run(["objdump", "-p", str(program)], capture_output=True, text=True,
                           check=True).stdout
    library, found = None, [(name, "") for name in re.findall(r"^ +NEEDED +(\S+)", shown, re.M)]
    for line in shown[shown.find("Version References:"):].splitlines():
        if match := re.match(r" +required from (\S+):", line):
            library = match[1]
        elif match := re.match(r" +0x\S+ 0x\S+ \d+ (\S+)", line):
            found.append((library, match[1]))
    return found


def programs(folder):
    found = [f for f in folder.rglob("*") if f.is_file() and not f.is_symlink()
             and f.open("rb").read(4) == b"\x7fELF"]
    assert found
    return found


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory):
    """The tarball, and each rpm, in a folder each."""
    folder = tmp_path_factory.mktemp("unpacked")
    for package in [*packages.glob("mooring*.rpm"), *packages.glob("mooring*.tar.gz")]:
        if "debuginfo" in package.name:
            continue
        place = folder / package.name
        place.mkdir()
        command = (f"rpm2cpio {package} | cpio -idm --quiet" if package.suffix == ".rpm"
                   else f"tar -xzf {package}")
        subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=place, check=True)
    return folder


def test_no_symbol_is_newer_than_the_oldest_system(unpacked):
    for program in programs(unpacked):
        for library, version in requirements(program):
            assert library in SHARED, f"{program}: needs {library}"
            family, _, number = version.partition("_")
            if family in NEWEST:
                parts = tuple(map(int, number.split(".")))
                assert parts <= NEWEST[family], f"{program}: needs {version} of {library}"


def test_rpmlint_has_nothing_to_say(packages):
    done = subprocess.run(["rpmlint", "-c", str(SPEC / "rpmlint.toml"), "--strict",
                           *map(str, packages.glob("*.rpm"))], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_packages_are_small(packages):
    agent, = packages.glob("mooring-[0-9]*.rpm")
    assert agent.stat().st_size < 2 << 20


# Folders that distributions of rpms have from the start.
FOLDERS = {"/usr/share/licenses", "/usr/share/zsh", "/usr/share/zsh/site-functions",
           "/usr/lib/systemd/system.conf.d", "/usr/share/bash-completion/completions",
           "/usr/libexec", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d"}
# What a distribution of rpms provides and Debian's rpm knows nothing of.
INSTALL = "rpm --nodeps"


def test_a_life_with_rpm(vm):
    before = snapshot(vm)
    vm.ok(f"{INSTALL} -i /pkgs/mooring-[0-9]*.x86_64.rpm")
    for unit in (*SERVICES, *SOCKETS):
        assert is_active(vm, unit), vm.journal()
        assert vm.ok(f"systemctl is-enabled {unit}").strip() == "enabled"
    vm.ok("azcmagent version && test -e /usr/share/zsh/site-functions/_mooring")
    assert vm.run("rpm -V --nodeps mooring").stdout == ""
    # The same again as an upgrade: sockets stay, services are others, nothing is disabled.
    pid = vm.ok("systemctl show -P MainPID mooring-identity").strip()
    vm.ok(f"{INSTALL} -U --force /pkgs/mooring-[0-9]*.x86_64.rpm")
    assert vm.ok("systemctl show -P MainPID mooring-identity").strip() != pid
    for unit in (*SERVICES, *SOCKETS):
        assert is_active(vm, unit), vm.journal()
        assert vm.ok(f"systemctl is-enabled {unit}").strip() == "enabled"
    vm.ok("rpm -e --nodeps mooring")
    for unit in (*SERVICES, *SOCKETS):
        assert not is_active(vm, unit)
    after = snapshot(vm)
    # Debian's rpm has its database in a home folder.
    left = {f for f in after["files"] - before["files"] if "/.rpmdb" not in f}
    # An rpm has no purge: identity, settings and users stay (docs/guide/install.md).
    kept = ("/var/opt/azcmagent", "/etc/mooring", "/var/lib/mooring", "/var/lib/waagent",
            "/var/lib/GuestConfig", "/var/log/azure", "/var/opt")
    assert {f for f in left if not f.startswith(kept)} <= FOLDERS
    assert after["units"] == before["units"]
    assert after["mounts"] == before["mounts"]


def test_scriptlets_take_every_argument_and_a_system_that_does_not_run(vm, packages):
    shown = subprocess.run(["rpm", "-qp", "--scripts", *map(str, packages.glob("mooring-[0-9c]*.rpm"))],
                           capture_output=True, text=True, check=True).stdout
    scripts = re.split(r"^(\w+) scriptlet \(using /bin/sh\):$", shown, flags=re.M)[1:]
    assert len(scripts) // 2 == 7
    for name, text in zip(scripts[::2], scripts[1::2]):
        if name == "preinstall":
            continue
        vm.put("/tmp/scriptlet", text)
        for count in (0, 1, 2, 1, 0):
            vm.ok(f"sh -eu /tmp/scriptlet {count}")
        hidden = "unshare -m sh -c 'mount -t tmpfs none /run && sh -eu /tmp/scriptlet"
        for count in (0, 1, 2):
            vm.ok(f"{hidden} {count}'")


def test_real_agent_and_azure_are_refused(vm):
    vm.ok("install -D /dev/null /opt/azcmagent/bin/azcmagent_executable")
    done = vm.run(f"{INSTALL} -i /pkgs/mooring-[0-9]*.x86_64.rpm")
    assert done.returncode != 0 and "Azure's own agent" in done.stderr
    assert vm.ok("rpm -qa") == ""
