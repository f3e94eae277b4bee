"""Takes the rows out of dlt's sources, without a pipeline: nothing is written to disk, and dlt's state is a value.

This is the only module that imports dlt.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from attrs import define, field, frozen
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.json import json as dlt_json
from dlt.common.pipeline import StateInjectableContext
from dlt.common.runtime.run_context import RunContext
from dlt.common.runtime.telemetry import stop_telemetry
from dlt.common.schema import Schema
from dlt.extract.incremental import Incremental, IncrementalResourceWrapper
from dlt.extract.items_transform import LimitItem
from dlt.extract.pipe_iterator import ManagedPipeIterator
from dlt.extract.reference import SourceReference
from dlt.extract.resource import DltResource
from dlt.extract.source import DltSource, SourceInjectableContext, SourceSchemaInjectableContext

from omni_connector.exceptions import ConfigurationError

SETTINGS = {
    "runtime": {"dlthub_telemetry": False},
    "providers": {
        "enable_airflow_secrets": False,
        "enable_google_secrets": False,
        "enable_aws_secrets": False,
    },
}
"""All that dlt reads as configuration. The source's own settings are given to ``source()``."""

DltState = dict[str, Any]

_entering = threading.Lock()


class QuietRunContext(RunContext):  # type: ignore[misc]
    """dlt's surroundings without its files: no ``secrets.toml``, no variables, no telemetry, its log in ours."""

    def initial_providers(self) -> list[Any]:
        """Return the one that knows ``SETTINGS`` only."""
        return [CustomLoaderDocProvider("omni-connector", SETTINGS.copy)]

    def initialize_runtime(self, runtime_config: Any = None) -> None:
        """Start no telemetry; let dlt's log lines go where all others go, where they are masked."""
        super().initialize_runtime(runtime_config)
        logger = logging.getLogger(self.name)
        logger.handlers.clear()
        logger.propagate = True

    @classmethod
    def enter(cls) -> None:
        """Make it dlt's run context in this process, once."""
        container = Container()
        with _entering:
            if PluggableRunContext not in container:
                container[PluggableRunContext] = PluggableRunContext(cls("."))
            elif not isinstance(container[PluggableRunContext].context, cls):
                stop_telemetry()
                container[PluggableRunContext].reload(cls("."))


@frozen(kw_only=True)
class Rows:
    """Rows of one resource, in their order.

    Attributes:
        resource: its name.
        rows: dicts, as a rule.
        first: number of the first among the resource's.
        hard_delete: the column that marks rows as deleted, or None.
    """

    resource: str
    rows: list[Any] = field(repr=False)
    first: int
    hard_delete: str | None

    def marks_deleted(self, row: Any) -> bool:
        """Say whether the source says that this row is gone: the column is true, or holds anything else than None."""
        if self.hard_delete is None or not isinstance(row, dict):
            return False
        mark = row.get(self.hard_delete)
        return mark is not None and mark is not False


@frozen(kw_only=True)
class Reached:
    """A point at which dlt's state covers exactly what was read.

    Attributes:
        state: dlt's state, as JSON.
        finished: the resources that were read to their end, each with whether nothing was left out.
        begun: resources that this run reads from their beginning, with their sources.
    """

    state: DltState = field(repr=False)
    begun: list[str]
    finished: dict[str, bool] = field(factory=dict)


@define(kw_only=True)
class Extraction:
    """Reads what ``make`` returns: a source, a resource, or several.

    Args:
        make: makes the sources, in the thread that reads them.
        saved: dlt's state as JSON.
        skipped: resources that this run has read already.
        begun: as in ``Reached``, where the run is resumed.
        due: says whether a state is wanted at this moment, where one is possible.
    """

    make: Callable[[], Any]
    saved: DltState
    skipped: frozenset[str]
    begun: list[str]
    due: Callable[[], bool]
    _state: DltState = field(init=False, factory=dict)

    def pages(self) -> Generator[Rows | Reached, None, None]:
        """Yield rows, and where a state may be saved.

        Raises:
            ConfigurationError: the source is none, or a setting is missing.
        """
        QuietRunContext.enter()
        self._state = dlt_json.typed_loads(json.dumps(self.saved)) if self.saved else {}
        registered = set(SourceReference.SOURCES)
        try:
            with Container().injectable_context(StateInjectableContext(state=_as_dlts(self._state))):
                sources = list(sources_of(self.make()))
            self._require_distinct_names(sources)
            for source in sources:
                for group in groups_of(source):
                    yield from self._read(source, group)
        except ConfigFieldMissingException as error:
            raise ConfigurationError(
                f"dlt misses {', '.join(error.fields)} of {error.spec_name}: give them to the source in source(). "
                "dlt's configuration files and environment variables are not read here."
            ) from error
        finally:
            # dlt keeps what was defined while it was read, and with it credentials and open connections.
            for name in set(SourceReference.SOURCES) - registered:
                SourceReference.SOURCES.pop(name, None)

    def _read(self, source: DltSource, group: list[DltResource]) -> Iterator[Rows | Reached]:
        """Read a resource together with those that are made from its rows."""
        wanted = [each for each in group if each.name not in self.skipped]
        if not wanted:
            return
        for name in {name for each in wanted for name in lineage(each)}:
            full_name = f"{source.name}.{name}"
            if full_name not in self.begun and self._is_unread(source, name):
                self.begun.append(full_name)
        by_name = {each.name: each for each in wanted}
        counts: Counter[str] = Counter()
        for item in _items(source, wanted, self._state):
            resource = by_name.get(item.pipe.name)
            rows = rows_of(item.item)
            if resource is None or not rows:
                continue
            first = counts[resource.name] + 1
            counts[resource.name] += len(rows)
            yield Rows(resource=resource.name, rows=rows, first=first, hard_delete=_hard_delete(resource))
            is_alone = len(group) == len(lineage(resource)) == 1
            if is_alone and self.due() and self._is_safe_between_pages(source, resource):
                yield Reached(state=self._snapshot(), begun=list(self.begun))
        yield Reached(
            state=self._snapshot(),
            begun=list(self.begun),
            finished={each.name: self._is_whole(source, each) for each in wanted},
        )

    def _is_whole(self, source: DltSource, resource: DltResource) -> bool:
        """Say whether this run has read all rows that there are."""
        from_the_start = all(f"{source.name}.{name}" in self.begun for name in lineage(resource))
        return from_the_start and not is_limited(resource)

    def _snapshot(self) -> DltState:
        snapshot: DltState = json.loads(dlt_json.typed_dumps(self._state))
        return snapshot

    def _state_of(self, source: DltSource) -> dict[str, Any]:
        state: dict[str, Any] = self._state.get("sources", {}).get(source.name, {})
        return state

    def _is_unread(self, source: DltSource, resource: str) -> bool:
        """Say whether dlt remembers nothing that would make it leave rows out."""
        state = self._state_of(source)
        return not state.get("resources", {}).get(resource) and not state.keys() - {"resources"}

    def _is_safe_between_pages(self, source: DltSource, resource: DltResource) -> bool:
        """Say whether what dlt remembers after a page is true if nothing is read after it: rows come in the cursor's order."""
        remembered = self._state_of(source).get("resources", {}).get(resource.name, {})
        return remembered.keys() == {"incremental"} and (
            getattr(_incremental(resource._pipe), "row_order", None) == "asc"  # noqa: SLF001 - as below.
        )

    def _require_distinct_names(self, sources: list[DltSource]) -> None:
        names = [name for source in sources for name in source.selected_resources]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ConfigurationError(
                f"dlt resources of the same name: {', '.join(sorted(twice))}. Rename them with resource.with_name(...)."
            )


def sources_of(made: Any) -> Iterator[DltSource]:
    """Yield what an author's ``source()`` returned as dlt sources.

    Raises:
        ConfigurationError: it is nothing of dlt's.
    """
    if isinstance(made, DltSource):
        yield made
    elif isinstance(made, DltResource):
        yield DltSource(Schema(made.source_name or made.name), made.section, [made])
    elif isinstance(made, Iterable) and not isinstance(made, (str, bytes, dict)):
        for each in made:
            yield from sources_of(each)
    else:
        raise ConfigurationError(
            f"source() returned {type(made).__name__}: return a dlt source, a dlt resource, or a list of them"
        )


def groups_of(source: DltSource) -> list[list[DltResource]]:
    """Return the selected resources, together those that are read from the same parent."""
    groups: dict[str, list[DltResource]] = {}
    for resource in source.selected_resources.values():
        groups.setdefault(_ancestors(resource)[-1].instance_id, []).append(resource)
    return list(groups.values())


def lineage(resource: DltResource) -> list[str]:
    """Return the names of a resource and of those that its rows are made from."""
    return [pipe.name for pipe in _ancestors(resource)]


def is_limited(resource: DltResource) -> bool:
    """Say whether not all rows are asked for: ``add_limit``, or an incremental that ends somewhere."""
    for pipe in _ancestors(resource):
        if pipe.get_by_type(LimitItem) is not None:
            return True
        if getattr(_incremental(pipe), "end_value", None) is not None:
            return True
    return False


def rows_of(item: Any) -> list[Any]:
    """Return an item of dlt's as rows: a row, a list of them, an Arrow table, or a data frame."""
    if hasattr(item, "to_pylist"):
        item = item.to_pylist()
    elif hasattr(item, "to_dicts"):
        item = item.to_dicts()
    elif hasattr(item, "to_dict") and hasattr(item, "columns"):
        item = item.to_dict("records")
    return list(item) if isinstance(item, (list, tuple)) else [item]


def _items(source: DltSource, resources: list[DltResource], state: DltState) -> Iterator[Any]:
    """Yield dlt's items with the pipe that each comes from, which iterating a source does not show."""
    contexts = [
        ConfigSectionContext(sections=("sources", source.section, source.name), source_state_key=source.name),
        StateInjectableContext(state=_as_dlts(state)),
        SourceSchemaInjectableContext(source.schema),
        SourceInjectableContext(source),
    ]
    container = Container()
    with ExitStack() as injected:
        for context in contexts:
            injected.enter_context(container.injectable_context(context))
        items: Any = ManagedPipeIterator.from_pipes(
            [each._pipe for each in resources],  # noqa: SLF001 - as dlt's own extractor reads them.
            next_item_mode="fifo",
        )
    items.set_context(contexts)
    try:
        yield from items
    finally:
        items.close()


def _as_dlts(state: DltState) -> Any:
    """Return the same object: dlt's type for it has keys that only a pipeline sets."""
    return state


def _ancestors(resource: DltResource) -> list[Any]:
    pipe = resource._pipe  # noqa: SLF001 - no other way says what a transformer reads from.
    found: list[Any] = [pipe]
    while (pipe := pipe.parent) is not None:
        found.append(pipe)
    return found


def _incremental(pipe: Any) -> Any:
    step = pipe.get_by_type(IncrementalResourceWrapper, Incremental)
    return step.incremental if isinstance(step, IncrementalResourceWrapper) else step


def _hard_delete(resource: DltResource) -> str | None:
    """Return the column that marks rows as deleted, or None."""
    columns = resource.columns
    if not isinstance(columns, dict):
        return None
    return next((name for name, hints in columns.items() if hints.get("hard_delete")), None)
