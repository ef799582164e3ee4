# SPDX-License-Identifier: Apache-2.0
"""Rules of the tree that no compiler checks.

usage: lint.py [--tree DIR] [--build DIR] RULE...    exit 1 and one line per finding
       lint.py --list
Every rule is a function of a Tree that yields findings; test_rules.py shows each one firing.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Rooms by folder; the name is what includes say: #include "ROOM/header.h".
PLATFORM = ["base", "platform", "crypto", "run", "http"]
AGENT = PLATFORM + ["core"]
LAYERS = {
    "platform/base": ["base"],
    "platform/include": ["base", "platform"],
    "platform/posix": ["base", "platform", "posix"],
    "platform/win32": ["base", "platform", "win32"],
    "platform/crypto": ["base", "platform", "crypto"],
    "platform/run": ["base", "platform", "run"],
    "platform/http": PLATFORM,
    "agent/core": AGENT,
    "agent/identity": AGENT + ["identity"],
    "agent/connect": AGENT + ["connect"],
    "agent/fetch": AGENT + ["fetch"],
    "agent/logs": AGENT + ["logs"],
    "extensions/contract": AGENT + ["contract"],
    "extensions/manager": AGENT + ["contract", "manager"],
    "extensions/builtin": PLATFORM + ["contract", "builtin"],
    "extensions/sdk": PLATFORM + ["contract", "manager", "sdk"],  # it judges by the manager's rules
    "agent/cli": AGENT + ["identity", "connect", "fetch", "logs", "contract", "manager", "sdk",
                          "cli"],
    "agent/daemon": AGENT + ["identity", "connect", "fetch", "logs", "contract", "manager",
                             "daemon"],
    "controlplane/store": PLATFORM + ["store"],
    "controlplane/authz": PLATFORM + ["store", "authz"],
    "controlplane/engine": PLATFORM + ["store", "authz", "engine"],
    "controlplane/api": PLATFORM + ["store", "authz", "engine", "api"],
    "controlplane/main": PLATFORM + ["store", "authz", "engine", "api", "main"],
}

# Headers of libraries: (pattern, folders that may include them).
LIBRARIES = [
    (r"cjson/|cJSON\.h", ["platform/base/json"]),
    (r"openssl/", ["platform/crypto/", "platform/http/"]),
    (r"event2?/|event\.h|evhttp\.h", ["platform/run/", "platform/http/"]),
    (r"curl/", ["platform/http/"]),
    (r"systemd/", ["platform/posix/"]),
    (r"isa-l/|libdeflate\.h", ["agent/logs/squeeze_"]),
    (r"sqlite3\.h", ["controlplane/store/"]),
    (r"yaml\.h", ["agent/cli/yaml.c"]),
    (r"zip\.h", ["agent/cli/", "extensions/manager/", "extensions/sdk/", "controlplane/engine/"]),
]
STANDARD = set("assert ctype errno float inttypes limits locale math setjmp signal stdalign stdarg "
               "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string time".split())
OTHER_LIBRARIES = {"zlib.h"}
OS_ROOMS = ("platform/posix/", "platform/win32/")

# Calls nobody may make but the named files, which wrap them: (names, owners, what to use).
BANNED = [
    ("strcpy strcat strncpy strncat sprintf vsprintf gets stpcpy", [], "moor_buf (base/buf.h)"),
    ("strtol strtoul strtoll strtoull strtod strtof atoi atol atoll atof sscanf scanf fscanf",
     ["platform/base/text", "platform/base/json"], "base/text.h"),
    ("system popen dlopen dlsym execl execlp execvp", [], "run/child.h"),
    ("fork vfork posix_spawn posix_spawnp execv execve", ["platform/posix/"], "run/child.h"),
    ("getenv secure_getenv setenv putenv unsetenv", ["platform/posix/"], "platform/dirs.h"),
    ("strdup strndup", ["platform/base/"], "base/text.h"),
    ("strtok strtok_r strerror", ["platform/posix/"], "base/span.h, platform/oserr.h"),
    ("localtime gmtime ctime asctime mktime strftime localtime_r gmtime_r timegm",
     ["platform/base/timefmt", "platform/posix/host"], "base/timefmt.h"),
    ("time clock_gettime gettimeofday", ["platform/posix/"], "platform/clock.h"),
    ("rand srand random drand48", [], "platform/random.h"),
    ("sleep usleep nanosleep", ["platform/posix/"], "run/loop.h"),
    ("signal setjmp longjmp alloca", [], "nothing: design it away"),
    ("tmpnam tempnam mktemp tmpfile", [], "platform/file.h"),
    ("goto", [], "MOOR_AUTO cleanup and early return"),
]

MAX_FUNCTION, MAX_FILE, MAX_HEADER, MAX_COMPLEXITY = 100, 1000, 150, 25
TOP_LEVEL = set("agent extensions platform packaging tests docs controlplane CMakeLists.txt "
                "CMakePresets.json README.md LICENSE ARCHITECTURE.md CHANGELOG.md "
                "CONTRIBUTING.md SECURITY.md".split())
HOST = re.compile(r"https?://([A-Za-z0-9.-]+\.[a-z]{2,})\b")
# Hosts that text may name; everything else is example.* or loopback.
HOSTS = re.compile(
    r"(^|\.)(localhost|example(\.(com|net|org))?|test|invalid|azure\.(com|us|cn)"
    r"|microsoftonline\.(com|us)|chinacloudapi\.cn|usgovcloudapi\.net|windows\.net"
    r"|microsoft\.com|azure-api\.net|microsoft\.us|microsoftazure\.(us|cn)|loganalytics\.io"
    r"|windowsazure\.com|rfc-editor\.org|ietf\.org|w3\.org|keepachangelog\.com|semver\.org"
    r"|apache\.org|www\.debian\.org|json-schema\.org|developercertificate\.org|aka\.ms|matklad\.github\.io)$")


class Tree:
    """The files under a folder: those git would commit, or all of them where there is no git."""

    def __init__(self, root, build=None):
        self.root = pathlib.Path(root).resolve()
        self.build = pathlib.Path(build) if build else self.root / ".build/dev"

    @functools.cached_property
    def files(self):
        git = subprocess.run(["git", "-C", str(self.root), "ls-files", "-co",
                              "--exclude-standard"], capture_output=True, text=True, check=False)
        if git.returncode == 0 and (self.root / ".git").exists():
            names = git.stdout.splitlines()
        else:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()]
        return sorted(n for n in names if (self.root / n).is_file())

    def sources(self, *suffixes, tests=True):
        return [n for n in self.files if n.endswith(suffixes)
                and (tests or not n.startswith("tests/"))]

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def scripts(self):
        """Shell scripts, by their first line."""
        for name in self.files:
            with open(self.root / name, "rb") as file:
                if re.match(rb"#!.*\b(ba|da)?sh\b", file.readline(100)):
                    yield name


def strip_c(text):
    """Comments, strings and character constants become blanks; lines stay where they are."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def includes(text):
    """(line number, '<' or '"', name)"""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)', text, re.M):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for findings in pool.map(function, items):
            yield from findings


def layers(tree):
    """A folder includes only its own layer and those below."""
    for name in tree.sources(".c", ".h", tests=False):
        room = "/".join(name.split("/")[:2])
        if room not in LAYERS:
            yield f"{name}: {room} is no room of the design"
            continue
        for line, mark, header in includes(tree.text(name)):
            if mark == "<":
                continue
            if {f"{room}/{header}", f"{os.path.dirname(name)}/{header}"} & set(tree.files):
                continue  # a private header beside it, or in a room within the room
            if "/" not in header:
                yield f"{name}:{line}: say the folder: \"{room.split('/')[1]}/{header}\""
            elif header.split("/")[0] not in LAYERS[room]:
                yield f"{name}:{line}: {room} may not include {header}"


def libraries(tree):
    """Each library's headers stay in the folder that wraps it."""
    for name in tree.sources(".c", ".h", tests=False):
        for line, _, header in includes(tree.text(name)):
            for pattern, owners in LIBRARIES:
                if re.match(pattern, header) and not name.startswith(tuple(owners)):
                    yield f"{name}:{line}: <{header}> belongs to {', '.join(owners)} only"


def os_headers(tree):
    """No header of an operating system and no _WIN32 outside platform/{posix,win32}."""
    for name in tree.sources(".c", ".h", tests=False):
        if name.startswith(OS_ROOMS):
            continue
        text = tree.text(name)
        for line, mark, header in includes(text):
            known = any(re.match(pattern, header) for pattern, _ in LIBRARIES)
            if mark == "<" and header.removesuffix(".h") not in STANDARD and not known \
                    and header not in OTHER_LIBRARIES:
                yield f"{name}:{line}: <{header}> is for platform/posix and platform/win32"
        for number, line in enumerate(strip_c(text).split("\n"), 1):
            if re.search(r"\b(_WIN32|WIN32|__linux__|__unix__|__APPLE__)\b", line):
                yield f"{name}:{number}: systems are told apart in platform/posix and win32 only"


def banned_calls(tree):
    """Calls with a better replacement of ours."""
    rules = [(re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\b"
                         + (r"" if names == "goto" else r"[ \t]*\(")), owners, instead)
             for names, owners, instead in BANNED]
    for name in tree.sources(".c", ".h"):
        lines = strip_c(tree.text(name)).split("\n")
        for pattern, owners, instead in rules:
            if name.startswith(tuple(owners) or ("\n",)):
                continue
            # Tests may do to a program what the program may not do.
            if name.startswith("tests/") and not re.search("goto|strcpy|strtok", pattern.pattern):
                continue
            for number, line in enumerate(lines, 1):
                found = pattern.search(line)
                if found:
                    yield f"{name}:{number}: {found.group(1)} is banned; use {instead}"


def function_size(tree):
    """No function over 100 lines."""
    files = tree.sources(".c", ".h")
    if not files:
        return
    out = subprocess.run(["ctags", "-x", "--languages=C", "--langmap=C:.c.h", "--c-kinds=f",
                          "--_xformat=%{line} %{end} %{input} %N", "-L", "-"],
                         input="\n".join(files), capture_output=True, text=True, check=True,
                         cwd=tree.root).stdout
    for row in out.splitlines():
        start, end, name, function = row.split(" ", 3)
        if end.isdigit() and int(end) - int(start) + 1 > MAX_FUNCTION:
            yield f"{name}:{start}: {function} has {int(end) - int(start) + 1} lines"


def complexity(tree):
    """No function with a cognitive complexity over 25 (clang-tidy on the build's commands)."""
    commands = tree.build / "compile_commands.json"
    if not commands.exists():
        yield f"{commands}: configure the build first"
        return
    built = {os.path.relpath(entry["file"], tree.root) for entry in
             json.loads(commands.read_text())}
    cache = tree.build / "lint-complexity"
    cache.mkdir(parents=True, exist_ok=True)
    headers = hashlib.sha256("".join(tree.text(n) for n in tree.sources(".h")).encode())
    config = ("{Checks: '-*,readability-function-cognitive-complexity', CheckOptions: "
              "[{key: readability-function-cognitive-complexity.Threshold, value: %d},"
              " {key: readability-function-cognitive-complexity.IgnoreMacros, value: true}]}"
              % MAX_COMPLEXITY)

    def check(name):
        seen = headers.copy()
        seen.update(tree.text(name).encode())
        clean = cache / seen.hexdigest()
        if name not in built:
            return [f"{name}: not part of the build"]
        if clean.exists():
            return []
        out = subprocess.run(
            ["clang-tidy", "-p", str(tree.build), f"--config={config}", "--quiet",
             "--extra-arg=-Wno-everything", "--extra-arg=-Wno-unknown-warning-option", name],
            cwd=tree.root, capture_output=True, text=True, check=False).stdout
        findings = [line.replace(f"{tree.root}/", "") for line in out.splitlines()
                    if " warning: " in line or " error: " in line]
        if not findings:
            clean.touch()
        return findings

    yield from parallel(check, tree.sources(".c", tests=False))


def file_size(tree):
    """No file over 1000 lines, no header over 150."""
    for name in tree.sources(".c", ".h", ".py", ".cmake", "CMakeLists.txt"):
        header = name.endswith(".h") and not name.startswith("tests/")
        limit = MAX_HEADER if header else MAX_FILE
        lines = tree.text(name).count("\n")
        if lines > limit:
            yield f"{name}: {lines} lines, at most {limit}"


def header_alone(tree):
    """Every header compiles by itself."""
    def check(search, name):
        out = subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror",
                              "-Wno-unused-function", "-Wno-unused-variable", "-fsyntax-only",
                              *search, "-x", "c", "-include", str(tree.root / name),
                              "/dev/null"],
                             capture_output=True, text=True, check=False)
        errors = [line for line in out.stderr.splitlines() if "error:" in line] or [out.stderr]
        return [] if out.returncode == 0 else [f"{name}: {errors[0]}"]

    with tempfile.TemporaryDirectory() as rooms:
        for folder in {os.path.dirname(name) for name in tree.sources(".h", tests=False)}:
            os.symlink(tree.root / folder, pathlib.Path(rooms) / os.path.basename(folder))
        test_folders = {tree.root / os.path.dirname(name) for name in tree.sources(".h")
                        if name.startswith("tests/")}
        search = [f"-I{p}" for p in (rooms, tree.root / "platform/include", *test_folders)]
        yield from parallel(functools.partial(check, search), tree.sources(".h"))


def spdx(tree):
    """Every source says its licence in its first two lines."""
    sources = set(tree.sources(".c", ".h", ".py", ".js", ".mjs", ".cmake", "CMakeLists.txt",
                               ".1", ".8")) | set(tree.scripts())
    for name in sorted(sources):
        if "SPDX-License-Identifier: Apache-2.0" not in "".join(tree.text(name).split("\n")[:2]):
            yield f"{name}: no SPDX-License-Identifier: Apache-2.0 in the first two lines"


PAGES = {"mooring": "docs/man/mooring.1", "mooringd": "docs/man/mooringd.8",
         "mooring-controlplane": "docs/man/mooring-controlplane.8"}


def man_pages(tree):
    """A page per program that names each of its verbs; mandoc finds nothing in it."""
    for program, page in PAGES.items():
        if page not in tree.files:
            yield f"{page}: missing, the page of {program}"
            continue
        out = subprocess.run(["mandoc", "-T", "lint", "-W", "style", page], cwd=tree.root,
                             capture_output=True, text=True, check=False).stdout
        # Our own other pages are not installed here.
        yield from (line.removeprefix("mandoc: ") for line in out.splitlines()
                    if "referenced manual not found" not in line)
        binary = tree.build / "bin" / program
        if binary.exists():
            shown = subprocess.run([binary, "help"], capture_output=True, text=True,
                                   check=False)
            verbs = re.findall(r"^ {2,4}([a-z][a-z-]+)\b", shown.stdout + shown.stderr, re.M)
            for verb in sorted(set(verbs)):
                if not re.search(rf"\b{verb}\b", tree.text(page)):
                    yield f"{page}: does not mention {program} {verb}"


def shell(tree):
    """shellcheck finds nothing in the scripts."""
    scripts = list(tree.scripts())
    if scripts:
        out = subprocess.run(["shellcheck", "-f", "gcc", *scripts], cwd=tree.root,
                             capture_output=True, text=True, check=False)
        yield from (out.stdout + out.stderr).splitlines()


def format_c(tree):
    """clang-format changes nothing."""
    def check(name):
        out = subprocess.run(["clang-format", "--dry-run", "-Werror", name], cwd=tree.root,
                             capture_output=True, text=True, check=False).stderr
        return [line for line in out.splitlines() if ": error:" in line][:1]

    yield from parallel(check, tree.sources(".c", ".h"))


def top_level(tree):
    """The top level holds what the design names."""
    for name in sorted({n.split("/")[0] for n in tree.files}):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield f"{name}: not a top-level name of the design"


def code_map(tree):
    """ARCHITECTURE.md says what every folder is for, and names no folder that is not there."""
    if "ARCHITECTURE.md" not in tree.files:
        yield "ARCHITECTURE.md: missing"
        return
    text = tree.text("ARCHITECTURE.md")
    folders = {"/".join(n.split("/")[:2]) for n in tree.files if n.count("/") >= 2}
    for folder in sorted(f for f in folders if not f.startswith(".")):
        if f"`{folder}`" not in text:
            yield f"ARCHITECTURE.md: does not say what {folder} is for"
    for folder in re.findall(r"^- `([a-z]+/[a-z0-9]+)`", text, re.M):
        if folder not in folders:
            yield f"ARCHITECTURE.md: {folder} is not there"


def foreign_words(tree):
    """No path of a developer's machine, no host nobody may count on, no postponed work."""
    private = re.compile(r"(?<![\w.])/(?:work|home|Users)/[a-z]|/root/\.")
    later = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    for name in tree.files:
        if name.startswith(("tests/lint/", "tests/fuzz/corpus/")) or name == "LICENSE":
            continue
        try:
            text = (tree.root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if private.search(line):
                yield f"{name}:{number}: a path of somebody's machine"
            if later.search(line) and name.endswith((".c", ".h", ".py", ".cmake")):
                yield f"{name}:{number}: postponed work; do it or open an issue"
            lock = name.endswith("package-lock.json")
            # A lock's funding addresses are not ours; tests may name hosts to refuse.
            hosts = [] if lock or name.startswith("tests/") else HOST.findall(line)
            for host in hosts:
                if not HOSTS.search(host.lower()):
                    yield f"{name}:{number}: the host {host} is not in the list of tests/lint"
            if lock and '"resolved"' in line:
                yield f"{name}:{number}: a lock names no registry"


RULES = {f.__name__.replace("_", "-"): f for f in (
    layers, libraries, os_headers, banned_calls, function_size, complexity, file_size,
    header_alone, spdx, man_pages, shell, format_c, top_level, code_map, foreign_words)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    options = parser.parse_args()
    if options.list:
        for name, rule in RULES.items():
            print(f"{name:15} {rule.__doc__.splitlines()[0]}")
        return 0
    tree = Tree(options.tree, options.build)
    findings = [f"{finding} [{name}]" for name in options.rules or RULES
                for finding in RULES[name](tree)]
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
