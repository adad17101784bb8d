//! The maps. Capacities marked "set at load" are replaced by the daemon's arguments.

#![expect(non_upper_case_globals, reason = "the names of the maps, as bpftool and the pins show them")]

use core::ffi::c_void;

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, SkStorage};
use aya_ebpf::macros::btf_map;
use meshaccel_abi::services::reason::REASON_CAPACITY;
use meshaccel_abi::services::{
    Affinity, AffinityKey, Backend, Flows, Member, Record, Scope, Service, ServiceIndex, SetSlot, Vip,
};

const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;
const MAPPED: usize = BPF_F_MMAPABLE as usize;

/// Which Service an address belongs to. Set at load.
#[btf_map]
pub static ma_vips: HashMap<Vip, ServiceIndex, 65_536, NO_PREALLOC> = HashMap::new();

/// Ports of Services; the daemon writes them through a mapping. Set at load.
#[btf_map]
pub static ma_services: Array<Service, 65_536, MAPPED> = Array::new();

/// Endpoints. Set at load.
#[btf_map]
pub static ma_backends: HashMap<SetSlot, Backend, 1_048_576, NO_PREALLOC> = HashMap::new();

/// Which endpoints are in which set, where that is asked for. Set at load.
#[btf_map]
pub static ma_members: HashMap<Member, u32, 1_048_576, NO_PREALLOC> = HashMap::new();

/// Where clients of Services with affinity went last. An LRU: what is lost is a habit, and no pod has more than Services have.
#[btf_map]
pub static ma_affinities: LruHashMap<AffinityKey, Affinity, 65_536> = LruHashMap::new();

/// Network namespaces whose sockets are translated, by netns cookie.
#[btf_map]
pub static ma_scopes: HashMap<u64, Scope, 1_024, NO_PREALLOC> = HashMap::new();

/// How many connections of each are recorded, by netns cookie.
#[btf_map]
pub static ma_held: HashMap<u64, u64, 2_048, NO_PREALLOC> = HashMap::new();

/// What is kept of sockets that were translated; freed by the kernel with the socket.
#[btf_map]
pub static ma_flows: SkStorage<Flows> = SkStorage::new();

/// Connected sockets by socket cookie. Set at load.
#[btf_map]
pub static ma_svc_records: HashMap<u64, Record, 262_144, NO_PREALLOC> = HashMap::new();

/// Calls by reason.
#[btf_map]
pub static ma_svc_counters: PerCpuArray<u64, { REASON_CAPACITY as usize }> = PerCpuArray::new();

/// 1 where a program may choose the errno of a call that it refuses; filled in by the loader.
#[unsafe(no_mangle)]
pub static CAN_REFUSE: u32 = 0;

/// Address of a map, for helpers that aya does not wrap.
#[inline(always)]
pub fn pointer<T>(map: &'static T) -> *mut c_void {
    core::ptr::from_ref(map).cast_mut().cast()
}
