"""What the variables say as they stand: texts without white space, and addresses without a trailing slash."""

from collections.abc import Mapping

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
"""What a process that is not ours is given of our environment: how to find programs and to reach the network."""

NUMBERS = (
    ("max_body_bytes", "CONNECTOR_MAX_BODY_BYTES", "bytes", 1, 1024**3),
    ("max_total_body_bytes", "CONNECTOR_MAX_TOTAL_BODY_BYTES", "bytes", 1, 1024**3),
    ("parallel_uploads", "CONNECTOR_PARALLEL_UPLOADS", "uploads", 1, 16),
    ("retry_seconds", "CONNECTOR_RETRY_SECONDS", "seconds", 1, 300),
    ("stalled_seconds", "CONNECTOR_STALLED_SECONDS", "seconds", 1, 900),
    ("max_concurrent_syncs", "OMNI_MAX_CONCURRENT_SYNCS", "syncs", 1, 200),
    ("max_concurrent_actions", "OMNI_MAX_CONCURRENT_ACTIONS", "actions", 1, 48),
    ("action_seconds", "OMNI_ACTION_SECONDS", "seconds", 1, 28),
    ("shutdown_seconds", "OMNI_SHUTDOWN_SECONDS", "seconds", 1, 30),
    ("queue_seconds", "OMNI_QUEUE_SECONDS", "seconds", 1, 300),
    ("progress_seconds", "OMNI_PROGRESS_SECONDS", "seconds", 0, 30),
    ("metrics_port", "OMNI_METRICS_PORT", "a port", 1, 9464),
    ("catalog_cache_ttl_seconds", "CATALOG_CACHE_TTL_SECONDS", "seconds", 0, 86400),
)
"""Settings that are whole numbers: the field, its variable, what it counts, the smallest, and an example."""


def text_of(environ: Mapping[str, str], name: str) -> str:
    """Return a variable without white space around it; empty where it is not set."""
    return environ.get(name, "").strip()


def url_of(environ: Mapping[str, str], name: str) -> str:
    """Return an address without a trailing slash."""
    return text_of(environ, name).rstrip("/")


def log_values(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return level and format of the log, as they are compared."""
    return text_of(environ, "LOG_LEVEL").upper(), text_of(environ, "LOG_FORMAT").lower()
