//! Compiles the kernel programs of each capability: the objects that the daemon loads.

fn main() {
    meshaccel_compile::compile(
        "meshaccel-redirect-programs",
        "redirect",
        &["ebpf/abi", "ebpf/decide", "ebpf/redirect"],
    );
}
