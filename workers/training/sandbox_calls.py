"""The system calls a program in the sandbox may make; every other is refused with "operation not permitted".

A list of what is allowed, not of what is forbidden: a call that a new kernel brings is refused until it stands here.
Left out on purpose: starting processes and programs (fork, exec), signals, sockets, links, devices, other processes'
memory (ptrace, process_vm_*), namespaces and mounts, shared memory and message queues, keys, BPF, io_uring, and
changing owners, priorities or the clock.
"""

import errno
import functools
import socket
import tempfile
import termios

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
""".split()

_CLONE_THREAD = 0x00010000
_FIOCLEX, _FIONCLEX = 0x5451, 0x5450  # which the standard library names nowhere
_OPTIMIZE = 8  # an attribute of libseccomp 2.5: a search tree of calls (value 2) in place of a list
_IOCTLS = (termios.TCGETS, termios.FIONREAD, termios.FIONBIO, _FIOCLEX, _FIONCLEX)


@functools.cache
def filter_program() -> bytes:
    """Build the filter for this machine's kernel, as BPF instructions; empty where libseccomp is missing."""
    try:
        import pyseccomp as seccomp
    except RuntimeError:  # what it raises at import when there is no libseccomp
        return b""
    calls = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    calls.set_attr(_OPTIMIZE, 2)
    for name in _ALLOWED:
        calls.add_rule(seccomp.ALLOW, name)
    for request in _IOCTLS:
        calls.add_rule(seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    calls.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    calls.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory, unseen; libraries then take clone
    calls.add_rule(seccomp.ALLOW, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0))  # one's own limits alone
    # asyncio's wake-up; a stream, since a datagram socket could send to an address
    for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM | socket.SOCK_CLOEXEC):
        pair = (seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX), seccomp.Arg(1, seccomp.EQ, kind))
        calls.add_rule(seccomp.ALLOW, "socketpair", *pair)
    with tempfile.TemporaryFile() as file:
        calls.export_bpf(file)
        file.seek(0)
        return file.read()
