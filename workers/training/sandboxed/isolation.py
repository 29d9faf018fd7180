"""What the sandbox's process gives up before it runs any program, as far as the machine allows.

What could not be given up is not named in `Granted.names`; the trainer's side decides what it runs without it.
"""

import ctypes
import os
import signal
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from workers.training.sandboxed import landlock

SCRATCH = "/scratch"
_SCRATCH_OPTIONS = f"size={32 * 1024 * 1024},nr_inodes=512,mode=777"  # so few that one recursion empties it

_PACKAGES = ("/site-packages", "/dist-packages")

_NOBODY, _FIRST_UNUSED_USER = 65_534, 0x7000_0000
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWUSER = 0x00020000, 0x04000000, 0x08000000, 0x10000000
_CLONE_NEWPID, _CLONE_NEWNET = 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 16384, 1 << 18, 2
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 1, 22, 38, 2
_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


class Granted:
    """What the machine let this process give up, in words, and the filter of system calls that a program loads.

    Not a dataclass: `dataclasses` imports so much that every fork would take longer.
    """

    def __init__(self, calls: bytes) -> None:
        self.calls = calls
        self.names: list[str] = []

    @property
    def folder(self) -> str:
        """Where a program begins."""
        return SCRATCH if "scratch folder" in self.names else "/"


def forget_the_way_in() -> None:
    """Let programs import from the standard library alone, and see no environment but an empty one."""
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    kept = [path for path in sys.path if any(path.startswith(folder) for folder in library)]
    sys.path[:] = [os.path.realpath(path) for path in kept]  # links are not in the programs' file system
    os.environ.clear()


def give_up_rights(shared_calls: bytes, program_calls: bytes) -> Granted:
    """Give up what this process may do, in an order in which each step still can."""
    granted = Granted(program_calls)
    user, group, number = os.getuid(), os.getgid(), os.getpid()
    namespaces = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWUTS
    if _libc.unshare(namespaces | (0 if user == 0 else _CLONE_NEWUSER)) == 0:
        granted.names += ["no network", "own processes only"]
        if user != 0:
            _keep_own_ids(user, group)
        _become_first_of_namespace()
        with suppress(OSError):
            _build_root()
            granted.names += ["own file system", "scratch folder"]
    has_landlock = landlock.version() > 0
    if not has_landlock and "own file system" not in granted.names:
        with suppress(OSError):
            os.chroot(".")
            os.chdir("/")
            granted.names.append("empty file system")
    if has_landlock:
        _lock_files(granted)  # before the user changes, who may not be able to open the folders that rules name
        granted.names.append("Landlock")
    if user == 0:
        _become_nobody(number)
        granted.names.append("nobody's rights")
    if _drop_capabilities():
        granted.names.append("no capabilities")
    with suppress(OSError):
        load_filter(shared_calls)
        granted.names.append("few system calls")
    return granted


def load_filter(calls: bytes) -> None:
    """Restrict this process to the calls that the filter lets through, for good; raises OSError if it cannot."""
    program = _Filter(len(calls) // 8, calls)
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0))


def empty_scratch(granted: Granted) -> None:
    """Remove what a program left; ends this process, whose scratch folder ends with it, where that is not possible."""
    if "scratch folder" not in granted.names:
        return
    try:
        _empty(SCRATCH)
    except (OSError, RecursionError):
        sys.exit()


def _empty(folder: str) -> None:
    """Remove all in a folder; from inside, since a path of many folders is too long for the kernel."""
    os.chdir(folder)
    for entry in os.scandir():
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.name, 0o700)  # noqa: PTH101 - not through Path, which would copy pages in every fork
            _empty(entry.name)
            os.rmdir(entry.name)  # noqa: PTH106
        else:
            os.unlink(entry.name)  # noqa: PTH108
    os.chdir("..")


def _keep_own_ids(user: int, group: int) -> None:
    """Be the same user inside the new user namespace as outside; files could not be made otherwise."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _become_first_of_namespace() -> None:
    """Go on as process 1 of the new namespace, which programs cannot kill; the process outside only waits for it."""
    inside = os.fork()
    if inside:
        os.closerange(0, 64)  # so that the pipes to the trainer close when the inner process dies
        os.waitpid(inside, 0)
        os._exit(0)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _build_root() -> None:
    """Swap the file system for one that holds the standard library, read-only, and an empty scratch folder in memory."""
    root = str(Path.cwd())
    _mount(None, "/", flags=_MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, options="size=65536,mode=755")
    for folder in _library_folders():
        inside = root + folder
        Path(inside).mkdir(parents=True, exist_ok=True)
        _mount(folder, inside, flags=_MS_BIND | _MS_REC)
        kept = os.statvfs(inside).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)  # which a remount may not clear
        _mount(None, inside, flags=_MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)
    for packages in (root + os.path.realpath(sysconfig.get_path("stdlib")) + name for name in _PACKAGES):
        if Path(packages).is_dir():  # what was installed beside the standard library is covered up
            _mount("tmpfs", packages, kind="tmpfs", flags=_MS_RDONLY | _MS_NOSUID | _MS_NODEV, options="size=4096")
    Path(root + SCRATCH).mkdir()
    _mount("tmpfs", root + SCRATCH, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options=_SCRATCH_OPTIONS)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."))  # the old root then lies over the new one, until it is let go
    _check(_libc.umount2(b".", _MNT_DETACH))
    os.chdir("/")
    _mount(None, "/", flags=_MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _library_folders() -> list[str]:
    """Name what an import may need: Python's own modules and the shared libraries they load."""
    wanted = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
    ]
    folders = sorted({os.path.realpath(path) for path in wanted if Path(path).is_dir()})
    return [path for path in folders if not any(path.startswith(other + "/") for other in folders)]


def _become_nobody(number: int) -> None:
    """Take a user id that no one else has, so that limits per user are this sandbox's own; else the usual nobody's."""
    os.setgroups([])
    try:
        os.setresgid(_FIRST_UNUSED_USER + number, _FIRST_UNUSED_USER + number, _FIRST_UNUSED_USER + number)
        os.setresuid(_FIRST_UNUSED_USER + number, _FIRST_UNUSED_USER + number, _FIRST_UNUSED_USER + number)
    except OSError:  # a container that has only the usual range of ids
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _drop_capabilities() -> bool:
    """Drop what a new user namespace gave, or root had; without, a program could undo the new root."""
    header, empty = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    return bool(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and _libc.capset(header, empty) == 0)


def _lock_files(granted: Granted) -> None:
    """Let programs read the standard library and use the scratch folder; no other file, port, socket or process."""
    own = {SCRATCH: landlock.USE} if granted.folder == SCRATCH else {}
    landlock.restrict(dict.fromkeys(_library_folders(), landlock.READ) | own)


def _mount(source: str | None, target: str, *, kind: str | None = None, flags: int, options: str | None = None) -> None:
    texts = [text if text is None else text.encode() for text in (source, target, kind, options)]
    _check(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
