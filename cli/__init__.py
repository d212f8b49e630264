"""The `hosync` command: what integration engineers and administrators type.

Floor 4: calls ``sync`` and shows what it says; works with or without Airflow running. Start with ``main.py``, which
lists the commands and their options; ``commands/`` has one file per command, ``up/`` is a room of its own. What goes
wrong becomes words in ``explain.py``; ``messages.py`` holds what is printed, in Vietnamese and English.
"""
