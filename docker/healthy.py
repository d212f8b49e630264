"""Exit code 0 when Airflow's API server says that a component is healthy: ``healthy.py scheduler``.

Asking costs a tenth of a second; ``airflow jobs check`` would load all of Airflow every time, six seconds of work.
"""

import json
import os
import sys
import urllib.request

DEFAULT = "http://api-server:8080"


def main(component: str) -> int:
    """0 healthy, 1 not; the reason goes to the health check's log."""
    url = f"{os.environ.get('HOSYNC_HEALTH_URL', DEFAULT)}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            states = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
        return 1
    status = (states.get(component) or {}).get("status")
    print(f"{component}: {status}")
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
