import json

import pytest
from cli_cases import NOTES

from omni_connector.cli.hits import show_hits
from omni_connector.cli.output import Output
from omni_connector.local import LocalManager, SearchHit, search


@pytest.fixture
def notes(run_notes):
    run_notes({"notes": 12})


def test_a_search_shows_title_address_and_marked_snippet(omni, notes):
    result = omni("search", "number7")
    assert result.exit_code == 0
    assert result.stdout == (
        " 1. Note 7\n"
        "    https://notes.example/7\n"
        "    The quick brown fox *number7* jumps over the lazy dog.\n"
    )


def test_hits_are_limited_and_numbered(omni, notes):
    lines = omni("search", "fox", "--limit", "11").stdout.splitlines()
    assert [line[:4] for line in lines if ". Note" in line] == [f"{number:>2}. " for number in range(1, 12)]
    assert lines.count("") == 10


def test_words_need_no_quotes(omni, notes):
    assert "Note 3" in omni("search", "number3", "fox").stdout
    assert "Note 3" in omni("search", '"fox number3"').stdout
    assert "Nothing found" in omni("search", '"number3 fox"').stdout


def test_hits_for_machines(omni, notes):
    (hit,) = json.loads(omni("search", "number7", "--json").stdout)["hits"]
    score = hit.pop("score")
    assert score > 0
    assert len(hit.pop("source_id")) == 26
    assert hit == {
        "title": "Note 7",
        "url": "https://notes.example/7",
        "snippet": "The quick brown fox number7 jumps over the lazy dog.",
        "highlights": [[20, 27]],
        "external_id": "note-7",
    }


def test_finding_nothing_is_said_and_is_no_failure(omni, notes):
    result = omni("search", "elephant")
    assert (result.exit_code, result.stdout) == (0, "Nothing found for elephant.\n")
    assert json.loads(omni("search", "elephant", "--json").stdout) == {"query": "elephant", "hits": []}
    assert (
        omni("search", "status:open").stderr == "No search operator here: status. There are source, type.\n"
    )


def test_a_person_finds_only_what_is_meant_for_them(omni, run_notes):
    run_notes({"notes": 1, "users": ["ann@example.com"]})
    assert "Note 0" in omni("search", "fox").stdout
    assert "Note 0" in omni("search", "fox", "--as", "ann@example.com").stdout
    assert "Note 0" in omni("search", "fox", "--as", "Ann@Example.COM").stdout
    assert omni("search", "fox", "--as", "bob@example.com").stdout == "Nothing found for fox.\n"
    result = omni("search", "fox", "--as", "bob")
    assert (result.exit_code, "'bob' is no e-mail address" in result.stderr) == (2, True)


@pytest.mark.parametrize("query", ["", " ", "***"])
def test_a_query_without_a_word_is_not_understood(omni, notes, query):
    result = omni("search", query)
    assert result.exit_code == 2
    assert "give one to search for" in result.stderr


def test_without_data_the_message_says_what_to_do(omni):
    result = omni("search", "fox")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: .omni holds no documents yet; run a sync into it first")


def test_it_works_while_a_manager_uses_the_data(omni, notes):
    with LocalManager(".omni"):
        assert "Note 7" in omni("search", "number7").stdout


def test_nothing_that_a_source_says_reaches_the_terminal_as_a_command(capsys):
    hit = SearchHit(
        source_id="s",
        external_id="bell\x07",
        title="clear\x1b[2J \u202e",
        url=None,
        snippet="a \x1b]0;title\x07 word",
        highlights=((0, 1),),
        score=1.0,
    )
    show_hits(Output(), "word", [hit])
    text = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "bell\ufffd" in text


def test_the_whole_target_is_found_again_after_a_run(omni):
    omni("run", NOTES, "--data", "here")
    assert "Note 0" in omni("search", "lazy", "--data", "here").stdout


def test_a_search_that_is_too_broad_says_so_in_a_line(omni, notes, monkeypatch):
    monkeypatch.setattr(search, "OPERATIONS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(search, "SEARCH_SECONDS", -1.0)
    result = omni("search", "n*")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: The search is too broad")
    assert result.stderr.count("\n") == 1
