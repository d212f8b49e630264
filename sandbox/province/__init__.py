"""The invented province: who applies for what, and what becomes of it.

Begin with ``province``: it answers "what does dossier number i look like at that time". ``lives`` decides the fate of
a dossier, ``calendar`` keeps office hours, ``catalogue`` lists procedures and agencies, ``people`` invents applicants,
and ``draws`` is where all chance comes from. Nothing in here talks to anybody; only ``schemas`` is imported.
"""
