"""The pytest plugin; pytest loads it wherever the package is installed (entry point ``pytest11``)."""
