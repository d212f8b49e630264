"""`hosync up`: a whole working hosync on one machine, for a first look, for development and for CI.

Starts PostgreSQL, the simulated province and Airflow's four processes, waits until they are healthy, triggers the pulls
and shows the dossiers on their way. Everything it starts ends with it, whatever ends it. May import ``sync`` and what
lies below; the sandbox is known by its command line only, Airflow by its command line and its REST API.

Start with ``command.py`` (the course of events). ``home.py`` is the folder on disk, ``children.py`` how processes are
started and ended, ``leftovers.py`` what a crash leaves behind, ``postgres.py``, ``province.py`` and ``airflow.py`` the
three parts, ``course.py`` the decision whether all is done, ``screen.py`` what a person sees meanwhile.
"""
