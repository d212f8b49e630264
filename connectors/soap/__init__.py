"""SOAP: what protocols ``soap`` and ``soap-jobs`` are made of. Start reading at ``client.py``.

``operations`` reads the contract (WSDL), ``client`` calls its operations, ``answers`` reads what comes back record by
record, by the ``shapes`` and ``simple_types`` of the contract; ``faults`` says what a fault means, ``wsse`` signs,
``multipart`` leaves attachments aside, ``encoding`` makes rpc/encoded answers plain.
"""
