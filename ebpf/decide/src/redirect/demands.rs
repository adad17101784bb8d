//! Do the sender and the reader ask for anything that the redirected queue does not honour (invariant 5)?
//!
//! All of it is read anew for every message, so an option that is set on a redirected connection holds from the next
//! message on.

use meshaccel_abi::redirect::Reason;

/// `MSG_OOB`: the redirected byte would be inlined.
const OUT_OF_BAND: u32 = 0x1;
/// `MSG_MORE`: the redirected bytes would not be held back.
pub const MORE: u32 = 0x8000;
/// `MSG_ZEROCOPY`: no completion would ever be queued.
const ZERO_COPY: u32 = 0x400_0000;
/// `MSG_FASTOPEN`: TCP refuses it on an open connection.
const FAST_OPEN: u32 = 0x2000_0000;

/// The sending side, as its task and its socket show it.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Flags of the running send call; `None`: not a call whose flags can be seen.
    pub flags: Option<u32>,
    /// TCP_CORK is set.
    pub corked: bool,
    /// `shutdown(SHUT_WR)` was called.
    pub shut: bool,
    /// Time stamps of what is sent are asked for (SO_TIMESTAMPING).
    pub stamped: bool,
    /// kTLS or another upper-layer protocol: the program sees what is not what goes over the wire.
    pub upper_layer: bool,
}

impl Sending {
    /// Nothing special.
    pub const PLAIN: Self = Self { flags: Some(0), corked: false, shut: false, stamped: false, upper_layer: false };
}

/// The reading side.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// SO_RCVLOWAT in bytes.
    pub low_water: i32,
    /// SO_PEEK_OFF: -1 unless it is set.
    pub peek_offset: i32,
    /// SO_TIMESTAMP, SO_TIMESTAMPNS or SO_TIMESTAMPING of what is received.
    pub stamped: bool,
    /// TCP_INQ.
    pub asks_queue: bool,
    /// kTLS or another upper-layer protocol.
    pub upper_layer: bool,
    /// Another program's sockmap takes what comes in through TCP, which a redirected message would go past.
    pub diverted: bool,
    /// Its descriptor has O_NONBLOCK; `None`: it has none yet.
    pub nonblocking: Option<bool>,
}

impl Reading {
    /// Nothing special.
    pub const PLAIN: Self = Self {
        low_water: 1,
        peek_offset: -1,
        stamped: false,
        asks_queue: false,
        upper_layer: false,
        diverted: false,
        nonblocking: Some(true),
    };
}

/// May this message of the sender be redirected?
///
/// # Errors
/// What the sender asks for that only TCP does: [`Reason::SenderClosed`], [`Reason::SenderUnseen`] or [`Reason::SenderFlags`].
#[inline(always)]
pub fn sender(sending: &Sending) -> Result<(), Reason> {
    if sending.shut {
        return Err(Reason::SenderClosed);
    }
    let Some(flags) = sending.flags else { return Err(Reason::SenderUnseen) };
    let odd = flags & (OUT_OF_BAND | MORE | ZERO_COPY | FAST_OPEN) != 0;
    if odd || sending.corked || sending.stamped || sending.upper_layer {
        return Err(Reason::SenderFlags);
    }
    Ok(())
}

/// May messages be redirected to this reader? `blocking_waits`: on this kernel a blocking receive call on a socket in a
/// SOCKHASH waits on after a wake-up without bytes.
///
/// # Errors
/// What the reader asks for that the redirected queue does not serve: [`Reason::InAnotherSockmap`], [`Reason::ReaderOptions`] or
/// [`Reason::BlockingReader`]; [`Reason::Candidate`] while the connection is not accepted yet, so that nobody knows its descriptor.
#[inline(always)]
pub fn reader(reading: &Reading, blocking_waits: bool) -> Result<(), Reason> {
    if reading.diverted {
        return Err(Reason::InAnotherSockmap);
    }
    if reading.low_water > 1 || reading.peek_offset >= 0 || reading.stamped || reading.asks_queue || reading.upper_layer
    {
        return Err(Reason::ReaderOptions);
    }
    match reading.nonblocking {
        Some(true) => Ok(()),
        _ if blocking_waits => Ok(()),
        Some(false) => Err(Reason::BlockingReader),
        // Not accepted yet.
        None => Err(Reason::Candidate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tcp_does_takes_tcp() {
        assert_eq!(sender(&Sending::PLAIN), Ok(()));
        // MSG_NOSIGNAL, MSG_DONTWAIT and MSG_EOR change nothing for a redirected message.
        assert_eq!(sender(&Sending { flags: Some(0x4000 | 0x40 | 0x80), ..Sending::PLAIN }), Ok(()));
        for flags in [OUT_OF_BAND, MORE, ZERO_COPY, FAST_OPEN, MORE | 0x4000] {
            assert_eq!(
                sender(&Sending { flags: Some(flags), ..Sending::PLAIN }),
                Err(Reason::SenderFlags),
                "{flags:#x}"
            );
        }
        let odd = [
            Sending { corked: true, ..Sending::PLAIN },
            Sending { stamped: true, ..Sending::PLAIN },
            Sending { upper_layer: true, ..Sending::PLAIN },
        ];
        for sending in odd {
            assert_eq!(sender(&sending), Err(Reason::SenderFlags), "{sending:?}");
        }
        assert_eq!(sender(&Sending { flags: None, ..Sending::PLAIN }), Err(Reason::SenderUnseen));
        // The error is TCP's to give, whatever else holds.
        assert_eq!(sender(&Sending { shut: true, flags: None, ..Sending::PLAIN }), Err(Reason::SenderClosed));
    }

    #[test]
    fn readers_that_ask_for_more_are_not_redirected_to() {
        assert_eq!(reader(&Reading::PLAIN, false), Ok(()));
        let asking = [
            Reading { low_water: 2, ..Reading::PLAIN },
            Reading { peek_offset: 0, ..Reading::PLAIN },
            Reading { stamped: true, ..Reading::PLAIN },
            Reading { asks_queue: true, ..Reading::PLAIN },
            Reading { upper_layer: true, ..Reading::PLAIN },
        ];
        for reading in asking {
            assert_eq!(reader(&reading, true), Err(Reason::ReaderOptions), "{reading:?}");
        }
    }

    #[test]
    fn blocking_descriptors_are_redirected_to_only_where_the_kernel_waits_on() {
        let diverted = Reading { diverted: true, ..Reading::PLAIN };
        assert_eq!(reader(&diverted, true), Err(Reason::InAnotherSockmap));
        let blocking = Reading { nonblocking: Some(false), ..Reading::PLAIN };
        assert_eq!(reader(&blocking, false), Err(Reason::BlockingReader));
        assert_eq!(reader(&blocking, true), Ok(()));
        assert_eq!(reader(&Reading { nonblocking: None, ..Reading::PLAIN }, false), Err(Reason::Candidate));
    }
}
