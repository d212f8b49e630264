"""Drafts of a new connector: catalog entry, mapping and contract, guessed from what the system's owner handed over.

``reading.py`` turns an OpenAPI document, a WSDL, a sample answer or a sample file into a ``Sketch``; ``guesses.py``
finds out what its fields mean; ``writing.py`` makes the three files. ``draft.py`` is the use case. A draft is valid
from the start: what could not be guessed is asked for or left to quarantine, never invented.
"""
