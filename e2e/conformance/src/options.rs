//! Socket options and ioctl requests by their names.

/// An option of setsockopt(2).
#[derive(Clone, Copy, Debug)]
pub struct SocketOption {
    pub level: i32,
    pub number: i32,
    pub name: &'static str,
}

macro_rules! options {
    ($($level:ident: $($name:ident $(= $number:literal)?),+;)+) => {
        $($(pub const $name: SocketOption = SocketOption {
            level: libc::$level,
            number: options!(@number $name $($number)?),
            name: stringify!($name),
        };)+)+
    };
    (@number $name:ident) => { libc::$name };
    (@number $name:ident $number:literal) => { $number };
}

options! {
    SOL_SOCKET: SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVBUF, SO_SNDBUF, SO_RCVBUFFORCE, SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER, SO_ERROR, SO_TYPE,
        SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_KEEPALIVE, SO_REUSEADDR, SO_REUSEPORT, SO_OOBINLINE, SO_PEEK_OFF,
        SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING, SO_ZEROCOPY, SO_BUSY_POLL, SO_PREFER_BUSY_POLL = 69,
        SO_PRIORITY, SO_MARK, SO_INCOMING_CPU, SO_MAX_PACING_RATE, SO_BROADCAST, SO_DONTROUTE, SO_RXQ_OVFL;
    IPPROTO_TCP: TCP_NODELAY, TCP_CORK, TCP_QUICKACK, TCP_MAXSEG, TCP_INQ, TCP_ULP, TCP_NOTSENT_LOWAT, TCP_KEEPIDLE,
        TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_LINGER2, TCP_SYNCNT, TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP,
        TCP_CONGESTION, TCP_REPAIR, TCP_THIN_LINEAR_TIMEOUTS, TCP_FASTOPEN;
    IPPROTO_IP: IP_TOS, IP_TTL, IP_RECVERR, IP_MTU, IP_PKTINFO, IP_TRANSPARENT;
}

/// A request of ioctl(2).
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub number: libc::c_ulong,
    pub name: &'static str,
}

/// Bytes that can be read.
pub const FIONREAD: Request = Request { number: libc::FIONREAD, name: "FIONREAD" };
/// Bytes that are not acknowledged.
pub const SIOCOUTQ: Request = Request { number: libc::TIOCOUTQ, name: "SIOCOUTQ" };
/// Bytes that are not sent.
pub const SIOCOUTQNSD: Request = Request { number: 0x894b, name: "SIOCOUTQNSD" };
/// Is the next byte the urgent one?
pub const SIOCATMARK: Request = Request { number: 0x8905, name: "SIOCATMARK" };
