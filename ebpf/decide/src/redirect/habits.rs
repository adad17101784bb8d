//! What follows from how an application was seen to use its sockets (see `meshaccel_abi::redirect::habit`), on a kernel of this kind.
//!
//! There are two questions. May the socket *enter* the SOCKHASH? Being there changes what its calls do, whether or not anything
//! is redirected to it. And may anything be redirected *to* it, once it is there to send?

use meshaccel_abi::redirect::Reason;
use meshaccel_abi::redirect::habit::{ALL, ASKS, READS_ODDLY, SPLICES, TOGGLES};
use meshaccel_abi::redirect::offsets::{FIONREAD_BOTH, FIONREAD_REDIRECTED};

/// What the kernel does with sockets in a SOCKHASH, and lets us see.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Which bytes FIONREAD counts on a socket in a SOCKHASH: [`FIONREAD_BOTH`], [`FIONREAD_REDIRECTED`] or
    /// [`FIONREAD_TCP`](meshaccel_abi::redirect::offsets::FIONREAD_TCP).
    pub fionread: u32,
    /// A blocking receive call waits on after a wake-up without bytes.
    pub blocking_waits: bool,
    /// Habits that are seen when an application takes to them.
    pub seen: u32,
}

/// May a socket with these habits be in the SOCKHASH?
///
/// # Errors
/// The habit that being there would be seen by: [`Reason::TogglesBlocking`], [`Reason::ReaderAsks`] or [`Reason::ReaderFlags`].
#[inline(always)]
pub fn may_enter(habits: u32, kernel: &Kernel) -> Result<(), Reason> {
    if habits & TOGGLES != 0 && !kernel.blocking_waits {
        return Err(Reason::TogglesBlocking);
    }
    // What comes through TCP would not be counted, and something always may.
    if habits & ASKS != 0 && kernel.fionread == FIONREAD_REDIRECTED {
        return Err(Reason::ReaderAsks);
    }
    // Its receive call is another one as long as the socket is there.
    if habits & READS_ODDLY != 0 {
        return Err(Reason::ReaderFlags);
    }
    Ok(())
}

/// Does it matter here which program reads?
#[inline(always)]
pub fn tells_readers_apart(kernel: &Kernel) -> bool {
    kernel.seen & ALL != ALL || !matches!(kernel.fionread, FIONREAD_BOTH | FIONREAD_REDIRECTED)
}

/// May anything be redirected to a socket with these habits? What nobody would see, any program may do but a `known` proxy.
///
/// # Errors
/// The habit that the redirected queue does not serve, or that could not be seen on this kernel.
#[inline(always)]
pub fn may_receive(habits: u32, known: bool, kernel: &Kernel) -> Result<(), Reason> {
    let unseen = if known { 0 } else { !kernel.seen & ALL };
    if (habits | unseen) & SPLICES != 0 {
        return Err(Reason::ReaderSplices);
    }
    if (habits | unseen) & TOGGLES != 0 && !kernel.blocking_waits {
        return Err(Reason::TogglesBlocking);
    }
    if habits & READS_ODDLY != 0 {
        return Err(Reason::ReaderFlags);
    }
    match kernel.fionread {
        FIONREAD_BOTH => Ok(()),
        // It is about to leave, and until then it is told of what is redirected, but not of what passes.
        FIONREAD_REDIRECTED if unseen & ASKS == 0 => Ok(()),
        _ if habits & ASKS != 0 => Err(Reason::ReaderAsks),
        // Who asks for the first time is told the truth only where redirected bytes count, and whoever asks is seen.
        _ if !known => Err(Reason::ReaderMayAsk),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use meshaccel_abi::redirect::offsets::FIONREAD_TCP;

    use super::*;

    const fn kernel(fionread: u32) -> Kernel {
        Kernel { fionread, blocking_waits: false, seen: ALL }
    }

    #[test]
    fn who_asks_is_told_the_truth() {
        assert_eq!(may_enter(ASKS, &kernel(FIONREAD_REDIRECTED)), Err(Reason::ReaderAsks));
        assert_eq!(may_enter(ASKS, &kernel(FIONREAD_BOTH)), Ok(()));
        assert_eq!(may_receive(ASKS, false, &kernel(FIONREAD_BOTH)), Ok(()));
        // It may send by redirection: what it receives is TCP's, and counted.
        assert_eq!(may_enter(ASKS, &kernel(FIONREAD_TCP)), Ok(()));
        assert_eq!(may_receive(ASKS, true, &kernel(FIONREAD_TCP)), Err(Reason::ReaderAsks));
    }

    #[test]
    fn who_has_not_asked_yet_would_be_told_the_truth() {
        assert_eq!(may_receive(0, false, &kernel(FIONREAD_REDIRECTED)), Ok(()));
        assert_eq!(may_receive(ASKS, false, &kernel(FIONREAD_REDIRECTED)), Ok(()));
        assert_eq!(may_receive(0, false, &kernel(FIONREAD_TCP)), Err(Reason::ReaderMayAsk));
        let unseen = Kernel { seen: ALL & !ASKS, ..kernel(FIONREAD_REDIRECTED) };
        assert_eq!(may_receive(0, false, &unseen), Err(Reason::ReaderMayAsk));
        assert_eq!(may_receive(0, true, &unseen), Ok(()));
    }

    #[test]
    fn who_receives_with_flags_that_only_tcp_serves_stays_on_tcp_and_nobody_is_suspected_of_it() {
        let kernel = kernel(FIONREAD_BOTH);
        assert_eq!(may_enter(READS_ODDLY, &kernel), Err(Reason::ReaderFlags));
        assert_eq!(may_receive(READS_ODDLY, true, &kernel), Err(Reason::ReaderFlags));
        assert_eq!(may_receive(0, false, &kernel), Ok(()));
    }

    #[test]
    fn readers_are_told_apart_where_that_matters() {
        assert!(!tells_readers_apart(&kernel(FIONREAD_BOTH)) && !tells_readers_apart(&kernel(FIONREAD_REDIRECTED)));
        assert!(tells_readers_apart(&kernel(FIONREAD_TCP)));
        assert!(tells_readers_apart(&Kernel { seen: ALL & !SPLICES, ..kernel(FIONREAD_BOTH) }));
    }

    #[test]
    fn who_splices_gets_tcps_bytes_and_may_send() {
        let kernel = kernel(FIONREAD_BOTH);
        assert_eq!(may_enter(SPLICES, &kernel), Ok(()));
        assert_eq!(may_receive(SPLICES, false, &kernel), Err(Reason::ReaderSplices));
        let unseen = Kernel { seen: ALL & !SPLICES, ..kernel };
        assert_eq!(may_receive(0, false, &unseen), Err(Reason::ReaderSplices));
        assert_eq!(may_receive(0, true, &unseen), Ok(()));
    }

    #[test]
    fn who_toggles_stays_on_tcp_where_blocking_calls_end_early() {
        let waits = Kernel { blocking_waits: true, ..kernel(FIONREAD_BOTH) };
        assert_eq!(may_enter(TOGGLES, &kernel(FIONREAD_BOTH)), Err(Reason::TogglesBlocking));
        assert_eq!(may_enter(TOGGLES, &waits), Ok(()));
        assert_eq!(may_receive(TOGGLES, false, &waits), Ok(()));
        let unseen = Kernel { seen: 0, ..waits };
        assert_eq!(may_receive(0, false, &unseen), Err(Reason::ReaderSplices));
    }
}
