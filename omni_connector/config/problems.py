"""What is wrong with the variables, each problem with the line to type."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from omni_connector.config.addresses import in_address, is_host, is_http_address
from omni_connector.config.variables import (
    CELERY,
    LARGEST_PORT,
    LOG_FORMATS,
    LOG_LEVELS,
    NUMBERS,
    THREADS,
    log_values,
    text_of,
    url_of,
)
from omni_connector.manager_access import access_problems

_RUN_STORE = re.compile(r"memory|sqlite:///.+|(redis|rediss|unix)://.+")
_BROKER = re.compile(r"[a-z+]+://.+")

# Instead of the value, which may have a password.
_HOW_TO_WRITE_IT = (
    "An IPv6 address goes into brackets; in a password, write / as %2F, : as %3A, @ as %40, [ as %5B. "
)


def all_problems(environ: Mapping[str, str], *, needs_manager: bool = True) -> list[str]:
    """Return what is wrong with any variable of a process that serves."""
    url = url_of(environ, "CONNECTOR_URL")
    return [
        *(manager_problems(environ) if needs_manager else ()),
        *(_address_problems("CONNECTOR_URL", url, "http://my-connector:8000") if url else ()),
        *_host_problems(environ),
        *port_problems(environ),
        *access_problems(environ),
        *problems_beside_manager(environ),
    ]


def manager_problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with ``CONNECTOR_MANAGER_URL``."""
    url = url_of(environ, "CONNECTOR_MANAGER_URL")
    if not url:
        problem = "CONNECTOR_MANAGER_URL is not set: it is the address of the connector-manager."
        return [f"{problem} Type: export CONNECTOR_MANAGER_URL=http://localhost:8090"]
    return _address_problems("CONNECTOR_MANAGER_URL", url, "http://localhost:8090")


def _address_problems(name: str, url: str, example: str) -> list[str]:
    if is_http_address(url):
        return []
    several_colons = "[" not in url and urlsplit(url).netloc.rpartition("@")[2].count(":") > 1
    brackets = " (an IPv6 address goes into brackets: http://[::1]:8090)" if several_colons else ""
    return [f"{name} is not an http or https address{brackets}. Type: export {name}={example}"]


def _host_problems(environ: Mapping[str, str]) -> list[str]:
    host = text_of(environ, "CONNECTOR_HOST_NAME")
    if not host or is_host(in_address(host).removeprefix("[").removesuffix("]")):
        return []
    problem = f"CONNECTOR_HOST_NAME={host!r} is not a host name alone: leave scheme, port and path out."
    return [f"{problem} Type: export CONNECTOR_HOST_NAME=my-connector (or CONNECTOR_URL=http://...)"]


def port_problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with ``PORT``."""
    text = text_of(environ, "PORT")
    if not text or 0 < _whole_number(text) <= LARGEST_PORT:
        return []
    return [f"PORT={text!r} is not a port number from 1 to 65535. Type: export PORT=8000"]


def _number_problems(environ: Mapping[str, str]) -> list[str]:
    problems = []
    for number in NUMBERS:
        text = text_of(environ, number.name)
        if text and _whole_number(text) < number.smallest:
            problems.append(
                f"{number.name}={text!r} is not a number of {number.unit}. Type: export {number.name}={number.example}"
            )
    return problems


def _whole_number(text: str) -> int:
    """Return the number that ``text`` writes in digits; -1 when it writes none, or an absurdly long one."""
    longest = 18
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= longest else -1


def problems_beside_manager(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the variables that also apply with an embedded manager."""
    return (
        _number_problems(environ)
        + _run_store_problems(environ)
        + _executor_problems(environ)
        + log_problems(environ)
    )


def log_problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the two ``LOG_`` variables."""
    level, form = log_values(environ)
    problems = []
    if level and level not in LOG_LEVELS:
        problems.append(
            f"LOG_LEVEL={level!r} is not one of {', '.join(LOG_LEVELS)}. Type: export LOG_LEVEL=INFO"
        )
    if form and form not in LOG_FORMATS:
        problems.append(f"LOG_FORMAT={form!r} is neither text nor json. Type: export LOG_FORMAT=json")
    return problems


def _run_store_problems(environ: Mapping[str, str]) -> list[str]:
    problems = []
    for name in ("OMNI_RUN_STORE", "OMNI_INVENTORY"):
        text = text_of(environ, name)
        if text and not (_RUN_STORE.fullmatch(text) and _can_be_split(text)):
            problem = f"{name} is neither memory nor the address of a SQLite file or a Redis."
            problems.append(f"{problem} {_HOW_TO_WRITE_IT}Type: export {name}=redis://localhost:6379/0")
    return problems


def _can_be_split(address: str) -> bool:
    """Say whether host and port can be separated; a broker may be several addresses, a SQLite file has neither."""
    try:
        ports = [urlsplit(each).port for each in address.split(";") if not each.startswith("sqlite:")]
    except ValueError:
        return False
    return 0 not in ports


def _executor_problems(environ: Mapping[str, str]) -> list[str]:
    executor = text_of(environ, "OMNI_EXECUTOR") or THREADS
    if executor not in {THREADS, CELERY}:
        return [
            f"OMNI_EXECUTOR={executor!r} is neither threads nor celery. Type: export OMNI_EXECUTOR=celery"
        ]
    if executor == THREADS:
        return []
    problems = []
    broker = text_of(environ, "OMNI_BROKER_URL")
    if not (_BROKER.fullmatch(broker) and _can_be_split(broker)):
        problem = (
            f"is not the address of a broker. {_HOW_TO_WRITE_IT}"
            if broker
            else "is not set: it is the broker of Celery. "
        )
        problems.append(f"OMNI_BROKER_URL {problem}Type: export OMNI_BROKER_URL=redis://localhost:6379/0")
    if text_of(environ, "OMNI_RUN_STORE") in {"", "memory"}:
        problem = "OMNI_RUN_STORE must be a store that this process shares with the Celery workers."
        problems.append(f"{problem} Type: export OMNI_RUN_STORE=redis://localhost:6379/0")
    return problems
