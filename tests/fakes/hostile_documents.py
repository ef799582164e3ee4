# SPDX-License-Identifier: Apache-2.0
"""Desired-state documents as a control plane that was taken over might send them.

mutations(item, rng) yields copies of an item with one member missing, of another type, too long, with
the names of other folders, with numbers that no counter holds, or deeply nested.
frames(document) yields whole documents (bytes) that are broken as documents: NUL, too deep, a member twice."""
import copy
import json

TRAP = "moor-trap"  # whatever has this in its name or path must never exist
ABSENT = object()

VALUES = (
    ABSENT, None, True, 0, -1, 1.5, 2**31, 2**53, 2**63, -2**63, 1e308, "", " ", ".", "..", "/", "a/b",
    f"../../../../../../../../tmp/{TRAP}", f"/tmp/{TRAP}", f"..\\..\\{TRAP}", f"C:\\{TRAP}",
    f"`touch /tmp/{TRAP}`", f"$(touch /tmp/{TRAP})", f"; touch /tmp/{TRAP} #",
    f"x\ntouch /tmp/{TRAP}", "%s%n%n", "\ud7ff\ufffe\U0010ffff", "é", "-rf", "x" * 300, "x" * 70000,
    "99999999999999999999.1", "1.0.0.0.0", "1..0", [], [None], ["x"] * 100, [[[[]]]], {}, {"a": {"a": 1}},
    {"uris": [f"file:///tmp/{TRAP}"]}, "https://127.0.0.1:1/x.zip", "http://localhost/x.zip",
)


def nested(depth):
    value = "end"
    for _ in range(depth):
        value = {"a": value}
    return value


def paths(value, before=()):
    """Every member of an object, and of objects in it."""
    for name, inner in value.items():
        yield (*before, name)
        if isinstance(inner, dict) and len(before) < 1:
            yield from paths(inner, (*before, name))


def changed(item, path, value):
    copied = copy.deepcopy(item)
    place = copied
    for name in path[:-1]:
        place = place[name]
    if value is ABSENT:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


def mutations(item, rng, count=None):
    """All of them in any order, or that many. Each is (path, value, item)."""
    cases = [(path, value) for path in paths(item) for value in (*VALUES, nested(40))]
    rng.shuffle(cases)
    for path, value in cases[:count]:
        yield path, value, changed(item, path, value)


def frames(document):
    """Documents that fail as a whole."""
    text = json.dumps(document)
    yield "empty", b""
    yield "no JSON", b"\x00\xff{"
    yield "cut off", text[:len(text) // 2].encode()
    yield "a list", b"[]"
    yield "more behind it", text.encode() + b"{}"
    yield "a member twice", text.replace("{", '{"revision":"other",', 1).encode()
    yield "a byte order mark", b"\xef\xbb\xbf" + text.encode()
    yield "broken UTF-8", text.encode().replace(b'"extensions"', b'"exten\xc0\xafsions"', 1)
    yield "NUL", text.replace('"revision": "', '"revision": "\\u0000', 1).encode()
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    yield "too deep", text.replace('"tags": {}', f'"tags": {deep}', 1).encode()
    yield "lists too deep", b"[" * 100000
    yield "too many", json.dumps({**document, "extensions": document["extensions"][:1] * 65}).encode()
    for member in ("revision", "extensions", "dataCollectionRules"):
        for value in (ABSENT, None, 7, "x" * 100, {}, [[]] * 70):
            yield f"{member}: {str(value)[:20]}", json.dumps(changed(document, (member,), value)).encode()
    yield "eight megabytes", json.dumps({**document, "padding": "x" * (8 << 20)}).encode()
