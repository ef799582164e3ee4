# SPDX-License-Identifier: Apache-2.0
"""What is made from the command's own tables: completion, manual page, guide."""
import pathlib
import re
import subprocess

import pytest
from harness.machine import Machine
from harness.process import TREE, program

BIN = pathlib.Path(program("mooring")).parent


@pytest.fixture
def box(workspace):
    """A machine none of whose roles run."""
    return Machine(workspace)


@pytest.fixture
def verbs(box):
    return re.findall(r"^  ([\w-]+(?: \w+)?)  +\S", box.mooring("help").stdout, re.M)


def options(box, verb):
    return set(re.findall(r"^ .*?(--[\w-]+)", box.mooring("help", *verb.split()).stdout, re.M))


def bash(*typed):
    """What bash offers behind these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mooring; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", TREE / "packaging/completion/mooring",
                           "mooring", *typed], capture_output=True, text=True, check=True,
                          cwd="/", env={"PATH": f"{BIN}:/usr/bin:/bin"})
    return set(done.stdout.split())


def zsh(*typed):
    """What zsh's completion functions are told behind these words."""
    script = ('_arguments() { print -rl -- "$@" }; _describe() { print -rl -- ${(P)2} }; '
              '_values() { shift; print -rl -- "$@" }; compadd() { print -rl -- "$@" }; '
              'file=$1; shift; words=("$@"); CURRENT=$#; source $file')
    done = subprocess.run(["zsh", "-f", "-c", script, "zsh", TREE / "packaging/completion/_mooring",
                           "mooring", *typed], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_what_is_generated_is_current():
    done = subprocess.run([TREE / "docs/generate", "--check", "--bin", BIN],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bash_knows_every_verb_and_option(box, verbs):
    assert bash("") == {verb.split()[0] for verb in verbs}
    for verb in verbs:
        words = verb.split()
        if len(words) == 2:
            assert words[1] in bash(words[0], "")
        assert bash(*words, "--") == options(box, verb)


def test_bash_knows_what_stands_behind_an_option_or_a_verb(box, verbs):
    keys = {line.split()[0] for line in box.mooring("config", "list").stdout.splitlines()[1:]}
    assert bash("config", "get", "") == keys
    assert bash("config", "set", "extensions.a") == {"extensions.allowlist",
                                                     "extensions.agent.cpulimit"}
    assert "AzureCloud" in bash("check", "--cloud", "")
    assert "etc" in bash("cloud", "register", "--ca-file", "e")


def test_zsh_knows_every_verb_and_option(box, verbs):
    assert set(zsh("")) == {verb.split()[0] for verb in verbs}
    for verb in verbs:
        words = verb.split()
        if len(words) == 2:
            assert words[1] in [line.split(":")[0] for line in zsh(words[0], "")]
        offered = set(re.findall(r"^(--[\w-]+)", "\n".join(zsh(*words, "-")), re.M))
        assert offered == options(box, verb)
    assert "proxy.url" in zsh("config", "get", "")[-1] or "1::_mooring_keys" in zsh("config", "get", "")


def test_the_manual_page_has_every_verb_option_setting_and_exit_status(box, verbs):
    page = (TREE / "docs/man/mooring.1").read_text()
    for verb in verbs:
        assert f".Ss {verb}\n" in page
        for option in options(box, verb):
            assert f"Fl -{option[2:]}" in page, option
    numbers = set(re.findall(r"AZCM_\w+ = (\d+)", (TREE / "agent/core/azcm.h").read_text()))
    assert set(re.findall(r"^\.It (\d+)$", page, re.M)) == numbers - {"0"}


def test_every_difference_is_what_the_command_does(box):
    guide = (TREE / "docs/guide/differences.md").read_text()
    rows = re.findall(r"^\| `(\S+)(?: (--[\w-]+))?` \| .* \| (refused|accepted)", guide, re.M)
    assert len(rows) > 8
    for verb, option, effect in rows:
        assert not option or option not in options(box, verb), "the verb has it now"
        given = [f"{option}=x"] if option else []
        done = box.mooring(verb, *given, check=False)
        if "takes no value" in done.stderr:
            done = box.mooring(verb, option, check=False)
        assert "is not available: " in done.stderr
        assert (done.returncode == 3) == (effect == "refused"), done
