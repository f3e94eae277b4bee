"""What an operator sees of a connector: log lines, metrics, traces.

``figures`` says what a run has done, ``meter`` measures it, ``observer`` is the interface through which log lines and metrics
learn of runs, ``log_context`` knows which run a thread or task works for.
"""
