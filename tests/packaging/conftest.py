# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest
from booted import Booted

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MOOR_BUILD", TREE / ".build/dev"))


@pytest.fixture(scope="session")
def packages():
    """This tree's, made by tests/packaging/prepare."""
    return BUILD / "packages"


@pytest.fixture(scope="session")
def root():
    return str((BUILD / "packages.root").resolve(strict=True))


@pytest.fixture
def vm(root, packages):
    """Booted, with nothing of ours installed."""
    with Booted(root, {packages: "/pkgs"}) as booted:
        yield booted


@pytest.fixture
def installed(vm):
    vm.ok("dpkg -i /pkgs/mooring_*.deb")
    return vm


@pytest.fixture
def connected(installed):
    """Connected to a control plane beside it."""
    installed.ok("dpkg -i /pkgs/mooring-controlplane_*.deb")
    installed.wait_for("mooring-controlplane info -j | jq -e .endpoint && curl -sk https://localhost:8443/metadata/endpoints")
    installed.put("/usr/local/bin/connect", CONNECT, "0755")
    installed.ok("/usr/local/bin/connect")
    return installed


CONNECT = """#!/bin/bash
set -euo pipefail
info() { mooring-controlplane info -j | jq -r ".$1"; }
mooring cloud register Test "$(info endpoint)" --ca-file "$(info caFile)"
mooring connect --cloud Test --service-principal-id "$(info adminClientId)" \\
    --service-principal-secret-file "$(info adminSecretFile)" --tenant-id "$(info tenantId)" \\
    --subscription-id "$(info subscriptionId)" --resource-group test --location local \\
    --resource-name box
"""
