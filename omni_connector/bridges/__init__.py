"""What others have written, as connectors: dlt sources, Singer taps, LangChain and LlamaIndex readers.

``dlt`` (extra ``[dlt]``), ``singer`` and ``loaders`` each hold one base class. Nothing is imported here, so that each needs only
what it uses itself.
"""
