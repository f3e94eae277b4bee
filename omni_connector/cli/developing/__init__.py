"""``omni-connector dev``: the connector as a process of its own, started again when its files change.

``session`` joins the parts in the command's process: the embedded manager, its console, and ``supervisor``, which starts
``child``, the process of the connector, and asks ``files`` whether to start it again. The two processes talk through a pair
of sockets (``messages``); ``lines`` reads the log of the child.
"""
