"""What docstrings say of a method and its parameters."""

from __future__ import annotations

import pytest

from omni_connector.typed.docstring import Described, read_docstring

WHOLE = """Find tickets, also
    closed ones.

    The newest come first: see the manual.

    Args:
        text: words to look for.
        limit (int, optional): how many
            at most.

        *rest (Callable[[int], str]): the rest: all of it
        odd:
            described below.

    Returns:
        found: not a parameter.

    Keyword Args:
        late: comes late.
    """


def test_text_and_parameters_are_read():
    assert read_docstring(WHOLE) == Described(
        text="Find tickets, also closed ones.\nThe newest come first: see the manual.",
        parameters={
            "text": "words to look for.",
            "limit": "how many at most.",
            "rest": "the rest: all of it",
            "odd": "described below.",
            "late": "comes late.",
        },
    )


@pytest.mark.parametrize(
    ("docstring", "described"),
    [
        (None, Described()),
        ("", Described()),
        ("One line.", Described("One line.")),
        ("\nArgs:\n    a: first.", Described("", {"a": "first."})),
        ("Text.\n\nAttributes:\n    a: first.\nmore text", Described("Text.", {"a": "first."})),
        ("See:\n    it is text.", Described("See: it is text.")),
        ("Text.\n\nArgs:\n    a: first.\n\nRaises:\n    when it fails", Described("Text.", {"a": "first."})),
        # What no style can make sense of is text.
        ("Text.\n\nArgs:\n    words without a colon", Described("Text.\nArgs: words without a colon")),
        ("Text.\n\nArgs:", Described("Text.\nArgs:")),
    ],
)
def test_odd_docstrings_are_read_as_far_as_they_go(docstring, described):
    assert read_docstring(docstring) == described


STYLES = {
    "numpy": "Find tickets.\n\nParameters\n----------\ntext : str\n    words to\n    look for\n\nReturns\n-------\nlist\n",
    "sphinx": "Find tickets.\n\n:param text: words to\n    look for\n:returns: a list",
    "epydoc": "Find tickets.\n\n@param text: words to look for\n@return: a list",
}


@pytest.mark.parametrize("style", STYLES)
def test_other_styles_are_read_as_well(style):
    assert read_docstring(STYLES[style]) == Described("Find tickets.", {"text": "words to look for"})
