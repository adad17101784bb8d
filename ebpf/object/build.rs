//! Compiles the kernel programs of each capability: the objects that the daemon loads.

fn main() {
    let shared = ["ebpf/abi", "ebpf/decide", "ebpf/programs"];
    for (package, name) in [("meshaccel-redirect-programs", "redirect"), ("meshaccel-services-programs", "services")] {
        let own = format!("ebpf/{name}");
        let folders: Vec<&str> = shared.into_iter().chain([own.as_str()]).collect();
        meshaccel_compile::compile(package, name, &folders);
    }
}
