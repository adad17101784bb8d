//! What two accounts ask of the API server, by its own audit log: the operator's and the daemon's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Who writes: names of ServiceAccounts in the operator's namespace.
pub const OPERATOR: &str = "meshaccel-operator";
pub const DAEMON: &str = "meshaccel-node";

const PREFIX: &str = "system:serviceaccount:meshaccel-system:";
const READS: [&str; 3] = ["get", "list", "watch"];

/// Requests of one account, by verb and resource.
pub type Requests = BTreeMap<(String, String), u64>;

/// How many of them write.
pub fn writes(requests: &Requests) -> u64 {
    requests.iter().filter(|((verb, _), _)| !READS.contains(&verb.as_str())).map(|(_, count)| count).sum()
}

/// The log, as far as it was read.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end was not there yet.
    rest: String,
    seen: BTreeMap<String, Requests>,
}

impl Audit {
    /// Writes the policy to a folder; its log will be there, too.
    pub fn prepare(folder: &Path) -> Result<Self> {
        let users = [OPERATOR, DAEMON].map(|name| format!("{PREFIX}{name}"));
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
            // A watch counts once, when it has ended.
            "omitStages": ["RequestReceived", "ResponseStarted"],
            "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
        });
        std::fs::write(folder.join("policy.json"), policy.to_string())?;
        Ok(Self { path: folder.join("audit"), read: 0, rest: String::new(), seen: BTreeMap::new() })
    }

    /// For the API server's command line.
    pub fn arguments(&self) -> String {
        let policy = self.path.with_file_name("policy.json");
        format!("--audit-policy-file={} --audit-log-path={}", policy.display(), self.path.display())
    }

    /// What an account has asked so far.
    pub fn of(&mut self, account: &str) -> Result<Requests> {
        self.read()?;
        Ok(self.seen.get(account).cloned().unwrap_or_default())
    }

    fn read(&mut self) -> Result<()> {
        // It is made with the first line.
        let Ok(mut file) = File::open(&self.path) else { return Ok(()) };
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        self.read += file.read_to_end(&mut bytes)? as u64;
        self.take(&String::from_utf8_lossy(&bytes))
    }

    fn take(&mut self, text: &str) -> Result<()> {
        self.rest.push_str(text);
        let Some(end) = self.rest.rfind('\n') else { return Ok(()) };
        let rest = self.rest.split_off(end + 1);
        for line in std::mem::replace(&mut self.rest, rest).lines() {
            let event: Value = serde_json::from_str(line).with_context(|| format!("not an audit event: {line}"))?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let Some(account) = event["user"]["username"].as_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let object = &event["objectRef"];
            let resource = match object["subresource"].as_str() {
                Some(sub) => format!("{}/{sub}", text(&object["resource"])),
                None => text(&object["resource"]),
            };
            let key = (text(&event["verb"]), resource);
            *self.seen.entry(account.to_owned()).or_default().entry(key).or_default() += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_account_verb_and_resource_however_the_log_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let mut audit = Audit::prepare(folder.path()).unwrap();
        assert!(audit.of(OPERATOR).unwrap().is_empty(), "no log yet");
        let line = |name: &str, verb: &str, sub: &str| {
            let object = json!({"resource": "meshaccelerations", "subresource": sub});
            let object = if sub.is_empty() { json!({"resource": "meshaccelerations"}) } else { object };
            let event = json!({"verb": verb, "user": {"username": format!("{PREFIX}{name}")}, "objectRef": object});
            format!("{event}\n")
        };
        let text = line(OPERATOR, "patch", "status") + &line(DAEMON, "watch", "") + &line(OPERATOR, "list", "");
        for part in text.as_bytes().chunks(7) {
            audit.take(std::str::from_utf8(part).unwrap()).unwrap();
        }
        let seen = audit.of(OPERATOR).unwrap();
        let key = |verb: &str, resource: &str| (verb.to_owned(), resource.to_owned());
        assert_eq!(seen.get(&key("patch", "meshaccelerations/status")), Some(&1));
        assert_eq!(seen.get(&key("list", "meshaccelerations")), Some(&1));
        assert_eq!((seen.len(), writes(&seen)), (2, 1));
        assert_eq!(writes(&audit.of(DAEMON).unwrap()), 0);
    }
}
