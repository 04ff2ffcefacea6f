"""PyYAML's own parser, made to read what libyaml reads, so that a spec means the same without libyaml."""

from __future__ import annotations

from typing import Any

import yaml

_BLANKS = "\0 \t\r\n\x85\u2028\u2029"


class PureLoader(yaml.SafeLoader):
    """PyYAML's parser with libyaml's rules for plain text inside { } and [ ]."""

    def scan_plain(self) -> Any:
        """Scan plain text: a `?` may be in it, as YAML 1.2 has it; a `:` just before one of `,?[]{}` is an error.

        YAML 1.2 would take such a `:` for the end of a key. libyaml refuses it, so it is refused here too.
        """
        reader: Any = self
        chunks: list[str] = []
        start = end = reader.get_mark()
        indent = reader.indent + 1
        spaces: list[str] = []
        while reader.peek() != "#":
            length = self._length_of_word(start)
            if not length:
                break
            reader.allow_simple_key = False
            chunks += [*spaces, reader.prefix(length)]
            reader.forward(length)
            end = reader.get_mark()
            spaces = reader.scan_plain_spaces(indent, start)
            if not spaces or (not reader.flow_level and reader.column < indent):
                break
        return yaml.ScalarToken("".join(chunks), True, start, end)

    def _length_of_word(self, start: Any) -> int:
        """The number of characters before the next blank or indicator. Raises a ScannerError."""
        reader: Any = self
        length = 0
        while (sign := reader.peek(length)) not in _BLANKS:
            after = reader.peek(length + 1)
            if sign == ":" and reader.flow_level and after in ",?[]{}":
                reader.forward(length)
                text = "found unexpected ':'"
                raise yaml.scanner.ScannerError("while scanning a plain scalar", start, text, reader.get_mark())
            if (sign == ":" and after in _BLANKS) or (reader.flow_level and sign in ",[]{}"):
                break
            length += 1
        return length
