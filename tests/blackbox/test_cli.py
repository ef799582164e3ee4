# SPDX-License-Identifier: Apache-2.0
"""`mooring`: verbs, options, exit statuses, and what goes to which stream."""
import base64
import json
import re
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from harness.cli import fails
from harness.machine import Machine
from harness.process import program, run


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


@pytest.mark.parametrize("arguments, number, text", [
    (["nope"], 101, "nope: no such verb"),
    (["cloud"], 101, "cloud: no such verb"),
    (["cloud", "nope"], 101, "cloud nope: no such verb"),
    (["--nope"], 101, "--nope: no such verb"),
    (["show", "--nope"], 23, "--nope: no such option"),
    (["show", "-x"], 23, "-x: no such option"),
    (["show", "nope"], 23, "nope: no such property"),
    (["connect", "--cloud"], 23, "--cloud: wants a value"),
    (["connect", "--cloud=a", "--cloud=b"], 23, "--cloud: given twice"),
    (["connect"], 16, "--subscription-id, --resource-group, --location"),
    (["connect", "extra"], 101, "usage: mooring connect"),
    (["cloud", "register", "x"], 101, "usage: mooring cloud register NAME URL"),
    (["cloud", "register", "x", "http://h"], 23, "want https://"),
    (["cloud", "register", "x", "https://h/path"], 23, "no path"),
    (["cloud", "register", "../x", "https://h"], 23, "cloud name"),
    (["cloud", "register", "azurecloud", "https://h"], 23, "built in"),
    (["cloud", "show", "x"], 75, "cloud x is not registered"),
    (["cloud", "remove", "x"], 75, "cloud x is not registered"),
    (["cloud", "remove", "AzureCloud"], 23, "built in"),
    (["check", "--cloud", "x"], 75, "cloud x is not registered"),
    (["check"], 16, "--cloud: 0 clouds are registered"),
    (["help", "nope"], 101, "nope: no such verb"),
    (["license"], 3, "Extended Security Updates is not available"),
    (["upgrade", "--version", "1.2"], 3, "package manager"),
    (["connect", "--gateway-id", "/x"], 3, "--gateway-id: Azure Arc gateway is not available"),
    (["connect", "--automanage-profile=/x"], 3, "--automanage-profile: Automanage"),
])
def test_mistakes_have_a_number_and_a_sentence(box, arguments, number, text):
    done = box.mooring(*arguments, check=False)
    fails(done, number)
    assert text in done.stderr


def test_what_a_script_can_do_without_is_accepted_and_said_to_do_nothing(box):
    done = box.mooring("check", "-p", "-e", "all", "--cloud", "nope", check=False)
    assert done.returncode == 75
    assert "--enable-pls-check: private link is not available" in done.stderr
    assert "--extensions: endpoints of extensions is not available" in done.stderr


def test_old_names_of_flags_are_understood(box):
    assert box.mooring("version", "--useStderr").stdout == box.mooring("version").stdout
    done = box.mooring("version", "--log-stderr", "--useStderr", check=False)
    assert done.returncode == 23 and "--useStderr: given twice" in done.stderr


def test_an_error_is_also_the_answer_when_json_is_asked_for(box):
    done = box.mooring("show", "nope", "-j", check=False)
    assert done.returncode == 23
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "AZCM0023"
    assert error["message"] == "nope: no such property"
    assert error["recommendedAction"]


def test_every_verb_has_help_and_the_overview_names_it(box):
    overview = box.mooring("help").stdout
    verbs = re.findall(r"^  ([\w-]+(?: \w+)?)  +\S", overview, re.M)
    assert len(verbs) >= 10
    for verb in verbs:
        words = verb.split()
        assert box.mooring(*words, "--help").stdout.startswith(f"usage: mooring {verb}")
        assert box.mooring("help", *words).stdout == box.mooring(*words, "-h").stdout


def test_called_as_azcmagent_it_answers_to_that_name(box):
    assert run([program("azcmagent"), "version"], box.env).stdout.startswith("azcmagent version ")


def test_version_is_the_same_in_both_forms(box):
    text = box.mooring("version").stdout.strip()
    assert text == f"mooring version {json.loads(box.mooring('version', '--json').stdout)['version']}"


def test_without_a_verb_the_overview_is_shown_and_the_status_says_so(box):
    done = box.mooring(check=False)
    assert done.returncode == 101
    assert "usage: mooring VERB" in done.stdout


def test_a_key_pair_is_made_and_its_private_half_kept_from_the_screen(box, workspace):
    def public_of(private):
        der = base64.b64decode(private)
        key = serialization.load_der_private_key(der, None)
        return base64.b64encode(key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.PKCS1)).decode()

    pair = json.loads(box.mooring("genkey", "-j").stdout)
    assert public_of(pair["privateKey"]) == pair["publicKey"]
    file = workspace.path / "key"
    pair = json.loads(box.mooring("genkey", "--private-key-file", file, "-j").stdout)
    assert public_of(file.read_text()) == pair["publicKey"] and list(pair) == ["publicKey"]
    assert file.stat().st_mode & 0o777 == 0o600
    fails(box.mooring("genkey", "--private-key-file", file, check=False), 103)


def test_extensions_are_listed_connected_or_not(box):
    assert json.loads(box.mooring("extension", "list", "-j").stdout) == []
    assert box.mooring("extension", "list").stdout.startswith("NAME ")


def test_show_of_a_machine_that_is_not_connected(box):
    answer = json.loads(box.mooring("show", "-j").stdout)
    assert answer["resourceId"] == ""
    assert answer["status"] == "Disconnected"
    assert answer["dependentServiceStatus"]["himds"] == "stopped"
    assert answer["root"] == str(box.root)
    text = box.mooring("show").stdout
    assert re.search(r"^Agent Status +: Disconnected$", text, re.M)


def test_show_takes_labels_and_keys(box):
    assert json.loads(box.mooring("show", "Agent Status", "resourceid", "-j").stdout) == {
        "resourceId": "", "status": "Disconnected"}


SHOWN = ("resourceName resourceGroup resourceNamespace resourceId subscriptionId tenantId vmId "
         "correlationId vmUuid location cloud identityKeyStore agentVersion agentLogfile status "
         "lastHeartbeat agentErrorCode agentErrorDetails agentErrorTimestamp httpsProxy "
         "proxyBypassList upstreamProxy cloudProvider manufacturer model dependentServiceStatus "
         "portalPage").split()


def test_show_has_the_keys_that_scripts_of_the_field_read(connected):
    answer = connected.show()
    assert not set(SHOWN) - set(answer)
    assert answer["status"] == "Connected"
    assert answer["resourceId"].endswith("/" + answer["resourceName"])
    assert answer["dependentServiceStatus"]["himds"] == "running"
    text = connected.mooring("show").stdout
    assert re.search(r"^Dependent Service Status$\n^  Agent Service \(himds\) +: running$", text, re.M)


def test_show_picks_what_is_asked_for(box):
    chosen = json.loads(box.mooring("show", "-p", "status, Agent Version", "-j").stdout)
    assert list(chosen) == ["agentVersion", "status"]
    assert box.mooring("show", "Agent Status").stdout.split() == ["Agent", "Status", ":",
                                                                  "Disconnected"]
    fails(box.mooring("show", "-p", "status,nope", check=False), 23)


def test_anybody_may_look(connected):
    mooring = connected.workspace.path / "mooring"
    shutil.copy(program("mooring"), mooring)
    mooring.chmod(0o755)
    for arguments in (["show", "-j"], ["config", "list"], ["version"]):
        done = subprocess.run([mooring, *arguments], env=connected.env, user=65534, group=65534,
                              extra_groups=[], capture_output=True, text=True, cwd="/", timeout=60,
                              check=False)
        assert done.returncode == 0, done
        if arguments[0] == "show":
            assert json.loads(done.stdout)["status"] == "Connected"


def test_a_broken_agentconfig_is_named(box):
    (box.state).mkdir(parents=True)
    (box.state / "agentconfig.json").write_text('{"schema":1,"cloud":1}')
    done = box.mooring("show", check=False)
    fails(done, 70)
    assert "agentconfig.json" in done.stderr


def test_clouds_of_azure_are_built_in(box):
    names = {c["name"]: c["builtIn"] for c in json.loads(box.mooring("cloud", "list", "-j").stdout)}
    assert names == {"AzureCloud": True, "AzureUSGovernment": True, "AzureChinaCloud": True}
    assert "https://management.azure.com" in box.mooring("cloud", "show", "azurecloud").stdout


def test_a_cloud_without_the_service_cannot_be_connected_to(box):
    done = box.mooring("connect", "--cloud", "AzureCloud", "-s", "x", "-g", "rg", "-l", "x",
                       check=False)
    fails(done, 3)


def test_a_root_that_others_may_write_is_refused(box, workspace):
    loose = workspace.path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    done = run([program("mooring"), "show"], {**box.env, "MOORING_ROOT": str(loose)}, check=False)
    assert done.returncode == 6, done


@pytest.mark.parametrize("arguments", [["connect"], ["disconnect"], ["cloud", "remove", "x"],
                                       ["cloud", "register", "x", "https://h"]])
def test_changes_need_an_administrator(workspace, arguments):
    mooring = workspace.path / "mooring"
    shutil.copy(program("mooring"), mooring)
    mooring.chmod(0o755)
    done = subprocess.run([mooring, *arguments], env=workspace.environment(), user=65534,
                          group=65534, extra_groups=[], capture_output=True, text=True, cwd="/",
                          timeout=60, check=False)
    assert done.returncode == 18, done
    assert "AZCM0018" in done.stderr and "sudo" in done.stderr
