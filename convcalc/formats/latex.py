"""LaTeX: a table with booktabs rules, ready to be put into a paper."""

from __future__ import annotations

import re
from typing import Any, TextIO

from convcalc.errors import printable
from convcalc.formats.table import LEFT, cells
from convcalc.report import Column, Report, Table

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after a line's end it begins an option
    "*": "{*}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "−": "$-$",
}
_ESCAPES = str.maketrans(_SIGNS)
FOR_READERS = True


def write(report: Report, stream: TextIO) -> None:
    stream.write("% \\usepackage{booktabs}\n")
    stream.write("\n".join(_table(table, report) for table in report.tables))


def _table(table: Table, report: Report) -> str:
    rows, total = cells(table, report.exact)
    columns = table.columns
    said = [text.rstrip(".") for text in (table.title, *table.notes, *report.notes) if text]
    lines = [r"\begin{table}", r"  \centering"]
    if said:
        lines.append(f"  \\caption{{{escape('. '.join(said))}.}}")
    lines.append(f"  \\begin{{tabular}}{{{''.join('l' if column.holds in LEFT else 'r' for column in columns)}}}")
    lines += [r"    \toprule", _line([escape(column.heading) for column in columns]), r"    \midrule"]
    for row, values in zip(rows, table.rows, strict=True):
        lines.append(_line([_cell(*cell) for cell in zip(row, values, columns, strict=True)]))
    if total is not None and table.total is not None:
        lines += [r"    \midrule", _line([_cell(*cell) for cell in zip(total, table.total, columns, strict=True)])]
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def _line(row: list[str]) -> str:
    return f"    {' & '.join(row)} \\\\"


def _cell(text: str, value: Any, column: Column) -> str:
    if column.holds == "shape" and text:
        return "$" + r" \times ".join(text.split("x")) + "$" if re.fullmatch("[0-9x]+", text) else escape(text)
    if column.holds == "bar" and value is not None:
        return f"\\rule{{{20 * value:.2f}mm}}{{1ex}}"
    return escape(text)


def escape(text: str) -> str:
    """Text that shows as it is.

    >>> print(escape("reduce_5x5 & 12.1%"), escape("a\\\\b"))
    reduce\\_5x5 \\& 12.1\\% a\\textbackslash{}b
    """
    return printable(text).translate(_ESCAPES)
