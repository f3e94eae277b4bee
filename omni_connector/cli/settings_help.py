"""``--help`` after a TARGET: the settings and credentials that the connector declares."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

TARGET = "omni_connector.target"
ARGUMENTS = "omni_connector.arguments"
"""Keys of ``click.Context.meta``."""
_HEADINGS = {"config": "Settings (--config, --set)", "credentials": "Credentials (--credentials)"}


class ConnectorCommand(click.Command):
    """A command with a TARGET."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the target: ``--help`` ends the command before it is known otherwise."""
        ctx.meta[ARGUMENTS] = list(args)
        options, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[TARGET] = options.get("target")
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and what the connector declares."""
        super().format_options(ctx, formatter)
        target = ctx.meta.get(TARGET)
        if not isinstance(target, str):
            return
        for name, schema in _schemas(target).items():
            with formatter.section(f"{_HEADINGS[name]} of {target}"):
                formatter.write_dl(list(_rows(schema)))


def _schemas(target: str) -> Mapping[str, Any]:
    from omni_connector.target import find_connector  # noqa: PLC0415 - plain --help need not wait for it.

    with contextlib.redirect_stdout(sys.stderr):  # What the connector prints is no help.
        found = find_connector(target).make()
    return found.declared_types.schemas


def _rows(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, each in schema["properties"].items():
        is_required = name in schema.get("required", ())
        yield f"{prefix}{name}", ", ".join(_facts(each, is_required=is_required))
        if "properties" in each:
            yield from _rows(each, f"{prefix}{name}.")


def _facts(schema: Mapping[str, Any], *, is_required: bool) -> Iterator[str]:
    from omni_connector.typed.values import expected  # noqa: PLC0415 - as above.

    described = schema.get("description")
    items = schema.get("items")
    kind = expected(dict(schema))
    kind = f"{kind} of {expected(items)}" if items else kind
    yield f"{described.rstrip('.')}: {kind}" if described else kind
    if schema.get("writeOnly"):
        yield "secret"
    if is_required:
        yield "required"
    elif "default" in schema and schema["default"] is not None:
        yield f"default {json.dumps(schema['default'], ensure_ascii=False)}"
