"""Count lines of code: without comments, docstrings and blank lines.

python -m support.code_lines examples/*.py
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Return how many lines hold code. A string that stands alone is a docstring, wherever it is."""
    used = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            used.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            used.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(used)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{code_lines(Path(name).read_text()):5d}  {name}")  # noqa: T201
