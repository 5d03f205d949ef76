#!/bin/sh
# Install the programs of the reference engine, the browser of the page tests, and Siril and SWarp to compare stacks with.
# Does nothing where they are; needs Debian or Ubuntu, and root or sudo; elsewhere it says what to do.
set -eu

missing=
for pair in source-extractor:source-extractor psfex:psfex stilts:stilts chromium:chromium siril-cli:siril SWarp:swarp; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done

if [ -z "$missing" ]; then
    echo "all programs are installed"
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=sudo
else
    as_root=no
fi

if [ "$as_root" = no ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed:$missing"
    echo "Debian, Ubuntu:  sudo apt-get install --no-install-recommends$missing"
    echo "conda:           conda env create --file envs/pipeline.yaml"
    echo "Without them the embedded engine does the work, and the tests that need them are skipped."
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update --quiet

# Not every system has all of them: Ubuntu has no package of Chromium but a snap.
offered=
for package in $missing; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        offered="$offered $package"
    else
        echo "$package is not among the packages of this system; the tests that need it are skipped"
    fi
done

# shellcheck disable=SC2086  # a list of words
[ -z "$offered" ] || $as_root apt-get install --yes --quiet --no-install-recommends $offered
