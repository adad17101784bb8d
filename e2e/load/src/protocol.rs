//! As much of HTTP/1.1, Redis and PostgreSQL (and of no protocol at all) as asking the same question again and again needs. Pure: requests as bytes,
//! and whether what came back so far is the answer.

use meshaccel_e2e_harness::content::pattern;
use serde::{Deserialize, Serialize};

/// Whom the client talks to, and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// GET of what nginx serves.
    Http(Page),
    /// GET of a value of 64 bytes.
    Redis,
    /// A simple query whose answer is one row of 64 bytes.
    Postgres,
    /// So many bytes, which come back.
    Echo(usize),
}

/// What nginx serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    Small,
    Large,
}

impl Page {
    pub fn path(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "64k",
        }
    }

    fn body(self) -> Vec<u8> {
        match self {
            Self::Small => b"hello from the server pod\n".to_vec(),
            Self::Large => pattern(64 << 10),
        }
    }
}

/// What a right answer is.
#[derive(Debug)]
pub enum Answer {
    Exactly(Vec<u8>),
    /// Any header with status 200, then this body.
    HttpBody(Vec<u8>),
}

/// Printable, so that it can stand in a query.
const VALUE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
/// PostgreSQL is ready for a query, outside of a transaction.
const READY: &[u8] = b"Z\0\0\0\x05I";

impl Protocol {
    /// What opens a conversation, and how the answer to it ends.
    pub fn opening(self) -> Option<(Vec<u8>, &'static [u8])> {
        match self {
            Self::Http(_) | Self::Echo(_) => None,
            Self::Redis => {
                Some((format!("*3\r\n$3\r\nSET\r\n$5\r\nbench\r\n$64\r\n{VALUE}\r\n").into_bytes(), b"+OK\r\n"))
            }
            Self::Postgres => {
                // Protocol 3.0, then names and values.
                let body = [&[0, 3, 0, 0][..], b"user\0app\0database\0postgres\0\0"].concat();
                Some((counted(&body), READY))
            }
        }
    }

    pub fn request(self) -> Vec<u8> {
        match self {
            // A name that leads to the server in a cluster too: what a sidecar does depends on it.
            Self::Http(page) => format!("GET /{} HTTP/1.1\r\nHost: server\r\n\r\n", page.path()).into_bytes(),
            Self::Redis => b"*2\r\n$3\r\nGET\r\n$5\r\nbench\r\n".to_vec(),
            Self::Postgres => message(b'Q', format!("select '{VALUE}'::text as v\0").as_bytes()),
            Self::Echo(size) => pattern(size),
        }
    }

    pub fn answer(self) -> Answer {
        match self {
            Self::Http(page) => Answer::HttpBody(page.body()),
            Self::Redis => Answer::Exactly(format!("$64\r\n{VALUE}\r\n").into_bytes()),
            Self::Postgres => {
                // One column "v": no table, type text (25), any length, as text.
                let column = b"\0\x01v\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
                let row = [&b"\0\x01\0\0\0\x40"[..], VALUE.as_bytes()].concat();
                let parts = [message(b'T', column), message(b'D', &row), message(b'C', b"SELECT 1\0"), READY.to_vec()];
                Answer::Exactly(parts.concat())
            }
            Self::Echo(size) => Answer::Exactly(pattern(size)),
        }
    }
}

/// A length that counts itself, then the body.
fn counted(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

/// A message of PostgreSQL.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &counted(body)].concat()
}

impl Answer {
    /// Whether what has come is the answer; `None` while some of it is missing.
    pub fn judge(&self, received: &[u8]) -> Option<bool> {
        match self {
            Self::Exactly(expected) => {
                (received.len() >= expected.len() || !expected.starts_with(received)).then(|| received == expected)
            }
            Self::HttpBody(expected) => {
                let head = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
                let (head, body) = received.split_at(head);
                if !head.starts_with(b"HTTP/1.1 200 ") {
                    return Some(false);
                }
                (body.len() >= expected.len()).then(|| body == expected)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_answer_is_its_status_and_every_byte_of_its_body() {
        let answer = Protocol::Http(Page::Small).answer();
        let good = b"HTTP/1.1 200 OK\r\nserver: envoy\r\n\r\nhello from the server pod\n";
        assert_eq!(answer.judge(good), Some(true));
        assert_eq!(answer.judge(&good[..good.len() - 1]), None);
        assert_eq!(answer.judge(&good[..20]), None);
        assert_eq!(answer.judge(b"HTTP/1.1 503 Unavailable\r\n\r\n"), Some(false));
        assert_eq!(answer.judge(&[&good[..], b"x"].concat()), Some(false));
    }

    #[test]
    fn an_exact_answer_is_wrong_at_its_first_wrong_byte() {
        let answer = Protocol::Redis.answer();
        let Answer::Exactly(expected) = &answer else { unreachable!() };
        assert_eq!(answer.judge(expected), Some(true));
        assert_eq!(answer.judge(&expected[..10]), None);
        assert_eq!(answer.judge(b"-ERR"), Some(false));
    }

    #[test]
    fn messages_of_postgres_count_themselves() {
        assert_eq!(message(b'Q', b"x\0"), b"Q\0\0\0\x06x\0");
        let Answer::Exactly(answer) = Protocol::Postgres.answer() else { unreachable!() };
        assert_eq!(answer.len(), 1 + 4 + 22 + 1 + 4 + 70 + 1 + 4 + 9 + 6);
    }
}
