//! Ports of the server pod, one for each kind of traffic.

/// nginx, HTTP/1.1.
pub const HTTP1: u16 = 8080;
/// nginx, HTTP/2 without TLS.
pub const HTTP2: u16 = 8081;
/// Sends back what it gets.
pub const ECHO: u16 = 9000;
/// Greets before the client has said anything.
pub const GREETING: u16 = 9025;
pub const REDIS: u16 = 6379;
pub const POSTGRES: u16 = 5432;
pub const IPERF: u16 = 5201;
