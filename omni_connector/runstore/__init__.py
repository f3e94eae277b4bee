"""Who runs what, over all processes of a connector: leases, notes and budgets in one store.

``store.RunStore`` is the interface; ``memory``, ``sqlite`` and ``redis_store`` implement it; ``opening`` chooses one.
``keeper`` renews what this process holds, and ``runs`` says what the names and values in the store mean.
"""
