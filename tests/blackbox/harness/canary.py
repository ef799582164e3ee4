# SPDX-License-Identifier: Apache-2.0
"""Where a secret went: every form in which a program may have written it."""
import base64
import json
import re
import urllib.parse


def forms(secret):
    """Every way a program may have written it."""
    wide = [secret.encode("utf-16-le"), secret.encode("utf-16-be")]
    raw = secret.encode()
    coded = [base64.b64encode(b"x" * shift + raw + b"y" * 3) for shift in range(3)]
    return {"raw": raw, "url": urllib.parse.quote(secret, safe="").encode(),
            "json": json.dumps(json.dumps({"v": secret})).encode(), "utf-16-le": wide[0],
            "utf-16-be": wide[1], "base64 of utf-16": base64.b64encode(wide[0]),
            "hex": raw.hex().encode(), **{f"base64+{n}": c for n, c in enumerate(coded)}}


def traces(text, secret):
    """Which forms of the secret are in the text."""
    raw = secret.encode()
    found = [name for name, form in forms(secret).items()
             if not name.startswith("base64") and form in text]
    for word in re.findall(rb"[A-Za-z0-9+/_-]{16,}", text):
        word = word.replace(b"-", b"+").replace(b"_", b"/")
        for skip in range(4):
            part = word[skip:]
            clear = base64.b64decode(part[:len(part) // 4 * 4])
            if raw[2:-2] in clear or raw[2:-2] in clear.replace(b"\0", b""):
                found.append("base64")
    return found
