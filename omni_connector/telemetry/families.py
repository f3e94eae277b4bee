"""The metrics of a connector: names, units and meaning. Each also has the label ``connector``."""

from omni_connector.telemetry.samples import COUNTER, GAUGE, HISTOGRAM, Family

_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_RUN_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0)

# -- runs -------------------------------------------------------------------------------------------------------

RUNS = Family(
    "omni_connector_runs_total",
    COUNTER,
    "Runs that have ended, by mode and outcome: completed, failed, cancelled, interrupted (the process ended, the manager "
    "resumes the run), left_to_the_manager (realtime, or the final call was lost), taken_over (by another process), not_started.",
    labels=("mode", "outcome"),
)
RUNS_IN_PROGRESS = Family(
    "omni_connector_runs_in_progress", GAUGE, "Runs that read their source now.", labels=("mode",)
)
RUN_DURATION = Family(
    "omni_connector_run_duration_seconds",
    HISTOGRAM,
    "How long runs took that have ended.",
    labels=("mode",),
    buckets=_RUN_BUCKETS,
)
RUN_PROGRESS = Family(
    "omni_connector_run_progress_ratio",
    GAUGE,
    "How far a run in progress is, from 0 to 1, where the connector says how much there is.",
    labels=("source_id",),
)
LAST_SUCCESS = Family(
    "omni_connector_last_success_timestamp_seconds",
    GAUGE,
    "When the last run of a source completed. After a restart it is known from the files, else from the manager with the "
    "next incremental sync; a full or realtime sync brings none, so use max_over_time over some days.",
    labels=("source_id",),
    is_latest=True,
)
DOCUMENTS = Family(
    "omni_connector_documents_total",
    COUNTER,
    "Documents, by kind: scanned (looked at), emitted, updated (accepted by the manager), deleted, unread (the source did not "
    "give them), refused (by the manager). Added every 5 s and at the end of a run.",
    labels=("kind",),
)
DELIVERED_BYTES = Family(
    "omni_connector_delivered_bytes_total", COUNTER, "Bytes of delivered events, contents included."
)
BATCHES = Family("omni_connector_batches_total", COUNTER, "Batches of events that the manager answered.")
STAGE_SECONDS = Family(
    "omni_connector_stage_seconds_total",
    COUNTER,
    "What runs took their time for: reading, waiting_manager and waiting_rate_limit add up to the time of the connectors' "
    "threads; storing_contents and sending_events happen at the same time.",
    labels=("stage",),
)
BUFFERED_DOCUMENTS = Family(
    "omni_connector_buffered_documents",
    GAUGE,
    "Events that were emitted and that the manager has not accepted yet. Near 1,500 a run the manager is slower than the source.",
)
BUFFERED_BYTES = Family(
    "omni_connector_buffered_bytes",
    GAUGE,
    "Bytes of these events, contents included; the limit is 16 MiB a run.",
)

# -- calls to the manager ---------------------------------------------------------------------------------------

MANAGER_REQUESTS = Family(
    "omni_connector_manager_request_duration_seconds",
    HISTOGRAM,
    "How long the manager took for one request, by its endpoint and status; unreachable without an answer.",
    labels=("endpoint", "status"),
    buckets=_CALL_BUCKETS,
)
SENT_BYTES = Family(
    "omni_connector_manager_sent_bytes_total",
    COUNTER,
    "Bytes of request bodies, repeated ones included.",
    labels=("endpoint",),
)
RETRIES = Family(
    "omni_connector_manager_retries_total",
    COUNTER,
    "Requests that were sent again, by the status that they got.",
    labels=("endpoint", "reason"),
)
ERRORS = Family(
    "omni_connector_manager_errors_total",
    COUNTER,
    "Calls that failed for good, by what went wrong last.",
    labels=("endpoint", "reason"),
)
UPLOADS = Family(
    "omni_connector_uploads_in_progress",
    GAUGE,
    "Contents that are being uploaded; how many there may be adapts to the manager.",
)
LAST_ANSWER = Family(
    "omni_connector_manager_last_answer_timestamp_seconds",
    GAUGE,
    "When the manager last answered without being in trouble.",
    is_latest=True,
)
LAST_FAILURE = Family(
    "omni_connector_manager_last_failure_timestamp_seconds",
    GAUGE,
    "When the manager last gave no answer, or 500, 502, 503 or 504.",
    is_latest=True,
)
MANAGER_UP = Family(
    "omni_connector_manager_up",
    GAUGE,
    "1 when the last answer of the manager is later than its last failure, in any process of the server, else 0; missing before "
    "the first call. One process registers every 30 s, so that it is never older.",
)

# -- the connector's own endpoints ------------------------------------------------------------------------------

HTTP_REQUESTS = Family(
    "omni_connector_http_request_duration_seconds",
    HISTOGRAM,
    "How long requests to the connector took, by endpoint, method and status.",
    labels=("endpoint", "method", "status"),
    buckets=_CALL_BUCKETS,
)
PROCESSES = Family(
    "omni_connector_processes",
    GAUGE,
    "Processes whose values are added here, by the release of the SDK.",
    labels=("version",),
)

FAMILIES = tuple(each for each in tuple(globals().values()) if isinstance(each, Family))
