"""How connectors are served with gunicorn."""
