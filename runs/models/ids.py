"""Public identifiers: what an address or an API answer shows instead of a database number."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread


def new_id(prefix: str) -> str:
    """Make an identifier such as run_4t9k2m7q0xw8a1bc (80 random bits)."""
    return prefix + "_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def run_id() -> str:
    return new_id("run")


def stage_id() -> str:
    return new_id("stage")


def checkpoint_id() -> str:
    return new_id("ckpt")


def recipe_id() -> str:
    return new_id("rec")


def proposal_id() -> str:
    return new_id("prop")


def thread_id() -> str:
    return new_id("thread")


def comment_id() -> str:
    return new_id("comment")


def data_set_id() -> str:
    return new_id("data")


def leak_check_id() -> str:
    return new_id("leak")


def model_id() -> str:
    return new_id("model")
