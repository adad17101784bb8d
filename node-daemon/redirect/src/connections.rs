//! Every recorded socket, the path it takes, and the reason when it is not redirected. Reads the pins alone, so it needs no daemon.

pub mod row;

use std::collections::HashMap;

use meshaccel_abi::redirect::policy::{NODE_SWITCH, SWITCH_ON};
use meshaccel_bpf::pins::Layout;

use self::row::{Row, Standing};
use crate::Error;
use crate::kernel::maps::Maps;
use crate::kernel::rows;
use crate::switch::monotonic;

/// All rows, pods in order.
pub fn rows(layout: &Layout) -> Result<Vec<Row>, Error> {
    let maps = Maps::open(layout)?;
    let now = monotonic()?;
    let is_off = |value: u64| value != SWITCH_ON && now < value;
    let node_off = is_off(maps.switch(NODE_SWITCH)?);
    let mut pods = HashMap::new();
    for pod in maps.pods()? {
        let off = is_off(maps.switch(Maps::pod_switch(pod.slot))?);
        pods.insert(pod.slot.0, (pod, off));
    }
    let standing = |slot: u32, netns_cookie: u64| match pods.get(&slot) {
        Some((pod, off)) if pod.cookie.0 == netns_cookie => Standing { pod: Some(pod.pod.clone()), off: *off },
        _ => Standing { pod: None, off: false },
    };
    let mut rows = Vec::new();
    rows::list(layout, |raw| rows.push(Row::new(raw, node_off, standing)))?;
    // Records of a released pod's sockets stay until those close; on plain TCP, they are nobody's business here.
    rows.retain(|row| row.promoted || row.pod != row::NOT_SELECTED);
    rows.sort_by(|a, b| (&a.pod, &a.local, &a.remote).cmp(&(&b.pod, &b.local, &b.remote)));
    Ok(rows)
}
