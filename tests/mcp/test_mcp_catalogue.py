"""The catalogue: asked for in pages, put in the manager's terms, announced, kept on disk."""

from __future__ import annotations

import json
import os
import stat
import time

import attrs
import pytest
from support.mcp_servers import WAIT

from omni_connector import ActionDefinition, McpPrompt, McpResource, SkillDefinition
from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.catalogue import McpCatalogue, add_to_manifest
from omni_connector.models.mcp_servers import StdioMcpServer

SERVER = StdioMcpServer("server", ["--flag"], {"TOKEN": "t0p-secret"})
DAY = 86400


# -- asking -----------------------------------------------------------------------------------------------------


def test_every_page_is_asked_for(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover()
    found = bridged.catalogue
    assert len(found.tools) == 11
    assert [prompt.name for prompt in found.prompts] == ["first", "second", "third"]
    assert [skill.id for skill in found.skills] == ["mcp:first", "mcp:second", "mcp:third"]
    assert [each.uri_template for each in found.resources] == [f"awkward://{n}" for n in (1, 2, 3, 4)]


def test_a_tool_that_cannot_be_announced_is_left_out_with_one_line_that_says_why(bridge_to, awkward, caplog):
    bridged = bridge_to(awkward)
    bridged.discover()
    assert bridged.catalogue.tool("unspeakable") is None
    (line,) = [record.getMessage() for record in caplog.records if "unspeakable" in record.getMessage()]
    assert "tool unspeakable cannot be announced: not is the name of a required parameter" in line


def test_a_tool_reads_only_if_it_says_so(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover()
    assert {tool.name for tool in bridged.catalogue.tools if tool.mode == "read"} == {
        "pid",
        "environment",
        "arguments",
    }


def test_a_list_that_is_refused_is_left_out(bridge_to, awkward, caplog):
    bridge_to(awkward).discover()
    assert "does not list its resource templates" in caplog.text  # The awkward server has no such method.


def test_a_change_is_told_once(bridge_to, awkward):
    bridged = bridge_to(awkward)
    assert (bridged.discover(), bridged.changes) == (True, 1)
    assert (bridged.discover(), bridged.changes) == (False, 1)


def test_a_server_that_says_that_its_lists_have_changed_is_asked_again(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover()
    assert bridged.catalogue.tool("grown") is None
    bridged.call_tool("grow", {})
    assert bridged.changed(2)
    assert bridged.catalogue.tool("grown") is not None


def test_a_failed_discovery_keeps_what_was_known(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover({"token": "good"})
    before = bridged.catalogue
    bridged.connector.prepare_mcp_env = lambda credentials: {"PATH": None}
    assert bridged.bootstrap({"token": "bad"}) is False
    assert bridged.catalogue is before


def test_a_failure_is_said_once(bridge_to, caplog):
    bridged = bridge_to(StdioMcpServer("no-such-program"))
    for _ in range(3):
        assert bridged.bootstrap() is False
    said = [record for record in caplog.records if "is not known" in record.getMessage()]
    assert len([record for record in said if record.levelname == "WARNING"]) == 1
    assert (
        "What the MCP server of mirror offers is not known: MCP server no-such-program"
        in said[0].getMessage()
    )


def test_a_tool_is_looked_for_at_the_server_while_its_lists_are_not_known(bridge_to, awkward):
    bridged = bridge_to(awkward)
    assert bridged.offers("pid") is True
    assert bridged.offers("nothing") is False
    assert bridged.changes == 1


# -- announcing -------------------------------------------------------------------------------------------------

CATALOGUE = McpCatalogue(
    tools=[
        ActionDefinition(name="find", description="Find", mode="read"),
        ActionDefinition(name="own", description="The server's"),
    ],
    resources=[McpResource(uri_template="a://b", name="b")],
    prompts=[McpPrompt(name="ask")],
    skills=[
        SkillDefinition(id="mcp:ask", title="Ask", mcp_prompt="ask"),
        SkillDefinition(id="mine", title="No"),
    ],
)


def test_a_manifest_says_that_there_is_a_server_whose_lists_are_not_known_yet():
    assert add_to_manifest({"name": "n", "actions": []}, None) == {
        "name": "n",
        "actions": [],
        "mcp_enabled": True,
        "mcp_catalog_loaded": False,
    }


def test_a_manifest_is_given_the_lists_and_what_the_connector_declares_wins():
    own = {"name": "own", "description": "The connector's"}
    wire = {"source_types": ["web", "mine"], "actions": [own], "skills": [{"id": "mine", "title": "Yes"}]}
    told = add_to_manifest(wire, CATALOGUE)
    assert (told["mcp_enabled"], told["mcp_catalog_loaded"]) == (True, True)
    assert [(each["name"], each["description"]) for each in told["actions"]] == [
        ("own", "The connector's"),
        ("find", "Find"),
    ]
    assert told["actions"][1]["source_types"] == ["web"]
    assert [each["uri_template"] for each in told["resources"]] == ["a://b"]
    assert [each["name"] for each in told["prompts"]] == ["ask"]
    assert [(each["id"], each["title"]) for each in told["skills"]] == [("mine", "Yes"), ("mcp:ask", "Ask")]
    assert wire["actions"] == [own]


# -- on disk ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path):
    def make(*, ttl=DAY, connector="mirror", server=SERVER):
        return CatalogueCache(tmp_path / "cache" / "mcp", ttl, connector=connector, server=server)

    return make


def test_a_catalogue_comes_back_as_it_was(cache):
    cache().save(CATALOGUE)
    assert cache().load() == CATALOGUE


def test_nothing_there_is_nothing_to_say(cache, caplog):
    assert cache().load() is None
    assert caplog.text == ""


def test_the_file_is_for_its_owner_only_and_the_folder_too(cache):
    one = cache()
    one.save(CATALOGUE)
    assert one.path.name == "mirror.mcp-catalog.json"
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(one.path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in one.path.parent.iterdir()] == [one.path.name]


def test_a_name_that_is_no_file_name_is_written_as_one(cache):
    assert cache(connector="../a b").path.name == "..%2Fa b.mcp-catalog.json"


def spoiled(change):
    def spoil(path):
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_text("{"), "is not used"),
        (lambda path: path.write_text("[]"), "a JSON object is required"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not used"),
        (spoiled(lambda found: found["catalogue"]["tools"][0].pop("name")), "required field is missing"),
        (spoiled(lambda found: found["catalogue"].update(tools=7)), "is not used"),
        (spoiled(lambda found: found.update(version=2)), "version 2"),
        (spoiled(lambda found: found.update(format="other")), "its format is 'other'"),
        (spoiled(lambda found: found.update(connector="other")), "of the connector 'other'"),
        (spoiled(lambda found: found.update(server="other")), "of another server"),
        (spoiled(lambda found: found.update(saved_at=time.time() - DAY - 10)), "s old"),
        (spoiled(lambda found: found.update(saved_at=time.time() + DAY)), "s old"),
        (lambda path: path.chmod(0o666), "other accounts may write it"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), "is not used"),
        (lambda path: (path.unlink(), path.mkdir()), "not a file of this account's own"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a file of this account's own"),
        (lambda path: os.chown(path, 12345, -1), "not a file of this account's own"),
    ],
)
def test_a_file_that_is_damaged_or_foreign_is_not_used_and_the_log_says_why(cache, caplog, spoil, said):
    caplog.set_level("INFO")
    one = cache()
    one.save(CATALOGUE)
    if os.geteuid() != 0 and "account's own" in said and not one.path.is_file():
        pytest.skip("only root can give files away")
    spoil(one.path)
    assert cache().load() is None
    assert said in caplog.text


def test_a_file_from_another_sdk_is_not_used(cache):
    one = cache()
    one.path.parent.mkdir(parents=True)
    one.path.write_text(json.dumps({"version": 1, "cached_at": time.time(), "catalog": {"actions": []}}))
    assert cache().load() is None


def test_the_server_s_arguments_tell_servers_apart_and_its_environment_does_not(cache):
    cache().save(CATALOGUE)
    assert cache(server=attrs.evolve(SERVER, env={"TOKEN": "new"})).load() is not None
    assert cache(server=attrs.evolve(SERVER, args=["--other"])).load() is None


def test_an_unwritable_folder_is_said_and_nothing_else_happens(cache, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    cache().save(CATALOGUE)
    assert "could not be kept in" in caplog.text


def test_a_failed_write_leaves_the_old_file_and_no_other(cache, monkeypatch):
    one = cache()
    one.save(CATALOGUE)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    one.save(McpCatalogue())
    assert [entry.name for entry in one.path.parent.iterdir()] == [one.path.name]
    assert cache().load() == CATALOGUE


def test_a_kept_catalogue_is_asked_for_again_at_the_first_call(bridge_to, awkward, tmp_path):
    kept = CatalogueCache(tmp_path, DAY, connector="mirror", server=awkward)
    kept.save(McpCatalogue(tools=[ActionDefinition(name="pid", description="Old")]))
    bridged = bridge_to(awkward, cache=CatalogueCache(tmp_path, DAY, connector="mirror", server=awkward))
    assert bridged.catalogue.tool("pid").description == "Old"
    assert bridged.run_tool("pid", {}).status == "success"
    assert bridged.changed(1)
    assert bridged.catalogue.tool("pid").description == "pid"
    bridged.run_tool("pid", {})
    bridged.in_background(lambda: None).result(WAIT)
    assert bridged.changes == 1


def test_a_bridge_knows_at_once_what_another_process_has_written(bridge_to, awkward, tmp_path):
    def make():
        return bridge_to(awkward, cache=CatalogueCache(tmp_path, DAY, connector="mirror", server=awkward))

    first, second = make(), make()
    assert second.catalogue is None
    first.discover({"token": "t0p-secret"})
    assert second.catalogue == first.catalogue
    assert make().catalogue == first.catalogue
    assert "t0p-secret" not in (tmp_path / "mirror.mcp-catalog.json").read_text()


def test_a_secret_that_a_server_repeats_in_a_description_is_announced_to_no_manager(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover({"token": "t0p-secret"})
    assert bridged.catalogue.tool("environment").description == "with ***"
    assert "t0p-secret" not in repr(bridged.catalogue)
