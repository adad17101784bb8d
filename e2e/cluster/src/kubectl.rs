//! Talking to a cluster with kubectl: what a person would type, and what the person would read.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::daemon::Finished;
use meshaccel_e2e_harness::wait;
use serde_json::Value;

use super::Cluster;

impl Cluster {
    /// A kubectl command; a failure carries everything that it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, "")
    }

    /// The same with a standard input.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let finished = self.try_kubectl(arguments, input)?;
        if finished.code != Some(0) {
            bail!("kubectl {}: {}", arguments.join(" "), finished.stderr.trim());
        }
        Ok(finished.stdout)
    }

    /// The same where a refusal is an answer, too.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<Finished> {
        finish(self.kubectl_command().args(arguments), input)
    }

    /// The same as somebody else, by a token of theirs alone.
    pub fn try_kubectl_as(&self, token: &str, arguments: &[&str], input: &str) -> Result<Finished> {
        let server = self.kubectl(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"])?;
        let mut command = Command::new(&self.kubectl);
        // The administrator's kubeconfig has a certificate, which would count before the token.
        command.env("KUBECONFIG", "/dev/null").args(["--server", server.trim(), "--token", token]);
        command.arg("--certificate-authority").arg(self.folder.join("pki/ca.crt"));
        finish(command.args(arguments), input)
    }

    /// kubectl, to be run in another way than the others here.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Applies objects, written as YAML or JSON.
    pub fn apply(&self, objects: &str) -> Result<String> {
        self.kubectl_with(&["apply", "-f", "-"], objects)
    }

    /// `kubectl get ... -o json`.
    pub fn get_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[&["get", "-o", "json"], arguments].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl get {}", arguments.join(" ")))
    }

    /// One GET of the API, e.g. through the proxy to a pod.
    pub fn get_raw(&self, path: &str) -> Result<String> {
        self.kubectl(&["get", "--raw", path])
    }

    /// Asks again and again until `condition` holds of what `kubectl get` answers; errors count as not yet.
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        arguments: &[&str],
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait::wait_for(limit, what, || {
            let object = self.get_json(arguments)?;
            if condition(&object) { Ok(object) } else { bail!("{}", object["status"]) }
        })
    }

    /// The name of the first pod that a selector chooses.
    pub fn pod_name(&self, namespace: &str, selector: &str) -> Result<String> {
        let pods = self.get_json(&["pods", "-n", namespace, "-l", selector])?;
        let name = pods["items"][0]["metadata"]["name"].as_str();
        name.map(str::to_owned).with_context(|| format!("no pod {selector} in {namespace}"))
    }

    /// Waits until all pods that a selector chooses, at least one, are Ready.
    pub fn wait_ready(&self, namespace: &str, selector: &str, limit: Duration) -> Result<()> {
        let arguments = ["pods", "-n", namespace, "-l", selector];
        let ready =
            |pods: &Value| pods["items"].as_array().is_some_and(|pods| !pods.is_empty() && pods.iter().all(is_ready));
        self.wait_for(&format!("pods {selector} to be Ready"), limit, &arguments, ready).map(drop)
    }
}

/// Runs it to its end.
fn finish(command: &mut Command, input: &str) -> Result<Finished> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run kubectl")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // A command that does not read its input leaves a broken pipe, which says nothing.
    let _ = writer.join();
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Whether a pod's condition Ready is true.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True")
}

/// A condition of an object, by its type.
pub fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}
