"""The code of docs/how-to/testing-with-faults.md runs, and the page names every fault."""

import re
from pathlib import Path
from typing import get_args

from omni_connector.testing import faults

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/testing-with-faults.md").read_text()
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_passes(faulty_manager, run_sync):
    names = {}
    exec(compile(CODE, "docs/how-to/testing-with-faults.md", "exec"), names)
    names["test_nothing_is_lost_when_calls_fail"](faulty_manager, run_sync)


def test_the_page_lists_every_fault():
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    documented = set(re.findall(r"`([A-Z]\w+)\(", rows))
    assert documented == {kind.__name__ for kind in get_args(faults.Fault)}
