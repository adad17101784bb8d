//! The maps. Capacities marked "set at load" are replaced by the daemon's `--max-connections`.

#![expect(non_upper_case_globals, reason = "the names of the maps, as bpftool and the pins show them")]

use core::ffi::c_void;

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf, SkStorage, SockHash};
use aya_ebpf::macros::btf_map;
use meshaccel_abi::redirect::event::EVENT_CAPACITY;
use meshaccel_abi::redirect::habit::MAX_HABITS;
use meshaccel_abi::redirect::policy::MAX_PODS;
use meshaccel_abi::redirect::port_history::MAX_HISTORIES;
use meshaccel_abi::redirect::reason::REASON_CAPACITY;
use meshaccel_abi::redirect::records::NUMBERS;
use meshaccel_abi::redirect::{
    Connection, Counter, EndId, EndRecord, Offsets, PodEntry, PodHabits, Policy, PortHistory, PortKey, SocketKey,
    SocketMark,
};

const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;

/// Promoted sockets. Set at load.
#[btf_map]
pub static ma_sockets: SockHash<SocketKey, 262_144> = SockHash::new();

/// State of every recorded socket; freed by the kernel with the socket.
#[btf_map]
pub static ma_connections: SkStorage<Connection> = SkStorage::new();

/// The sockets that the next scan visits, by cookie. Those that are settled or quiet are not in it, so a node full of long-lived
/// connections costs nothing. Set at load.
#[btf_map]
pub static ma_dirty: HashMap<u64, SocketMark, 262_144, NO_PREALLOC> = HashMap::new();

/// Records of both ends by identity. Set at load. Not an LRU: a full table must leave what runs alone.
#[btf_map]
pub static ma_ends: HashMap<EndId, EndRecord, 262_144, NO_PREALLOC> = HashMap::new();

/// How many records each pod has (`meshaccel_abi::redirect::records`).
#[btf_map]
pub static ma_records: Array<u64, { NUMBERS as usize }> = Array::new();

/// Slots of selected pods by netns cookie.
#[btf_map]
pub static ma_pods: HashMap<u64, PodEntry, { MAX_PODS as usize }, NO_PREALLOC> = HashMap::new();

/// Policies by slot.
#[btf_map]
pub static ma_policies: Array<Policy, { MAX_PODS as usize }> = Array::new();

/// Node switch, then one switch a slot.
#[btf_map]
pub static ma_switches: Array<u64, { MAX_PODS as usize + 1 }> = Array::new();

/// Messages and bytes by reason.
#[btf_map]
pub static ma_counters: PerCpuArray<Counter, { REASON_CAPACITY as usize }> = PerCpuArray::new();

/// Connections by event.
#[btf_map]
pub static ma_events: PerCpuArray<u64, { EVENT_CAPACITY as usize }> = PerCpuArray::new();

/// Identities that user space has found for sockets older than the daemon, by socket cookie.
#[btf_map]
pub static ma_imported: HashMap<u64, EndId, 65_536, NO_PREALLOC> = HashMap::new();

/// Habits of pods as a whole, by slot.
#[btf_map]
pub static ma_pod_habits: Array<PodHabits, { MAX_PODS as usize }> = Array::new();

/// Habits of ports. Not an LRU: a pod must not push another's out (see `habits.rs`).
#[btf_map]
pub static ma_habits: HashMap<PortKey, u32, { MAX_HABITS as usize }, NO_PREALLOC> = HashMap::new();

/// Redirected bytes by slot.
#[btf_map]
pub static ma_totals: PerCpuArray<u64, { MAX_PODS as usize }> = PerCpuArray::new();

/// What was learnt of the connections of a port.
#[btf_map]
pub static ma_histories: LruHashMap<PortKey, PortHistory, { MAX_HISTORIES as usize }> = LruHashMap::new();

/// Wakes the daemon. What is in it means nothing.
#[btf_map]
pub static ma_wake: RingBuf<u64, 4096> = RingBuf::new();

/// 1: the daemon has been woken since its last scan began.
#[btf_map]
pub static ma_awake: Array<u32, 1> = Array::new();

/// 1: other programs of sock_ops are loaded, whose flags a socket may carry, too.
#[btf_map]
pub static ma_neighbours: Array<u32, 1> = Array::new();

/// Promoted sockets that are to leave, as they are asked to: [`SocketMark`]s. What finds no room is left to the full resync.
#[btf_map]
pub static ma_leavers: RingBuf<SocketMark, { 256 << 10 }> = RingBuf::new();

/// Filled in by the loader from the kernel's BTF.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::NONE;

/// Where a field is in the running kernel, or another fact about it. A volatile read, else the compiler would use the zeros it sees above.
macro_rules! offset {
    ($($field:ident).+) => {
        // SAFETY: the field of a static that only the loader wrote, before the program was loaded.
        unsafe { core::ptr::read_volatile(&raw const $crate::maps::OFFSETS.$($field).+) }
    };
}
pub(crate) use offset;

/// Address of a map, for helpers that aya does not wrap.
#[inline(always)]
pub fn address<T>(map: &'static T) -> *mut c_void {
    core::ptr::from_ref(map).cast_mut().cast()
}
