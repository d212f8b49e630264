#!/bin/sh
# Compiles the lock files: every package with its version and hashes, no registry named.
# Versions that are locked already stay unless --upgrade is given.
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=requirements/$1
    shift
    .cache/uv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-annotate --custom-compile-command "make lock" --output-file "$out" "$@" >/dev/null
}
compile dev.lock --extra up --extra sandbox --extra test --extra lint ${1:-}
# The image starts from the versions that the tests ran with and departs from them only where its own packages ask for it.
cp requirements/dev.lock requirements/image.lock
compile image.lock --extra image
