use meshaccel_node::kernel::{btf::Btf, load::{Capacity, Programs}, offsets};
#[test]
fn the_object_loads() {
    let offsets = offsets::find(&Btf::of_kernel().unwrap(), true).unwrap();
    println!("{offsets:?}");
    if let Err(e) = Programs::load(&offsets, Capacity { connections: 16 }, None) { 
        let mut s: &dyn std::error::Error = &e; let mut out = String::new();
        loop { out += &format!("{s}\n"); match s.source() { Some(n) => s = n, None => break } }
        panic!("{out}") }
}
