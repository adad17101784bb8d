//! An API server for tests, in memory: it answers each request as the test says, in microseconds, and remembers what it was asked. A real
//! one is in the tests of the cluster.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// `GET`, `PATCH` ...
    pub method: String,
    /// `/apis/meshaccel.dev/v1alpha1/meshaccelerations/x`
    pub path: String,
    /// `fieldManager=x&force=true`, or nothing.
    pub query: String,
    /// Null for none.
    pub body: Value,
}

impl Asked {
    /// It asks for what changes from now on.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With 200 and an object.
    Object(Value),
    /// With these events, a line each; then the watch ends.
    Events(Vec<Value>),
    /// With a Status of this code, reason and message.
    Refused(u16, &'static str, &'static str),
    /// Not at all: whoever waits waits on.
    Silence,
}

/// What it was asked.
#[derive(Clone, Default)]
pub struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// One that answers by `answer`, and a client of it. Needs a tokio runtime.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Client, Self) {
        let server = Self::default();
        let (own, answer) = (server.clone(), Arc::new(answer));
        let service = service_fn(move |request: Request<Body>| {
            let (own, answer) = (own.clone(), Arc::clone(&answer));
            async move {
                let asked = read(request).await;
                let answer = answer(&asked);
                lock(&own.asked).push(asked);
                match body(&answer) {
                    Some((code, body)) => {
                        let mut response = Response::new(Body::from(body));
                        *response.status_mut() = code;
                        Ok::<_, Infallible>(response)
                    }
                    None => std::future::pending().await,
                }
            }
        });
        (Client::new(service, "default"), server)
    }

    /// All requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

async fn read(request: Request<Body>) -> Asked {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.unwrap_or_default();
    Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn body(answer: &Answer) -> Option<(StatusCode, Vec<u8>)> {
    match answer {
        Answer::Object(object) => Some((StatusCode::OK, object.to_string().into_bytes())),
        Answer::Events(events) => {
            Some((StatusCode::OK, events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect()))
        }
        Answer::Refused(code, reason, message) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                                "code": code, "reason": reason, "message": message});
            Some((
                StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                status.to_string().into_bytes(),
            ))
        }
        Answer::Silence => None,
    }
}

/// A list of these, as one page.
#[must_use]
pub fn list(kind: &str, version: &str, items: &[Value]) -> Answer {
    Answer::Object(json!({"kind": format!("{kind}List"), "apiVersion": "v1",
                          "metadata": {"resourceVersion": version}, "items": items}))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed while it was held has failed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
