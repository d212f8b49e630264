"""Two systems of the province that hosync's catalog does not know: there to practise adding a connector.

``nuoc`` (water permits) is REST with an OpenAPI document at ``/openapi.json``; ``laodong`` (work permits) is SOAP with
its WSDL at ``?wsdl``. Both are ordinary on purpose. The tutorial docs/add-a-connector.md adds them.
"""
