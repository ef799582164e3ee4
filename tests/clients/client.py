# SPDX-License-Identifier: Apache-2.0
"""Azure's Python identity library for the tests beside this file: a scope on standard input, one
JSON answer on standard output."""
import json
import sys

from azure.identity import ManagedIdentityCredential


def main():
    try:
        token = ManagedIdentityCredential().get_token(sys.stdin.read().strip())
        print(json.dumps({"token": token.token, "expiresOn": token.expires_on}))
    except Exception as error:  # pylint: disable=broad-except
        print(json.dumps({"failed": type(error).__name__, "message": str(error)}))


if __name__ == "__main__":
    main()
