"""What the tests of the examples share."""

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))  # They import each other as their users do: from their own folder.

pytest.register_assert_rewrite("support.real_system")  # Its failures show what they compared.
