//! Bits and bytes as a trace shows them.

use nix::errno::Errno;

type Table<T> = &'static [(T, &'static str)];

const POLL: Table<i32> = &[
    (libc::POLLIN as i32, "IN"),
    (libc::POLLPRI as i32, "PRI"),
    (libc::POLLOUT as i32, "OUT"),
    (libc::POLLERR as i32, "ERR"),
    (libc::POLLHUP as i32, "HUP"),
    (libc::POLLNVAL as i32, "NVAL"),
    (libc::POLLRDNORM as i32, "RDNORM"),
    (libc::POLLRDBAND as i32, "RDBAND"),
    (libc::POLLWRNORM as i32, "WRNORM"),
    (libc::POLLWRBAND as i32, "WRBAND"),
    (libc::POLLRDHUP as i32, "RDHUP"),
];

const MESSAGE: Table<i32> = &[
    (libc::MSG_OOB, "OOB"),
    (libc::MSG_PEEK, "PEEK"),
    (libc::MSG_CTRUNC, "CTRUNC"),
    (libc::MSG_TRUNC, "TRUNC"),
    (libc::MSG_DONTWAIT, "DONTWAIT"),
    (libc::MSG_EOR, "EOR"),
    (libc::MSG_WAITALL, "WAITALL"),
    (libc::MSG_ERRQUEUE, "ERRQUEUE"),
    (libc::MSG_NOSIGNAL, "NOSIGNAL"),
    (libc::MSG_MORE, "MORE"),
    (libc::MSG_ZEROCOPY, "ZEROCOPY"),
];

fn bits(mut value: i32, table: Table<i32>) -> String {
    let mut names: Vec<String> = Vec::new();
    for &(bit, name) in table {
        if value & bit != 0 {
            names.push(name.to_owned());
            value &= !bit;
        }
    }
    if value != 0 {
        names.push(format!("{value:#x}"));
    }
    if names.is_empty() { "-".to_owned() } else { names.join("|") }
}

/// Events of poll(2) and epoll(7), whose bits are the same.
pub fn events(events: i32) -> String {
    bits(events, POLL)
}

/// Flags of send and receive calls.
pub fn flags(flags: i32) -> String {
    bits(flags, MESSAGE)
}

/// A short text as it is, a long one as length and check sum.
pub fn bytes(bytes: &[u8]) -> String {
    if bytes.len() <= 48 {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    // FNV-1a: moved, lost and doubled bytes all change it.
    let sum = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{} bytes {:08x} from \"{}\"", bytes.len(), sum >> 32, bytes[..8].escape_ascii())
}

/// A return value, or errno by name.
pub fn answer<T: std::fmt::Display>(answer: Result<T, Errno>) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

/// TCP_INFO's state.
pub fn state(state: u8) -> String {
    let names = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
    ];
    names.get(usize::from(state).wrapping_sub(1)).map_or_else(|| format!("state {state}"), |&name| name.to_owned())
}

/// A control message by its level and type.
pub fn control(level: i32, kind: i32) -> String {
    match (level, kind) {
        (libc::IPPROTO_TCP, libc::TCP_CM_INQ) => "TCP_INQ".to_owned(),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMP) => "SCM_TIMESTAMP".to_owned(),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => "SCM_TIMESTAMPNS".to_owned(),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPING) => "SCM_TIMESTAMPING".to_owned(),
        (libc::IPPROTO_IP, libc::IP_RECVERR) => "IP_RECVERR".to_owned(),
        other => format!("{other:?}"),
    }
}
