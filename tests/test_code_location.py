import json
import sysconfig
from pathlib import Path

import pytest

import omni_connector
from omni_connector import Document
from omni_connector.code_location import author_location, innermost_author_frame

PACKAGE = Path(omni_connector.__file__).parent
LIBRARY = sysconfig.get_path("stdlib")


def test_the_place_is_the_innermost_in_its_authors_own_file():
    for call in (lambda: json.loads("{"), lambda: Document(external_id=5, title="Five")):
        with pytest.raises(ValueError) as caught:
            call()
        assert author_location(caught.value) == f"{__file__}, line {call.__code__.co_firstlineno}"


def test_generated_code_and_ours_are_no_place():
    frames = [("<frozen runpy>", 1), (str(PACKAGE / "cli" / "run.py"), 2), ("<attrs generated init x.Y>", 3)]
    assert innermost_author_frame(frames) == ""
    assert innermost_author_frame([("notes.py", 4), *frames]) == "notes.py, line 4"


def test_without_a_file_of_ones_own_a_library_is_a_place():
    frames = [(f"{LIBRARY}/json/decoder.py", 5), ("/x/site-packages/notes/sync.py", 6)]
    assert innermost_author_frame(frames) == "/x/site-packages/notes/sync.py, line 6"


def test_what_was_never_raised_has_no_place():
    assert author_location(ValueError()) == ""
