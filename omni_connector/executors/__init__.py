"""Where runs are executed other than in threads of the serving process: by Celery workers.

``celery_app`` is what the serving process and the workers share, and sends runs; ``celery_worker`` executes them. The threads
of a process are the runtime's own (``runtime/worker.py``).
"""
