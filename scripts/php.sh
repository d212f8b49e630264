#!/bin/sh
# The tests read from a SOAP service that PHP serves; this makes sure that Debian's PHP and its SOAP extension are there.
set -eu
if command -v php >/dev/null && php -m | grep -qix soap; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests: PHP with its SOAP extension is missing and only root can install it." >&2
    echo "tests: what to do: apt-get install php-cli php-soap" >&2
    exit 2
fi
echo "tests: installing Debian's php-cli and php-soap" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends php-cli php-soap >&2
