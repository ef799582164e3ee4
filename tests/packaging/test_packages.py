# SPDX-License-Identifier: Apache-2.0
"""What is in the packages, judged from outside."""
import pathlib
import re
import subprocess

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
# systemd-analyze security, overall exposure: at most.
EXPOSURE = {"mooring-identity.service": 1.5, "mooring-logs.service": 1.6,
            "mooring-controlplane.service": 1.5, "mooring-extensions.service": 2.5,
            "mooring-fetch@.service": 1.5}


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def deb(packages, name):
    return str(next(packages.glob(f"{name}_*.deb")))


def test_lintian_finds_nothing(packages):
    status, said = sh("lintian", "--allow-root", "--fail-on", "error,warning",
                      deb(packages, "mooring"), deb(packages, "mooring-controlplane"))
    assert status == 0 and said == "", said


@pytest.fixture(scope="session")
def unpacked(packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    for name in ("mooring", "mooring-controlplane"):
        subprocess.run(["dpkg-deb", "-x", deb(packages, name), folder], check=True)
    return folder


@pytest.mark.parametrize("unit", EXPOSURE)
def test_the_sandbox_is_as_tight_as_promised(unpacked, unit):
    _, said = sh("systemd-analyze", "security", "--no-pager", "--offline=true",
                 f"--root={unpacked}", unit)
    score = float(re.search(r"Overall exposure level for .*: ([\d.]+)", said).group(1))
    assert score <= EXPOSURE[unit], said


def test_programs_need_no_newer_system_than_promised(unpacked):
    for program in ("usr/bin/mooring", "usr/libexec/mooring/mooringd",
                    "usr/bin/mooring-controlplane"):
        _, symbols = sh("objdump", "-T", str(unpacked / program))
        versions = set(re.findall(r"\((GLIBC|OPENSSL)_([\d.]+)\)", symbols))
        assert versions
        highest = {"GLIBC": (2, 34), "OPENSSL": (3, 0, 0)}
        for library, version in versions:
            number = tuple(int(n) for n in version.split("."))
            assert number <= highest[library], f"{program}: {library}_{version}"


def test_sizes_are_within_the_aims(packages, unpacked):
    assert pathlib.Path(deb(packages, "mooring")).stat().st_size < 2 << 20
    programs = [unpacked / "usr/bin/mooring", unpacked / "usr/libexec/mooring/mooringd"]
    assert sum(p.stat().st_size for p in programs) < 4 << 20
    assert sum(p.lstat().st_size for p in unpacked.rglob("*") if p.is_file()) < 6 << 20


def test_checksums_name_every_package(packages):
    status, said = sh("sh", "-c", f"cd {packages} && sha256sum --check SHA256SUMS")
    assert status == 0
    made = [f for f in packages.iterdir() if f.is_file() and f.name != "SHA256SUMS"]
    assert said.count("OK") == len(made) == 8
