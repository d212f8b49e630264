#!/bin/sh
# The tests look at the pages with Debian's Chromium; this makes sure that it is there.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests: Chromium is missing and only root can install it." >&2
    echo "tests: what to do: apt-get install chromium" >&2
    exit 2
fi
echo "tests: installing Debian's chromium" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2
