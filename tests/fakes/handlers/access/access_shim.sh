#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Finds a Python and starts the command with it: "shim -c ./program.py  -e".
[ "$1" = -c ] || exit 1
COMMAND=$2
shift 2
for name in python3 python2 python; do
    if command -v "$name" >/dev/null 2>&1; then
        exec "$name" "$COMMAND" "$@"
    fi
done
echo "no Python on this machine" >&2
exit 51
