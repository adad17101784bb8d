#!/usr/bin/env bash
# Runs two commands at once: beside.sh A B. B is shown as it goes, A when both are done. Fails when one of them does.
set -uo pipefail
cd "$(dirname "$0")/.."
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# A group of its own, so that an interrupted B takes all of A with it.
set -m
bash -c "$1" > "$said" 2>&1 &
other=$!
set +m
trap 'kill -- -"$other" 2> /dev/null' INT TERM
bash -c "$2"
status=$?
wait "$other" || status=1
cat "$said"
exit "$status"
