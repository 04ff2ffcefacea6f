"""Text for XML and SVG."""

from __future__ import annotations

from html import escape

from convcalc.errors import printable


def xml(text: str) -> str:
    """Text that shows as it is in an element or an attribute; what XML cannot hold is written as an escape.

    >>> xml('<a "b">\\x00')
    '&lt;a &quot;b&quot;&gt;\\\\x00'
    """
    return escape(printable(text))
