//! Pods of one node, as an injecting mesh makes them, and what happens to them.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::pace::at_pace;

/// The label by which pods are selected.
const LABEL: &str = "accelerate";
/// Of so many events one makes a pod, one deletes one, and two select a pod or do not any more. The others change a label
/// that nobody asks for.
const ROUND: usize = 20;
/// A pod that is made is deleted after so many others were.
const LIFE: usize = 5;

/// The pods of one node.
#[derive(Clone)]
pub struct Pods {
    api: Api<Pod>,
    node: String,
    names: Vec<String>,
}

impl Pods {
    /// Makes them, selected; gives their uids, too.
    pub async fn make(client: &Client, node: &str, count: usize) -> Result<(Self, Vec<String>)> {
        let names = (0..count).map(|index| format!("busy-{index:03}")).collect();
        let pods = Self { api: Api::default_namespaced(client.clone()), node: node.to_owned(), names };
        let mut uids = Vec::new();
        for name in &pods.names {
            uids.push(pods.create(name).await?.uid().context("a pod without a uid")?);
        }
        Ok((pods, uids))
    }

    async fn create(&self, name: &str) -> Result<Pod> {
        let pod = serde_json::from_value(pod(name, &self.node))?;
        self.api.create(&PostParams::default(), &pod).await.with_context(|| format!("cannot make pod {name}"))
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of the pod whose selection is timed: no event is about it.
    pub fn timed(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    async fn label(&self, name: &str, label: &str, value: &str) -> Result<()> {
        let patch = json!({"metadata": {"labels": {label: value}}});
        let patched = self.api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map(drop).with_context(|| format!("cannot label pod {name}"))
    }

    /// Selects a pod, or does not any more.
    pub async fn select(&self, name: &str, selected: bool) -> Result<()> {
        self.label(name, LABEL, if selected { "yes" } else { "no" }).await
    }

    /// Selects all.
    pub async fn select_all(&self) -> Result<()> {
        for name in &self.names {
            self.select(name, true).await?;
        }
        Ok(())
    }

    /// Lets things happen at a pace for some time; how many did. What was made is gone afterwards.
    pub async fn go_on(&self, a_minute: u32, length: Duration) -> Result<usize> {
        let event = |count: usize| {
            let pods = self.clone();
            async move { pods.event(count).await }
        };
        let count = at_pace(Duration::from_secs(60) / a_minute.max(1), length, event).await?;
        for round in (count / ROUND).saturating_sub(LIFE)..=count / ROUND {
            self.delete(&passing(round)).await?;
        }
        Ok(count)
    }

    async fn event(&self, count: usize) -> Result<()> {
        let (round, step) = (count / ROUND, count % ROUND);
        // All but the one that is timed.
        let name = self.names.get(count % (self.len() - 1)).context("no pods")?;
        match step {
            0 => self.create(&passing(round)).await.map(drop),
            10 if round >= LIFE => self.delete(&passing(round - LIFE)).await,
            // Back and forth, so that about half of those that take part are selected.
            5 | 15 => self.select(name, (round / self.len()).is_multiple_of(2) == (step == 5)).await,
            _ => self.label(name, "revision", &count.to_string()).await,
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match self.api.delete(name, &DeleteParams::default().grace_period(0)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot delete pod {name}")),
        }
    }
}

/// Name of a pod that comes and goes.
fn passing(round: usize) -> String {
    format!("passing-{round:05}")
}

/// As large as they are with an injected sidecar.
fn pod(name: &str, node: &str) -> Value {
    let environment: Vec<Value> = (0..25)
        .map(|index| json!({"name": format!("SETTING_{index}"), "value": format!("value {index} of {name}")}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "labels": {"app": name, LABEL: "yes", "revision": "0"},
            "annotations": {"sidecar.istio.io/status": r#"{"initContainers":["istio-validation","istio-proxy"]}"#},
        },
        "spec": {
            "nodeName": node, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
            "initContainers": [{
                "name": "istio-proxy", "image": "proxy", "restartPolicy": "Always", "env": environment,
                "args": ["proxy", "sidecar"], "securityContext": {"runAsUser": 1337, "runAsGroup": 1337},
            }],
            "containers": [{"name": "application", "image": "application", "ports": [{"containerPort": 8080}]}],
        },
    })
}
