# SPDX-License-Identifier: Apache-2.0
"""Every rule of lint.py fires on what it forbids and is silent on what it allows."""
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lint  # noqa: E402

SPDX_C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LONG = "int f(int n);\nint f(int n)\n{\n" + "    n++;\n" * 97 + "    return n;\n}\n"
MAN = (".\\\" SPDX-License-Identifier: Apache-2.0\n.Dd $Mdocdate$\n.Dt MOORING 1\n.Os\n.Sh NAME\n"
       ".Nm mooring\n.Nd x\n")
DEEP = ("int f(int n);\nint f(int n)\n{\n" + "".join("    " * (i + 1) + f"if (n > {i})\n"
        for i in range(8)) + "    " * 9 + "return 1;\n    return 0;\n}\n")

# (rule, file, bad text, a part of the finding, good text)
CASES = [
    ("layers", "platform/base/a.c", '#include "run/loop.h"\n', "may not include run/loop.h",
     '#include "base/buf.h"\n'),
    ("layers", "controlplane/api/a.c", '#include "core/cloud.h"\n', "may not include",
     '#include "store/db.h"\n'),
    ("layers", "extensions/builtin/a.c", '#include "core/cloud.h"\n', "may not include",
     '#include "contract/settings.h"\n'),
    ("layers", "agent/core/a.c", '#include "cloud.h"\n', 'say the folder: "core/cloud.h"',
     '#include "core/cloud.h"\n'),
    ("layers", "agent/misc/a.c", "", "no room of the design", None),
    ("libraries", "agent/core/a.c", "#include <openssl/evp.h>\n", "belongs to platform/crypto/",
     "#include <string.h>\n"),
    ("libraries", "controlplane/api/a.c", "#include <sqlite3.h>\n", "controlplane/store/", ""),
    ("libraries", "platform/http/a.c", "#include <cjson/cJSON.h>\n", "platform/base/json",
     "#include <curl/curl.h>\n"),
    ("os-headers", "agent/core/a.c", "#include <unistd.h>\n", "<unistd.h> is for",
     "#include <string.h>\n#include <zlib.h>\n"),
    ("os-headers", "platform/run/a.c", "#ifdef _WIN32\n#endif\n", "told apart",
     "/* not on _WIN32 */\n"),
    ("banned-calls", "agent/core/a.c", "int n = atoi(s);\n", "atoi is banned; use base/text.h",
     'char *s = "atoi(x)"; /* atoi(x) */\nh->time(3);\nmy_atoi(s);\n'),
    ("banned-calls", "tests/unit/a.c", "goto out;\n", "goto is banned", "setenv(a, b, 1);\n"),
    ("banned-calls", "controlplane/main/a.c", "system (cmd);\n", "run/child.h", ""),
    ("function-size", "agent/core/a.c", LONG, "f has 101 lines", LONG.replace("    n++;\n", "", 1)),
    ("file-size", "agent/core/a.h", "\n" * 151, "151 lines, at most 150", "\n" * 150),
    ("file-size", "agent/core/a.c", "\n" * 1001, "at most 1000", "\n" * 1000),
    ("header-alone", "agent/core/a.h", "size_t f(void);\n", "unknown type name",
     "#include <stddef.h>\nsize_t f(void);\n"),
    ("spdx", "agent/core/a.c", "int x;\n", "no SPDX", SPDX_C),
    ("spdx", "packaging/tool", "#!/bin/sh\n\n# SPDX-License-Identifier: Apache-2.0\n", "no SPDX",
     "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"),
    ("man-pages", "docs/man/mooring.1", MAN + ".Sh DESCRIPTION\n.Bogus\n", "unknown macro", None),
    ("shell", "packaging/tool", '#!/bin/bash\nrm -rf $1/x\n', "SC2086",
     '#!/bin/bash\nrm -rf "${1:?}/x"\n'),
    ("format-c", "agent/core/a.c", "int  x ;\n", "clang-format", "int x;\n"),
    ("top-level", "notes.txt", "", "not a top-level name", None),
    ("top-level", "src/a.c", "", "not a top-level name", None),
    ("code-map", "agent/core/a.c", "", "ARCHITECTURE.md: missing", None),
    ("foreign-words", "docs/a.md", "see /ho" + "me/me/x\n", "somebody's machine",
     "see /etc/mooring and ./work/x\n"),
    ("foreign-words", "docs/a.md", "https://registry.pack" + "ages.dev/x\n", "the host",
     "https://localhost:8443 https://a.example/ https://learn.microsoft.com/x\n"),
    ("foreign-words", "agent/core/a.c", "/* TO" + "DO */\n", "postponed", "/* done */\n"),
    ("foreign-words", "tests/clients/package-lock.json", '"resolved": "x"\n', "no registry", "{}\n"),
]


def findings(rule, root):
    return list(lint.RULES[rule](lint.Tree(root)))


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(autouse=True)
def style(tmp_path):
    source = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"
    write(tmp_path, ".clang-format", source.read_text())


@pytest.mark.parametrize("rule, name, bad, finding, good", CASES,
                         ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_a_rule_fires_on_bad_input_only(tmp_path, rule, name, bad, finding, good):
    write(tmp_path, name, bad)
    assert any(finding in f for f in findings(rule, tmp_path)), findings(rule, tmp_path)
    if good is not None:
        write(tmp_path, name, good)
        assert findings(rule, tmp_path) == []


def test_complexity_over_25_is_found(tmp_path):
    write(tmp_path, "agent/core/a.c", DEEP)
    write(tmp_path, ".build/dev/compile_commands.json", json.dumps([
        {"directory": str(tmp_path), "file": str(tmp_path / "agent/core/a.c"),
         "command": "gcc -std=c11 -Wjump-misses-init -c agent/core/a.c"}]))
    assert any("cognitive complexity of 36" in f for f in findings("complexity", tmp_path))
    write(tmp_path, "agent/core/a.c", "int f(void);\nint f(void)\n{\n    return 1;\n}\n")
    assert findings("complexity", tmp_path) == []
    write(tmp_path, "agent/core/b.c", "int x;\n")
    assert findings("complexity", tmp_path) == ["agent/core/b.c: not part of the build"]


def test_the_code_map_names_every_folder_and_no_other(tmp_path):
    write(tmp_path, "agent/core/a.c", "")
    write(tmp_path, "ARCHITECTURE.md", "- `agent/gone`: was here\n")
    assert findings("code-map", tmp_path) == [
        "ARCHITECTURE.md: does not say what agent/core is for",
        "ARCHITECTURE.md: agent/gone is not there"]
    write(tmp_path, "ARCHITECTURE.md", "- `agent/core`: settings\n")
    assert findings("code-map", tmp_path) == []


def test_a_program_without_a_page_and_a_verb_without_a_word_are_found(tmp_path):
    assert len(findings("man-pages", tmp_path)) == 3
    program = tmp_path / ".build/dev/bin/mooring"
    write(tmp_path, ".build/dev/bin/mooring", "#!/bin/sh\necho '  connect   does it'\n")
    program.chmod(0o755)
    write(tmp_path, "docs/man/mooring.1", MAN)
    assert any("does not mention mooring connect" in f for f in findings("man-pages", tmp_path))


def test_every_rule_has_a_case():
    covered = {case[0] for case in CASES} | {"complexity"}
    assert covered == set(lint.RULES)
