"""What an author's validators refuse in an object that cannot be made because of other faults, so that all is said at once."""

from collections.abc import Container, Iterator
from typing import Any, get_type_hints

import attrs

from omni_connector.models.codec import reason_of_validator
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.values import UnusableValueError, converted


def refusals(value: dict[str, JsonValue], kind: Any, path: str, wrong: Container[str]) -> Iterator[str]:
    """Yield what is refused in the fields of an attrs class, by path; other classes have no validators of their fields.

    Args:
        value: of which the object would be made.
        kind: its class.
        path: of the object.
        wrong: names of the fields whose faults are known.
    """
    if not attrs.has(kind):
        return
    hints = get_type_hints(kind, include_extras=True)
    stand_in = object.__new__(kind)
    given = [each for each in attrs.fields(kind) if each.alias in value and each.alias not in wrong]
    made = []
    for attribute in given:
        try:
            found = converted(
                value[attribute.alias], hints.get(attribute.name, Any), f"{path}.{attribute.alias}"
            )
        except UnusableValueError as error:
            yield from error.problems
            continue
        if attribute.converter is None:
            object.__setattr__(stand_in, attribute.name, found)
            made.append(attribute)
    for attribute in made:
        reason = reason_of_validator(stand_in, attribute)
        if reason is not None:
            yield f"{path}.{attribute.alias}: {reason}"
