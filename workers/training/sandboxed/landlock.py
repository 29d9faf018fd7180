"""Landlock, by which a process gives up files, ports, abstract sockets and signals without any privilege.

The three calls by ctypes rather than by a library: those on PyPI import so much that every fork of this process would take
0.8 ms longer (docs/experiments.md). Constants are those of the kernel's linux/landlock.h.
"""

import ctypes
import os

READ_FILE, READ_DIR = 1 << 2, 1 << 3
WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 1, 1 << 4, 1 << 5, 1 << 7, 1 << 8
REFER, TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
READ = READ_FILE | READ_DIR
USE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on all architectures
_ASK_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}  # how many of the low bits each version knows
_ALL_PORTS, _ALL_SCOPES = 0b11, 0b11  # TCP since version 4; abstract sockets and signals since version 6
_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scopes", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Ask the kernel; 0 or less where it has no Landlock."""
    return int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def restrict(folders: dict[str, int]) -> None:
    """Give up all that the kernel's version can refuse, but for these rights below these folders, for good."""
    known = version()
    files = (1 << max(n for since, n in _FILE_RIGHTS.items() if since <= known)) - 1
    wanted = _Ruleset(files, _ALL_PORTS if known >= 4 else 0, _ALL_SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24  # an older kernel takes fewer fields
    rules = _call(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    for path, rights in folders.items():
        folder = os.open(path, os.O_PATH)
        rule = _PathBeneath(rights & files, folder)
        _call(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(folder)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # without, only an administrator may
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
