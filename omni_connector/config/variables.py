"""The variables of the environment, and their values without white space and trailing slashes."""

from collections.abc import Mapping

from attrs import Factory, frozen

DEFAULT_PORT = 8000
LARGEST_PORT = 65535

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("text", "json")

THREADS = "threads"
CELERY = "celery"

PASSED_ON = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""Variables that foreign processes are given: how to find programs and to reach the network."""


@frozen
class Variable:
    """A variable, as the documentation lists it.

    Attributes:
        meaning: one sentence.
        default: what holds without it.
    """

    name: str
    meaning: str
    default: str


@frozen
class Number(Variable):
    """A variable that is a whole number.

    Attributes:
        smallest: anything below is an error.
        example: for the line to type; the default unless given.
    """

    smallest: int = 1
    example: int = Factory(lambda self: int(self.default), takes_self=True)

    @property
    def field(self) -> str:
        """Its name in ``Settings``."""
        return self.name.removeprefix("CONNECTOR_").removeprefix("OMNI_").lower()

    @property
    def unit(self) -> str:
        """What it counts: the last word of its name."""
        word = self.name.rpartition("_")[2].lower()
        return word if word.endswith("s") else f"a {word}"


VARIABLES = (
    Variable("CONNECTOR_MANAGER_URL", "Address of the connector-manager.", "required"),
    Variable(
        "OMNI_CONNECTOR",
        "The connector class for the modules ``wsgi``, ``asgi`` and ``worker``: ``package.module:Class``.",
        "required there",
    ),
    Variable("PORT", "Port to listen on.", "8000"),
    Variable(
        "CONNECTOR_HOST_NAME",
        "Host under which the manager reaches this connector; with ``PORT`` it turns on registration.",
        "no registration",
    ),
    Variable(
        "CONNECTOR_URL",
        "The whole address instead of host and port; the prefix of a mounted connector is appended.",
        "made of host and port",
    ),
    Variable(
        "CONNECTOR_AUTH_TOKEN",
        "Token, or two with a comma, that requests must bring in ``Authorization: Bearer``; ``/health`` is open.",
        "no token needed",
    ),
    Variable(
        "CONNECTOR_AUTH_TOKEN_FILE",
        "The same in a file, a token a line; read again when it changes.",
        "no token needed",
    ),
    Variable(
        "CONNECTOR_MANAGER_HEADERS", "Headers for calls to the manager: ``Name: value``, one a line.", "none"
    ),
    Variable(
        "CONNECTOR_MANAGER_CA",
        "File or folder, in PEM, of the certificate authorities that are trusted for the manager.",
        "the ones that requests trusts",
    ),
    Variable("CONNECTOR_MANAGER_CERT", "Client certificate for calls to the manager, in PEM.", "none"),
    Variable("CONNECTOR_MANAGER_KEY", "Its key.", "in the same file"),
    Number(
        "CONNECTOR_MAX_BODY_BYTES",
        "Largest request body, in bytes; larger ones are answered 413.",
        "1073741824",
    ),
    Number(
        "CONNECTOR_MAX_TOTAL_BODY_BYTES",
        "Limit for all request bodies in progress, in bytes; others wait.",
        "1073741824",
    ),
    Number(
        "CONNECTOR_PARALLEL_UPLOADS",
        "Fixed number of contents that are uploaded at once.",
        "follows the manager's speed",
        example=16,
    ),
    Number(
        "CONNECTOR_RETRY_SECONDS",
        "How long a run repeats its calls while the manager is away; then it fails.",
        "300",
    ),
    Number(
        "CONNECTOR_STALLED_SECONDS",
        "A run that has not called the SDK for this long is logged as stalled, and its heartbeats stop.",
        "900",
    ),
    Number(
        "OMNI_MAX_CONCURRENT_SYNCS",
        "Syncs that a process executes at once; others wait for their turn.",
        "200",
    ),
    Number(
        "OMNI_MAX_CONCURRENT_ACTIONS",
        "Actions that a process executes at once; others are answered 503.",
        "three quarters of the server's threads",
        example=48,
    ),
    Number("OMNI_ACTION_SECONDS", "An action that takes longer is answered with an error.", "28"),
    Number(
        "OMNI_SHUTDOWN_SECONDS",
        "How long the process has to end; for half of it, runs go on to their next ``save_state``.",
        "30",
    ),
    Variable(
        "OMNI_RUN_STORE",
        "``memory``, ``sqlite:///path`` or ``redis://...``: lets several workers or machines serve one connector.",
        "a SQLite file that the workers of gunicorn or uvicorn share, in the folder for temporary files; memory in other servers",
    ),
    Variable(
        "OMNI_INVENTORY",
        "Where ``ctx.inventory()`` remembers which documents the manager has, in the same forms.",
        "beside the run store",
    ),
    Variable("OMNI_EXECUTOR", "``threads`` of this process execute syncs, or ``celery`` workers.", "threads"),
    Variable(
        "OMNI_BROKER_URL", "Broker of Celery, such as ``redis://localhost:6379/0``.", "required with Celery"
    ),
    Number(
        "OMNI_QUEUE_SECONDS",
        "A sync that no Celery worker takes for this long is given back to the manager.",
        "300",
    ),
    Number(
        "OMNI_METRICS_PORT", "Port at which a Celery worker answers ``GET /metrics``.", "none", example=9464
    ),
    Variable(
        "LOG_LEVEL",
        "``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``, where the application has not configured logging.",
        "INFO",
    ),
    Variable("LOG_FORMAT", "``text``, or ``json`` with one object a line; the same.", "text"),
    Number(
        "OMNI_PROGRESS_SECONDS",
        "Between two log lines on how far a sync is; 0 writes none.",
        "30",
        smallest=0,
    ),
    Variable(
        "CATALOG_CACHE_DIR",
        "Folder for the catalogues of MCP servers (``NAME.mcp-catalog.json``).",
        "kept in memory only",
    ),
    Number(
        "CATALOG_CACHE_TTL_SECONDS", "How long such a catalogue is valid; 0 disables it.", "86400", smallest=0
    ),
    Variable("OTEL_*", "Traces, by OpenTelemetry's own rules, with the extra ``otel``.", "off"),
)
"""All of them, in the order of the documentation."""

NUMBERS = tuple(each for each in VARIABLES if isinstance(each, Number))


def text_of(environ: Mapping[str, str], name: str) -> str:
    """Return a variable without white space around it; empty where it is not set."""
    return environ.get(name, "").strip()


def url_of(environ: Mapping[str, str], name: str) -> str:
    """Return an address without a trailing slash."""
    return text_of(environ, name).rstrip("/")


def log_values(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return level and format of the log, as they are compared."""
    return text_of(environ, "LOG_LEVEL").upper(), text_of(environ, "LOG_FORMAT").lower()
