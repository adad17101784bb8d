//! A network namespace in the programs' scope, with Services that the test writes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, Map, MapData, PerCpuArray};
use meshaccel_abi::services::address::words;
use meshaccel_abi::services::scope::{self, NETWORKS, NO_UID, PORTS};
use meshaccel_abi::services::{
    Backend, Member, Network, Reason, Record, Scope, Service, ServiceIndex, SetSlot, Vip, names,
};
use meshaccel_bpf::pins::{Layout, Pins};
use meshaccel_bpf::sys::socket::netns_cookie;
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_services::kernel::programs::{Capacity, Programs};
use meshaccel_services::kernel::table::Table;

pub const VIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 7)), 80);
pub const VIP6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, 7)), 80);
const CAPACITY: Capacity = Capacity { services: 1024, vips: 1024, backends: 4096, connections: 64 };
pub const LIMIT: Duration = Duration::from_secs(5);

/// The programs, attached to the whole machine; only the test's own network namespace is in their scope.
pub struct Node {
    netns: Netns,
    pub cookie: u64,
    pins: PathBuf,
    layout: Layout,
    pub programs: Programs,
    table: Table,
    next_set: u32,
}

impl Node {
    pub fn new(label: &str) -> Result<Self> {
        let netns = Netns::new(label)?;
        let pins = Path::new("/sys/fs/bpf").join(netns.name());
        let layout =
            Pins::new(&pins).column(meshaccel_abi::services::NAME, meshaccel_abi::services::LAYOUT).create()?;
        let programs = Programs::load(CAPACITY, &layout)?;
        let table = Table::open(&layout, CAPACITY.services)?;
        programs.attach(&layout, &meshaccel_e2e_harness::cgroup::root()?)?;
        let cookie = netns.enter(|| netns_cookie(&UdpSocket::bind("127.0.0.1:0")?))??;
        let mut node = Self { netns, cookie, pins, layout, programs, table, next_set: 1 };
        node.scope(scope::TCP | scope::UDP, 32)?;
        Ok(node)
    }

    fn map<K: aya::Pod, V: aya::Pod>(&self, name: &str) -> Result<HashMap<MapData, K, V>> {
        let data = MapData::from_pin(self.layout.path(name)).with_context(|| name.to_owned())?;
        Ok(HashMap::try_from(Map::HashMap(data))?)
    }

    pub fn scope(&mut self, flags: u32, quota: u32) -> Result<()> {
        let scope = Scope {
            flags,
            excluded_uids: [NO_UID; 6],
            quota,
            excluded_ports: [0; PORTS],
            included_ports: [0; PORTS],
            excluded: [Network::default(); NETWORKS],
            included: [Network::default(); NETWORKS],
        };
        self.map(names::HELD)?.insert(self.cookie, 0u64, 0)?;
        Ok(self.map(names::SCOPES)?.insert(self.cookie, scope, 0)?)
    }

    /// A Service with these endpoints, by these addresses.
    pub fn service(
        &mut self,
        index: u32,
        vips: &[(SocketAddr, u8)],
        backends: &[SocketAddr],
        affinity: u32,
        flags: u32,
    ) -> Result<()> {
        let set = self.next_set;
        self.next_set += 1;
        for (slot, backend) in backends.iter().enumerate() {
            let backend = Backend::new(address(*backend), backend.port());
            self.map(names::BACKENDS)?.insert(SetSlot { set, slot: slot as u32 }, backend, 0)?;
            self.map(names::MEMBERS)?.insert(Member { set, backend }, slot as u32, 0)?;
        }
        ensure!(self.table.write(index, Service::new(set, backends.len() as u32, affinity, flags)), "no such index");
        for (vip, protocol) in vips {
            let vip = Vip::new(address(*vip), vip.port(), *protocol);
            self.map(names::VIPS)?.insert(vip, ServiceIndex { index, node_only: 0 }, 0)?;
        }
        Ok(())
    }

    pub fn count(&self, reason: Reason) -> Result<u64> {
        let data = MapData::from_pin(self.layout.path(names::COUNTERS))?;
        let counters: PerCpuArray<MapData, u64> = PerCpuArray::try_from(Map::PerCpuArray(data))?;
        Ok(counters.get(&(reason as u32), 0)?.iter().sum())
    }

    pub fn records(&self) -> Result<Vec<(u64, Record)>> {
        self.map::<u64, Record>(names::RECORDS)?.iter().map(|entry| Ok(entry?)).collect()
    }

    pub fn held(&self) -> Result<u64> {
        Ok(self.map::<u64, u64>(names::HELD)?.get(&self.cookie, 0)?)
    }

    pub fn enter<T: Send>(&self, body: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.netns.enter(body)?
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.layout.remove(|_| 0);
        let _ = std::fs::remove_dir_all(&self.pins);
    }
}

pub fn address(address: SocketAddr) -> [u32; 4] {
    words(match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    })
}

pub fn listener(ip: &str) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((ip, 0))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

pub fn datagrams(ip: &str) -> Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_read_timeout(Some(LIMIT))?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
