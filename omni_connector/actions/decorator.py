"""``@action``: declares a method of a connector as an action."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from attrs import frozen

from omni_connector.exceptions import ConfigurationError

Method = TypeVar("Method", bound=Callable[..., Any])

_MARK = "__omni_action__"


@frozen(kw_only=True)
class ActionOptions:
    """What ``@action`` was given; checked when the connector starts, so that all mistakes are reported at once."""

    description: str | None = None
    mode: Any = "write"
    name: str | None = None
    admin_only: Any = False
    hidden: Any = False
    required_scopes: Any = None
    source_types: Any = ()


class ActionKeywords(TypedDict, total=False):
    """The options of ``@action``; its docstring says what each means."""

    description: str | None
    mode: Literal["read", "write"]
    name: str | None
    admin_only: bool
    hidden: bool
    required_scopes: Sequence[str] | None
    source_types: Sequence[str]


@overload
def action(method: Method, /) -> Method: ...
@overload
def action(**options: Unpack[ActionKeywords]) -> Callable[[Method], Method]: ...
def action(  # noqa: D417 - the options are described one by one.
    method: Any = None, /, **options: Any
) -> Any:
    """Declare a method of a connector, ``def`` or ``async def``, as an action that people and agents can run.

        class Tickets(Connector):
            @action(mode="read", description="Find tickets.")
            def find(self, text: Annotated[str, "words to look for"], limit: int = 10) -> list[str]: ...

    The schema is made from the signature: annotations (text, numbers, truth values, dates, enums, ``Literal``, lists,
    dicts, attrs classes, dataclasses, ``TypedDict``, and all of them with ``| None``), defaults, and descriptions from
    ``Annotated`` or from ``Args`` in the docstring. These parameters are not
    part of the schema; the SDK fills them in where the method has them:

    - ``credentials``: the secrets, as in ``sync()``; an empty dict when there are none.
    - ``config`` (or ``source_config``): the source's settings, in a connector that declares a class for them.
    - ``credential``: the whole row, a ``Credential`` with ``auth_type``, ``principal_email``, ``config`` and so on, whose
      ``credentials`` are the secrets; None when there is none.
    - ``source``: the source's row, a ``Source``; None before a source exists.
    - ``actor_email``: the acting user's address, or None.

    Parameters are validated and converted before the method runs; a missing or mistyped one is answered 400 by name.
    What the method returns is the action's result; an ``ActionResponse`` or another response is passed on unchanged.

    Args:
        method: the method, when no option is given.
        description: for the model or the person who chooses it; the docstring's text unless given.
        mode: ``write`` unless the action only reads.
        name: the method's name unless given.
        admin_only: only administrators may run it.
        hidden: not listed, but can be run.
        required_scopes: OAuth scopes it needs.
        source_types: types it works for; all built-in types of the connector unless given.

    Raises:
        ConfigurationError: it is used on something that is not a method.
    """
    if method is None:
        return lambda decorated: _mark(decorated, ActionOptions(**options))
    return _mark(method, ActionOptions(**options))


def options_of(method: object) -> ActionOptions | None:
    """Return what ``@action`` was given for a member of a class; None for members without it."""
    # A staticmethod hides the function that it wraps.
    for place in (method, getattr(method, "__func__", None)):
        options = getattr(place, _MARK, None)
        if isinstance(options, ActionOptions):
            return options
    return None


def _mark(method: Any, options: ActionOptions) -> Any:
    if isinstance(method, (type, property, str)) or not (
        callable(method) or isinstance(method, (staticmethod, classmethod))
    ):
        raise ConfigurationError(
            f"@action is used on {method!r}; put it on a method of a connector, and give what it is about by keyword: "
            '@action(description="...")'
        )
    setattr(method, _MARK, options)
    return method
