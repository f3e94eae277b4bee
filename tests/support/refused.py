"""A connector whose manifest no manager takes."""

from __future__ import annotations

from omni_connector import ActionDefinition, SkillDefinition
from support.scripted import Scripted


class Refused(Scripted):
    """Has a schema with a keyword that is refused, and two skills of one id."""

    name = "refused"
    actions = [
        ActionDefinition(name="ping", description="Check.", input_schema={"properties": {"a": {"not": {}}}})
    ]
    skills = [SkillDefinition(id="s", title="S", content="s")] * 2
