#!/usr/bin/env bash
# Saves the type information of the kernels in node-daemon/redirect/src/kernel/offsets/saved anew: needed whenever the table of fields
# asks for one more. The kernels are those of `make KERNELS=all setup-kernels`; one that the cache does not have is named.
set -euo pipefail
cd "$(dirname "$0")/.."

KERNELS=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}/kernels
SAVED=node-daemon/redirect/src/kernel/offsets/saved
missing=0
for file in "$SAVED"/*.btf; do
    release=$(basename "$file" .btf)
    image=$(ls -d "$KERNELS"/*/"$release"_*/vmlinuz 2>/dev/null | tail -1) || true
    if [ -n "$image" ]; then
        cargo run --quiet --release -p meshaccel-redirect --example save_btf -- "$image" "$file"
    else
        echo "save-btf: the cache has no kernel $release any more: save another one of its series" >&2
        missing=1
    fi
done
exit $missing
