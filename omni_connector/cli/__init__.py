"""The command ``omni-connector``: one file a command, loaded when it is used."""
