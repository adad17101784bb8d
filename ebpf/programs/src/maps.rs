//! The maps. Capacities marked "set at load" are replaced by the daemon's `--max-connections`.

// The names of the maps, as bpftool and the pins show them.
#![expect(non_upper_case_globals)]

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf, SkStorage, SockHash};
use aya_ebpf::macros::btf_map;
use core::ffi::c_void;
use meshaccel_abi::event::EVENT_CAPACITY;
use meshaccel_abi::lesson::{MAX_LESSONS, MAX_SPLICED};
use meshaccel_abi::policy::MAX_PODS;
use meshaccel_abi::reason::REASON_CAPACITY;
use meshaccel_abi::{
    Calls, Connection, Counter, EndId, EndRecord, Lesson, LessonKey, Mark, Offsets, PodEntry, Policy, SocketKey,
    Splicers,
};

const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;

/// Promoted sockets. Set at load.
#[btf_map]
pub static ma_sockets: SockHash<SocketKey, 131_072> = SockHash::new();

/// State of every recorded socket; freed by the kernel with the socket.
#[btf_map]
pub static ma_connections: SkStorage<Connection> = SkStorage::new();

/// The sockets that the next pass visits, by cookie. Those that are settled or quiet are not in it, so a node full of long-lived
/// connections costs nothing. Set at load.
#[btf_map]
pub static ma_marked: HashMap<u64, Mark, 262_144, NO_PREALLOC> = HashMap::new();

/// Records of both ends by identity. Set at load. Not an LRU: a full table must leave what runs alone.
#[btf_map]
pub static ma_ends: HashMap<EndId, EndRecord, 262_144, NO_PREALLOC> = HashMap::new();

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
pub static ma_adopted: HashMap<u64, EndId, 65_536, NO_PREALLOC> = HashMap::new();

/// How often something was added to the next two maps, by slot.
#[btf_map]
pub static ma_splicers: Array<Splicers, { MAX_PODS as usize }> = Array::new();

/// Sockets that were spliced from, by cookie. The value means nothing.
#[btf_map]
pub static ma_spliced: LruHashMap<u64, u32, { MAX_SPLICED as usize }> = LruHashMap::new();

/// Ports whose sockets were spliced from. The value means nothing.
#[btf_map]
pub static ma_splice_ports: LruHashMap<LessonKey, u32, { MAX_SPLICED as usize }> = LruHashMap::new();

/// Redirected bytes by slot.
#[btf_map]
pub static ma_totals: PerCpuArray<u64, { MAX_PODS as usize }> = PerCpuArray::new();

/// What was learnt of the connections of a port.
#[btf_map]
pub static ma_lessons: LruHashMap<LessonKey, Lesson, { MAX_LESSONS as usize }> = LruHashMap::new();

/// Wakes the daemon. What is in it means nothing.
#[btf_map]
pub static ma_wake: RingBuf<u64, 4096> = RingBuf::new();

/// 1: the daemon has been woken since its last pass began.
#[btf_map]
pub static ma_awake: Array<u32, 1> = Array::new();

/// Filled in by the loader from the kernel's BTF.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets {
    cookie: 0,
    net: 0,
    net_cookie: 0,
    state: 0,
    family: 0,
    local_port: 0,
    remote_port: 0,
    local_v4: 0,
    remote_v4: 0,
    local_v6: 0,
    remote_v6: 0,
    uid: 0,
    user_data: 0,
    rmem_alloc: 0,
    psock_ingress: 0,
    write_seq: 0,
    copied_seq: 0,
    snd_una: 0,
    rcv_nxt: 0,
    bytes_acked: 0,
    bytes_received: 0,
    data_segs_in: 0,
    data_segs_out: 0,
    rcvbuf: 0,
    rcvlowat: 0,
    socket: 0,
    socket_file: 0,
    file_flags: 0,
    flags: 0,
    stamps_received: 0,
    zero_copy: 0,
    peek_offset: 0,
    stamp_flags: 0,
    error: 0,
    shutdown: 0,
    nagle: 0,
    nagle_cork: 0,
    queue_asked: 0,
    queue_asked_bit: 0,
    upper_layer: 0,
    task_files: 0,
    files_table: 0,
    table_size: 0,
    table_descriptors: 0,
    file_private: 0,
    socket_sock: 0,
    protocol: 0,
    calls: Calls {
        number: 0,
        third: 0,
        fourth: 0,
        sixth: 0,
        write: 0,
        writev: 0,
        sendto: 0,
        sendmsg: 0,
        sendmmsg: 0,
        sendfile: 0,
        splice: 0,
    },
    rmem_counts: 0,
    splices_seen: 0,
    blocking_waits: 0,
    casts: 0,
};

/// The offsets of the running kernel. A volatile read, else the compiler would use the zeros it sees above.
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
