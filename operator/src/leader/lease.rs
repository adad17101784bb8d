//! The Lease at the API server.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::discovery::ApiResource;
use kube::{Api, Client};

use super::Store;
use super::election::Record;
use crate::api_error::{self, Operation};
use crate::plan::daemon::OPERATOR;

/// One Lease.
pub struct Leases {
    api: Api<Lease>,
    namespace: String,
}

impl Leases {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), namespace: namespace.into() }
    }

    fn failed(&self, verb: &'static str, error: &kube::Error) -> String {
        let operation = Operation::new(verb, &ApiResource::erase::<Lease>(&())).on(Some(&self.namespace), OPERATOR);
        api_error::sentence(&operation, error)
    }
}

impl Store for Leases {
    type Error = String;

    async fn read(&self) -> Result<Option<Record>, String> {
        let lease = self.api.get_opt(OPERATOR).await.map_err(|error| self.failed("get", &error))?;
        Ok(lease.map(|lease| record(&lease)))
    }

    async fn write(&self, record: &Record) -> Result<Option<String>, String> {
        let lease = lease(record, &self.namespace, Timestamp::now());
        let (verb, result) = if record.version.is_empty() {
            ("create", self.api.create(&PostParams::default(), &lease).await)
        } else {
            ("update", self.api.replace(OPERATOR, &PostParams::default(), &lease).await)
        };
        match result {
            Ok(written) => Ok(Some(written.metadata.resource_version.unwrap_or_default())),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(None),
            Err(error) => Err(self.failed(verb, &error)),
        }
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    Record {
        holder: spec.and_then(|spec| spec.holder_identity.clone()),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default().max(1)),
        transitions: spec.and_then(|spec| spec.lease_transitions).unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        acquired: spec.and_then(|spec| spec.acquire_time.as_ref()).map(|time| time.0),
    }
}

/// The times are for people who look at the Lease.
fn lease(record: &Record, namespace: &str, now: Timestamp) -> Lease {
    let version = Some(record.version.clone()).filter(|version| !version.is_empty());
    Lease {
        metadata: ObjectMeta {
            name: Some(OPERATOR.into()),
            namespace: Some(namespace.into()),
            resource_version: version,
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(record.holder.clone().unwrap_or_default()),
            lease_duration_seconds: i32::try_from(record.duration.as_secs()).ok(),
            lease_transitions: Some(record.transitions),
            acquire_time: Some(MicroTime(record.acquired.unwrap_or(now))),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_lease() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for holder in [Some("one".to_owned()), None] {
            let before = Record {
                holder,
                duration: Duration::from_secs(10),
                transitions: 3,
                version: "7".into(),
                acquired: Some(now),
            };
            let after = record(&lease(&before, "ns", now));
            assert_eq!(after.holder.unwrap_or_default(), before.holder.unwrap_or_default());
            assert_eq!(
                (after.duration, after.transitions, after.version, after.acquired),
                (before.duration, 3, before.version, Some(now))
            );
        }
    }
}
