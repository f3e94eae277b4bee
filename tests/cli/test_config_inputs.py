import json
import re

import pytest
from cli_cases import NOTES

from omni_connector.cli.errors import UnclearOptionError
from omni_connector.cli.inputs import doubtful, read_config, read_object
from omni_connector.exceptions import ConfigurationError


def config(*pairs):
    return read_config(None, pairs)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ('{"b": 1}', {"b": 1}),
        ('"5"', "5"),
        ("docs", "docs"),
        ("", ""),
        ("a=b", "a=b"),
        ("NaN", "NaN"),
        ("01", "01"),
    ],
)
def test_a_value_is_json_where_it_is_json_and_else_text(text, value):
    assert config(("key", text)) == {"key": value}


def test_dots_make_nested_objects_and_the_last_value_wins():
    assert config(("a.b.c", "1"), ("a.b.d", "2"), ("a.b.c", "3")) == {"a": {"b": {"c": 3, "d": 2}}}


def test_a_key_below_something_that_is_no_object_is_refused():
    with pytest.raises(
        UnclearOptionError, match=r"--set a\.b\.c: a\.b has a value already, which is no object"
    ):
        config(("a.b", "5"), ("a.b.c", "1"))


def test_json_text_and_files_are_configurations(tmp_path):
    (tmp_path / "a.json").write_text('{"x": [1]}')
    (tmp_path / "a.toml").write_text("x = [1]\n[t]\nday = 2026-08-01\nat = 10:30:00\n")
    assert read_config(' {"x": [1]}', []) == {"x": [1]}
    assert read_config(str(tmp_path / "a.json"), [("y", "2")]) == {"x": [1], "y": 2}
    assert read_config(str(tmp_path / "a.toml"), []) == {
        "x": [1],
        "t": {"day": "2026-08-01", "at": "10:30:00"},
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json is not JSON: "),
        ("a.json", "[1]", "a.json holds no object. Write "),
        ("a.json", '{"a": NaN}', "a.json is not JSON: "),
        ("a.toml", "a = ", "a.toml is not TOML: "),
        ("a.yaml", "a: 1", "a.yaml looks like YAML, which is not read. Write JSON"),
        ("a.txt", "a 1", "a.txt is neither JSON nor TOML (JSON: "),
        ("a.yaml", "# Mine\ntoken: x", "looks like YAML, which is not read. Write JSON"),
        ("a.json", "token: x", "looks like YAML, which is not read. Write JSON"),
        ("a", "---\ntoken: x", "looks like YAML, which is not read. Write JSON"),
        ("a.toml", "a = nan", "a.toml is not TOML: JSON has no nan"),
        ("a.toml", "a = [-inf]", "a.toml is not TOML: JSON has no -inf"),
        ("a.toml", b"a = '\xff'", "a.toml is not TOML: "),
    ],
)
def test_a_file_that_holds_something_else_is_named_with_the_reason(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_object(str(tmp_path / name), "--credentials")
    assert str(caught.value).startswith("--credentials ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            '{"token": "s3cret"}',
            "^--credentials takes a file, env:NAME or -, not JSON text: others could read it",
        ),
        ("s3cret", "^--credentials: No such file or directory"),
        ("absent.json", r"^--credentials absent\.json: No such file or directory"),
    ],
)
def test_secrets_in_place_of_a_file_are_not_repeated(omni, given, message):
    for command in ("run", "check"):
        result = omni(command, NOTES, "--credentials", given, "-v")
        assert re.search(message.replace("^", "Error: "), result.stderr)
        assert "s3cret" not in result.output
    assert result.exit_code == (2 if given.startswith("{") else 3)


def test_secrets_in_options_that_cannot_be_understood_are_not_repeated(omni):
    source = json.dumps({"name": "n", "source_type": "web", "colour": 1, "credentials": {"token": "s3cret"}})
    for args in (
        ("manager", "--port", "0", "--source", source),
        ("run", NOTES, "--set", "s3cret"),
        ("run", NOTES, "--set", "a=s3cret", "--set", "a.b=1"),
    ):
        result = omni(*args, "-v")
        assert (result.exit_code, "s3cret" in result.output) == (2, False), result.output


def test_an_absent_large_configuration_is_named_by_its_own_option(omni):
    result = omni("check", NOTES, "--large-config", "absent.json")
    assert "Error: --large-config absent.json: No such file" in result.stderr


def test_a_missing_file_is_named():
    with pytest.raises(
        ConfigurationError,
        match=r"^--config nowhere\.json: No such file or directory\. Name a file, env:NAME or -",
    ):
        read_config("nowhere.json", [])


def test_broken_json_text_is_refused():
    with pytest.raises(UnclearOptionError, match=r"^--config is not JSON: "):
        read_config('{"a": }', [])


def test_without_a_suffix_a_file_may_be_either(tmp_path):
    (tmp_path / "one").write_text('{"a": 1}')
    (tmp_path / "two.conf").write_text("a = 1")
    assert (
        read_object(str(tmp_path / "one"), "--config")
        == read_object(str(tmp_path / "two.conf"), "--config")
        == {"a": 1}
    )


@pytest.mark.parametrize(
    ("text", "meant"),
    [("True", "true"), ("yes", "true"), ("ON", "true"), ("No", "false"), ("off", "false"), ("None", "null")],
)
def test_a_text_that_was_probably_meant_otherwise_is_pointed_out(text, meant):
    (note,) = doubtful([("a.b", text)])
    assert note == (
        f'Note: --set a.b={text} is the text "{text}", because values are JSON or else text; '
        f"write --set a.b={meant}"
    )


@pytest.mark.parametrize("text", ["true", "false", "null", '"yes"', "yesterday", "1", ""])
def test_a_text_that_is_what_it_seems_is_not(text):
    assert doubtful([("a", text)]) == []


@pytest.mark.parametrize("depth", [201, 900, 1025, 10_000])
def test_what_is_nested_too_deeply_is_refused_in_one_line(tmp_path, depth):
    (tmp_path / "a.json").write_text('{"a": ' + "[" * depth + "]" * depth + "}")
    (tmp_path / "a.toml").write_text("a = " + "[" * depth + "]" * depth)
    (tmp_path / "tables.toml").write_text("[" + ".".join("a" * depth) + "]\nb = 1")
    for name in ("a.json", "a.toml", "tables.toml"):
        with pytest.raises(ConfigurationError, match=r"is not (JSON|TOML): .*(nested|depth)"):
            read_config(str(tmp_path / name), [])
    with pytest.raises(UnclearOptionError, match=r"nested|depth"):
        read_config('{"a": ' + "[" * depth + "]" * depth + "}", [])
    with pytest.raises(UnclearOptionError, match=r"a key has .* dots. Nest objects 200 levels deep at most"):
        config((".".join("a" * (depth + 1)), "1"))
    # Not JSON, and so text.
    assert config(("key", "[" * depth + "]" * depth))["key"].startswith("[[")
