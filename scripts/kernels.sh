#!/usr/bin/env bash
# Kernels of Debian's suites, and the files of a guest that runs on them, unpacked into the cache and not installed.
#
#   scripts/kernels.sh smoke   the extremes: 6.1, one whose FIONREAD sees TCP's queue alone, the newest, 6.12 for arm64
#   scripts/kernels.sh all     the newest cloud kernel of each series that the suites have now, for amd64 and arm64; for amd64
#                              also the oldest: what stable kernels were given within a series is seen at both ends
#
# Cache: ${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}/kernels. Whatever is in it is named by version and can be
# deleted at any time. What is to be booted is listed in kernels/smoke or kernels/all, a kernel a line:
#
#   architecture, release (uname -r), version, suite, path of the kernel; separated by tabs
#
# The mirror is the one that this machine's own apt uses. Suites come, go and change: the list says what there is now.
set -euo pipefail

WHAT=${1:-all}
CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}/kernels
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Programs of the guest; apt finds what they need.
GUEST_PACKAGES="nginx-light iproute2 busybox-static"
# What was looked up less than this ago is not looked up again.
FRESH_MINUTES=1440

say() { printf '  %s\n' "$*" >&2; }
die() { printf 'kernels: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

for program in apt-get apt-cache dpkg; do
    command -v "$program" >/dev/null || die "$program is missing: the kernels are Debian's packages"
done
[ -r $KEYRING ] || die "$KEYRING is missing (package debian-archive-keyring)"
CODENAME=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")

# The suites to look into. What a suite has is found out; that a suite is gone is said and is no failure.
case $WHAT in
    smoke) SUITES="bookworm bookworm-security bookworm-backports trixie trixie-security trixie-backports" ;;
    all) SUITES="bullseye bullseye-security bookworm bookworm-security bookworm-backports trixie trixie-security trixie-backports
        forky sid" ;;
    *) die "unknown part '$WHAT': smoke or all" ;;
esac

# Repositories of this machine: the one of its release, and the one of its release's security updates. apt tells what it has
# fetched the lists of, which on a fresh machine is nothing.
mirror() {
    local try uri
    for try in 1 2; do
        uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
            awk -v release="$CODENAME$1" '$2 == release && !found++ { print $1 }')
        [ -z "$uri" ] || { echo "$uri"; return 0; }
        [ $try = 2 ] || as_root apt-get update -qq >/dev/null 2>&1 || true
    done
    die "this machine's apt names no mirror of $CODENAME$1: the kernels come from there"
}

# An apt of its own for an architecture: other sources, other lists, nothing installed.
apt_folder() {
    local arch=$1 folder=$CACHE/apt-$1-$WHAT suite uri
    mkdir -p "$folder"/{state/lists/partial,cache/archives/partial}
    : >"$folder/status"
    for suite in $SUITES; do
        case $suite in *-security) uri=$SECURITY ;; *) uri=$MAIN ;; esac
        echo "deb [signed-by=$KEYRING arch=$arch] $uri $suite main"
    done >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
#clear APT::Architectures;
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Check-Valid-Until "false";
Acquire::Retries "1";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Cache::pkgcache "pkgcache.bin";
CONF
    echo "$folder"
}

# The lists of all suites. One that cannot be had now is used as it was; one that never was had is named.
update() {
    local arch=$1 folder=$2 lists targets suite file
    lists=$folder/state/lists
    say "looking what kernels the suites have now ($arch)"
    apt-get -c "$folder/apt.conf" update -qq >"$folder/log" 2>&1 || true
    targets=$(apt-get -c "$folder/apt.conf" indextargets --format '$(RELEASE) $(FILENAME)' 'Created-By: Packages')
    for suite in $SUITES; do
        file=$(awk -v suite="$suite" '$1 == suite { print $2; exit }' <<<"$targets")
        ls "$file"* >/dev/null 2>&1 || say "the mirror has no $suite for $arch: left out"
    done
    ls "$lists"/*Packages* >/dev/null 2>&1 || { tail -n 5 "$folder/log" >&2; die "apt-get could not fetch the lists of $arch"; }
}

# All cloud kernels: version, release, suite, package; by tabs, oldest first.
known() {
    local arch=$1 folder=$2
    apt-cache -c "$folder/apt.conf" search --names-only "^linux-image-[0-9]+\.[0-9]+\.[0-9].*-cloud-$arch\$" | cut -d ' ' -f 1 |
        xargs -r apt-cache -c "$folder/apt.conf" madison |
        awk -F ' *[|] *' -v OFS='\t' '$3 ~ /Packages/ { gsub(/ /, "", $1); split($3, where, /[ \/]/); release = $1
            sub(/^linux-image-/, "", release); match($3, / [a-z-]+\//); print $2, release, substr($3, RSTART + 1, RLENGTH - 2), $1 }' |
        sort -u | sort -V
}

series() { sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$1"; }

# Does FIONREAD see only TCP's bytes there? Up to 6.18.13, and up to 6.12.74 in that series.
fionread_by_tcp() {
    local version=${1%%-*}; version=${version%%+*}
    case $(series "$version") in
        6.12) dpkg --compare-versions "$version" le 6.12.74 ;;
        *) dpkg --compare-versions "$version" gt 6.1.9999 && dpkg --compare-versions "$version" lt 6.18.14 ;;
    esac
}

# Those of them that are of a series.
of_series() { awk -F '\t' -v series="$1." 'index($1, series) == 1'; }

# Those of them whose FIONREAD sees TCP's bytes alone.
by_tcp() { while IFS=$'\t' read -r version rest; do ! fionread_by_tcp "$version" || printf '%s\t%s\n' "$version" "$rest"; done; }

# Unpacks one kernel and prints its line of the list.
kernel() {
    local arch=$1 folder=$2 version=$3 release=$4 suite=$5 package=$6 target part
    target=$CACHE/$arch/${release}_$version
    if [ ! -e "$target/vmlinuz" ]; then
        say "fetching Linux $version for $arch ($suite)"
        # From 6.19 on the kernel itself is in a package of its own.
        if apt-cache -c "$folder/apt.conf" show "linux-binary-$release=$version" >/dev/null 2>&1; then package=linux-binary-$release; fi
        part=$(mktemp -d -p "$CACHE")
        if ! (cd "$part" && apt-get -c "$folder/apt.conf" download -qq "$package=$version") >"$folder/log" 2>&1; then
            say "the mirror does not have what $suite lists: $package $version"
            rm -rf "$part"; return 1
        fi
        mkdir -p "$target"
        dpkg --fsys-tarfile "$part"/*.deb | tar -x -C "$part" --wildcards '*/vmlinuz*' &&
            mv "$(find "$part" -type f -name 'vmlinuz*')" "$target/vmlinuz" || die "$package $version holds no kernel"
        rm -rf "$part"
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$arch" "$release" "$version" "$suite" "$target/vmlinuz"
}

# The first kernel among the lines on standard input that can be had: a mirror may be behind the lists.
first_of() {
    local arch=$1 folder=$2 version release suite package tries=0
    while [ $tries -lt 5 ] && IFS=$'\t' read -r version release suite package; do
        tries=$((tries + 1))
        # Whoever writes those lines must not be ended by a closed pipe.
        if kernel "$arch" "$folder" "$version" "$release" "$suite" "$package"; then cat >/dev/null; return 0; fi
    done
    say "no kernel of these can be had for $arch: $3"
    return 1
}

# The list of what is booted.
chosen() {
    local arch=$1 folder=$2 all=$3 series
    case $WHAT-$arch in
        smoke-amd64)
            of_series 6.1 <"$all" | tac | first_of "$arch" "$folder" 6.1 &&
                by_tcp <"$all" | first_of "$arch" "$folder" "FIONREAD by TCP" &&
                tac "$all" | first_of "$arch" "$folder" newest ;;
        smoke-*) of_series 6.12 <"$all" | tac | first_of "$arch" "$folder" 6.12 ;;
        *)
            for series in $(cut -d . -f 1,2 "$all" | uniq); do
                of_series "$series" <"$all" | tac | first_of "$arch" "$folder" "$series" || continue
                # The oldest of those that have to work.
                case $arch-$series in
                    amd64-5.10) ;;
                    amd64-*) of_series "$series" <"$all" | first_of "$arch" "$folder" "$series" ;;
                esac
            done ;;
    esac
}

# The guest's files: of this machine's own release, whose libraries the binaries built here are linked with.
userland() {
    local arch=$1 folder=$2 packages name target part
    packages=$(apt-get -c "$folder/apt.conf" install -qq --simulate -t "$CODENAME" $GUEST_PACKAGES |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | sort)
    [ -n "$packages" ] || die "apt finds no $GUEST_PACKAGES for $arch in $CODENAME"
    name=guest-$(sha256sum <<<"$packages" | cut -c 1-12)
    target=$CACHE/$arch/$name
    if [ ! -d "$target" ]; then
        say "fetching the guest's programs ($arch)"
        part=$(mktemp -d -p "$CACHE")
        (cd "$part" && apt-get -c "$folder/apt.conf" download -qq $packages) >"$folder/log" 2>&1 ||
            { tail -n 5 "$folder/log" >&2; die "apt-get could not download the guest's programs"; }
        mkdir -p "$part/root" "$CACHE/$arch"
        local package; for package in "$part"/*.deb; do dpkg -x "$package" "$part/root"; done
        rm -rf "$part/root"/usr/share/{doc,man,locale,info,perl,bash-completion,lintian} "$part/root"/usr/lib/*/perl*
        chmod 755 "$part/root"; mv "$part/root" "$target"; rm -rf "$part"
    fi
    ln -sfn "$name" "$CACHE/$arch/guest"
}

# Looked up lately, and all of it is there.
is_fresh() {
    local arch rest path
    [ -n "$(find "$CACHE/$WHAT" -mmin -$FRESH_MINUTES 2>/dev/null)" ] || return 1
    while IFS=$'\t' read -r arch rest; do
        path=${rest##*$'\t'}
        [ -e "$path" ] && [ -d "$CACHE/$arch/guest/usr" ] || return 1
    done <"$CACHE/$WHAT"
}

! is_fresh || exit 0
mkdir -p "$CACHE"
# What a run that was ended has left.
find "$CACHE" -maxdepth 1 -name 'tmp.*' -mmin +60 -exec rm -rf {} +
MAIN=$(mirror ''); SECURITY=$(mirror -security)
list=$(mktemp -p "$CACHE")
for arch in amd64 arm64; do
    folder=$(apt_folder $arch)
    update $arch "$folder"
    userland $arch "$folder"
    known $arch "$folder" >"$folder/known"
    [ -s "$folder/known" ] || die "no suite has a cloud kernel for $arch"
    chosen $arch "$folder" "$folder/known" >>"$list" || die "the mirror lacks what has to be booted"
done
awk '!seen[$0]++' "$list" >"$list.once"; rm "$list"
mv "$list.once" "$CACHE/$WHAT"
