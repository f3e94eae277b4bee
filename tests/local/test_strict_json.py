import pytest

from omni_connector.local.strict_json import JsonSyntaxError, RepeatedKeys, parse_json, stored_json


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b"1e400",
        b"[-1e400] trailing",
        b'"\\ud800"',
        b'["\\ud800\\ud800"] trailing',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"a\x01b"',
        b"\xef\xbb\xbf{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a" 1}',
        b'{"a": tru',
        b"01",
        b"1.",
        b"[01]",
        b"[" * 128 + b"]" * 128,
        b"[" * 128 + b"]" * 128 + b" trailing",
        b"[" * 20_000 + b"]" * 20_000,
    ],
)
def test_what_is_not_strict_json_is_a_syntax_error_with_a_position(body):
    with pytest.raises(JsonSyntaxError, match=r"at line \d+ column \d+$"):
        parse_json(body)


def test_an_unfinished_body_is_called_so():
    with pytest.raises(JsonSyntaxError, match="EOF while parsing a value at line 1 column 0"):
        parse_json(b"")
    with pytest.raises(JsonSyntaxError, match="EOF while parsing a value at line 2 column 6"):
        parse_json(b'{"a":\n [1, 2')


def test_nesting_of_127_levels_is_fine():
    assert parse_json(b"[" * 127 + b"]" * 127) is not None
    assert parse_json(b"[" * 127 + b"]" * 127 + b"x") is not None


@pytest.mark.parametrize("tail", [b"", b" {}", b"]", b" \xff", b"\x00"])
def test_bytes_after_the_first_value_are_ignored(tail):
    assert parse_json(b' {"a": [1, "b"]}' + tail) == {"a": [1, "b"]}


@pytest.mark.parametrize("tail", [b"", b" x"])
def test_numbers_keep_their_kind_until_they_leave_64_bits(tail):
    body = (
        b"[18446744073709551615, 18446744073709551616, -9223372036854775808, -9223372036854775809, 1.0, 1e2]"
    )
    numbers = parse_json(body + tail)
    assert [type(number) for number in numbers] == [int, float, int, float, float, float]
    assert numbers[:3] == [2**64 - 1, float(2**64), -(2**63)]


def test_thousands_of_digits_are_a_float_or_out_of_range():
    assert parse_json(b"1" + b"0" * 300 + b" x") == 1e300
    with pytest.raises(JsonSyntaxError, match="number out of range"):
        parse_json(b"1" + b"0" * 5000)


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "b": 2, "a": 3}', b'{"a" : 1, "b": 2, "a": 3}', b'{"a": 1, "b": 2, "a":3} x']
)
def test_repeated_keys_are_reported_and_the_last_value_counts(body):
    value = parse_json(body)
    assert value == {"a": 3, "b": 2}
    assert isinstance(value, RepeatedKeys)
    assert value.repeated == {"a"}


def test_text_that_looks_like_a_key_does_not_confuse():
    assert parse_json(b'{"a": "say \\"x\\": y", "b": "c :d"}') == {"a": 'say "x": y', "b": "c :d"}


def test_a_surrogate_pair_is_a_character():
    assert parse_json(b'"\\ud83d\\ude00" x') == "\N{GRINNING FACE}"


def test_stored_json_sorts_keys_and_has_no_negative_zero():
    assert (
        stored_json({"b": -0.0, "a": [1.0, {"d": -0.0, "c": None}]})
        == '{"a":[1.0,{"c":null,"d":0.0}],"b":0.0}'
    )
