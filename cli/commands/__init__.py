"""One file per command of the `hosync` command line; each has a function ``run`` that returns the exit code.

They are imported only when their command is called, so that `hosync --help` stays quick.
"""
