//! Compiles `ebpf/programs`: the object that the daemon loads.

fn main() {
    meshaccel_compile::compile("meshaccel-programs", "meshaccel", &["ebpf/abi", "ebpf/decide", "ebpf/programs"]);
}
