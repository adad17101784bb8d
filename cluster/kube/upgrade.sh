#!/usr/bin/env bash
# Rewrites go.mod and go.sum for another Kubernetes: cluster/kube/upgrade.sh 1.38.0
#
# Kubernetes' own go.mod replaces its 31 staging modules by folders of its tree. They are published too, as v0.38.0 for
# 1.38.0, so the same replacements with versions make it a module that others can build. Not `go mod tidy`: that would
# ask for the dependencies of every dependency's tests.
set -euo pipefail
version=${1:?usage: upgrade.sh 1.MINOR.PATCH}
cd "$(dirname "$0")"
export GOFLAGS=-mod=mod
module=$(sed -n 's/^module //p' go.mod)
theirs=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
rm -f go.mod go.sum
go mod init "$module"
go mod edit -go="$(sed -n 's/^go //p' "$theirs")" -require="k8s.io/kubernetes@v$version"
for staged in $(sed -n 's,^[[:space:]]*\(k8s.io/[a-z0-9-]*\) => ./staging/.*,\1,p' "$theirs"); do
    go mod edit -replace="$staged=$staged@v0.${version#1.}"
done
go list -deps . >/dev/null
echo "go.mod and go.sum name Kubernetes $version now: scripts/cluster-build.sh builds it" >&2
