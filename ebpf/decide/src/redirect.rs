//! Redirection: which messages, of which sockets, and what becomes of those.
//!
//! * [`verdict`] redirect this message or pass it, and why
//! * [`pairing`] may these two ends be connected at all
//! * [`side`] is this socket the sidecar's
//! * [`habits`] what follows from how its application was seen to read
//! * [`lifecycle`] what a visit does with a socket: enters it, leaves it, has it leave; [`leaving`] how that is done without losing a byte
//! * [`demands`] does the sender or the reader ask for what only TCP does
//! * [`keepalive`] must this message take TCP so that the path stays alive
//! * [`quota`] how many records a pod may have
//! * [`eligibility`] is this candidate worth a visit now
//! * [`evidence`] is this connection worth promoting; [`benefit`] does it gain once it is; [`port_history`] is its port worth recording

pub mod benefit;
pub mod demands;
pub mod eligibility;
pub mod evidence;
pub mod habits;
pub mod keepalive;
pub mod leaving;
pub mod lifecycle;
pub mod pairing;
pub mod port_history;
pub mod quota;
pub mod side;
pub mod verdict;
