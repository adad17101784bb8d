# The commands of this repository. `make help` lists them.
SHELL := /bin/bash
CARGO := cargo
# One profile for everything, so that a fresh machine compiles each dependency once.
PROFILE := --release
BIN := target/release
# Which kernels are booted: smoke (the extremes) or all.
KERNELS := smoke
# Minutes of each soak: an hour in all.
SOAK := 30
# A service mesh in the cluster: istio, or nothing.
MESH ?=
IMAGES_istio := coredns pilot proxyv2 echo
IMAGES := pause node operator mesh $(IMAGES_$(MESH))
$(if $(filter-out istio,$(MESH)),$(error MESH=$(MESH) is unknown: MESH=istio, or nothing))

.PHONY: help build demo test test-unit test-kernel test-mesh test-upstream test-stacks test-stacks-quick test-cluster \
	test-istio test-kernels test-kernels-smoke boot-kernels guests bench bench-here bench-istio scale lint deny crds images \
	cluster cluster-down clean setup-build setup-mesh setup-upstream setup-stacks setup-stacks-quick setup-cluster \
	setup-kernels soak test-cluster-beside-kernels

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup-build:
	@echo "[setup] tool chain"
	@scripts/setup.sh build

setup-mesh:
	@echo "[setup] Envoy, iptables, nginx, wrk and the like"
	@scripts/setup.sh mesh

setup-upstream:
	@echo "[setup] other projects' own tests"
	@scripts/setup.sh upstream

setup-stacks:
	@echo "[setup] servers and clients of many languages"
	@scripts/setup.sh stacks

setup-stacks-quick:
	@echo "[setup] servers and clients of some languages"
	@scripts/setup.sh stacks quick

setup-cluster:
	@echo "[setup] Kubernetes"
	@scripts/setup.sh cluster $(MESH)

setup-kernels:
	@echo "[setup] other kernels"
	@scripts/setup.sh kernels $(KERNELS)

build: setup-build ## Build everything (installs the eBPF tool chain if it is missing)
	@echo "[build] kernel programs, daemon, operator, harness (some 14 minutes the first time on two processors)"
	@scripts/compile.sh $(PROFILE)

demo: ## Two real pods with Envoys, before and after: a table and a picture
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory build setup-mesh
	@$(BIN)/meshaccel-demo

test: ## All tests: pure ones on the host, then the kernel's, real Envoys, other projects', a real Kubernetes, the extremes of kernels (root)
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory build setup-mesh setup-upstream setup-stacks-quick setup-cluster images guests
	@$(MAKE) --no-print-directory --keep-going test-unit test-kernel test-mesh test-upstream test-stacks-quick \
		test-cluster-beside-kernels

test-unit: ## Unit and property tests: seconds
	@echo "[test] units and properties"
	# All packages at once: choosing some of them chooses other features of what they depend on, which is then built again.
	$(CARGO) test $(PROFILE) --quiet --lib --test architecture --test licences --test deploy --test leaving --test visits

test-kernel: ## The real object under real sockets, in private network namespaces (root)
	@echo "[test] kernel programs"
	scripts/run-tests.sh kernel_

test-mesh: ## Real Envoys with Istio's and Linkerd's rules (root)
	@echo "[test] mesh"
	scripts/run-tests.sh mesh_

test-upstream: ## Tests of CPython, Go and others, outside and inside (root); MESHACCEL_UPSTREAM=all: the long ones too
	@echo "[test] upstream suites"
	scripts/run-tests.sh upstream_

test-stacks: ## Servers, databases and clients of many languages, alone and behind Envoys (root, half an hour); writes docs/stacks.md
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory build setup-mesh setup-stacks
	@echo "[test] stacks"
	@rm -rf stacks-out
	@scripts/run-tests.sh stacks_; status=$$?; $(BIN)/meshaccel-stack table stacks-out > docs/stacks.md; exit $$status

test-stacks-quick: ## Some of them, alone: what `make test` runs
	@echo "[test] stacks"
	scripts/run-tests.sh stacks_quick

test-cluster: ## A real Kubernetes: its API server, its kubelet, pods behind Envoys (root)
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory setup-cluster images
	@echo "[test] cluster"
	scripts/run-tests.sh cluster_

# A cluster mostly waits, an emulator never does: together they take little longer than the cluster alone. Each is shown whole.
test-cluster-beside-kernels:
	@scripts/beside.sh "$(MAKE) --no-print-directory boot-kernels" "$(MAKE) --no-print-directory test-cluster"

test-istio: ## The same with real Istio: injected sidecars, strict mutual TLS (root)
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory MESH=istio setup-cluster images
	@echo "[test] Istio"
	scripts/run-tests.sh istio_

test-kernels: ## Every kernel that the distribution has, booted in QEMU (an hour on two processors): test-out/kernels-all.md
	@$(MAKE) --no-print-directory KERNELS=all guests
	@$(MAKE) --no-print-directory KERNELS=all boot-kernels

soak: build ## Everything at once, every byte checked, for SOAK minutes (30) with each way of promotion (root)
	@scripts/check-machine.sh
	@echo "[test] soak: $(SOAK) minutes, twice"
	@MESHACCEL_SOAK_MINUTES=$(SOAK) $(CARGO) test $(PROFILE) --quiet --test kernel_soak -- --test-threads=1 --nocapture

test-kernels-smoke: guests boot-kernels ## The same with the extremes: the oldest, one whose FIONREAD is half blind, the newest, arm64

boot-kernels:
	@echo "[test] other kernels: $(KERNELS)"
	MESHACCEL_KERNELS=$(KERNELS) scripts/run-tests.sh kernels_

guests: build setup-kernels
	@echo "[build] what the emulated machines run (for arm64 some minutes the first time)"
	@scripts/guest.sh amd64
	@scripts/guest.sh arm64

cluster: ## A real Kubernetes of one node on this machine, with the images of this repository (root); MESH=istio: and Istio
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory setup-cluster images
	@scripts/cluster.sh up $(if $(MESH),--mesh $(MESH)) $(IMAGES:%=target/images/%.tar)

cluster-down: ## End it; nothing of it is left
	@scripts/cluster.sh down

images: build setup-mesh ## The container images of this repository: target/images/*.tar
	@scripts/images.sh $(IMAGES)

bench: bench-$(or $(MESH),here) ## Ratios against plain TCP, interleaved in one run: a table, JSON, a picture (root, 25 minutes); MESH=istio: through Istio

bench-here:
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory build setup-mesh
	@mkdir -p bench-out
	@$(BIN)/meshaccel-bench --json bench-out/bench.json --plot bench-out/bench.png
	@$(BIN)/meshaccel-idle
	@$(BIN)/meshaccel-idle --quiet --pods 250 --connections 400

scale: ## The operator with 1,000 and 5,000 simulated nodes, the daemon with 250 busy pods (root); MESHACCEL_SCALE_NODES=1000,5000
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory build setup-cluster
	@mkdir -p scale-out
	@$(BIN)/meshaccel-scale --json scale-out/scale.json --plot scale-out/scale.png

bench-istio:
	@scripts/check-machine.sh
	@$(MAKE) --no-print-directory setup-cluster images
	@mkdir -p bench-out
	@$(BIN)/meshaccel-bench --istio --seconds 1.5 --json bench-out/istio.json

lint: setup-build ## Formatting, clippy, shell syntax
	@echo "[lint] formatting, clippy, shell syntax"
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy $(PROFILE) --quiet --workspace --all-targets -- -D warnings
	bash -n scripts/*.sh cluster/*/*.sh .ci/run

deny: ## Advisories, licences, sources of what is depended on (installs cargo-deny the first time; needs the internet)
	@cargo deny --version > /dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	cargo deny check

crds: ## Write crds/yaml from the Rust types
	$(CARGO) run $(PROFILE) --quiet -p meshaccel-crds crds/yaml

clean: ## Remove what was built (not the cache of tools)
	$(CARGO) clean
	rm -rf demo-out bench-out scale-out test-out
