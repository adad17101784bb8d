#!/usr/bin/env bash
# cargo build "$@": with cargo's own progress on a terminal, elsewhere with a line a minute. An error is shown whole.
set -uo pipefail
[ ! -t 2 ] || exec cargo build "$@"
count=0 next=60 SECONDS=0
cargo build "$@" 2>&1 | while IFS= read -r line; do
    case $line in
        *" Compiling "*)
            count=$((count + 1))
            if [ $SECONDS -ge $next ]; then
                echo "  ... $((SECONDS / 60)) min, $count crates compiled, now ${line##* Compiling }"; next=$((SECONDS + 60))
            fi ;;
        *" Downloading "* | *" Downloaded "* | *" Updating "* | *" Locking "* | *" Adding "* | *" Finished "*) ;;
        *) printf '%s\n' "$line" ;;
    esac
done
exit "${PIPESTATUS[0]}"
