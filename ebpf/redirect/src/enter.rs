//! Entries of kernel functions (fentry): they see what the tracepoints of [`observe`](crate::observe) do, and cost nobody else
//! anything. A tracepoint of one system call makes all of them slower; and it does not see a call of another word size, nor what
//! io_uring does.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;
use meshaccel_abi::redirect::habit::{READS_ODDLY, SPLICES};

use crate::maps::offset;
use crate::observe::{behind, look, of_fcntl, of_ioctl};
use crate::socket::Other;

/// `tcp_splice_read(struct socket *, ...)`
#[fentry(function = "tcp_splice_read")]
pub fn ma_enter_splice(ctx: FEntryContext) -> i32 {
    let _ = splices(Other(ctx.arg(0)));
    0
}

/// `tcp_bpf_recvmsg(struct sock *, struct msghdr *, size_t length, int flags, int *)`: receive calls on promoted sockets, and no
/// others. By the time it goes on the socket has left the SOCKHASH, unless redirected bytes are unread, and the call is TCP's. (Before
/// Linux 5.19 the fourth argument is MSG_DONTWAIT or nothing: there these flags are not seen.)
#[fentry(function = "tcp_bpf_recvmsg")]
pub fn ma_enter_recv(ctx: FEntryContext) -> i32 {
    const MSG_OOB: u32 = 0x1;
    const MSG_TRUNC: u32 = 0x20;
    let (length, flags) = (ctx.arg::<u64>(2), ctx.arg::<u64>(3) as u32);
    if length == 0 || flags & (MSG_OOB | MSG_TRUNC) != 0 {
        let socket = Other(ctx.arg(0));
        let _ = look(Other(socket.file()), socket, READS_ODDLY);
    }
    0
}

#[inline(always)]
fn splices(socket: Other) -> Option<()> {
    let file: u64 = socket.read(offset!(socket_file))?;
    let sock: u64 = socket.read(offset!(socket_sock))?;
    look(Other(file), Other(sock), SPLICES)?;
    Some(())
}

/// `security_file_ioctl(struct file *, unsigned int command, unsigned long argument)`: each ioctl(2) comes by it.
#[fentry(function = "security_file_ioctl")]
pub fn ma_enter_ioctl(ctx: FEntryContext) -> i32 {
    ioctl(&ctx)
}

/// The same for calls of 32 bits, where the kernel has that apart (Linux 6.8 and stable backports).
#[fentry(function = "security_file_ioctl_compat")]
pub fn ma_enter_ioctl32(ctx: FEntryContext) -> i32 {
    ioctl(&ctx)
}

#[inline(always)]
fn ioctl(ctx: &FEntryContext) -> i32 {
    if let Some(habit) = of_ioctl(ctx.arg::<u64>(1) as u32, ctx.arg(2)) {
        see(ctx.arg(0), habit);
    }
    0
}

/// `security_file_fcntl(struct file *, unsigned int command, unsigned long argument)`: likewise.
#[fentry(function = "security_file_fcntl")]
pub fn ma_enter_fcntl(ctx: FEntryContext) -> i32 {
    if let Some(habit) = of_fcntl(ctx.arg::<u64>(1) as u32, ctx.arg(2)) {
        see(ctx.arg(0), habit);
    }
    0
}

#[inline(always)]
fn see(file: u64, habit: u32) {
    let _ = behind(file).and_then(|(file, socket)| look(file, socket, habit));
}
