# SPDX-License-Identifier: Apache-2.0
"""What a service manager does for a socket unit: listens, and starts the program with the sockets.

usage: activate.py NAME ADDRESS:PORT[,ADDRESS:PORT...] PROGRAM [ARGUMENT...]
"""
import os
import socket
import sys


def main():
    name, addresses, *argv = sys.argv[1:]
    held = []
    for number, address in enumerate(addresses.split(","), 3):
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host.strip("[]"), int(port)))
        one.listen(128)
        held.append(one)
        if one.fileno() == number:
            os.set_inheritable(number, True)
        else:
            os.dup2(one.fileno(), number)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)),
                      LISTEN_FDNAMES=":".join([name] * len(held)))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
