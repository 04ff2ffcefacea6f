"""The effort of a call as a number that no slow machine changes."""

import sys


def calls(function, *arguments):
    """How many functions are called, Python's own included, until this one returns."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return count
