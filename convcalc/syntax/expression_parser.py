"""The text between `${` and `}` -> Expression.

expression := or
or         := and ("or" and)*          and     := not ("and" not)*
not        := "not" not | comparison   comparison := sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)?
sum        := product (("+" | "-") product)*
product    := unary (("*" | "//" | "%") unary)*
unary      := "-" unary | atom
atom       := number | name | layer "." name | function "(" expression ("," expression)* ")" | "(" expression ")"
layer      := name ("/" name | "." number)*
"""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import Any, NamedTuple

from convcalc.errors import UserError, did_you_mean, quoted
from convcalc.numerals import exact_number, whole_number
from convcalc.syntax.expression import BINARY, COMPARISONS, FUNCTIONS, Expression

MOST_LONG = 200
MOST_DEEP = 32

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:(?:[./][A-Za-z_0-9]+)*\.[A-Za-z_][A-Za-z_0-9]*)?)"
    r"|(?P<sign>//|==|!=|<=|>=|[-+*%(),<>]))"
)
_LEVELS: tuple[tuple[str, ...], ...] = (("or",), ("and",), tuple(COMPARISONS), ("+", "-"), ("*", "//", "%"))
_COMPARISON_LEVEL = 2


class Token(NamedTuple):
    """A word of an expression. `kind`: number, name, sign or end."""

    kind: str
    text: str
    offset: int


_parsed: dict[str, Expression] = {}


def parse(text: str) -> Expression:
    """Parse the text between `${` and `}`. Raises UserError with the offset of the first unexpected word.

    >>> parse("3 // 2 + 1").evaluate(lambda name: 0)
    2
    """
    expression = _parsed.get(text)
    if expression is None:
        if len(_parsed) > 10_000:
            _parsed.clear()
        expression = _parsed[text] = _Parser(text).parse()
    return expression


def names_in(value: Any) -> set[str]:
    """Collect the names in every `${...}` of a spec's plain value; an invalid expression has none.

    >>> sorted(names_in({"vars": {"a": "${b * 2}"}, "layers": ["x${c}"]}))
    ['b', 'c']
    """
    if isinstance(value, (dict, list)):
        return set().union(*map(names_in, value.values() if isinstance(value, dict) else value))
    names: set[str] = set()
    for text in re.findall(r"\$\{([^{}]*)\}", value) if isinstance(value, str) else ():
        try:
            names |= parse(text).names()
        except UserError:
            continue
    return names


class _Parser:
    """Recursive descent over the levels of the grammar above."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_LONG:
            raise UserError(
                f"the expression has {len(text)} characters", hint=f"at most {MOST_LONG}; name parts of it in vars:"
            )
        self.text = text
        self.tokens = self._split()
        self.position = 0
        self.depth = 0

    def _split(self) -> list[Token]:
        tokens, position = [], 0
        text = self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match or not text.isascii():
                bad = len(text) - len(text[position:].lstrip())
                raise UserError(
                    f"{quoted(text[bad])} is not part of an expression", offset=bad, hint=_advice(text[bad:])
                )
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind)))
            position = match.end()
        tokens.append(Token("end", "", len(text)))
        return tokens

    def parse(self) -> Expression:
        tree = self._level(0)
        if self.tokens[self.position].kind != "end":
            raise self._unexpected()
        return tree

    def _unexpected(self) -> UserError:
        token = self.tokens[self.position]
        unexpected = quoted(token.text) if token.text else "the end"
        hint = _advice(self.text[token.offset :])
        if self.text[max(0, token.offset - 1) : token.offset + 1] == "**":
            hint = "there is no power: write a*a"
        return UserError(f"a number or a name was expected, found {unexpected}", offset=token.offset, hint=hint)

    def _accept(self, *texts: str) -> Token | None:
        """Take the next token if it is one of `texts`."""
        token = self.tokens[self.position]
        if token.kind != "number" and token.text in texts:
            self.position += 1
            return token
        return None

    def _level(self, level: int) -> Expression:
        """Parse operators of this level and of those after it in `_LEVELS`, which bind more tightly."""
        self.depth += 1
        if self.depth > MOST_DEEP * len(_LEVELS):
            raise UserError(f"nested deeper than {MOST_DEEP} levels", offset=self.tokens[self.position].offset)
        if level == len(_LEVELS):
            tree = self._unary()
        elif level == _COMPARISON_LEVEL and (token := self._accept("not")):
            tree = Expression(lambda value: int(not value), (self._level(level),), token.offset)
        else:
            tree = self._level(level + 1)
            while token := self._accept(*_LEVELS[level]):
                tree = Expression(BINARY[token.text], (tree, self._level(level + 1)), token.offset)
                if level == _COMPARISON_LEVEL:
                    break
        self.depth -= 1
        return tree

    def _unary(self) -> Expression:
        signs = []
        while token := self._accept("-"):
            signs.append(token)
        tree = self._atom()
        for token in reversed(signs):
            tree = Expression(operator.neg, (tree,), token.offset)
        return tree

    def _atom(self) -> Expression:
        token = self.tokens[self.position]
        if token.kind == "number":
            self.position += 1
            return Expression(None, (self._number(token),), token.offset)
        if token.kind == "name" and token.text not in ("and", "or", "not"):
            self.position += 1
            if self._accept("("):
                return self._call(token)
            return Expression(None, (token.text,), token.offset)
        if self._accept("("):
            tree = self._level(0)
            self._expect_closing()
            return tree
        raise self._unexpected()

    def _number(self, token: Token) -> Decimal | int:
        try:
            return exact_number(token.text) if "." in token.text else whole_number(token.text)
        except UserError as error:
            raise UserError(error.message, "", error.hint, token.offset, len(token.text)) from None

    def _call(self, token: Token) -> Expression:
        function = FUNCTIONS.get(token.text)
        if function is None:
            hint = did_you_mean(token.text, FUNCTIONS)
            raise UserError(f"no function {quoted(token.text)}", offset=token.offset, width=len(token.text), hint=hint)
        arguments = [self._level(0)]
        while self._accept(","):
            arguments.append(self._level(0))
        self._expect_closing()
        return Expression(function, tuple(arguments), token.offset)

    def _expect_closing(self) -> None:
        if not self._accept(")"):
            raise self._unexpected()


def _advice(rest: str) -> str:
    """A hint for what people write that is not part of an expression."""
    if rest.startswith("/"):
        return "divide with // (rounds down), or multiply by a decimal"
    if rest.startswith(("'", '"')):
        return "an expression contains numbers and names, no text"
    if rest.startswith("."):
        return "an expression has no attributes"
    if rest.startswith("="):
        return "compare with =="
    return ""
