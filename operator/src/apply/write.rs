//! Writes to MeshAccelerations and NodeAccelerations, and the Events about them.

use std::future::Future;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::runtime::events;
use meshaccel_crds::names::{API_VERSION, KIND};
use meshaccel_crds::{MeshAcceleration, NodeAcceleration};
use serde_json::json;

use super::{ANSWER, Applier};
use crate::api_error::{self, Operation};
use crate::plan::daemon::OPERATOR;
use crate::plan::events::Event;
use crate::plan::{Handle, StatusWrite};

/// Why something was not written.
#[derive(Debug)]
pub enum Failure {
    /// This process does not lead any more.
    Deposed,
    /// The object has changed or gone in between; what is planned next time knows it.
    Outdated,
    /// The API server refused it, and why.
    Refused(String),
    /// It did not answer, or not in time.
    Unanswered(String),
}

impl Failure {
    /// For people; empty when there is nothing for them to know.
    pub fn sentence(&self) -> String {
        match self {
            Self::Deposed | Self::Outdated => String::new(),
            Self::Refused(sentence) | Self::Unanswered(sentence) => sentence.clone(),
        }
    }
}

impl Applier {
    /// Sends a request, if this process leads, and says what came of it.
    pub(super) async fn send<T>(
        &self,
        operation: &Operation,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        if !self.term.is_valid() {
            return Err(Failure::Deposed);
        }
        match tokio::time::timeout(ANSWER, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure(operation, &error)),
            Err(_) => {
                let seconds = ANSWER.as_secs_f32();
                Err(Failure::Unanswered(format!("cannot {} {operation}: no answer within {seconds} s", operation.verb)))
            }
        }
    }

    pub(super) async fn set_finalizers(&self, handle: &Handle) -> Result<DynamicObject, Failure> {
        let resource = ApiResource::erase::<MeshAcceleration>(&());
        let operation = Operation::new("patch", &resource).on(None, &handle.name);
        let patch = json!({"metadata": {
            "uid": handle.uid, "resourceVersion": handle.version, "finalizers": handle.finalizers,
        }});
        let parameters = PatchParams { field_manager: Some(OPERATOR.into()), ..PatchParams::default() };
        let api = self.api(&resource, None);
        self.send(&operation, api.patch(&handle.name, &parameters, &Patch::Merge(&patch))).await
    }

    pub(super) async fn write_status(&self, write: &StatusWrite) -> Result<DynamicObject, Failure> {
        let resource = ApiResource::erase::<MeshAcceleration>(&());
        let operation = Operation::new("patch", &resource).on(None, &write.name).subresource("status");
        // With the uid: another object that took the name in between must not get this one's status.
        let patch = json!({
            "apiVersion": API_VERSION, "kind": KIND,
            "metadata": {"name": write.name, "uid": write.uid},
            "status": write.status,
        });
        // Nobody else writes a status.
        let parameters = PatchParams::apply(OPERATOR).force();
        let api = self.api(&resource, None);
        self.send(&operation, api.patch_status(&write.name, &parameters, &Patch::Apply(&patch))).await
    }

    pub(super) async fn delete_report(&self, name: &str, uid: &str) -> Result<(), Failure> {
        let resource = ApiResource::erase::<NodeAcceleration>(&());
        let operation = Operation::new("delete", &resource).on(None, name);
        let preconditions = Preconditions { uid: Some(uid.into()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api = self.api(&resource, None);
        gone(self.send(&operation, api.delete(name, &parameters)).await.map(drop))
    }

    /// Tells events about a MeshAcceleration. Best effort: the status says the same.
    pub(super) async fn tell(&self, name: &str, uid: &str, events: &[Event]) {
        let about = ObjectReference {
            api_version: Some(API_VERSION.into()),
            kind: Some(KIND.into()),
            name: Some(name.into()),
            uid: Some(uid.into()),
            ..ObjectReference::default()
        };
        for event in events {
            let kind = if event.warning { events::EventType::Warning } else { events::EventType::Normal };
            let event = events::Event {
                type_: kind,
                reason: event.reason.into(),
                note: Some(event.note.clone()),
                action: "Reconcile".into(),
                secondary: None,
            };
            let operation = Operation {
                verb: "create",
                group: "events.k8s.io".into(),
                resource: "events".into(),
                kind: "Event".into(),
                namespace: Some("default".into()),
                name: None,
            };
            let result = self.send(&operation, self.recorder.publish(&event, &about)).await;
            self.metrics.wrote("event", &result);
            if let Err(failure) = result {
                tracing::debug!(name, reason = event.reason, why = failure.sentence(), "Could not tell an Event");
            }
        }
    }
}

fn failure(operation: &Operation, error: &kube::Error) -> Failure {
    match error {
        // A conflict with another field manager has causes; one without is an object that has changed.
        kube::Error::Api(status)
            if status.is_conflict() && status.details.as_ref().is_none_or(|details| details.causes.is_empty()) =>
        {
            Failure::Outdated
        }
        kube::Error::Api(status)
            if status.is_not_found() && status.details.as_ref().is_some_and(|details| !details.name.is_empty()) =>
        {
            Failure::Outdated
        }
        kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429 => {
            Failure::Refused(api_error::refused(operation, status))
        }
        _ => Failure::Unanswered(api_error::sentence(operation, error)),
    }
}

/// What is gone already need not be deleted.
pub(super) fn gone(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(Failure::Outdated) => Ok(()),
        other => other,
    }
}

/// Whether an object is the operator's.
pub fn is_ours(object: &DynamicObject) -> bool {
    let labels = object.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.get(crate::plan::daemon::LABEL_MANAGED_BY).is_some_and(|by| by == OPERATOR))
}
