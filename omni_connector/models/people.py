"""People and groups as authors write them; the rules are those of PROTOCOL, section 15.

The manager applies the rules when it indexes an event, long after it has accepted it, and reports nothing. So they are
checked here, when a record is made.
"""

import datetime as dt
from typing import Any

from attrs import define, field

from omni_connector.exceptions import InvalidValueError
from omni_connector.models import fields
from omni_connector.models.model import Model

LONGEST_TEXT = 255
LONGEST_NAME = 128
LONGEST_ID = 64
"""Characters that the manager's columns hold."""


def to_date(value: dt.date | str | None) -> dt.date | None:
    """Make a date of a datetime or of ISO 8601 text; leave the rest for the validator to refuse."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value.strip())
        except ValueError:
            return value  # type: ignore[return-value]  # The validator refuses it by name.
    return value


def _to_optional_id(value: str | int | None) -> str | None:
    return None if value is None else fields.to_id(value)


def _to_members(values: Any) -> Any:
    """Stripped, in lower case, each once: a duplicate makes the manager drop the event. None is left to be refused."""
    if values is None:
        return None
    addresses = fields.to_addresses(values)
    if not isinstance(addresses, list) or isinstance(addresses, fields.Unsure):
        return addresses
    return list(dict.fromkeys(address for address in addresses if address))


_LONG = fields.text(maximum=LONGEST_TEXT, clean=True)
_ID = fields.text(maximum=LONGEST_ID, empty=False, clean=True)


@fields.Rule
def _address(value: Any) -> str | None:
    remedy = _LONG.remedy(value)
    if remedy is not None:
        return remedy
    local, at, domain = value.rpartition("@")
    fits = local and at and "." in domain and not domain.endswith(".")
    return None if fits else "give a whole e-mail address, such as ada@example.com"


@fields.Rule
def _person_id(value: Any) -> str | None:
    return _ID.remedy(value) or (None if value == value.strip() else "remove the blanks around it")


@fields.Rule
def _members(value: Any) -> str | None:
    if value is None:
        return "give a list of all members ([] empties the group)"
    remedy = fields.text_list.remedy(value)
    return remedy or next((found for member in value if (found := _LONG.remedy(member))), None)


_TEXT = fields.optional(_LONG)
_DATE = fields.optional(fields.instance_of(dt.date, "give a date, or ISO 8601 text such as 2026-08-01"))
_NAME = fields.optional(fields.text(maximum=LONGEST_NAME))
_SHORT = fields.optional(fields.text(maximum=LONGEST_ID))


@define(kw_only=True)
class PersonRecord(Model):
    """One person as a source knows them; replaces what this source said of them before.

    A person is identified by e-mail address, in all sources together. What is None here is removed from this source's
    entry.

    Texts have at most 255 characters where nothing else is said.

    Attributes:
        external_id: the person's id in the source, 1 to 64 characters without blanks around.
        email: written in lower case.
        display_name: at most 128 characters, like the three other names.
        division: one level above ``department``; ``top_department`` is at the top of the organisation.
        employee_id: at most 64 characters; a number becomes its digits.
        employee_type: such as ``contractor``.
        grade: at most 64 characters.
        confirmation_status: such as ``confirmed`` or ``probation``.
        employment_start_date: a date, or ISO 8601 text, like ``employment_end_date``.
        is_active: False for a person who has left; None counts as active.
        manager_external_id: ``external_id`` of the person's manager; not their own.
        source_updated_at: when the source changed the entry: datetime, or ISO 8601 text; without offset taken as UTC.
    """

    external_id: str = field(converter=fields.to_id, validator=_person_id)
    email: str = field(converter=fields.to_address, validator=_address)
    display_name: str | None = field(default=None, converter=fields.clean, validator=_NAME)
    given_name: str | None = field(default=None, converter=fields.clean, validator=_NAME)
    middle_name: str | None = field(default=None, converter=fields.clean, validator=_NAME)
    surname: str | None = field(default=None, converter=fields.clean, validator=_NAME)
    job_title: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    department: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    division: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    company_name: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    office_location: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    work_country: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    employee_id: str | None = field(default=None, converter=fields.to_text, validator=_SHORT)
    employee_type: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    cost_center: str | None = field(default=None, converter=fields.to_text, validator=_TEXT)
    grade: str | None = field(default=None, converter=fields.to_text, validator=_SHORT)
    band: str | None = field(default=None, converter=fields.to_text, validator=_TEXT)
    confirmation_status: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    employment_start_date: dt.date | None = field(default=None, converter=to_date, validator=_DATE)
    employment_end_date: dt.date | None = field(default=None, converter=to_date, validator=_DATE)
    phone: str | None = field(default=None, converter=fields.to_text, validator=_TEXT)
    is_active: bool | None = field(default=None, validator=fields.optional(fields.boolean))
    top_department: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    manager_external_id: str | None = field(
        default=None, converter=_to_optional_id, validator=fields.optional(_person_id)
    )
    source_updated_at: dt.datetime | None = field(
        default=None, converter=fields.to_moment, validator=fields.optional(fields.moment)
    )

    def __attrs_post_init__(self) -> None:
        """Check the rule that spans two fields."""
        require_other_manager(self)


def require_other_manager(person: PersonRecord) -> None:
    """Refuse a person who is their own manager; fields may be set one by one.

    Raises:
        InvalidValueError: ``manager_external_id`` is the person's own id.
    """
    if person.manager_external_id == person.external_id:
        raise InvalidValueError(
            model="PersonRecord",
            field="manager_external_id",
            value=person.manager_external_id,
            remedy=f"it is the id of {person.email!r} themselves: give the manager's id, or None",
        )


@define(kw_only=True)
class GroupMembership(Model):
    """All members of one group of a source; replaces the membership that the source said before.

    Attributes:
        group_email: what documents name in ``DocumentPermissions.groups``, at most 255 characters; an address is written
            in lower case, another identifier keeps its case.
        member_emails: all members; written in lower case, each once. An empty list empties the group.
        group_name: shown to people, at most 255 characters; None keeps the old name.
    """

    group_email: str = field(
        converter=fields.to_group_key,
        validator=fields.text(maximum=LONGEST_TEXT, empty=False, clean=True),
    )
    member_emails: list[str] = field(converter=_to_members, validator=_members)
    group_name: str | None = field(default=None, converter=fields.clean, validator=_TEXT)


def person_email(email: str) -> str:
    """Return the address of a person as it is sent.

    Raises:
        InvalidValueError: it is none.
    """
    address = fields.to_address(email)
    _address.require(address, model="PersonRecord", field="email")
    return address
