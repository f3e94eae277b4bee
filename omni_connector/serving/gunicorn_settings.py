"""The gunicorn settings that suit connectors, each with its reason; read by ``gunicorn_conf`` and ``Connector.serve()``."""

from omni_connector.serving.gunicorn_logs import GunicornLogger

# One process is enough for syncs that wait for their source. More (--workers 4) share a run store (docs/how-to/workers.md).
workers = 1

# Requests are short but may wait for the manager or an action; threads keep /health quick meanwhile. Syncs do not
# occupy these threads, each has its own. Actions get three quarters of them; those that are idle cost nothing.
worker_class = "gthread"
threads = 64

# The manager keeps its connections open for up to 90 s between a tick's calls; closing first would race with them.
keepalive = 95

# Concerns the worker's main loop, not a request: a gthread worker reports from there, also during an hour-long sync.
# Above the default, because a connector's C code may hold the interpreter for a while.
timeout = 120

# After SIGTERM, actions in progress may finish (28 s, OMNI_ACTION_SECONDS), and runs go on to their next checkpoint (15 s)
# or deliver what they have buffered (10 s). Container platforms usually kill after 30 s; Docker after 10 s.
graceful_timeout = 30

# Recycling a worker interrupts its syncs; they resume from their checkpoint, but there is no reason to provoke it.
max_requests = 0

# Threads and connections must begin in the process that serves.
preload_app = False

# Its default place is one for all gunicorns of a user, who would fight for it. Unknown to gunicorn before 24.
control_socket_disable = True

# The manager probes /health and /sync/<id> all the time; the log of the syncs matters more.
accesslog = None
errorlog = "-"

# Its lines look like all others (LOG_FORMAT). The time of a request is that of its line.
logger_class = GunicornLogger
access_log_format = '%(h)s "%(r)s" %(s)s, %(b)s bytes, %(M)s ms'
