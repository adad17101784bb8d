//! Compiles `ebpf/published`, which the benchmark compares with.

fn main() {
    meshaccel_compile::compile("meshaccel-published", "published", &["ebpf/programs", "ebpf/published"]);
}
