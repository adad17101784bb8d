//! Writes to the objects that the operator makes for the daemon.
//!
//! Never by force: where somebody else has set a field, that person meant something by it, and is named in the status
//! instead of being overruled again and again.

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;

use super::Applier;
use super::write::{Failure, gone, is_ours};
use crate::api_error::Operation;
use crate::plan::daemon::{OPERATOR, Owned};
use crate::plan::drift;

impl Applier {
    /// Makes an object, or makes it as it should be.
    pub(super) async fn apply(&self, object: &Owned) -> Result<DynamicObject, Failure> {
        let operation = operation("patch", object);
        let api = self.api(&object.resource, object.namespace.as_deref());
        let parameters = PatchParams::apply(OPERATOR);
        self.send(&operation, api.patch(&object.name, &parameters, &Patch::Apply(&object.body))).await
    }

    /// Applies an object unless it is there as it should be.
    pub(super) async fn keep(&self, object: &Owned) -> Result<(), Failure> {
        let live = self.look(object).await?.map(|live| serde_json::to_value(live).unwrap_or_default());
        if live.is_some_and(|live| !drift::differs(&object.body, &live)) {
            return Ok(());
        }
        self.apply(object).await?;
        tracing::info!(kind = object.resource.kind, name = object.name, "Applied an object of the daemon");
        Ok(())
    }

    /// Deletes an object if it is there and the operator's.
    pub(super) async fn remove(&self, object: &Owned) -> Result<(), Failure> {
        let Some(live) = self.look(object).await?.filter(is_ours) else { return Ok(()) };
        self.delete(object, live.metadata.uid).await?;
        tracing::info!(kind = object.resource.kind, name = object.name, "Deleted an object of the daemon");
        Ok(())
    }

    pub(super) async fn delete(&self, object: &Owned, uid: Option<String>) -> Result<(), Failure> {
        let operation = operation("delete", object);
        let api = self.api(&object.resource, object.namespace.as_deref());
        let preconditions = uid.map(|uid| kube::api::Preconditions { uid: Some(uid), resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
        gone(self.send(&operation, api.delete(&object.name, &parameters)).await.map(drop))
    }

    async fn look(&self, object: &Owned) -> Result<Option<DynamicObject>, Failure> {
        let operation = operation("get", object);
        let api = self.api(&object.resource, object.namespace.as_deref());
        self.send(&operation, api.get_opt(&object.name)).await
    }
}

fn operation(verb: &'static str, object: &Owned) -> Operation {
    Operation::new(verb, &object.resource).on(object.namespace.as_deref(), &object.name)
}
