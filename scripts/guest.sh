#!/usr/bin/env bash
# Packs target/guests/<processor>.cpio, all that an emulated machine of `make test-kernels` has: the daemon, the program that
# is its /init, and what scripts/kernels.sh unpacked (nginx, ip, busybox and their libraries).
#
#   scripts/guest.sh amd64     from what `make build` built
#   scripts/guest.sh arm64     builds both for arm64 first (five minutes the first time on two processors)
set -euo pipefail
cd "$(dirname "$0")/.."
PROCESSOR=$1
CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}/kernels
HERE=$(dpkg --print-architecture)
die() { printf 'guest: %s\n' "$*" >&2; exit 1; }

case $PROCESSOR in
    amd64) target=x86_64-unknown-linux-gnu tools=x86_64-linux-gnu ;;
    arm64) target=aarch64-unknown-linux-gnu tools=aarch64-linux-gnu ;;
    *) die "unknown processor '$PROCESSOR': amd64 or arm64" ;;
esac
[ -d "$CACHE/$PROCESSOR/guest" ] || die "$CACHE/$PROCESSOR/guest is missing: run scripts/kernels.sh"

if [ "$PROCESSOR" = "$HERE" ]; then
    built=target/release
else
    # Kept outside: what it depends on is the same for every checkout, and takes most of the time.
    CARGO_TARGET_DIR=$CACHE/build-$target; export CARGO_TARGET_DIR
    built=$CARGO_TARGET_DIR/$target/release
    # Cargo takes a crate of another checkout for the same one, and what its build script made there (the object) for fresh.
    if [ "$(cat "$CARGO_TARGET_DIR/checkout" 2>/dev/null)" != "$PWD" ]; then
        rm -rf "$CARGO_TARGET_DIR"/release/.fingerprint/meshaccel-* "$built"/.fingerprint/meshaccel-*
        mkdir -p "$CARGO_TARGET_DIR"
        printf '%s\n' "$PWD" >"$CARGO_TARGET_DIR/checkout"
    fi
    # Little optimized and without debug information, to be quick. Only the profile of the other
    # processor's crates differs, so build scripts and macros are those of `make build`.
    variable=${target//-/_}
    export "CARGO_TARGET_${variable^^}_LINKER=$tools-gcc" "CC_$variable=$tools-gcc"
    foreign=(--release --target "$target" --config profile.release.opt-level=1 --config profile.release.debug=false)
    echo "  building the daemon and the guest's program for $PROCESSOR"
    # Without -p: choosing a package chooses other features of what it depends on.
    scripts/compile.sh "${foreign[@]}" --bin meshaccel-node
    scripts/compile.sh "${foreign[@]}" -p meshaccel-e2e-guest --bin meshaccel-guest
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp -a "$CACHE/$PROCESSOR/guest/." "$root/"
mkdir -p "$root"/{dev,proc,sys,tmp,run,etc,root,var/log/nginx,var/lib/nginx}
# A distribution whose packages have everything in /usr leaves these to its base system.
for folder in bin sbin lib lib64; do
    [ -e "$root/$folder" ] || [ ! -e "$root/usr/$folder" ] || ln -s "usr/$folder" "$root/$folder"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
strip="strip"; [ "$PROCESSOR" = "$HERE" ] || strip=$tools-strip
"$strip" --strip-debug -o "$root/bin/meshaccel-node" "$built/meshaccel-node"
"$strip" --strip-debug -o "$root/init" "$built/meshaccel-guest"
mkdir -p target/guests
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"target/guests/$PROCESSOR.cpio.part"
mv "target/guests/$PROCESSOR.cpio.part" "target/guests/$PROCESSOR.cpio"
