//! Compiles `ebpf/published`, which the benchmark compares with.

fn main() {
    if std::env::var_os("CARGO_FEATURE_FULL").is_some() {
        meshaccel_compile::compile("meshaccel-published", "published", &["ebpf/published"]);
    }
}
