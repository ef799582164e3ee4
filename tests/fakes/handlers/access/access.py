#!/usr/bin/env python
# SPDX-License-Identifier: Apache-2.0
"""Writes what it was asked for, secrets included, into the file its settings name."""
import sys

from Utils.helper import Helper


def enable(helper):
    again = helper.done_before()
    public = (helper.settings or {}).get("publicSettings") or {}
    secret = (helper.settings or {}).get("protectedSettings") or {}
    if not again:
        helper.take()
        helper.hide()
    if public.get("file"):
        with open(public["file"], "a") as f:
            f.write("%s %s %s\n" % ("again" if again else "first", public.get("user"),
                                    secret.get("password")))
    if not again:
        helper.leave(0, "success", "Enable succeeded for %s." % public.get("user"))


def other(helper):
    helper.leave(0, "success", helper.operation + " succeeded.")


WAYS = {"-i": ("Install", other), "-u": ("Uninstall", other), "-p": ("Update", other),
        "-e": ("Enable", enable), "-d": ("Disable", other)}

if __name__ == "__main__":
    word, act = WAYS[sys.argv[1].strip()]
    act(Helper(word))
