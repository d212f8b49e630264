"""A whole simulated province: sector systems and targets as real servers, with faults on demand.

``province/`` invents dossiers and their lives, ``systems/`` are the source servers that tell about them, ``targets/``
are the servers that are told. ``serve`` starts them all, each in a process of its own, and ``http`` is what every
server is made of: begin reading there.

Of the product the sandbox imports ``schemas`` and nothing else, so that a mistake in a client cannot hide in the server
that tests it. Nothing of the product imports the sandbox. Every person, number and password in here is invented.
"""
