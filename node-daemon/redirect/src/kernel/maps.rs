//! Typed access to the pinned maps. Works on pins alone, so that `off`, `on` and `connections` need no daemon.

use std::io;

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use meshaccel_abi::redirect::policy::{MAX_PODS, POD_SWITCHES};
use meshaccel_abi::redirect::{Counter, EndId, Event, PodEntry, Policy, Reason, names};
use meshaccel_bpf::maps::{MapsError, open};
use meshaccel_bpf::pins::Layout;
use meshaccel_model::{NetnsCookie, PodName};

use crate::pods::{MappedPod, Slot};

/// The maps of one installation.
pub struct Maps {
    pods: HashMap<MapData, u64, PodEntry>,
    policies: Array<MapData, Policy>,
    switches: Array<MapData, u64>,
    counters: PerCpuArray<MapData, Counter>,
    events: PerCpuArray<MapData, u64>,
    imported: HashMap<MapData, u64, EndId>,
    totals: PerCpuArray<MapData, u64>,
}

impl Maps {
    /// Opens what is pinned.
    pub fn open(layout: &Layout) -> Result<Self, MapsError> {
        Ok(Self {
            pods: open!(layout, names::PODS, Map::HashMap),
            policies: open!(layout, names::POLICIES, Map::Array),
            switches: open!(layout, names::SWITCHES, Map::Array),
            counters: open!(layout, names::COUNTERS, Map::PerCpuArray),
            events: open!(layout, names::EVENTS, Map::PerCpuArray),
            imported: open!(layout, names::IMPORTED, Map::HashMap),
            totals: open!(layout, names::TOTALS, Map::PerCpuArray),
        })
    }

    /// All pods.
    pub fn pods(&self) -> Result<Vec<MappedPod>, MapsError> {
        let read = |source| MapsError::Read { name: names::PODS, source };
        self.pods
            .iter()
            .map(|entry| {
                let (cookie, entry) = entry.map_err(read)?;
                let pod = PodName { namespace: text(&entry.namespace), name: text(&entry.name) };
                Ok(MappedPod { cookie: NetnsCookie(cookie), slot: Slot(entry.slot), pod })
            })
            .collect()
    }

    /// Makes the programs know a pod.
    pub fn add_pod(&mut self, pod: &MappedPod) -> Result<(), MapsError> {
        let mut entry = PodEntry { slot: pod.slot.0, zero: 0, namespace: [0; 64], name: [0; 256] };
        fill(&mut entry.namespace, &pod.pod.namespace);
        fill(&mut entry.name, &pod.pod.name);
        self.pods.insert(pod.cookie.0, entry, 0).map_err(|source| MapsError::Write { name: names::PODS, source })
    }

    /// Makes the programs forget a pod; one that is not there is forgotten already.
    pub fn remove_pod(&mut self, cookie: NetnsCookie) -> Result<(), MapsError> {
        match self.pods.remove(&cookie.0) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(MapsError::Write { name: names::PODS, source }),
        }
    }

    /// Policies of the slots that are taken.
    pub fn policies(&self) -> Result<Vec<(Slot, Policy)>, MapsError> {
        let mut taken = Vec::new();
        for slot in 0..MAX_PODS {
            let policy =
                self.policies.get(&slot, 0).map_err(|source| MapsError::Read { name: names::POLICIES, source })?;
            if policy.netns_cookie != 0 {
                taken.push((Slot(slot), policy));
            }
        }
        Ok(taken)
    }

    /// Writes a slot's policy.
    pub fn set_policy(&mut self, slot: Slot, policy: Policy) -> Result<(), MapsError> {
        self.policies.set(slot.0, policy, 0).map_err(|source| MapsError::Write { name: names::POLICIES, source })
    }

    /// Bytes redirected by the pod of a slot, as of the last full resync.
    pub fn total(&self, slot: Slot) -> Result<u64, MapsError> {
        let read = |source| MapsError::Read { name: names::TOTALS, source };
        Ok(self.totals.get(&slot.0, 0).map_err(read)?.iter().sum())
    }

    /// A new pod begins at none.
    pub fn reset_total(&mut self, slot: Slot) -> Result<(), MapsError> {
        let write = |source| MapsError::Write { name: names::TOTALS, source };
        // As many as there are processors.
        let none = vec![0; self.totals.get(&slot.0, 0).map_err(write)?.len()];
        let none = none.try_into().map_err(|source| write(MapError::IoError(source)))?;
        self.totals.set(slot.0, none, 0).map_err(write)
    }

    /// Reads a switch.
    pub fn switch(&self, index: u32) -> Result<u64, MapsError> {
        self.switches.get(&index, 0).map_err(|source| MapsError::Read { name: names::SWITCHES, source })
    }

    /// Writes a switch; in force at the next message.
    pub fn set_switch(&mut self, index: u32, value: u64) -> Result<(), MapsError> {
        self.switches.set(index, value, 0).map_err(|source| MapsError::Write { name: names::SWITCHES, source })
    }

    /// Index of a pod's switch.
    pub fn pod_switch(slot: Slot) -> u32 {
        POD_SWITCHES + slot.0
    }

    /// Messages and bytes by reason, all CPUs added up.
    pub fn counters(&self) -> Result<Vec<(Reason, Counter)>, MapsError> {
        let read = |source| MapsError::Read { name: names::COUNTERS, source };
        let sum = |reason: &Reason| {
            let values = self.counters.get(&(*reason as u32), 0).map_err(read)?;
            let total = values.iter().fold(Counter::default(), |total, one| Counter {
                messages: total.messages + one.messages,
                bytes: total.bytes + one.bytes,
            });
            Ok((*reason, total))
        };
        Reason::ALL.iter().map(sum).collect()
    }

    /// Connections by event, all CPUs added up.
    pub fn events(&self) -> Result<Vec<(Event, u64)>, MapsError> {
        let read = |source| MapsError::Read { name: names::EVENTS, source };
        let sum = |event: &Event| Ok((*event, self.events.get(&(*event as u32), 0).map_err(read)?.iter().sum()));
        Event::ALL.iter().map(sum).collect()
    }

    /// Tells the importing iterator who a socket is.
    pub fn import(&mut self, socket_cookie: u64, id: EndId) -> Result<(), MapsError> {
        self.imported.insert(socket_cookie, id, 0).map_err(|source| MapsError::Write { name: names::IMPORTED, source })
    }

    /// Forgets it again.
    pub fn imported(&mut self, socket_cookie: u64) {
        let _ = self.imported.remove(&socket_cookie);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

fn fill(target: &mut [u8], text: &str) {
    for (target, source) in target.iter_mut().zip(text.bytes()) {
        *target = source;
    }
}
