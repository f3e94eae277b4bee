"""The settings of a source as forms: fields where its connector declares them, JSON where it does not."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from omni_connector.console.hidden_values import all_secret, hidden, restored
from omni_connector.console.schema_form import SchemaForm
from omni_connector.local import SourceRow
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.declared_types import OF_THE_MANAGER
from omni_connector.typed.schema import Schema

_LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600


@frozen
class SettingsForms:
    """The forms of what a connector declares; None where it declares nothing."""

    config: SchemaForm | None = None
    credentials: SchemaForm | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "SettingsForms":
        """Make them of what the connector says about itself."""
        config, credentials = (
            _object_schema(described.get("config_schema")),
            _object_schema(described.get("credentials_schema")),
        )
        return cls(
            None if config is None else SchemaForm(config, prefix="config."),
            None
            if credentials is None
            else SchemaForm(all_secret(credentials), prefix="credentials.", place="credentials."),
        )


@define(kw_only=True)
class SourceDraft:
    """A source as it was typed into its form, or as it is stored.

    Attributes:
        forms: those of its connector.
        as_json: the settings are edited as JSON, although there are fields.
        interval: seconds between its syncs, as text; empty for none.
        is_active: whether it is synced at all.
        config: its settings, secrets included.
        config_text: the same as JSON without secrets, as it was typed.
        credentials: its secrets, or None.
        problems: what is wrong, a line each, by path.
    """

    forms: SettingsForms
    as_json: bool = False
    name: str = ""
    source_type: str = ""
    interval: str = ""
    is_active: bool = True
    config: dict[str, JsonValue] = field(factory=dict)
    config_text: str = "{}"
    credentials: dict[str, JsonValue] | None = None
    problems: list[str] = field(factory=list)

    @classmethod
    def of(cls, source: SourceRow, credentials: JsonValue, forms: SettingsForms) -> "SourceDraft":
        """Make it of a stored source."""
        config = source.config if isinstance(source.config, dict) else {}
        seconds = source.sync_interval_seconds
        return cls(
            forms=forms,
            name=source.name,
            source_type=source.source_type,
            interval="" if seconds is None else str(seconds),
            is_active=source.is_active,
            config=config,
            config_text=_shown(config, forms),
            credentials=credentials if isinstance(credentials, dict) else None,
        )

    def read(self, form: Mapping[str, str]) -> None:
        """Take what was typed, and look what is wrong with it."""
        self.problems = []
        self.name = form.get("name", "").strip()
        self.source_type = form.get("source_type", self.source_type).strip()
        self.interval = form.get("interval", "").strip()
        self.is_active = "is_active" in form
        if not self.source_type:
            self.problems.append("source_type: text is required, and missing")
        if self.interval and self.interval_seconds is None:
            self.problems.append(f'interval: a whole number of seconds is required, not "{self.interval}"')
        self._read_config(form)
        self._read_credentials(form)

    @property
    def interval_seconds(self) -> int | None:
        """The interval as a number; None where there is none, or something else was typed."""
        text = self.interval
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LONGEST_INTERVAL_SECONDS))
        seconds = int(text) if is_number else 0
        return seconds if 0 < seconds <= _LONGEST_INTERVAL_SECONDS else None

    @property
    def has_fields(self) -> bool:
        """Whether the settings are edited field by field."""
        return self.forms.config is not None and not self.as_json

    def error(self, path: str) -> str | None:
        """Return what is wrong with one of the fields that every source has."""
        return next((each.partition(": ")[2] for each in self.problems if each.startswith(f"{path}: ")), None)

    def adopt(self, said: list[str]) -> None:
        """Take what a connector has said about its settings, as far as it is about one of the fields."""
        self.problems = said
        general = self.general_problems()
        self.problems = [each for each in said if each not in general] if self.has_fields else []

    def general_problems(self) -> list[str]:
        """Return the problems that are shown at no field."""
        own = ("name: ", "source_type: ", "interval: ", "config as JSON: ", "credentials as JSON: ")
        left = [each for each in self.problems if not each.startswith(own)]
        if self.forms.config is not None and self.has_fields:
            left = self.forms.config.unmatched(left)
        if self.forms.credentials is not None:
            left = self.forms.credentials.unmatched(left)
        return left

    def _read_config(self, form: Mapping[str, str]) -> None:
        declared = self.forms.config
        if declared is not None and self.has_fields:
            self.config = declared.read(form, self.config)
        else:
            self.config_text = form.get("config", "").strip() or "{}"
            typed = _object(self.config_text)
            if typed is None:
                self.problems.append('config as JSON: a JSON object is required, such as {"folder": "/srv"}')
                return
            self.config = dict(restored(typed, self.config))
        if declared is not None:
            own = {
                name: each
                for name, each in self.config.items()
                if name in declared.schema["properties"] or name not in OF_THE_MANAGER
            }
            self.problems += declared.problems(own)

    def _read_credentials(self, form: Mapping[str, str]) -> None:
        declared = self.forms.credentials
        if declared is not None:
            typed = declared.read(form, self.credentials or {})
            self.problems += declared.problems(typed)
            self.credentials = typed
            return
        text = form.get("credentials", "").strip()
        if not text:
            return
        typed_text = _object(text)
        if typed_text is None:
            self.problems.append('credentials as JSON: a JSON object is required, such as {"token": "..."}')
        else:
            self.credentials = typed_text


def _object_schema(schema: Any) -> Schema | None:
    return schema if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) else None


def _shown(config: JsonValue, forms: SettingsForms) -> str:
    schema = forms.config.schema if forms.config else {}
    return json.dumps(hidden(config, schema), indent=2, ensure_ascii=False)


def _object(text: str) -> dict[str, JsonValue] | None:
    try:
        made = json.loads(text)
    except ValueError:
        return None
    return made if isinstance(made, dict) else None
