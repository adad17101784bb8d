//! The programs that translate Service addresses: real calls of real sockets, with maps that the test writes.

#[path = "kernel_services/node.rs"]
mod node;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result, ensure};
use meshaccel_abi::services::address::{TCP, UDP};
use meshaccel_abi::services::scope;
use meshaccel_abi::services::service::DROPS;
use meshaccel_abi::services::{Backend, Reason};
use meshaccel_bpf::sys::socket::cookie;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::netns::Netns;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, connect, getpeername, socket};

use node::{LIMIT, Node, VIP, VIP6, address, datagrams, listener};

#[test]
fn a_connection_goes_to_an_endpoint_and_knows_the_vip_as_its_peer() {
    check(|| {
        let mut node = Node::new("connect")?;
        ensure!(node.programs.can_refuse, "this kernel is newer than Linux 5.18");
        for (ip, vip) in [("127.0.0.1", VIP), ("::1", VIP6)] {
            let (server, endpoint) = node.enter(|| listener(ip))?;
            node.service(1, &[(vip, TCP)], &[endpoint], 0, 0)?;
            node.enter(|| {
                let mut client = TcpStream::connect_timeout(&vip, LIMIT)?;
                let (mut served, _) = server.accept()?;
                ensure!(client.peer_addr()? == vip, "{:?}", client.peer_addr());
                client.write_all(b"question")?;
                let mut question = [0; 8];
                served.read_exact(&mut question)?;
                ensure!(&question == b"question");
                let record = node.records()?;
                let [(recorded, record)] = record.as_slice() else { anyhow::bail!("{record:?}") };
                ensure!(
                    *recorded == cookie(&client)? && record.netns_cookie == node.cookie && record.vip.host_port() == 80
                );
                ensure!(record.backend == Backend::new(address(endpoint), endpoint.port()), "{record:?}");
                ensure!(node.held()? == 1);
                drop(client);
                ensure!(node.records()?.is_empty() && node.held()? == 0, "a closed socket is recorded still");
                Ok(())
            })?;
        }
        ensure!(node.count(Reason::Connected)? == 2);
        Ok(())
    });
}

/// What Java and Go do by default: an AF_INET6 socket, and `::ffff:10.96.0.7`.
#[test]
fn the_v4_mapped_form_of_a_vip_is_the_vip_and_is_given_back_in_that_form() {
    check(|| {
        let mut node = Node::new("mapped")?;
        let (server, endpoint) = node.enter(|| listener("127.0.0.1"))?;
        node.service(1, &[(VIP, TCP)], &[endpoint], 0, 0)?;
        node.enter(|| {
            let client = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            let IpAddr::V4(vip) = VIP.ip() else { unreachable!("it is one") };
            let mapped = SocketAddrV6::new(vip.to_ipv6_mapped(), 80, 0, 0);
            connect(client.as_fd().as_raw_fd(), &SockaddrIn6::from(mapped))?;
            server.accept()?;
            let peer: SockaddrIn6 = getpeername(client.as_raw_fd())?;
            ensure!(peer == SockaddrIn6::from(mapped), "{peer}");
            Ok(())
        })
    });
}

#[test]
fn no_endpoint_means_refused_at_once_and_others_are_left_alone() {
    check(|| {
        let mut node = Node::new("refused")?;
        node.service(1, &[(VIP, TCP), (VIP6, TCP)], &[], 0, 0)?;
        node.enter(|| {
            for vip in [VIP, VIP6] {
                let error = TcpStream::connect(vip).err().context("connected to nothing")?;
                ensure!(error.kind() == ErrorKind::ConnectionRefused, "{error}");
            }
            Ok(())
        })?;
        ensure!(node.count(Reason::Refused)? == 2);
        // A traffic policy of Local: kube-proxy drops it. Here nothing is routed to there.
        node.service(1, &[(VIP, TCP)], &[], 0, DROPS)?;
        node.enter(|| {
            let error = TcpStream::connect(VIP).err().context("connected to nothing")?;
            ensure!(error.kind() == ErrorKind::NetworkUnreachable, "{error}");
            Ok(())
        })?;
        ensure!(node.count(Reason::NoLocalEndpoint)? == 1);
        Ok(())
    });
}

#[test]
fn the_next_connection_goes_to_the_new_endpoint_and_what_is_connected_stays() {
    check(|| {
        let mut node = Node::new("changed")?;
        let (first, one) = node.enter(|| listener("127.0.0.1"))?;
        let (second, other) = node.enter(|| listener("127.0.0.1"))?;
        node.service(1, &[(VIP, TCP)], &[one], 0, 0)?;
        let mut before = node.enter(|| Ok(TcpStream::connect(VIP)?))?;
        node.service(1, &[(VIP, TCP)], &[other], 0, 0)?;
        let after = node.enter(|| Ok(TcpStream::connect(VIP)?))?;
        let (mut served, _) = first.accept()?;
        ensure!(second.accept()?.1 == after.local_addr()?);
        before.write_all(b"still")?;
        let mut word = [0; 5];
        served.read_exact(&mut word)?;
        ensure!(&word == b"still" && before.peer_addr()? == VIP);
        Ok(())
    });
}

#[test]
fn endpoints_are_equal_and_affinity_keeps_to_one_while_it_is_an_endpoint() {
    check(|| {
        let mut node = Node::new("choice")?;
        let listeners: Vec<_> = node.enter(|| (0..4).map(|_| listener("127.0.0.1")).collect::<Result<_>>())?;
        let endpoints: Vec<_> = listeners.iter().map(|(_, endpoint)| *endpoint).collect();
        let went = |node: &Node, count: usize| -> Result<Vec<usize>> {
            let clients =
                node.enter(|| (0..count).map(|_| Ok(TcpStream::connect(VIP)?)).collect::<Result<Vec<_>>>())?;
            // A queue that is full of what nobody accepts would have the next ones wait.
            for (listener, _) in &listeners {
                listener.set_nonblocking(true)?;
                while listener.accept().is_ok() {}
            }
            let records = node.records()?;
            let mut went = vec![0; endpoints.len()];
            for client in &clients {
                let cookie = cookie(client)?;
                let (_, record) = records.iter().find(|(recorded, _)| *recorded == cookie).context("not recorded")?;
                let index = endpoints.iter().position(|endpoint| record.backend.host_port() == endpoint.port());
                went[index.context("no endpoint")?] += 1;
            }
            Ok(went)
        };
        node.service(1, &[(VIP, TCP)], &endpoints, 0, 0)?;
        let mut sum = vec![0; endpoints.len()];
        for _ in 0..20 {
            for (sum, went) in sum.iter_mut().zip(went(&node, 20)?) {
                *sum += went;
            }
        }
        // Of 400, a hundred each: 60 is more than four standard deviations away.
        ensure!(sum.iter().all(|went| *went >= 60), "{sum:?}");
        node.service(1, &[(VIP, TCP)], &endpoints, 10_800, 0)?;
        let kept = went(&node, 20)?;
        let at = kept.iter().position(|went| *went == 20).with_context(|| format!("{kept:?}"))?;
        let others: Vec<_> =
            endpoints.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, one)| *one).collect();
        node.service(1, &[(VIP, TCP)], &others, 10_800, 0)?;
        let moved = went(&node, 20)?;
        ensure!(moved[at] == 0 && moved.contains(&20), "{moved:?}");
        Ok(())
    });
}

#[test]
fn a_datagram_is_answered_by_whom_it_was_sent_to() {
    check(|| {
        let mut node = Node::new("datagrams")?;
        for (ip, vip, other) in
            [("127.0.0.1", VIP, SocketAddr::new(VIP.ip(), 81)), ("::1", VIP6, SocketAddr::new(VIP6.ip(), 81))]
        {
            let (server, endpoint) = node.enter(|| datagrams(ip))?;
            let (plain, direct) = node.enter(|| datagrams(ip))?;
            let (second, more) = node.enter(|| datagrams(ip))?;
            node.service(1, &[(vip, UDP)], &[endpoint], 0, 0)?;
            node.service(2, &[(other, UDP)], &[more], 0, 0)?;
            node.enter(|| {
                let (client, _) = datagrams(ip)?;
                let mut buffer = [0; 64];
                for round in 0..3 {
                    for (server, named) in [(&server, vip), (&plain, direct), (&second, other)] {
                        client.send_to(b"question", named)?;
                        let (length, from) = server.recv_from(&mut buffer)?;
                        server.send_to(&buffer[..length], from)?;
                        let (length, told) = client.recv_from(&mut buffer)?;
                        ensure!(length == 8 && told == named, "round {round}: sent to {named}, answered by {told}");
                    }
                }
                // And connected: no call names an address any more.
                client.connect(vip)?;
                ensure!(client.peer_addr()? == vip);
                client.send(b"question")?;
                let (_, from) = server.recv_from(&mut buffer)?;
                server.send_to(b"answer", from)?;
                ensure!(client.recv_from(&mut buffer)? == (6, vip));
                // Another address, named all the same.
                client.send_to(b"question", other)?;
                second.recv_from(&mut buffer)?;
                ensure!(node.records()?.len() == 1 && node.held()? == 1);
                // Connected anew: what it was before is forgotten.
                client.connect(direct)?;
                ensure!(client.peer_addr()? == direct && node.records()?.is_empty() && node.held()? == 0);
                Ok(())
            })?;
        }
        Ok(())
    });
}

#[test]
fn datagrams_stay_with_their_endpoint_while_it_is_one() {
    check(|| {
        let mut node = Node::new("sticky")?;
        let servers: Vec<_> = node.enter(|| (0..4).map(|_| datagrams("127.0.0.1")).collect::<Result<_>>())?;
        let endpoints: Vec<_> = servers.iter().map(|(_, endpoint)| *endpoint).collect();
        node.service(1, &[(VIP, UDP)], &endpoints, 0, 0)?;
        let (client, _) = node.enter(|| datagrams("127.0.0.1"))?;
        let go = |count: usize| -> Result<Vec<usize>> {
            for _ in 0..count {
                client.send_to(b"question", VIP)?;
            }
            let mut buffer = [0; 16];
            servers
                .iter()
                .map(|(server, _)| {
                    server.set_nonblocking(true)?;
                    Ok(std::iter::from_fn(|| server.recv_from(&mut buffer).ok()).count())
                })
                .collect()
        };
        let first = go(20)?;
        let at = first.iter().position(|count| *count == 20).with_context(|| format!("{first:?}"))?;
        // Others come and go.
        node.service(1, &[(VIP, UDP)], &[endpoints[at], endpoints[(at + 1) % 4]], 0, 0)?;
        let second = go(20)?;
        ensure!(second[at] == 20, "{second:?}, it was with {at}");
        node.service(1, &[(VIP, UDP)], &[endpoints[(at + 2) % 4]], 0, 0)?;
        let third = go(20)?;
        ensure!(third[(at + 2) % 4] == 20, "{third:?}");
        Ok(())
    });
}

#[test]
fn a_pod_has_its_share_of_the_table_and_what_is_more_takes_the_usual_path() {
    check(|| {
        let mut node = Node::new("share")?;
        let (_server, endpoint) = node.enter(|| listener("127.0.0.1"))?;
        node.service(1, &[(VIP, TCP)], &[endpoint], 0, 0)?;
        node.scope(scope::TCP, 4)?;
        node.enter(|| {
            let _held: Vec<_> = (0..4).map(|_| TcpStream::connect(VIP)).collect::<io::Result<_>>()?;
            let error = TcpStream::connect(VIP).err().context("there is no kube-proxy here")?;
            ensure!(error.kind() == ErrorKind::NetworkUnreachable, "{error}");
            ensure!(node.held()? == 4 && node.count(Reason::RecordsFull)? == 1);
            Ok(())
        })?;
        node.enter(|| {
            TcpStream::connect(VIP)?;
            Ok(())
        })
    });
}

#[test]
fn what_a_sidecar_takes_keeps_its_vip_and_others_are_not_looked_at() {
    check(|| {
        let mut node = Node::new("sidecar")?;
        let (_server, endpoint) = node.enter(|| listener("127.0.0.1"))?;
        let (server, datagram) = node.enter(|| datagrams("127.0.0.1"))?;
        node.service(1, &[(VIP, TCP)], &[endpoint], 0, 0)?;
        node.service(2, &[(VIP, UDP)], &[datagram], 0, 0)?;
        node.scope(scope::TCP | scope::UDP | scope::SIDECAR, 32)?;
        node.enter(|| {
            let error = TcpStream::connect(VIP).err().context("translated")?;
            ensure!(error.kind() == ErrorKind::NetworkUnreachable, "{error}");
            let (client, _) = datagrams("127.0.0.1")?;
            client.send_to(b"question", VIP)?;
            server.recv_from(&mut [0; 16])?;
            Ok(())
        })?;
        ensure!(node.count(Reason::Sidecar)? == 1 && node.count(Reason::Sent)? == 1);
        let elsewhere = Netns::new("elsewhere")?;
        let error = elsewhere.enter(|| TcpStream::connect(VIP))?.err().context("translated")?;
        ensure!(error.kind() == ErrorKind::NetworkUnreachable && node.count(Reason::Connected)? == 0);
        Ok(())
    });
}

/// The programs count on it that the kernel lets those of one socket run one after the other.
#[test]
fn threads_that_connect_one_socket_at_once_leave_no_record_behind() {
    check(|| {
        let mut node = Node::new("threads")?;
        let (_server, endpoint) = node.enter(|| datagrams("127.0.0.1"))?;
        node.service(1, &[(VIP, UDP)], &[endpoint], 0, 0)?;
        node.enter(|| {
            let (client, _) = datagrams("127.0.0.1")?;
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..20_000).filter(|_| client.connect(VIP).is_ok()).count());
                }
            });
            client.connect(VIP)?;
            ensure!(client.peer_addr()? == VIP && node.records()?.len() == 1 && node.held()? == 1, "{}", node.held()?);
            drop(client);
            ensure!(node.records()?.is_empty() && node.held()? == 0, "{:?}, {} held", node.records()?, node.held()?);
            Ok(())
        })
    });
}
