"""The metrics of a connector: names, units and meaning. Each also has the label ``connector``."""

from omni_connector.telemetry.samples import COUNTER, GAUGE, HISTOGRAM, Family

_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_RUN_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0)

# -- runs -------------------------------------------------------------------------------------------------------

RUNS = Family(
    name="omni_connector_runs_total",
    kind=COUNTER,
    text="Runs that have ended, by mode (full, incremental, realtime) and outcome.",
    labels=("mode", "outcome"),
)
RUNS_IN_PROGRESS = Family(
    name="omni_connector_runs_in_progress", kind=GAUGE, text="Runs in progress.", labels=("mode",)
)
RUN_DURATION = Family(
    name="omni_connector_run_duration_seconds",
    kind=HISTOGRAM,
    text="How long runs took that have ended.",
    labels=("mode",),
    buckets=_RUN_BUCKETS,
)
RUN_PROGRESS = Family(
    name="omni_connector_run_progress_ratio",
    kind=GAUGE,
    text="How far a run in progress is, from 0 to 1, where the connector says how much there is.",
    labels=("source_id",),
)
LAST_SUCCESS = Family(
    name="omni_connector_last_success_timestamp_seconds",
    kind=GAUGE,
    text="When the last run of a source completed.",
    labels=("source_id",),
    is_latest=True,
)
DOCUMENTS = Family(
    name="omni_connector_documents_total",
    kind=COUNTER,
    text="Documents: scanned, emitted, updated (accepted by the manager), deleted, unread, refused.",
    labels=("kind",),
)
DELIVERED_BYTES = Family(
    name="omni_connector_delivered_bytes_total",
    kind=COUNTER,
    text="Bytes of delivered events, contents included.",
)
BATCHES = Family(
    name="omni_connector_batches_total", kind=COUNTER, text="Batches of events that the manager answered."
)
STAGE_SECONDS = Family(
    name="omni_connector_stage_seconds_total",
    kind=COUNTER,
    text="What runs took their time for.",
    labels=("stage",),
)
BUFFERED_DOCUMENTS = Family(
    name="omni_connector_buffered_documents",
    kind=GAUGE,
    text="Events that were emitted and that the manager has not accepted yet.",
)
BUFFERED_BYTES = Family(
    name="omni_connector_buffered_bytes", kind=GAUGE, text="Bytes of these events, contents included."
)

# -- calls to the manager ---------------------------------------------------------------------------------------

MANAGER_REQUESTS = Family(
    name="omni_connector_manager_request_duration_seconds",
    kind=HISTOGRAM,
    text="How long the manager took for one request, by its endpoint and status; unreachable without an answer.",
    labels=("endpoint", "status"),
    buckets=_CALL_BUCKETS,
)
SENT_BYTES = Family(
    name="omni_connector_manager_sent_bytes_total",
    kind=COUNTER,
    text="Bytes of request bodies, repeated ones included.",
    labels=("endpoint",),
)
RETRIES = Family(
    name="omni_connector_manager_retries_total",
    kind=COUNTER,
    text="Requests that were sent again, by what had gone wrong.",
    labels=("endpoint", "reason"),
)
ERRORS = Family(
    name="omni_connector_manager_errors_total",
    kind=COUNTER,
    text="Calls that failed for good, by what went wrong last.",
    labels=("endpoint", "reason"),
)
UPLOADS = Family(
    name="omni_connector_uploads_in_progress", kind=GAUGE, text="Contents that are being uploaded now."
)
LAST_ANSWER = Family(
    name="omni_connector_manager_last_answer_timestamp_seconds",
    kind=GAUGE,
    text="When the manager last answered without being in trouble.",
    is_latest=True,
)
LAST_FAILURE = Family(
    name="omni_connector_manager_last_failure_timestamp_seconds",
    kind=GAUGE,
    text="When the manager last gave no answer, or 500, 502, 503 or 504.",
    is_latest=True,
)
MANAGER_UP = Family(
    name="omni_connector_manager_up",
    kind=GAUGE,
    text="1 when the last answer is later than the last failure, else 0; missing before the first call.",
)

# -- the connector's own endpoints ------------------------------------------------------------------------------

HTTP_REQUESTS = Family(
    name="omni_connector_http_request_duration_seconds",
    kind=HISTOGRAM,
    text="How long requests to the connector took, by endpoint, method and status.",
    labels=("endpoint", "method", "status"),
    buckets=_CALL_BUCKETS,
)
PROCESSES = Family(
    name="omni_connector_processes",
    kind=GAUGE,
    text="Processes whose values are added here, by the release of the SDK.",
    labels=("version",),
)

FAMILIES = (
    RUNS,
    RUNS_IN_PROGRESS,
    RUN_DURATION,
    RUN_PROGRESS,
    LAST_SUCCESS,
    DOCUMENTS,
    DELIVERED_BYTES,
    BATCHES,
    STAGE_SECONDS,
    BUFFERED_DOCUMENTS,
    BUFFERED_BYTES,
    MANAGER_REQUESTS,
    SENT_BYTES,
    RETRIES,
    ERRORS,
    UPLOADS,
    LAST_ANSWER,
    LAST_FAILURE,
    MANAGER_UP,
    HTTP_REQUESTS,
    PROCESSES,
)
