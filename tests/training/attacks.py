"""Attacks on the sandbox: what a program tries, what must be seen of it, and what contained it.

`{secret}`, `{socket}`, `{abstract}`, `{tcp}`, `{udp}`, `{worker}` are a readable file, listening sockets and the process id
of the worker, all made by the test. `attempt` prints "refused" and the exception, or "escaped" and what was got.
"""

from dataclasses import dataclass

PRELUDE = """
import ctypes, os, signal, sys, time
def attempt(action):
    try:
        result = action()
    except BaseException as error:
        print("refused:", type(error).__name__)
    else:
        print("escaped:", result)
def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""

CALLS, FILES, TIME, MEMORY = "system call filter", "own file system and Landlock", "time limit", "memory limit"
SCRATCH, OUTPUT, LIMIT, OUTSIDE = (
    "size of the scratch folder",
    "output limit",
    "limit of the kernel",
    "nothing of it inside",
)


@dataclass(frozen=True)
class Attack:
    """A script, what its output and error together must match, and what to name as its container."""

    name: str
    source: str
    seen: str
    contained_by: str
    timeout_s: float = 10.0


def _refused(name: str, action: str, contained_by: str, imports: str = "") -> Attack:
    return Attack(name, f"{imports}\nattempt(lambda: {action})", "^refused: ", contained_by)


def _endless(name: str, source: str) -> Attack:
    return Attack(name, source, "ran longer than 0.5 s", TIME, timeout_s=0.5)


PROCESSES = [
    Attack("fork bomb", "while True: os.fork()", "PermissionError", CALLS),
    _refused("starting a shell", "subprocess.run(['/bin/sh', '-c', 'echo'])", CALLS, "import subprocess"),
    Attack("os.system", "print(os.system('echo escaped'))", "^32512", CALLS),
    _refused("posix_spawn", "os.posix_spawn('/bin/true', ['true'], {{}})", CALLS),
    _refused("becoming another program", "os.execv(sys.executable, ['python'])", CALLS),
    _refused("multiprocessing", "multiprocessing.Process(target=print).start()", CALLS, "import multiprocessing"),
    _refused("daemon: setsid", "os.setsid()", CALLS),
    _refused("daemon: double fork", "os.fork() and os.fork()", CALLS),
    Attack(
        "thread bomb",
        "import threading\nthreading.stack_size(65536)\nn = 0\ntry:\n    while True:\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1\n"
        "except RuntimeError: print('threads' if n < 40 else 'escaped')",
        "^threads",
        "limit of threads",
    ),
    _endless("endless loop", "while True: pass"),
    _endless("endless sleep", "time.sleep(1e6)"),
    _endless("regex bomb", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')"),
    _endless("big integers", "9 ** 9 ** 9"),
    _endless(
        "ignoring every signal",
        "for n in set(signal.Signals) - {{9, 19}}: signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    ),
    _endless(
        "catching every exception", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    ),
    _endless("a thread that never ends", "import threading\nthreading.Thread(target=lambda: time.sleep(1e6)).start()"),
    _endless("endless work at exit", "import atexit\natexit.register(time.sleep, 1e6)"),
    _endless("closing all descriptors and going on", "os.closerange(0, 256)\nwhile True: pass"),
    _endless(
        "timer signals without end",
        "signal.signal(14, lambda *_: None)\nsignal.setitimer(0, 1e-5, 1e-5)\nwhile True: pass",
    ),
]

RESOURCES = [
    Attack("memory bomb", "held = []\nwhile True: held.append(bytearray(10 ** 7))", "MemoryError", MEMORY),
    _endless(
        "memory bomb that goes on",
        "held = []\nwhile True:\n    try: held.append(bytearray(10 ** 6))\n    except MemoryError: pass",
    ),
    _refused("shared anonymous memory", "mmap.mmap(-1, 10 ** 11)", MEMORY, "import mmap"),
    _refused("memory file", "os.memfd_create('x')", CALLS),
    _refused("System V shared memory", "call(29, 0, 4096, 0o1666)", CALLS),
    _refused("/dev/shm", "open('/dev/shm/escaped', 'w')", FILES),
    _refused("zip bomb", "zlib.decompress(zlib.compress(bytes(10 ** 8)) * 1, bufsize=10 ** 9)", MEMORY, "import zlib"),
    Attack("deep recursion", "def f(): f()\nf()", "RecursionError", "the interpreter"),
    Attack(
        "deep recursion past the interpreter's limit",
        "sys.setrecursionlimit(10 ** 9)\ndef f(n): return repr([n]) + f([n])\nf([])",
        "MemoryError|RecursionError|SIGSEGV|ran longer",
        MEMORY,
        timeout_s=1.0,
    ),
    Attack("huge output", "while True: print('x' * 10 ** 5)", "wrote more than 1,048,576 bytes", OUTPUT),
    Attack(
        "huge output to the error stream",
        "for _ in range(100): print('x' * 10 ** 6, file=sys.stderr)\nprint('gone')",
        "^gone",
        "it goes nowhere",
    ),
    _refused("huge file", "open('x', 'wb').write(bytes(9 * 1024 * 1024))", "limit of file size"),
    _refused(
        "huge file with a hole", "os.truncate(os.open('x', os.O_CREAT | os.O_RDWR), 1 << 40)", "limit of file size"
    ),
    _refused("growing its standard input", "os.truncate(0, 1 << 40)", "limit of file size"),
    _refused("many files", "[open(f'{{n}}', 'w').close() for n in range(10 ** 5)]", SCRATCH),
    _refused("filling the disk", "[open(f'{{n}}', 'wb').write(bytes(8 * 1024 * 1024)) for n in range(9)]", SCRATCH),
    Attack(
        "folders in folders, unreadable",
        "for _ in range(400): os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)\nprint('made')",
        "made",
        "the scratch folder is emptied, or ends with its process",
    ),
    _refused("using up descriptors", "[os.dup(0) for _ in range(10 ** 5)]", "limit of descriptors"),
    _refused("raising its own limits", "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", LIMIT, "import resource"),
    _refused(
        "limits of another process", "resource.prlimit({worker}, resource.RLIMIT_CPU, (1, 1))", CALLS, "import resource"
    ),
    _refused("a higher priority", "os.nice(-20)", CALLS),
    _refused("flushing the host's disks", "os.sync() or call(162)", CALLS),
    Attack("core dump", "os.abort()", "was ended by SIG", "limit of core size"),
]

SECRETS = [
    Attack("environment", "print(dict(os.environ), ctypes.CDLL(None).getenv(b'SECRET_TOKEN'))", r"^\{\} 0", OUTSIDE),
    _refused("environment of the worker", "open('/proc/{worker}/environ').read()", FILES),
    _refused("environment of itself as started", "open('/proc/self/environ').read()", FILES),
    _refused("memory of the worker by /proc", "open('/proc/{worker}/mem', 'rb')", FILES),
    _refused("a file of the host", "open({secret!r}).read()", FILES),
    _refused("the host's users", "open('/etc/passwd').read()", FILES),
    _refused("a path that climbs out", "open('../../..{secret}').read()", FILES),
    _refused("listing the host's folders", "os.listdir('/')", FILES),
    _refused("packages of the worker", "__import__('django')", OUTSIDE),
    Attack(
        "inherited descriptors",
        "found = []\nfor n in range(3, 256):\n    try: os.fstat(n); found.append(n)\n    except OSError: pass\nprint(found)",
        r"^\[\]",
        "closed before it starts",
    ),
    Attack(
        "objects and frames of other programs",
        "import gc\nframe = sys._getframe()\nseen = str(gc.get_objects())\n"
        "while frame: seen += str(frame.f_locals) + str(frame.f_globals); frame = frame.f_back\n"
        "print('escaped' if 'program'.join(['other', '']) in seen else 'nothing')",
        "^nothing",
        "jobs never pass through the sandbox's own memory",
    ),
    Attack("files of other programs", "print(os.listdir('.'))", r"^\[\]", "the scratch folder is emptied"),
]

NETWORK = [
    _refused("TCP", "socket.create_connection(('127.0.0.1', {tcp}), 1)", CALLS + ", own network", "import socket"),
    _refused("UDP", "socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {udp}))", CALLS + ", own network", "import socket"),
    _refused("raw socket", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", CALLS, "import socket"),
    _refused("netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", CALLS, "import socket"),
    _refused("name look-up", "socket.getaddrinfo('localhost.example', 80)", CALLS + ", own network", "import socket"),
    _refused("the database's socket", "socket.socket(1).connect({socket!r})", CALLS + ", " + FILES, "import socket"),
    _refused("an abstract socket", "socket.socket(1).connect({abstract!r})", CALLS + ", Landlock", "import socket"),
    _refused(
        "a pair that sends elsewhere", "socket.socketpair(1, 2)[0].sendto(b'x', {abstract!r})", CALLS, "import socket"
    ),
    _refused("listening", "socket.socket().bind(('', 0))", CALLS, "import socket"),
]

OTHERS = [
    _refused("signal to the parent", "os.kill(os.getppid(), 9)", CALLS + ", own processes"),
    _refused("signal to the group", "os.killpg(0, 9)", CALLS),
    _refused("signal to all", "os.kill(-1, 9)", CALLS),
    _refused("signal to the worker", "os.kill({worker}, 9)", CALLS + ", own processes"),
    _refused("signal to a thread of another", "call(234, {worker}, {worker}, 9)", CALLS),
    _refused("signal through a process descriptor", "signal.pidfd_send_signal(os.pidfd_open({worker}), 9)", CALLS),
    _refused("stopping itself", "os.kill(os.getpid(), signal.SIGSTOP)", CALLS),
    _refused("ptrace", "call(101, 16, {worker}, 0, 0)", CALLS),
    _refused("reading another's memory", "call(310, {worker}, 0, 0, 0, 0, 0)", CALLS),
    _refused("io_uring", "call(425, 8, 0)", CALLS),
    _refused("BPF", "call(321, 0, 0, 0)", CALLS),
    _refused("keys of the kernel", "call(250, 0, -3, 0)", CALLS),
    _refused("userfaultfd", "call(323, 0)", CALLS),
    _refused("setting the clock", "time.clock_settime(time.CLOCK_REALTIME, 0)", CALLS),
    _refused("becoming root", "os.setuid(0)", CALLS),
    _refused("a new namespace", "call(272, 0x10000000)", CALLS),
    _refused("a namespace by clone3", "call(435, 0, 0)", CALLS),
    _refused("mounting", "call(165, b'tmpfs', b'/scratch', b'tmpfs', 0, 0)", CALLS),
    _refused("chroot", "os.chroot('.')", CALLS),
    _refused("undoing the filter", "call(157, 22, 0)", CALLS),
]

OUTWARDS = [
    _refused("writing outside", "open('/tmp/escaped', 'w')", FILES),
    _refused("writing into the standard library", "open(os.__file__, 'a')", FILES),
    _refused("deleting from the standard library", "os.unlink(os.__file__)", FILES),
    _refused("symbolic link", "os.symlink({secret!r}, 'link')", CALLS),
    _refused("hard link", "os.link(os.__file__, 'link')", CALLS),
    _refused("device", "os.mknod('disk', 0o60666, os.makedev(254, 0))", CALLS),
    _refused("named pipe", "os.mkfifo('pipe')", CALLS),
    _refused("moving a file out", "(open('x', 'w').close(), os.rename('x', '/tmp/escaped'))", FILES),
    _refused("replacing its folder", "os.rename('/scratch', '/other')", FILES),
    _refused("set-user-id bit", "(open('x', 'w').close(), os.chmod('x', 0o4755), os.execv('x', ['x']))", CALLS),
]

PYTHON = [
    Attack(
        "exception with an endless text",
        "class E(BaseException):\n    def __str__(self):\n        while True: pass\nraise E",
        "E$",
        "only its name is read",
    ),
    Attack(
        "exception with a huge name",
        "raise type('E' * 10 ** 6, (BaseException,), {{}})",
        "^\n?E{400}$",
        "names are cut",
    ),
    Attack("odd exit status", "raise SystemExit(2 ** 40 + 7)", "ended with status 7", OUTSIDE),
    Attack(
        "pickle and __reduce__",
        "import pickle\nclass P:\n    def __reduce__(self): return os.system, ('echo escaped',)\n"
        "print(pickle.loads(pickle.dumps(P())))",
        "^32512",
        "nothing is unpickled outside; " + CALLS,
    ),
    Attack("replacing os._exit", "os._exit = lambda status: None\nprint('ran')", "^ran", "closed descriptors"),
    Attack(
        "replacing what reports",
        "import builtins, json\njson.dumps = builtins.repr = lambda *a, **k: '[[\"passed\"]]'\nprint(1)",
        "^1",
        OUTSIDE,
    ),
    Attack(
        "printing a forged reply",
        "os.write(1, b'\\0' * 5 + b'\\2\\0\\0\\0ok')",
        "ok",
        "output is counted, never read as a reply",
    ),
    Attack("reading standard input for ever", "while sys.stdin.read(): pass\nprint('end')", "^end", "it is a file"),
    Attack(
        "NUL bytes and broken text",
        "os.write(1, b'\\0\\xff\\xfe')",
        "\0\ufffd\ufffd",
        "decoding replaces what is no text",
    ),
    Attack("half a character", "print(chr(0xD800))", "UnicodeEncodeError", "the interpreter"),
    Attack("NUL byte in the source", "x = '\0'", "SyntaxError|ValueError", "the interpreter"),
    Attack("look-alike names", "ｏｐｅｎ = ｐｒｉｎｔ\nopen('inside')", "^inside", OUTSIDE),
    Attack(
        "changing modules for the next program",
        "import math\nmath.pi = 3\nos.listdir = None\nprint('done')",
        "^done",
        "a process each",
    ),
]

ATTACKS = PROCESSES + RESOURCES + SECRETS + NETWORK + OTHERS + OUTWARDS + PYTHON
