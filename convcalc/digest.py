"""Hashes without `hashlib` where Python has them apart: it loads OpenSSL, a fortieth of a short command."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any

_MODULES = {"sha256": ("_sha256", "_sha2"), "blake2b": ("_blake2",)}


def new_digest(name: str, data: bytes = b"", **options: Any) -> Any:
    """A hash object as `hashlib` makes them.

    >>> new_digest("sha256", b"abc").hexdigest()[:8], new_digest("blake2b", b"abc", digest_size=4).hexdigest()
    ('ba7816bf', '63906248')
    """
    for module in _MODULES[name]:
        with suppress(ImportError, AttributeError):
            return getattr(import_module(module), name)(data, **options)
    return getattr(import_module("hashlib"), name)(data, **options)
