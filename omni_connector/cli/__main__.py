"""``python -m omni_connector.cli``, where the script is not on the path."""

from omni_connector.cli.main import main

if __name__ == "__main__":
    main()
