#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tries what an attacker would: "ACT<TAB>ARGUMENT" lines of a file, one answer line each to
another: "worked", "refused REASON", or "failed REASON" for what is no refusal. Undoes what worked."""
import ctypes
import errno
import os
import pathlib
import socket
import stat
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
INIT_MODULE = {"x86_64": 175, "aarch64": 105}[os.uname().machine]
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18
CLONE = {"mount": 0x00020000, "user": 0x10000000}
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "packet": socket.AF_PACKET,
            "netlink": socket.AF_NETLINK}
# What a sandbox says: forbidden, read-only, hidden, a family that there is not, no route.
REFUSALS = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ESRCH,
            errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EBUSY}


def call(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def read(path):
    if path.endswith("_socket"):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
        return
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    if os.path.exists(path):  # of the kernel: opening is enough
        os.close(os.open(path, os.O_WRONLY))
        return
    pathlib.Path(path).touch()
    os.unlink(path)


def make_setuid(path):
    file = pathlib.Path(path)
    file.touch()
    try:
        file.chmod(0o4755)
        assert file.stat().st_mode & stat.S_ISUID
    finally:
        file.unlink()


def ptrace(pid):
    call(LIBC.ptrace(PTRACE_SEIZE, int(pid), None, None))
    # What is seized is let go when this process ends.


def load_module(_):
    """Garbage: who may load modules is told that it is none."""
    try:
        call(LIBC.syscall(INIT_MODULE, b"\0" * 64, 64, b""))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def in_child(act):
    """For what cannot be undone."""
    child = os.fork()
    if child == 0:
        try:
            act()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, os.strerror(number))


def write_and_execute(_):
    import mmap
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def listen(address):
    with socket.create_server((address, 0)):
        pass


def reach(address):
    """Answered or refused by the other side is reached."""
    with socket.socket() as s:
        s.settimeout(10)
        try:
            s.connect((address, 9))
        except ConnectionRefusedError:
            pass


def mount(path):
    def act():
        call(LIBC.unshare(CLONE["mount"]))
        call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        call(LIBC.mount(b"none", path.encode(), b"tmpfs", 0, None))

    def here():
        call(LIBC.mount(b"none", path.encode(), b"tmpfs", 0, None))
        call(LIBC.umount(path.encode()))
    try:
        in_child(act)
    except PermissionError:
        in_child(here)


ACTS = {
    "read": read,
    "write": write,
    "make-setuid": make_setuid,
    "see-process": lambda pid: os.stat(f"/proc/{pid}"),
    "ptrace": ptrace,
    "signal": lambda pid: os.kill(int(pid), 0),
    "load-module": load_module,
    "new-namespace": lambda kind: in_child(lambda: call(LIBC.unshare(CLONE[kind]))),
    "write-and-execute": write_and_execute,
    "raw-socket": lambda _: socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                          socket.IPPROTO_ICMP).close(),
    "socket": lambda name: socket.socket(FAMILIES[name], socket.SOCK_DGRAM).close(),
    "listen": listen,
    "reach": reach,
    "set-clock": lambda _: time.clock_settime(time.CLOCK_REALTIME,
                                              time.clock_gettime(time.CLOCK_REALTIME)),
    "set-host-name": lambda _: socket.sethostname(socket.gethostname()),
    "mount": mount,
    "realtime": lambda _: in_child(lambda: os.sched_setscheduler(
        0, os.SCHED_FIFO, os.sched_param(1))),
    "device": lambda path: os.close(os.open(path, os.O_RDWR)),
}


def main(rows):
    for row in pathlib.Path(rows).read_text(encoding="utf-8").splitlines():
        act, argument = row.split("\t")
        try:
            ACTS[act](argument)
            print("worked", flush=True)
        except OSError as error:
            word = "refused" if error.errno in REFUSALS else "failed"
            print(f"{word} {errno.errorcode.get(error.errno, error.errno)}", flush=True)


main(sys.argv[1])
