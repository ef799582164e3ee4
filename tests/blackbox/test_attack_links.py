# SPDX-License-Identifier: Apache-2.0
"""Attack 7 at every step of a machine's life: whatever a step makes, somebody was there before it
with a link of that name. What the links lead to stays as it is. The names are learnt from a life
without attacker, so that a new file is attacked as soon as there is one.

Mounts are not planted: who may mount over the agent's folders is root already."""
import contextlib
import os
import re
import stat

import pytest
from harness.extensions import Lab
from harness.fixtures import Space
from harness.machine import Machine

VAULT = "https://vault.example.com"
SOMEBODY = 65534
# Names that nobody can foretell.
RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|/\.[^/]*$|[0-9A-Fa-f]{40}|\.key$|\.tmp")


class Life:
    """One machine, step by step."""

    def __init__(self, workspace, controlplane, name):
        self.machine, self.cp, self.name = Machine(workspace, name), controlplane, name
        self.lab = Lab(self.machine, controlplane, workspace.path, name)
        self.lab.type = "Linked"
        self.patience = 60

    def start(self):
        self.machine.start()

    def register(self):
        self.machine.register_cloud(self.cp)

    def configure(self):
        self.machine.mooring("config", "set", "extensions.blocklist", "a/b")

    def connect(self):
        self.machine.connect(self.cp, resource_name=self.name)

    def token(self):
        self.machine.token(VAULT)

    def extend(self):
        self.lab.put()
        self.lab.settled(timeout=self.patience)

    def bundle(self):
        self.machine.mooring("logs", "-o", self.machine.path("/bundle.zip"))

    def remove(self):
        self.machine.mooring("extension", "remove", "--all", check=False)
        self.lab.delete()

    def disconnect(self):
        self.machine.mooring("disconnect", "--force-local-only")

    STEPS = (start, register, configure, connect, token, extend, bundle, remove, disconnect)

    def close(self):
        for role in self.machine.roles.values():
            role.stop()

    def tree(self):
        """Every path below the root, with what it is."""
        return {str(p.relative_to(self.machine.root)): stat.S_IFMT(p.lstat().st_mode)
                for p in self.machine.root.rglob("*")}


@pytest.fixture(scope="module")
def made(_shared_controlplane):
    """step: {path: kind}, of a life that nobody disturbs."""
    with Space() as space:
        life = Life(space, _shared_controlplane, "undisturbed")
        life.lab.publish()
        found = {}
        try:
            for step in Life.STEPS:
                before = life.tree()
                step(life)
                found[step] = {path: kind for path, kind in life.tree().items()
                               if path not in before and not RANDOM.search(f"/{path}")}
        finally:
            life.close()
        return found


class Victim:
    """What links lead to: a file and a folder of somebody's."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for name in ("file", "linked"):
            (folder / name).write_text("untouched")
        (folder / "inside").mkdir()
        (folder / "inside/1.key").write_text("untouched")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, SOMEBODY, SOMEBODY)
            path.chmod(0o751 if path.is_dir() else 0o640)
        self.before = self.state()

    def state(self):
        return {str(p): (s.st_mode, s.st_uid, s.st_gid, p.read_text() if p.is_file() else "")
                for p in (self.folder, *self.folder.rglob("*")) for s in (p.lstat(),)}

    def plant(self, root, paths, kind):
        """Links of these names, where there is a folder for them and nothing yet."""
        count = 0
        for name, what in sorted(paths.items()):
            path = root / name
            if not path.parent.is_dir() or path.parent.is_symlink() or os.path.lexists(path):
                continue
            if what == stat.S_IFDIR:
                path.symlink_to(self.folder / "inside")
            elif kind == "hard":
                os.link(self.folder / "linked", path)
            else:
                path.symlink_to(self.folder / "file")
            count += 1
        return count


def test_what_is_made_is_known(made):
    """The lesson was learnt: each of these steps leaves something that others could foretell."""
    for step in (Life.start, Life.register, Life.configure, Life.connect, Life.extend, Life.bundle):
        assert made[step], step.__name__
    assert sum(map(len, made.values())) > 30


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("step", Life.STEPS, ids=lambda step: step.__name__)
def test_links_planted_before_a_step_lead_nowhere(workspace, controlplane, made, unique, step, kind):
    """The step may fail, and those after it; nothing behind the links changes, comes or goes."""
    life, victim = Life(workspace, controlplane, unique), Victim(workspace.path / "victim")
    at = Life.STEPS.index(step)
    try:
        for earlier in Life.STEPS[:at]:
            earlier(life)
        names = {p.replace("undisturbed", unique): k for p, k in made[step].items()}
        count = victim.plant(life.machine.root, names, kind)
        life.patience = 3
        for later in Life.STEPS[at:]:
            with contextlib.suppress(AssertionError, OSError, KeyError, ValueError):
                later(life)
    finally:
        life.close()
    print(f"{count} links")
    assert victim.state() == victim.before
