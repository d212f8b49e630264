"""Files as a transport: where they are, when they are whole, whose they are, and what is written in them.

``places.py`` is the contract of a folder; ``local.py`` and ``sftp.py`` keep it. ``pickup.py`` takes files out of it and
puts them into the archive; ``claims.py`` tells whose a taken file is. ``encodings.py``, ``csv_rows.py`` and
``xlsx_rows.py`` turn bytes into rows, ``table.py`` turns rows into records by the names in the header.
``archive.py`` reads pages again that were archived. ``sources/files.py`` joins them.
"""
