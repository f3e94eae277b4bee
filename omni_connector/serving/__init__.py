"""Running a connector as a service: gunicorn and its settings, and which process of a server this is."""
