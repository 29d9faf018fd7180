"""A spec that cannot be carried out. Here, and not in `failures.py`, so that graders and rows can say so without torch."""


class BadSpecError(ValueError):
    """The spec asks for what cannot be done; the message says what and what to do instead."""
