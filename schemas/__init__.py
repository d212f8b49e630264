"""The common schema: what a dossier is, whatever system it came from.

Floor 1: imports nothing of the project. Everything above speaks in these terms.
Start with ``dossier.py``; ``states.py`` holds the ten national states and their legal transitions,
``codes.py`` the small code lists, ``identifiers.py`` the codes people and machines write in several ways,
``times.py`` the rule for naive times. ``wire/`` keeps each outside system's contract as a snapshot,
``json/`` the JSON Schema exported from the models (``python -m schemas.export``).
"""
