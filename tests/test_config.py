"""Settings: every variable, and every mistake at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import omni_connector
from omni_connector import ConfigurationError, Settings
from omni_connector.config import LogSettings, port_from_environ, wsgi_target
from omni_connector.config.variables import VARIABLES

URL = {"CONNECTOR_MANAGER_URL": "http://manager:8090"}


def problems(environ):
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environ(environ)
    return caught.value.problems


def test_only_the_address_of_the_manager_is_required():
    assert Settings.from_environ(URL) == Settings(
        manager_url="http://manager:8090",
        connector_url=None,
        max_body_bytes=1024 * 1024 * 1024,
        max_total_body_bytes=1024 * 1024 * 1024,
        registration_interval_seconds=30.0,
        parallel_uploads=None,
        retry_seconds=300,
    )


def test_blanks_and_trailing_slashes_are_dropped():
    settings = Settings.from_environ(
        {"CONNECTOR_MANAGER_URL": " https://manager/base// ", "CONNECTOR_URL": "http://me:1/x/ "}
    )
    assert (settings.manager_url, settings.connector_url) == ("https://manager/base", "http://me:1/x")


@pytest.mark.parametrize(
    ("more", "connector_url"),
    [
        ({}, None),
        ({"PORT": "9000"}, None),
        ({"CONNECTOR_HOST_NAME": "me"}, "http://me:8000"),
        ({"CONNECTOR_HOST_NAME": " me ", "PORT": "9000"}, "http://me:9000"),
        ({"CONNECTOR_HOST_NAME": "10.0.0.7"}, "http://10.0.0.7:8000"),
        ({"CONNECTOR_HOST_NAME": "[::1]"}, "http://[::1]:8000"),
        ({"CONNECTOR_HOST_NAME": "fd00::5"}, "http://[fd00::5]:8000"),
        ({"CONNECTOR_HOST_NAME": "my_connector"}, "http://my_connector:8000"),
        ({"CONNECTOR_HOST_NAME": "me", "CONNECTOR_URL": "https://me.example/c"}, "https://me.example/c"),
    ],
)
def test_the_connector_s_own_address(more, connector_url):
    assert Settings.from_environ({**URL, **more}).connector_url == connector_url


def test_limits_are_read_as_numbers():
    settings = Settings.from_environ(
        {**URL, "CONNECTOR_MAX_BODY_BYTES": " 1024 ", "CONNECTOR_PARALLEL_UPLOADS": "4"}
    )
    assert (settings.max_body_bytes, settings.parallel_uploads) == (1024, 4)


@pytest.mark.parametrize(
    "name",
    [
        "CONNECTOR_URL",
        "CONNECTOR_HOST_NAME",
        "PORT",
        "CONNECTOR_MAX_BODY_BYTES",
        "CONNECTOR_PARALLEL_UPLOADS",
    ],
)
@pytest.mark.parametrize("nothing", ["", "   "])
def test_a_variable_without_text_counts_as_not_set(name, nothing):
    assert Settings.from_environ({**URL, name: nothing}) == Settings.from_environ(URL)


def test_a_missing_manager_is_answered_with_the_line_to_type():
    (problem,) = problems({})
    assert problem.startswith("CONNECTOR_MANAGER_URL is not set")
    assert "export CONNECTOR_MANAGER_URL=http://localhost:8090" in problem


@pytest.mark.parametrize(
    "url",
    [
        "manager:8090",
        "ftp://manager",
        "http://",
        "http://[::1",
        "http://manager:port",
        "http://manager:99999",
        "http://manager:0",
        "http://connector..manager:8090",
        "http://.manager",
        "http://my manager:8090",
        f"http://{'m' * 64}:8090",
    ],
)
@pytest.mark.parametrize("name", ["CONNECTOR_MANAGER_URL", "CONNECTOR_URL"])
def test_an_address_that_is_none_is_refused(name, url):
    (problem,) = problems({**URL, name: url})
    assert problem.startswith(f"{name} is not an http or https address. Type: export {name}=")


def test_an_ipv6_address_without_brackets_is_answered_with_how_to_write_it():
    (problem,) = problems({"CONNECTOR_MANAGER_URL": "http://fd00::5:8090"})
    assert "an IPv6 address goes into brackets: http://[::1]:8090" in problem
    assert Settings.from_environ({"CONNECTOR_MANAGER_URL": "http://[fd00::5]:8090"}).manager_url


@pytest.mark.parametrize(
    "name", ["a..b", "me:8000", "http://me", "me/path", "me@host", "fd00::zz", "my host"]
)
def test_a_host_name_that_is_none_is_refused(name):
    (problem,) = problems({**URL, "CONNECTOR_HOST_NAME": name})
    assert problem.startswith(f"CONNECTOR_HOST_NAME={name!r} is not a host name alone")


@pytest.mark.parametrize("url", [None, "", "http://localhost:0"])
def test_the_address_of_the_manager_may_come_later(url):
    environ = {} if url is None else {"CONNECTOR_MANAGER_URL": url}
    assert Settings.from_environ(environ, needs_manager=False).manager_url == ""
    assert len(problems(environ)) == 1


def test_an_address_that_is_none_is_refused_also_where_it_may_come_later():
    with pytest.raises(ConfigurationError, match="CONNECTOR_MANAGER_URL is not an http"):
        Settings.from_environ({"CONNECTOR_MANAGER_URL": "manager"}, needs_manager=False)


def test_beside_a_manager_only_numbers_are_read():
    environ = {"CONNECTOR_MANAGER_URL": "x", "PORT": "x", "CONNECTOR_MAX_BODY_BYTES": "7"}
    settings = Settings.beside_manager("http://m", "http://me", environ)
    assert (settings.manager_url, settings.connector_url, settings.max_body_bytes) == (
        "http://m",
        "http://me",
        7,
    )
    with pytest.raises(ConfigurationError, match="CONNECTOR_MAX_BODY_BYTES='x'"):
        Settings.beside_manager("http://m", "http://me", {"CONNECTOR_MAX_BODY_BYTES": "x"})


@pytest.mark.parametrize("port", ["0", "-1", "65536", "80a", "8000.0", "٨٠٠٠", "9" * 5000])
def test_a_port_that_is_none_is_refused(port):
    (problem,) = problems({**URL, "PORT": port})
    assert problem.endswith("is not a port number from 1 to 65535. Type: export PORT=8000")
    with pytest.raises(ConfigurationError, match="not a port number"):
        port_from_environ({"PORT": port})


@pytest.mark.parametrize("port", ["1", " 8000 ", "65535"])
def test_a_port_is_read(port):
    assert port_from_environ({"PORT": port}) == int(port)


@pytest.mark.parametrize("environ", [{}, {"PORT": ""}, {"PORT": "  "}])
def test_the_port_is_8000_unless_said_otherwise(environ):
    assert port_from_environ(environ) == 8000


@pytest.mark.parametrize(
    "name",
    [
        "CONNECTOR_MAX_BODY_BYTES",
        "CONNECTOR_MAX_TOTAL_BODY_BYTES",
        "CONNECTOR_PARALLEL_UPLOADS",
        "CONNECTOR_STALLED_SECONDS",
    ],
)
@pytest.mark.parametrize("value", ["0", "-5", "many", "1e6", "64MB"])
def test_a_number_that_is_none_is_refused(name, value):
    (problem,) = problems({**URL, name: value})
    assert problem.startswith(f"{name}='{value}' is not a number of")
    assert f"export {name}=" in problem


def test_the_folder_for_catalogues_and_how_long_they_are_good():
    assert Settings.from_environ(URL).catalog_cache_dir is None
    assert Settings.from_environ(URL).catalog_cache_ttl_seconds == 86400
    given = {"CATALOG_CACHE_DIR": " /var/cache/omni ", "CATALOG_CACHE_TTL_SECONDS": "0"}
    settings = Settings.from_environ({**URL, **given})
    assert (settings.catalog_cache_dir, settings.catalog_cache_ttl_seconds) == (Path("/var/cache/omni"), 0)


@pytest.mark.parametrize("value", ["-5", "a day", "1.5"])
def test_a_time_to_live_that_is_no_number_is_refused(value):
    (problem,) = problems({**URL, "CATALOG_CACHE_TTL_SECONDS": value})
    assert "is not a number of seconds. Type: export CATALOG_CACHE_TTL_SECONDS=86400" in problem


@pytest.mark.parametrize("host", ["http://me", "me:8000", "me/x", "user@me", "my host"])
def test_a_host_name_with_more_than_a_host_is_refused(host):
    (problem,) = problems({**URL, "CONNECTOR_HOST_NAME": host})
    assert problem.startswith(f"CONNECTOR_HOST_NAME={host!r} is not a host name alone")


def test_all_mistakes_are_told_at_once():
    wrong = {
        "CONNECTOR_MANAGER_URL": "nowhere",
        "CONNECTOR_URL": "nobody",
        "CONNECTOR_HOST_NAME": "http://x",
        "PORT": "eighty",
        "CONNECTOR_MAX_BODY_BYTES": "lots",
        "CONNECTOR_PARALLEL_UPLOADS": "many",
    }
    found = problems(wrong)
    assert [problem.split()[0].split("=")[0] for problem in found] == [
        "CONNECTOR_MANAGER_URL",
        "CONNECTOR_URL",
        "CONNECTOR_HOST_NAME",
        "PORT",
        "CONNECTOR_MAX_BODY_BYTES",
        "CONNECTOR_PARALLEL_UPLOADS",
    ]


def test_the_message_is_the_problems_line_by_line():
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environ({"PORT": "x"})
    assert str(caught.value).splitlines() == list(caught.value.problems)


def test_the_environment_of_the_process_is_read_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://from-environment")
    monkeypatch.setenv("PORT", "9001")
    monkeypatch.setenv("OMNI_CONNECTOR", "a.b:C")
    assert Settings.from_environ().manager_url == "http://from-environment"
    assert port_from_environ() == 9001
    assert wsgi_target() == ("a.b:C", [])


def test_wsgi_names_a_missing_connector_first_and_everything_else_too():
    target, found = wsgi_target({"PORT": "x"})
    assert target == ""
    assert [problem.split()[0] for problem in found] == [
        "OMNI_CONNECTOR",
        "CONNECTOR_MANAGER_URL",
        "PORT='x'",
    ]
    assert "export OMNI_CONNECTOR=package.module:Class" in found[0]


@pytest.mark.parametrize(
    "store",
    [
        "memory",
        "sqlite:////var/lib/runs.db",
        "redis://:secret@redis:6379/0",
        "rediss://redis",
        "unix:///run/redis.sock",
    ],
)
def test_the_run_store_is_an_address(store):
    assert Settings.from_environ({**URL, "OMNI_RUN_STORE": f" {store} "}).run_store == store


@pytest.mark.parametrize(
    "store",
    [
        "redis",
        "postgres://:secret@here/",
        "sqlite://",
        "sqlite:runs.db",
        "redis://:secret@[half",
        "redis://:sec[ret@here",
        "redis://:secret@here:6379x",
    ],
)
def test_a_run_store_that_is_none_is_named_without_what_was_given(store):
    (problem,) = problems({**URL, "OMNI_RUN_STORE": store})
    assert problem.startswith("OMNI_RUN_STORE is neither memory nor the address of a SQLite file or a Redis.")
    assert problem.endswith("Type: export OMNI_RUN_STORE=redis://localhost:6379/0")
    assert "sec" not in problem


def test_the_server_decides_where_no_run_store_is_named():
    assert Settings.from_environ({**URL, "OMNI_RUN_STORE": " "}).run_store is None


CELERY = {
    **URL,
    "OMNI_EXECUTOR": "celery",
    "OMNI_BROKER_URL": "redis://:password@redis:6379/0",
    "OMNI_RUN_STORE": "redis://redis",
}


def test_syncs_are_executed_by_threads_unless_celery_is_chosen():
    assert Settings.from_environ(URL).executor == "threads"
    settings = Settings.from_environ({**CELERY, "OMNI_QUEUE_SECONDS": "60"})
    assert (settings.executor, settings.broker_url, settings.queue_seconds) == (
        "celery",
        CELERY["OMNI_BROKER_URL"],
        60,
    )
    assert "password" not in repr(settings)


def test_a_broker_may_be_several_addresses():
    several = "sentinel://one:26379;sentinel://two:26379"
    assert Settings.from_environ({**CELERY, "OMNI_BROKER_URL": several}).broker_url == several


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"OMNI_EXECUTOR": "kubernetes"}, "OMNI_EXECUTOR='kubernetes' is neither threads nor celery."),
        ({"OMNI_BROKER_URL": ""}, "OMNI_BROKER_URL is not set: it is the broker of Celery."),
        ({"OMNI_BROKER_URL": "secret@redis"}, "OMNI_BROKER_URL is not the address of a broker."),
        ({"OMNI_BROKER_URL": "amqp://:secret@[half"}, "OMNI_BROKER_URL is not the address of a broker."),
        ({"OMNI_RUN_STORE": ""}, "OMNI_RUN_STORE must be a store that this process shares"),
        ({"OMNI_RUN_STORE": "memory"}, "OMNI_RUN_STORE must be a store that this process shares"),
    ],
)
def test_celery_needs_a_broker_and_a_shared_store(changed, problem):
    (found,) = problems({**CELERY, **changed})
    assert found.startswith(problem)
    assert "Type: export OMNI_" in found
    assert "secret" not in found


@pytest.mark.parametrize(
    ("given", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "mine"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp_proto_http"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp_proto_http"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "otlp_proto_grpc"),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
    ],
)
def test_traces_are_asked_for_by_the_variables_of_opentelemetry(given, exporter):
    settings = Settings.from_environ({"CONNECTOR_MANAGER_URL": "http://manager", **given})
    assert settings.traces_exporter == exporter


def test_how_the_log_looks_is_read_in_any_case():
    assert Settings.from_environ(URL).log == LogSettings("INFO", "text")
    settings = Settings.from_environ(
        {**URL, "LOG_LEVEL": " debug ", "LOG_FORMAT": "JSON", "OMNI_PROGRESS_SECONDS": "0"}
    )
    assert (settings.log, settings.progress_seconds) == (LogSettings("DEBUG", "json"), 0)
    assert LogSettings.from_environ({"LOG_FORMAT": "json"}) == LogSettings("INFO", "json")


def test_what_the_log_cannot_be_is_named_with_all_other_problems():
    assert problems({"LOG_LEVEL": "loud", "LOG_FORMAT": "xml"})[1:] == (
        "LOG_LEVEL='LOUD' is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL. Type: export LOG_LEVEL=INFO",
        "LOG_FORMAT='xml' is neither text nor json. Type: export LOG_FORMAT=json",
    )


def test_every_variable_that_the_package_names_is_declared():
    """The table of the documentation is made of what is declared."""
    package = Path(omni_connector.__file__).parent
    named = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(
            r'"((?:CONNECTOR|OMNI|CATALOG|LOG)_[A-Z_]+|PORT)"', path.read_text(encoding="utf-8")
        )
    }
    assert named - {each.name for each in VARIABLES} == set()
