//! The only place that reads kernel sockets. Two ways: [`Own`] is the socket of the running program, which the verifier
//! knows, read by direct loads; [`Other`] is an address that was written down earlier, read with
//! `bpf_probe_read_kernel`, which cannot fault.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::read_volatile;

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::{self, bpf_skc_to_tcp_sock};
use meshaccel_abi::redirect::{Endpoint, SocketKey};
use meshaccel_abi::{At, Bits, CAST, Number};
use meshaccel_decide::redirect::demands::{Reading, Sending};
use meshaccel_decide::redirect::verdict::Queue;

use crate::maps::offset;

/// `AF_INET6`
const AF_INET6: u16 = 10;
/// `TCP_ESTABLISHED`
pub const TCP_ESTABLISHED: u8 = 1;
/// `TCP_CLOSE_WAIT`
pub const TCP_CLOSE_WAIT: u8 = 8;
/// `TCP_CLOSE`
pub const TCP_CLOSE: u8 = 7;

/// A direct load at base + constant, from a structure that the verifier knows. Volatile keeps it one load of this width: the
/// verifier refuses loads that cross the borders of a kernel field.
#[inline(always)]
pub fn load<T: Copy>(base: *const u8, at: At<T>) -> T {
    // SAFETY: the verifier checks this access against the kernel's BTF.
    unsafe { read_volatile(base.add(at.offset() as usize).cast()) }
}

/// The same of a number whose width is the kernel's choice. Which one is a constant, so the verifier does not follow the other
/// branch (check_cond_jmp_op, since Linux 5.5 for read-only maps) and takes it out of the program.
#[inline(always)]
pub fn number<const NARROW: u32, const WIDE: u32>(base: *const u8, number: Number<NARROW, WIDE>) -> u64 {
    let sized = |bytes| {
        // SAFETY: the verifier checks this access against the kernel's BTF.
        unsafe {
            let field = base.add(number.offset() as usize);
            match bytes {
                2 => read_volatile(field.cast::<u16>()).into(),
                4 => read_volatile(field.cast::<u32>()).into(),
                _ => read_volatile(field.cast::<u64>()),
            }
        }
    };
    if number.is_narrow() { sized(NARROW) } else { sized(WIDE) }
}

/// The `tcp_sock` of the socket a program runs for.
#[derive(Clone, Copy)]
pub struct Own(*const u8);

impl Own {
    /// From any socket pointer of a context. `None`: not a full TCP socket (MPTCP, time-wait, request).
    #[inline(always)]
    pub fn new(socket: *mut c_void) -> Option<Self> {
        if socket.is_null() {
            return None;
        }
        // SAFETY: the helper takes any socket pointer that the verifier knows, and gives null when it is not TCP.
        let tcp = unsafe { bpf_skc_to_tcp_sock(socket) };
        if tcp.is_null() { None } else { Some(Self(tcp.cast_const().cast())) }
    }

    /// The pointer, for helpers that take a socket.
    #[inline(always)]
    pub fn pointer(self) -> *mut c_void {
        self.0.cast_mut().cast()
    }

    /// The address, to be written down for [`Other`].
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    fn load<T: Copy>(self, at: At<T>) -> T {
        load(self.0, at)
    }
    #[inline(always)]
    fn bits(self, bits: Bits) -> u8 {
        bits.of(self.load(bits.byte()))
    }

    #[inline(always)]
    pub fn cookie(self) -> u64 {
        self.load(offset!(cookie))
    }
    #[inline(always)]
    pub fn write_sequence(self) -> u32 {
        self.load(offset!(write_seq))
    }
    #[inline(always)]
    pub fn copied_sequence(self) -> u32 {
        self.load(offset!(copied_seq))
    }
    #[inline(always)]
    pub fn uid(self) -> u32 {
        self.load(offset!(uid))
    }
    #[inline(always)]
    pub fn state(self) -> u8 {
        self.load(offset!(state))
    }
    /// `sk_err`: the error that the next call will report.
    #[inline(always)]
    pub fn has_failed(self) -> bool {
        self.load::<i32>(offset!(error)) != 0
    }
    #[inline(always)]
    pub fn segments_in(self) -> u32 {
        self.load(offset!(data_segs_in))
    }
    #[inline(always)]
    pub fn segments_out(self) -> u32 {
        self.load(offset!(data_segs_out))
    }
    #[inline(always)]
    pub fn bytes_acked(self) -> u64 {
        self.load(offset!(bytes_acked))
    }
    #[inline(always)]
    pub fn bytes_received(self) -> u64 {
        self.load(offset!(bytes_received))
    }
    /// `snd_una - bytes_acked`: the first data sequence number sent, or one less at an active end.
    #[inline(always)]
    pub fn sent_base(self) -> u32 {
        self.load::<u32>(offset!(snd_una)).wrapping_sub(self.bytes_acked() as u32)
    }
    /// `rcv_nxt - bytes_received`: the first data sequence number of the peer.
    #[inline(always)]
    pub fn received_base(self) -> u32 {
        self.load::<u32>(offset!(rcv_nxt)).wrapping_sub(self.bytes_received() as u32)
    }
    /// The sequence number after the last byte that TCP has received.
    #[inline(always)]
    pub fn received_sequence(self) -> u32 {
        self.load(offset!(rcv_nxt))
    }
    /// The same when TCP last sent anything, which acknowledges it.
    #[inline(always)]
    pub fn acknowledged_sequence(self) -> u32 {
        self.load(offset!(rcv_wup))
    }
    /// This end as the socket knows it.
    #[inline(always)]
    pub fn local(self) -> Endpoint {
        // skc_num is in host order, skc_dport in network order.
        let port: u16 = self.load(offset!(local_port));
        self.endpoint(offset!(local_v4), offset!(local_v6), port)
    }
    /// The other end as the socket knows it.
    #[inline(always)]
    pub fn remote(self) -> Endpoint {
        let port: u16 = self.load(offset!(remote_port));
        self.endpoint(offset!(remote_v4), offset!(remote_v6), u16::from_be(port))
    }
    /// The key that this socket would have in the SOCKHASH on its first stay there.
    #[inline(always)]
    pub fn key(self, netns_cookie: u64, socket_cookie: u64) -> SocketKey {
        SocketKey { local: self.local(), remote: self.remote(), generation: 0, netns_cookie, socket_cookie }
    }
    #[inline(always)]
    fn endpoint(self, v4: At<u32>, v6: At<[u8; 16]>, port: u16) -> Endpoint {
        let family: u16 = self.load(offset!(family));
        if family == AF_INET6 {
            let other = Other(self.address());
            return Endpoint::new(other.read_all(v6).unwrap_or([0; 16]), port);
        }
        Endpoint::v4(self.load(v4).to_ne_bytes(), port)
    }
    /// Cookie of the network namespace that the socket lives in; 0 when it cannot be read.
    #[inline(always)]
    pub fn netns_cookie(self) -> u64 {
        let net: u64 = Other(self.address()).read(offset!(net)).unwrap_or(0);
        Other(net).read(offset!(net_cookie)).unwrap_or(0)
    }
    /// What this socket asks of its sends, besides the flags of the call.
    #[inline(always)]
    pub fn sending(self, flags: Option<u32>) -> Sending {
        const SEND_SHUTDOWN: u8 = 2;
        const TCP_NAGLE_CORK: u8 = 2;
        Sending {
            flags,
            corked: self.bits(offset!(nagle)) & TCP_NAGLE_CORK != 0,
            shut: self.bits(offset!(shutdown)) & SEND_SHUTDOWN != 0,
            stamped: number(self.0, offset!(stamp_flags)) != 0,
            upper_layer: self.load::<u64>(offset!(upper_layer)) != 0,
        }
    }
    /// Nagle's algorithm holds back what does not fill a segment: neither TCP_NODELAY nor TCP_CORK is set.
    #[inline(always)]
    pub fn waits_for_acknowledgement(self) -> bool {
        self.bits(offset!(nagle)) == 0
    }
    /// SO_ZEROCOPY: completions of MSG_ZEROCOPY never come for a socket in a SOCKHASH.
    #[inline(always)]
    pub fn zero_copy(self) -> bool {
        Other(self.address()).flag(offset!(zero_copy)).unwrap_or(true)
    }
    /// `SO_RCVLOWAT`
    #[inline(always)]
    pub fn receive_low_water(self) -> i32 {
        self.load(offset!(rcvlowat))
    }
    /// `sk_rcvbuf`
    #[inline(always)]
    pub fn receive_buffer(self) -> u32 {
        self.load(offset!(rcvbuf))
    }
    /// See [`Other::redirected_queue_empty`].
    #[inline(always)]
    pub fn redirected_queue_empty(self) -> Option<bool> {
        Other(self.address()).redirected_queue_empty()
    }
}

/// `bpf_rdonly_cast(address, 0)`: the verifier takes the result for memory that may be read and may not be there. It becomes a
/// plain load where bpf_probe_read_kernel is a call with checks of its own, and a verdict reads nine fields of its peer. A
/// kernel function has no number that the compiler could know: the loader puts the call in (see `kernel/casts.rs` of the
/// daemon).
#[inline(always)]
fn cast(address: *const u8) -> *const u8 {
    // SAFETY: where the loader has not put the call in, no path leads here.
    let call: unsafe extern "C" fn(*const u8, u32) -> *const u8 = unsafe { core::mem::transmute(CAST as usize) };
    // SAFETY: any address may be cast.
    unsafe { call(address, 0) }
}

/// A socket whose address was written down. What is read means something only while the socket is known to be alive.
#[derive(Clone, Copy)]
pub struct Other(pub u64);

impl Other {
    /// One field of 1, 2, 4 or 8 bytes. (Where the kernel casts, an address that cannot be read gives zero.)
    #[inline(always)]
    pub fn read<T: Copy>(self, at: At<T>) -> Option<T> {
        let at = (self.0 as *const u8).wrapping_add(at.offset() as usize);
        if offset!(casts) != 0 {
            // SAFETY: the verifier makes it a load that does not fault.
            return Some(unsafe { read_volatile(cast(at).cast()) });
        }
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: it may be given any address; it fails instead of faulting. The value is read in any case (volatile), else the
        // compiler compares a register that has none where it failed, and the verifier says "R1 !read_ok".
        let (failed, value) = unsafe {
            let failed = generated::bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, at.cast());
            (failed != 0, read_volatile(value.as_ptr()))
        };
        if failed { None } else { Some(value) }
    }
    /// One field of 8 bytes; 0 where it cannot be read. Without an `Option`, of whose empty case the compiler makes a read of what
    /// nobody wrote on the stack, which kernels up to 6.2 refuse ("invalid read from stack").
    #[inline(always)]
    fn word(self, at: At<u64>) -> u64 {
        let at = (self.0 as *const u8).wrapping_add(at.offset() as usize);
        if offset!(casts) != 0 {
            // SAFETY: as in `read`.
            return unsafe { read_volatile(cast(at).cast()) };
        }
        let mut value = 0u64;
        // SAFETY: as in `read`; where it fails the value is zeroed.
        unsafe {
            generated::bpf_probe_read_kernel((&raw mut value).cast(), size_of::<u64>() as u32, at.cast());
            read_volatile(&raw const value)
        }
    }
    /// More than a field.
    #[inline(always)]
    pub fn read_all<T>(self, at: At<T>) -> Option<T> {
        // SAFETY: bpf_probe_read_kernel may be given any address; it fails instead of faulting.
        unsafe { bpf_probe_read_kernel((self.0 as *const u8).wrapping_add(at.offset() as usize).cast()).ok() }
    }
    #[inline(always)]
    fn read_bits(self, bits: Bits) -> Option<u8> {
        Some(bits.of(self.read(bits.byte())?))
    }
    #[inline(always)]
    pub fn copied_sequence(self) -> Option<u32> {
        self.read(offset!(copied_seq))
    }
    /// Any of these bits of `skc_flags`?
    #[inline(always)]
    fn flag(self, bits: u32) -> Option<bool> {
        Some(self.read::<u64>(offset!(flags))? & u64::from(bits) != 0)
    }
    /// Address of the `file` through which the application uses the socket; 0: none (not accepted yet). It stays the same
    /// until the last descriptor is closed.
    #[inline(always)]
    pub fn file(self) -> u64 {
        let socket: u64 = self.read(offset!(socket)).unwrap_or(0);
        if socket == 0 { 0 } else { Self(socket).read(offset!(socket_file)).unwrap_or(0) }
    }
    /// How the application reads; `file` is what [`Self::file`] gave.
    #[inline(always)]
    pub fn reading(self, file: u64) -> Option<Reading> {
        const O_NONBLOCK: u32 = 0o4000;
        Some(Reading {
            low_water: self.read(offset!(rcvlowat))?,
            peek_offset: self.read(offset!(peek_offset))?,
            stamped: self.flag(offset!(stamps_received))?,
            asks_queue: self.read_bits(offset!(queue_asked))? != 0,
            upper_layer: self.read::<u64>(offset!(upper_layer))? != 0,
            diverted: self.is_diverted(),
            nonblocking: match file {
                0 => None,
                _ => Some(Self(file).read::<u32>(offset!(file_flags))? & O_NONBLOCK != 0),
            },
        })
    }
    /// See [`Own::waits_for_acknowledgement`].
    #[inline(always)]
    pub fn waits_for_acknowledgement(self) -> bool {
        self.read_bits(offset!(nagle)) == Some(0)
    }
    /// Bytes that TCP has received and the application has not read (a FIN counts as one).
    #[inline(always)]
    pub fn unread(self) -> Option<u32> {
        let received: u32 = self.read(offset!(rcv_nxt))?;
        Some(received.wrapping_sub(self.copied_sequence()?))
    }
    #[inline(always)]
    pub fn cookie(self) -> Option<u64> {
        self.read(offset!(cookie))
    }
    #[inline(always)]
    pub fn state(self) -> Option<u8> {
        self.read(offset!(state))
    }
    /// `sk_protocol`
    #[inline(always)]
    pub fn protocol(self) -> Option<u16> {
        self.read(offset!(protocol))
    }
    /// Calls that are in the socket's sk_psock just now: send and receive calls each hold a reference to it from beginning to end, as
    /// each map does that it is in. `None`: that cannot be read. A socket without sk_psock has none.
    #[inline(always)]
    pub fn calls(self) -> Option<u32> {
        let user_data: u64 = self.read(offset!(user_data))?;
        let psock = user_data & !7;
        if psock == 0 {
            return Some(0);
        }
        let head = psock.wrapping_add(u64::from(offset!(psock_link)));
        let (mut at, mut maps): (u64, u32) = (Other(head).read(At::BEGIN)?, 0);
        // One, and perhaps those of other programs.
        for _ in 0..3 {
            if at == head {
                break;
            }
            maps += 1;
            at = Other(at).read(At::BEGIN)?;
        }
        Some(Other(psock).read::<u32>(offset!(psock_refcnt))?.saturating_sub(maps))
    }
    /// Does another program's sockmap take what comes in through TCP out of TCP's queue (sk_skb)?
    #[inline(always)]
    pub fn is_diverted(self) -> bool {
        let psock = self.word(offset!(user_data)) & !7;
        psock != 0 && Other(psock).word(offset!(psock_saved_data_ready)) != 0
    }
    /// What waits in the redirected queue, and how much may. Where redirected bytes count in sk_rmem_alloc one load tells
    /// all; TCP's own bytes count there too, which errs on the safe side.
    #[inline(always)]
    pub fn queue(self) -> Option<Queue> {
        let receive_buffer: u32 = self.read(offset!(rcvbuf))?;
        if offset!(rmem_counts) != 0 {
            let bytes: u32 = self.read(offset!(rmem_alloc))?;
            return Some(Queue { empty: bytes == 0, bytes: Some(bytes), receive_buffer });
        }
        Some(Queue { empty: self.redirected_queue_empty()?, bytes: None, receive_buffer })
    }
    /// Is the list of redirected messages empty? Looks at the sk_psock itself, so it holds on every kernel. A socket
    /// without sk_psock has no such list: empty.
    #[inline(always)]
    pub fn redirected_queue_empty(self) -> Option<bool> {
        let user_data: u64 = self.read(offset!(user_data))?;
        // The low three bits of sk_user_data are flags (SK_USER_DATA_PTRMASK).
        let psock = user_data & !7;
        if psock == 0 {
            return Some(true);
        }
        let first: u64 = Other(psock).read(offset!(psock_ingress))?;
        Some(first == psock.wrapping_add(u64::from(offset!(psock_ingress))))
    }
}
