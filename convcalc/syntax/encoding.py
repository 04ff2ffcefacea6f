"""Bytes -> the text of a spec: UTF-8, of a bounded size, without invisible characters."""

from __future__ import annotations

import re

from convcalc.errors import Place, Problem, Source, SpecError, quoted

MOST_BYTES = 32 * 2**20
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_FORBIDDEN = f"[{_CONTROLS}\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"
_TAB = r"(?m)(?:^|\r)(?:[^#\r\n]|(?<=\S)#)*\t"  # a comment begins after a blank


def decode(data: bytes, name: str) -> str:
    """Decode UTF-8, with or without a byte-order mark. Raises SpecError with the location of any other byte."""
    if len(data) > MOST_BYTES:
        raise SpecError(f"{quoted(name)} is larger than {MOST_BYTES // 2**20} MiB", "use repeat: for what repeats")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{quoted(name)} is UTF-16 text", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig", "replace")
        source = Source(name, data.decode("utf-8-sig", "replace"))
        raise SpecError(
            Problem(
                f"byte 0x{data[error.start]:02x} is not UTF-8 text", _place_after(source, good), hint="save it as UTF-8"
            )
        ) from None


def _place_after(source: Source, before: str) -> Place:
    """The location of the character after the text `before`."""
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Place(source, len(lines), len(lines[-1]) + 1, len(lines[-1]) + 2)


def refuse_characters(source: Source) -> None:
    """Raise SpecError at the first character that is invisible, moves a cursor, or ends a line elsewhere only."""
    forbidden = f"[{_CONTROLS}]" if source.text.isascii() else _FORBIDDEN  # the whole class takes long to compile
    character = re.search(forbidden, source.text)
    if character:
        message = f"the character U+{ord(character[0]):04X} is not allowed in a spec"
        raise SpecError(Problem(message, _place_after(source, source.text[: character.start()]), hint="remove it"))
    tab = re.search(_TAB, source.text) if "\t" in source.text else None
    if tab:
        place = _place_after(source, source.text[: tab.end() - 1])
        indents = not tab[0].strip()
        message = "a tab is used for indentation" if indents else "a tab between values"
        raise SpecError(Problem(message, place, hint="use spaces; YAML gives tabs no width"))
