"""Run a program as somebody other than root who may still reach files as root could.

    python unroot.py UID GID PROGRAM ARGUMENT...

PostgreSQL refuses to run as root, while a checkout or a state folder may well lie below a folder
that only root can enter.  The one capability about file permissions is therefore kept over the
change of user.  Where a sandbox refuses that, the program reaches what that user can.
"""

import ctypes
import os
import sys

CAP_DAC_OVERRIDE = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522


def become(uid: int, gid: int) -> None:
    """The process belongs to `uid` and `gid` and has the rights of nobody else, but on files."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    # Or access() would answer without the capability, and initdb asks it for its own programs.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(*[1 << CAP_DAC_OVERRIDE] * 3)  # effective, permitted, inheritable
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])
