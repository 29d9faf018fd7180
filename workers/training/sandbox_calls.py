"""The system calls a program in the sandbox may make; every other is refused with "operation not permitted".

A list of what is allowed, not of what is forbidden: a call that a new kernel brings is refused until it stands here.
The sandbox's process, which forks a process per program, loads the list once with the few calls it needs for that; a
whole program then takes those away by a filter of its own. Expressions go without it, since loading one takes 0.3 ms:
they may start no process and no thread by another limit, and namespaces and Landlock keep their signals from others.
Left out on purpose: starting processes and programs (fork, exec), signals, sockets, links, devices, other processes'
memory (ptrace, process_vm_*), namespaces and mounts, shared memory and message queues, keys, BPF, io_uring, and
changing owners, priorities or the clock.
"""

import errno
import functools
import socket
import tempfile
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyseccomp import SyscallFilter

_ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile copy_file_range
    close close_range dup dup2 dup3 fcntl flock fsync fdatasync sync_file_range pipe pipe2 eventfd2
    open openat creat access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs readlink readlinkat
    getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
    truncate ftruncate fallocate chmod fchmod fchmodat utimensat umask
    mmap mprotect munmap mremap madvise msync mincore brk
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause restart_syscall
    alarm setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 recvfrom sendto
    futex set_robust_list get_robust_list rseq set_tid_address membarrier sched_yield sched_getaffinity
    getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid getresgid
    getrlimit setrlimit getrusage sysinfo uname getrandom wait4 waitid exit exit_group
"""

_OF_THE_SANDBOX = ("fork", "clone", "kill", "pidfd_open", "splice", "memfd_create", "prctl")  # and of no program

_FORK = 0x01200011  # what the C library's fork gives as flags of clone
_THREAD = 0x00010000  # the flag that all threads have, and no process
_FIOCLEX, _FIONCLEX = 0x5451, 0x5450  # which the standard library names nowhere
_IOCTLS = (termios.TCGETS, termios.FIONREAD, termios.FIONBIO, _FIOCLEX, _FIONCLEX)
_OPTIMIZE = 8  # an attribute of libseccomp 2.5: a search tree of calls (value 2) in place of a list


@functools.cache
def filter_programs() -> tuple[bytes, bytes]:
    """Build the sandbox's and a program's filter for this machine, as BPF; empty where libseccomp is missing."""
    try:
        import pyseccomp as seccomp
    except RuntimeError:  # what it raises at import when there is no libseccomp
        return b"", b""
    shared = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    shared.set_attr(_OPTIMIZE, 2)
    for name in [*_ALLOWED.split(), *(name for name in _OF_THE_SANDBOX if name != "clone")]:
        shared.add_rule(seccomp.ALLOW, name)
    for request in _IOCTLS:
        shared.add_rule(seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    shared.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.EQ, _FORK))
    shared.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _THREAD, _THREAD))
    shared.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory, unseen; libraries then take clone
    shared.add_rule(seccomp.ALLOW, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0))  # one's own limits alone
    # asyncio's wake-up; a stream, since a datagram socket could send to an address
    for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM | socket.SOCK_CLOEXEC):
        pair = (seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX), seccomp.Arg(1, seccomp.EQ, kind))
        shared.add_rule(seccomp.ALLOW, "socketpair", *pair)
    own = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in _OF_THE_SANDBOX:
        fork = [seccomp.Arg(0, seccomp.EQ, _FORK)] if name == "clone" else []
        own.add_rule(seccomp.ERRNO(errno.EPERM), name, *fork)
    return _export(shared), _export(own)


def _export(calls: "SyscallFilter") -> bytes:
    with tempfile.TemporaryFile() as file:
        calls.export_bpf(file)
        file.seek(0)
        return file.read()
