"""Which calls of the system a program may not make: a filter in the kernel (seccomp), for ever and for all children.

A list of what is refused, not of what is let through: the interpreter needs some two hundred, and other ones with each
version of the C library. Refused is what reaches out (sockets), into other processes, into the kernel's rarely
used parts, where most of its holes were, and memory that no limit counts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from studio_core.programs import kernel

# (x86_64, aarch64); calls since Linux 5.1 have one number everywhere.
_REFUSED = {
    # Network. socketpair stays: event loops wake themselves through one.
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    # Other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "move_pages": (279, 239),
    # Namespaces and mounts, in which it would have rights.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # Memory that outlives a process, or that no limit counts.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "userfaultfd": (323, 282),
    # Large and rarely needed parts of the kernel.
    "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "fanotify_init": (300, 262), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "personality": (135, 92), "quotactl": (179, 60), "syslog": (103, 116),
    # The machine itself; these want rights too, which it has not.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171),
}  # fmt: skip
_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
"""Place in the pairs above, and the number by which the kernel tells the machine (AUDIT_ARCH)."""
_CLONE, _CLONE3 = (56, 220), 435
_X32 = 0x4000_0000
"""Calls of a second table that x86_64 kernels may have, under other numbers."""

# Instructions of the filter (linux/bpf_common.h) and its verdicts (linux/seccomp.h).
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_FILTER = 2


def refuse() -> None:
    """From now on these calls fail with ``EPERM``. Raises ``OSError`` where the kernel has no filters, or for this
    machine we have no numbers."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), f"seccomp on {machine}")
    program = _filter(*_MACHINES[machine])
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack(
        "HL" if struct.calcsize("P") == 8 else "HI", len(program) // 8, ctypes.addressof(buffer)
    )
    # Without it only root may set filters; and no program gains rights by being started.
    kernel.prctl(kernel.SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.SET_SECCOMP, _FILTER, ctypes.create_string_buffer(header, len(header)))


def _filter(place: int, audit_arch: int) -> bytes:
    spaces = (
        kernel.NEWNS
        | kernel.NEWUTS
        | kernel.NEWIPC
        | kernel.NEWUSER
        | kernel.NEWPID
        | kernel.NEWNET
        | 0x0200_0000
    )  # The last one is that of control groups.
    lines = [
        _line(_LOAD, _MACHINE),
        _line(_EQUAL, audit_arch, yes=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        _line(_AT_LEAST, _X32, no=1),
        _line(_RETURN, _KILL),
        # Its flags stand in memory, where a filter cannot look; the C library falls back to clone.
        _line(_EQUAL, _CLONE3, no=1),
        _line(_RETURN, _FAIL | errno.ENOSYS),
    ]
    for numbers in _REFUSED.values():
        lines += [_line(_EQUAL, numbers[place], no=1), _line(_RETURN, _FAIL | errno.EPERM)]
    return b"".join(
        [
            *lines,
            _line(_EQUAL, _CLONE[place], yes=1),
            _line(_RETURN, _ALLOW),
            _line(_LOAD, _FIRST_ARGUMENT),
            _line(_ANY_BIT, spaces, no=1),
            _line(_RETURN, _FAIL | errno.EPERM),
            _line(_RETURN, _ALLOW),
        ]
    )


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; ``yes`` and ``no`` say how many of the next it leaves out."""
    return struct.pack("HBBI", code, yes, no, value)
