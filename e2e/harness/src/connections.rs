//! What `meshaccel-node connections -o json` prints, as rows that tests can ask.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::traffic::{End, Pair};

/// Messages and bytes on one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Carried {
    pub messages: u64,
    pub bytes: u64,
}

/// What the socket's own TCP counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Tcp {
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// One recorded socket: one end of a connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    /// `namespace/name`.
    pub pod: String,
    pub local: String,
    pub remote: String,
    /// active | passive
    pub role: String,
    /// app | sidecar | unknown
    pub side: String,
    #[serde(default)]
    pub peer_pod: Option<String>,
    /// redirected | tcp
    pub path: String,
    pub since_ms: u64,
    /// What this end sent past the stack.
    pub redirected: Carried,
    /// What this end sent through TCP while it could have been redirected.
    pub passed: Carried,
    pub tcp: Tcp,
    /// Why it is not redirected.
    pub reason: Option<String>,
    pub reason_text: Option<String>,
    pub paired: bool,
    pub promoted: bool,
}

/// All rows of one moment.
#[derive(Clone, Debug, Default)]
pub struct Connections(pub Vec<Row>);

impl Row {
    fn is(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let same = |text: &str, address: SocketAddr| {
            text.parse::<SocketAddr>().is_ok_and(|parsed| crate::traffic::socket::canonical(parsed) == address)
        };
        same(&self.local, local) && same(&self.remote, remote)
    }
}

impl Connections {
    /// Reads the JSON array.
    pub fn parse(json: &str) -> Result<Self> {
        Ok(Self(serde_json::from_str(json).with_context(|| format!("`connections -o json` printed {json:?}"))?))
    }

    /// The row of one of the test's own sockets. Pods may share addresses: use [`Self::of_in`] then.
    pub fn of(&self, end: &End) -> Result<Option<&Row>> {
        let (local, remote) = (end.local()?, end.remote()?);
        let mut rows = self.0.iter().filter(|row| row.is(local, remote));
        let row = rows.next();
        if rows.next().is_some() {
            bail!("two sockets are listed from {local} to {remote}");
        }
        Ok(row)
    }

    /// The row of one of the test's own sockets in a pod.
    pub fn of_in(&self, pod: &str, end: &End) -> Result<Option<&Row>> {
        let (local, remote) = (end.local()?, end.remote()?);
        Ok(self.0.iter().find(|row| row.pod == pod && row.is(local, remote)))
    }

    /// The rows of both ends (client, server), which must be there.
    pub fn both(&self, pair: &Pair) -> Result<(&Row, &Row)> {
        let missing = |end: &End, which: &str| -> Result<String> {
            Ok(format!(
                "the {which} {} -> {} is not listed among {} sockets",
                end.local()?,
                end.remote()?,
                self.0.len()
            ))
        };
        let client = self.of(&pair.client)?.context(missing(&pair.client, "client")?)?;
        let server = self.of(&pair.server)?.context(missing(&pair.server, "server")?)?;
        Ok((client, server))
    }

    /// Messages that all listed sockets sent past the stack.
    pub fn redirected_messages(&self) -> u64 {
        self.0.iter().map(|row| row.redirected.messages).sum()
    }

    /// Sockets that are in the SOCKHASH.
    pub fn promoted(&self) -> usize {
        self.0.iter().filter(|row| row.promoted).count()
    }
}
