"""What runs inside the sandbox: a process of its own that imports only the standard library, and little of it.

`__main__.py` forks once per program; `isolation.py` is what it gives up before; `program.py` is what each fork becomes.
"""
