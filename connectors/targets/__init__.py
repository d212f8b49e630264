"""The systems that dossiers are pushed to: the national portal, the provincial system, and EMC.

A connector adds session and envelope, never meaning: payloads arrive in wire form. Whatever happens on the wire, every
item gets exactly one verdict. Start with ``answers.py``, the kinds of answer and what becomes of an item for each;
``npsp_answers.py``, ``lgsp_answers.py`` and ``emc_answers.py`` read a system's own words into these kinds;
``batches.py`` decides what is sent next, ``paging.py`` what a complete listing is. All of these are pure and are tried
without a server; ``npsp.py``, ``lgsp_document.py`` with ``dossier_search.py``, and ``emc.py`` do the talking.
May import ``schemas`` and the rest of ``connectors``; imports no mapping and no ledger.
"""
