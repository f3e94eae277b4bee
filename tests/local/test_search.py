import pytest

from omni_connector.local import BroadSearchError, SearchHit
from omni_connector.local import search as search_module
from omni_connector.local.search import parsed
from omni_connector.local.search_operators import SearchOperators
from omni_connector.local.store import reading

TEXTS = {
    "apple": ("Apple pie", "A pie of apples, sugar and a crème brûlée."),
    "pear": ("Pears", "Pears and apples are not the same; apple sugar is sweet. NOT a pie."),
    "snake": ("foo_bar", "The function foo_bar() calls C++ code AND returns near(x)."),
}


@pytest.fixture
def indexed(emitter, manager):
    emitter.emit(
        *(
            emitter.event(document_id=key, text=text, metadata={"title": title, "url": f"https://x/{key}"})
            for key, (title, text) in TEXTS.items()
        )
    )
    return lambda query, **options: [hit.external_id for hit in manager.search(query, **options)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("apple", ["apple", "pear"]),
        ("pie sugar", ["apple", "pear"]),
        ('"apple sugar"', ["pear"]),
        ("creme BRULEE", ["apple"]),
        ("crème", ["apple"]),
        ("func*", ["snake"]),
        ('"foo b"*', ["snake"]),
        ("foo_bar", ["snake"]),
        ("C++", ["snake"]),
        ("not and near", []),
        ("missing", []),
        ("apple missing", []),
        ("", []),
        ("*", []),
        ("+-()", []),
    ],
)
def test_terms_phrases_and_prefixes(indexed, query, found):
    assert indexed(query) == found


@pytest.mark.parametrize(
    "query",
    [
        '"',
        'a"b',
        '"a',
        "a OR",
        "NOT",
        "NEAR(a b)",
        "title:x",
        "a^2",
        "(",
        "{}",
        "a\0b",
        "'",
        "a--",
        '""',
        "\\",
        "-a",
    ],
)
def test_nothing_a_user_types_is_an_error(indexed, query):
    assert isinstance(indexed(query), list)


def test_a_match_in_the_title_weighs_more(indexed, manager):
    assert indexed("pears") == ["pear"]
    hits = manager.search("apple")
    assert hits[0].external_id == "apple"
    assert hits[0].score > hits[1].score


def test_a_hit_tells_where_and_what(indexed, manager, source):
    (hit,) = manager.search('"apple sugar"')
    assert isinstance(hit, SearchHit)
    assert (hit.source_id, hit.title, hit.url) == (source.id, "Pears", "https://x/pear")
    assert [hit.snippet[start:end] for start, end in hit.highlights] == ["apple sugar"]
    assert "**apple sugar** is sweet" in hit.marked("**", "**")


def test_hits_can_be_limited_and_narrowed(indexed, manager, source):
    assert len(indexed("apple", limit=1)) == 1
    assert indexed("apple", source_id=source.id) == ["apple", "pear"]
    assert indexed("apple", source_id="other") == []
    manager.set_source(source.id, is_deleted=True)
    assert indexed("apple") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("apple source:web", ["apple", "pear"]),
        ('apple SOURCE:"web"', ["apple", "pear"]),
        ("apple source:wiki", []),
        ("apple type:text/html", ["apple"]),
        ("apple type:html", ["apple"]),
        ('"apple type:pdf"', []),
        ("type:html", ["apple"]),
        ("type:html type:pdf", []),
    ],
)
def test_operators_narrow_a_search(emitter, manager, query, found):
    emitter.emit(
        emitter.event(document_id="apple", text="apple", metadata={"title": "A", "mime_type": "text/html"}),
        emitter.event(document_id="pear", text="pear and apple", metadata={"title": "B"}),
    )
    assert [hit.external_id for hit in manager.search(query)] == found


DECLARED = [
    {"operator": "Status", "attribute_key": "state.name"},
    {"operator": "label", "attribute_key": "labels"},
    {"operator": "done", "attribute_key": "is done"},
    {"operator": "type", "attribute_key": "kind"},
    {"operator": "by", "attribute_key": "author", "value_type": "person"},
    {"operator": "by", "attribute_key": "reviewers", "value_type": "person"},
    {"operator": "due", "attribute_key": "due", "value_type": "datetime"},
    {"operator": "odd", "attribute_key": 'a"b'},
]
ATTRIBUTES = {
    "one": {
        "state.name": "Open",
        "labels": ["UI", "Slow Query"],
        "is done": False,
        "author": "ann@example.com",
    },
    "two": {
        "state.name": "Opened",
        "labels": ["UI"],
        "author": {"name": "Lee, Ann"},
        "due": "2026-03-05T10:00Z",
    },
    "six": {"labels": 5, "is done": True, "kind": "Bug", "reviewers": ["bob@x.org"], "due": "2026-04-01"},
}
BY_OPERATOR = {
    "words status:open": ["one"],
    "STATUS:open*": ["two", "one"],
    "label:ui": ["two", "one"],
    'label:ui label:"slow query"': ["one"],
    "label:5": ["six"],
    "done:true": ["six"],
    "done:false": ["one"],
    "type:bug": ["six"],
    "by:ann": ["two", "one"],
    "by:nn": [],
    "by:bob@x.org": ["six"],
    "due:2026-03": ["two"],
    "due:>2026-03": ["six"],
    "due:<=2026-03-05": ["two"],
    "due:>=2026-03-05T10:00z due:<2027": ["six", "two"],
    'due:"\'; --"': [],
    "odd:x": [],
    "other:open": [],
    "status:": [],
}


def test_operators_of_manifests_filter_by_attributes(emitter, manager, register):
    register(search_operators=DECLARED)
    for key, attributes in ATTRIBUTES.items():
        emitter.emit(emitter.event(document_id=key, text="some words", attributes=attributes))
    found = {query: [hit.external_id for hit in manager.search(query)] for query in BY_OPERATOR}
    assert found == BY_OPERATOR


def test_operators_are_those_that_a_connector_has_declared_last(manager, register):
    register(search_operators=DECLARED)
    register(search_operators=[{"operator": "space", "attribute_key": "space"}])
    with reading(manager.data_dir) as db:
        known = SearchOperators.known(db)
    assert known.names == ("source", "type", "space")
    assert known.unknown("a status:x Space:y source:z http://b:1 12:30 x: due:x status:z") == [
        "status",
        "due",
    ]


@pytest.mark.parametrize("name", ["Büro Zürich", "BÜRO ZÜRICH", "büro zürich"])
def test_the_name_of_a_source_is_found_in_any_case(indexed, manager, source, name):
    manager.set_source(source.id, name="Büro Zürich")
    assert indexed(f'apple source:"{name}"') == ["apple", "pear"]


def test_no_hit_is_lost_when_only_the_first_matches_are_ranked(indexed, manager, monkeypatch):
    monkeypatch.setattr("omni_connector.local.search._RANKED_AT_MOST", 1)
    assert indexed("apple", limit=1) == ["apple"]
    assert indexed("sugar", limit=10) == ["apple", "pear"]
    assert indexed("apple", limit=1, person="ann@example.com") == ["apple"]


def test_line_breaks_in_snippets_become_blanks(emitter, manager):
    emitter.emit(emitter.event(text="one\ntwo\nthree"))
    (hit,) = manager.search("two")
    assert hit.marked("<", ">") == "one <two> three"


def test_expressions_quote_every_term():
    assert parsed('a "b c" d* "e f"* -- g"h', ("source",)) == ('"a" "b c" "d"* "e f"* "g" "h"', [])


@pytest.mark.parametrize(
    ("permissions", "may_find"),
    [
        ({"public": True}, True),
        ({}, False),
        ({"users": ["ann@example.com"]}, True),
        ({"users": ["Ann@example.com"]}, False),
        ({"users": ["bob@example.com"]}, False),
        ({"groups": ["example.com"]}, True),
        ({"groups": ["example.org"]}, False),
        ({"groups": ["team@example.org"]}, True),
        ({"groups": ["others@example.org"]}, False),
        ({"groups": ["ann@example.com"]}, False),
    ],
)
def test_a_person_finds_what_the_permissions_allow(emitter, manager, permissions, may_find):
    for group, member in (("team", "ann"), ("others", "bob")):
        emitter.emit(
            emitter.event(
                "group_membership_sync",
                group_email=f"{group}@example.org",
                member_emails=[f"{member}@example.com"],
            )
        )
    permissions = {"public": False, "users": [], "groups": [], **permissions}
    emitter.emit(emitter.event(document_id="d", text="word", permissions=permissions))
    assert [hit.external_id for hit in manager.search("word")] == ["d"]
    found = [hit.external_id for hit in manager.search("word", person="ann@example.com")]
    assert found == (["d"] if may_find else [])


def test_nobody_finds_a_document_whose_permissions_an_update_took_away(emitter, manager):
    emitter.emit(emitter.event(document_id="d", text="word"))
    emitter.emit(emitter.event("document_updated", document_id="d", text="word", permissions=None))
    assert manager.search("word")
    assert manager.search("word", person="ann@example.com") == []


def test_a_search_that_takes_too_long_is_stopped_and_says_how_to_narrow_it(indexed, monkeypatch):
    monkeypatch.setattr(search_module, "OPERATIONS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(search_module, "SEARCH_SECONDS", -1.0)
    with pytest.raises(BroadSearchError, match=r"too broad.* before its \*, or rarer words\.$"):
        indexed("a*")
    monkeypatch.undo()
    assert indexed("snake*") == []
