"""Which documents of a source the manager has, and in which version: finds what changed and what is gone.

``storage`` is the interface of the places where it is kept (in memory here; SQLite and Redis in ``runstore/``),
``standing`` what is noted of a source and its runs, ``listing`` one scope in one run, ``of_run`` all of them, and
``finishing`` decides what is deleted.
"""
