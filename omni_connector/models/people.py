"""People and groups as authors write them; the rules are those of PROTOCOL, section 15.

The manager applies the rules when it indexes an event, long after it has accepted it, and tells nobody. So they are
held here, when a record is made.
"""

import datetime as dt
from typing import Any

import attrs
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


def to_address(value: str) -> str:
    """Stripped and in lower case: what identifies a person."""
    return value.strip().lower() if isinstance(value, str) else value


def person_address(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require an e-mail address that can identify a person."""
    _TEXT_VALUE(instance, attribute, value)
    local, at, domain = value.rpartition("@")
    if not (local and at and "." in domain and not domain.endswith(".")):
        raise InvalidValueError(
            model=type(instance).__name__,
            field=attribute.name,
            value=value,
            remedy="give a whole e-mail address, such as ada@example.com",
        )


def person_id(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require an id of a person in the source."""
    _ID_VALUE(instance, attribute, value)
    if value != value.strip():
        raise InvalidValueError(
            model=type(instance).__name__,
            field=attribute.name,
            value=value,
            remedy="remove the blanks around it",
        )


def calendar_date(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a date."""
    if not isinstance(value, dt.date):
        raise InvalidValueError(
            model=type(instance).__name__,
            field=attribute.name,
            value=value,
            remedy="give a date, or ISO 8601 text such as 2026-08-01",
        )


def _members(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is None:
        raise InvalidValueError(
            model=type(instance).__name__,
            field=attribute.name,
            value=value,
            remedy="give a list of all members ([] empties the group)",
        )
    fields.text_list(instance, attribute, value)
    for member in value:
        _TEXT_VALUE(instance, attribute, member)


def _to_members(values: Any) -> Any:
    """Stripped, in lower case, each once: a duplicate makes the manager drop the event. None is left to be refused."""
    if values is None:
        return None
    addresses = fields.to_addresses(values)
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        return addresses
    return list(dict.fromkeys(address for address in addresses if address))


_TEXT_VALUE = fields.text(maximum=LONGEST_TEXT, clean=True)
_ID_VALUE = fields.text(maximum=LONGEST_ID, empty=False, clean=True)
_TEXT = fields.checked(fields.optional(_TEXT_VALUE), clean=True)
_NAME = fields.checked(fields.optional(fields.text(maximum=LONGEST_NAME)), clean=True)
_SHORT = fields.checked(fields.optional(fields.text(maximum=LONGEST_ID)), clean=True)
_DATE = fields.checked(fields.optional(calendar_date))


@define(kw_only=True, on_setattr=fields.on_setattr)
class PersonRecord(Model):
    """One person as a source knows them; replaces what this source said of them before.

    A person is known by the e-mail address, over all sources. What is None here vanishes from this source's entry.

    Attributes:
        external_id: the person's id in the source, 1 to 64 characters without blanks around.
        email: written in lower case.
        display_name: at most 128 characters, like the three other names.
        given_name: first name.
        middle_name: middle name.
        surname: family name.
        job_title: at most 255 characters, like every text that says nothing else.
        department: where the person works in the organisation.
        division: the same, one level up.
        company_name: employer.
        office_location: where the desk stands.
        work_country: country of work.
        employee_id: at most 64 characters; a number becomes its digits.
        employee_type: such as ``contractor``.
        cost_center: who pays.
        grade: at most 64 characters.
        band: pay band.
        confirmation_status: such as ``confirmed`` or ``probation``.
        employment_start_date: a date, or ISO 8601 text.
        employment_end_date: the same.
        phone: telephone number.
        is_active: False for somebody who has left; None counts as active.
        top_department: the department at the top of the organisation.
        manager_external_id: ``external_id`` of the person's manager; not their own.
        source_updated_at: when the source changed the entry: datetime, or ISO 8601 text; without offset taken as UTC.

    Raises:
        InvalidValueError: a value has the wrong type or breaks one of these rules.
    """

    external_id: str = field(converter=fields.to_required_text, metadata=fields.checked(person_id))
    email: str = field(converter=to_address, metadata=fields.checked(person_address))
    display_name: str | None = field(default=None, metadata=_NAME)
    given_name: str | None = field(default=None, metadata=_NAME)
    middle_name: str | None = field(default=None, metadata=_NAME)
    surname: str | None = field(default=None, metadata=_NAME)
    job_title: str | None = field(default=None, metadata=_TEXT)
    department: str | None = field(default=None, metadata=_TEXT)
    division: str | None = field(default=None, metadata=_TEXT)
    company_name: str | None = field(default=None, metadata=_TEXT)
    office_location: str | None = field(default=None, metadata=_TEXT)
    work_country: str | None = field(default=None, metadata=_TEXT)
    employee_id: str | None = field(default=None, converter=fields.to_text, metadata=_SHORT)
    employee_type: str | None = field(default=None, metadata=_TEXT)
    cost_center: str | None = field(default=None, converter=fields.to_text, metadata=_TEXT)
    grade: str | None = field(default=None, converter=fields.to_text, metadata=_SHORT)
    band: str | None = field(default=None, converter=fields.to_text, metadata=_TEXT)
    confirmation_status: str | None = field(default=None, metadata=_TEXT)
    employment_start_date: dt.date | None = field(default=None, converter=to_date, metadata=_DATE)
    employment_end_date: dt.date | None = field(default=None, converter=to_date, metadata=_DATE)
    phone: str | None = field(default=None, converter=fields.to_text, metadata=_TEXT)
    is_active: bool | None = field(default=None, metadata=fields.checked(fields.optional(fields.boolean)))
    top_department: str | None = field(default=None, metadata=_TEXT)
    manager_external_id: str | None = field(
        default=None, converter=fields.to_text, metadata=fields.checked(fields.optional(person_id))
    )
    source_updated_at: dt.datetime | None = field(
        default=None, converter=fields.to_moment, metadata=fields.checked(fields.optional(fields.moment))
    )

    def __attrs_post_init__(self) -> None:
        """Validate; then hold the rule that spans two fields."""
        fields.settle(self)
        require_other_manager(self)


def require_other_manager(person: PersonRecord) -> None:
    """Hold the rule that nobody is their own manager; fields may be set one by one.

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


@define(kw_only=True, on_setattr=fields.on_setattr)
class GroupMembership(Model):
    """All members of one group of a source; replaces the membership that the source said before.

    Attributes:
        group_email: what documents name in ``DocumentPermissions.groups``, at most 255 characters; an address is written
            in lower case, another identifier keeps its case.
        member_emails: all members; written in lower case, each once. An empty list empties the group.
        group_name: shown to people, at most 255 characters; None keeps the old name.

    Raises:
        InvalidValueError: a value has the wrong type or is too long.
    """

    group_email: str = field(
        converter=fields.to_group_key,
        metadata=fields.checked(fields.text(maximum=LONGEST_TEXT, empty=False, clean=True)),
    )
    member_emails: list[str] = field(converter=_to_members, metadata=fields.checked(_members))
    group_name: str | None = field(default=None, metadata=_TEXT)

    def __attrs_post_init__(self) -> None:
        """Validate."""
        fields.settle(self)


_SAMPLE = PersonRecord(external_id="sample", email="sample@example.com")  # Names the class in errors below.


def person_email(email: str) -> str:
    """Return the address of a person as it is sent.

    Raises:
        InvalidValueError: it is none.
    """
    address = to_address(email)
    person_address(_SAMPLE, attrs.fields(PersonRecord).email, address)
    return address
