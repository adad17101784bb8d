//! Pretends to be the daemons of many nodes: makes Nodes and NodeAccelerations and reports for each, as `meshaccel-node`
//! would. To see what the operator costs at a size for which nobody has machines.
//!
//!     KUBECONFIG=... cargo run --release -p meshaccel-operator --example nodes -- --nodes 5000 --every 15 --for 300

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use meshaccel_crds::{MeshAcceleration, NodeAcceleration, NodeAccelerationSpec, Phase, Share};
use serde_json::json;

/// Pretend to be many nodes.
#[derive(Parser)]
struct Args {
    /// How many.
    #[arg(long, default_value_t = 1000)]
    nodes: usize,
    /// Seconds between two reports of a node.
    #[arg(long, default_value_t = 15)]
    every: u64,
    /// For how many seconds to report.
    #[arg(long = "for", default_value_t = 120)]
    duration: u64,
    /// Requests at once.
    #[arg(long, default_value_t = 32)]
    at_once: usize,
}

type Failure = Box<dyn std::error::Error>;

fn name(index: usize) -> String {
    format!("simulated-{index:05}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let client = Client::try_default().await?;
    let began = Instant::now();
    let made = futures::stream::iter(0..args.nodes)
        .map(|index| make(client.clone(), index))
        .buffer_unordered(args.at_once)
        .filter(|result| std::future::ready(result.is_ok()))
        .count()
        .await;
    println!("{made} of {} nodes made in {:.1} s", args.nodes, began.elapsed().as_secs_f64());
    let began = Instant::now();
    let (mut round, mut late) = (0u64, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(args.duration) {
        let start = Instant::now();
        report(&client, &args, round).await?;
        round += 1;
        let spent = start.elapsed();
        late = late.max(spent.saturating_sub(Duration::from_secs(args.every)));
        tokio::time::sleep(Duration::from_secs(args.every).saturating_sub(spent)).await;
    }
    println!("{round} rounds of reports, at most {:.1} s late", late.as_secs_f64());
    Ok(())
}

async fn make(client: Client, index: usize) -> Result<(), Failure> {
    let name = name(index);
    let labels: BTreeMap<String, String> = [
        ("kubernetes.io/hostname".to_owned(), name.clone()),
        ("topology.kubernetes.io/zone".to_owned(), format!("zone-{}", index % 3)),
        ("simulated".to_owned(), "true".to_owned()),
    ]
    .into();
    let nodes: Api<Node> = Api::all(client.clone());
    let mut node = Node::default();
    node.metadata.name = Some(name.clone());
    node.metadata.labels = Some(labels);
    let node = match nodes.create(&PostParams::default(), &node).await {
        Ok(node) => node,
        Err(_) => nodes.get(&name).await?,
    };
    let mut report = NodeAcceleration::new(&name, NodeAccelerationSpec {});
    report.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: name.clone(),
        uid: node.uid().unwrap_or_default(),
        controller: Some(false),
        block_owner_deletion: Some(false),
    }]);
    let reports: Api<NodeAcceleration> = Api::all(client);
    match reports.create(&PostParams::default(), &report).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One report of each node, spread over most of the interval.
async fn report(client: &Client, args: &Args, round: u64) -> Result<(), Failure> {
    let objects = Api::<MeshAcceleration>::all(client.clone()).list(&ListParams::default()).await?;
    let shares: Vec<Share> = objects
        .iter()
        .map(|object| Share {
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            observed_generation: object.metadata.generation.unwrap_or_default(),
            phase: if object.metadata.deletion_timestamp.is_some() { Phase::Released } else { Phase::Programmed },
            pods: 30,
            connections: 200 + i64::try_from(round % 10).unwrap_or_default(),
            redirected_bytes: i64::try_from(round).unwrap_or_default() * 1_000_000,
            ..Share::default()
        })
        .collect();
    let programs: Vec<&str> = if shares.iter().any(|share| share.phase == Phase::Programmed) {
        vec!["ma_sockops", "ma_skmsg", "ma_passes", "ma_adopt"]
    } else {
        vec![]
    };
    let (shares, programs) = (&shares, &programs);
    let pause = Duration::from_secs(args.every).mul_f64(0.8) / u32::try_from(args.nodes.max(1))?;
    let start = Instant::now();
    futures::stream::iter(0..args.nodes)
        .map(|index| {
            let reports: Api<NodeAcceleration> = Api::all(client.clone());
            async move {
                tokio::time::sleep_until((start + pause * u32::try_from(index).unwrap_or_default()).into()).await;
                let status = json!({"status": {
                    "reportedAt": Time(Timestamp::now()), "version": "0.1.0", "kernel": "6.18.0", "programs": programs,
                    "conditions": [{
                        "type": "Ready", "status": "True", "reason": "Active", "message": "Simulated",
                        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
                    }],
                    "pods": 30, "connections": 200, "accelerations": shares,
                }});
                if let Err(error) =
                    reports.patch_status(&name(index), &PatchParams::default(), &Patch::Merge(&status)).await
                {
                    eprintln!("{}: {error}", name(index));
                }
            }
        })
        .buffer_unordered(args.at_once)
        .collect::<Vec<()>>()
        .await;
    Ok(())
}
