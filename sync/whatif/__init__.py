"""What a changed mapping would change, tried on archived pages before it is deployed. Start at ``look.py``.

``readings.py`` reads the records of a page in two ways and says how the two differ, ``fields.py`` field by field;
``effects.py`` says what targets would be told anew. ``report.py`` is what comes out. Nothing is stored or sent.
"""
