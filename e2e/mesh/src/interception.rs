//! How traffic reaches the sidecar: the iptables rules that a mesh's init container installs in a pod.
//!
//! Istio's are written out as `istio-iptables` prints them for a default sidecar; Linkerd's are written by Linkerd's
//! own program. What differs matters to acceleration: Istio's inbound proxy connects to the application from
//! 127.0.0.6, Linkerd's from the pod's own address.

use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::netns::run;
use meshaccel_e2e_harness::parts;

use super::pod::Pod;
use super::process::User;

/// Whose conventions the pods follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Istio,
    Linkerd,
}

impl Provider {
    /// Where the sidecar accepts what the application sends.
    pub fn outbound_port(self) -> u16 {
        match self {
            Self::Istio => 15001,
            Self::Linkerd => 4140,
        }
    }

    /// Where the sidecar accepts what other pods send to the application.
    pub fn inbound_port(self) -> u16 {
        match self {
            Self::Istio => 15006,
            Self::Linkerd => 4143,
        }
    }

    /// The sidecar's user, by which the rules let its traffic through.
    pub fn proxy_user(self) -> User {
        match self {
            Self::Istio => User::ISTIO_PROXY,
            Self::Linkerd => User::LINKERD_PROXY,
        }
    }

    /// What the inbound sidecar binds to before it connects to the application.
    pub fn inbound_source(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Istio => Some(["127.0.0.6", "::6"]),
            Self::Linkerd => None,
        }
    }

    /// True when the rules cover this address family (Linkerd's program writes IPv4 only).
    pub fn intercepts(self, address: IpAddr) -> bool {
        self == Self::Istio || address.is_ipv4()
    }

    /// The value of `mesh.provider`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Istio => "Istio",
            Self::Linkerd => "Linkerd",
        }
    }

    /// Installs the rules.
    pub(super) fn install(self, pod: &Pod) -> Result<()> {
        match self {
            Self::Istio => {
                // IPv4 lets a socket bind to any 127.x.y.z; IPv6 needs the address.
                run("ip", &["-n", pod.netns().name(), "addr", "add", "::6/128", "dev", "lo", "nodad"])?;
                let rules = IstioRules::default();
                let restore = |program: &str, rules: &str| restore(pod.netns().command(program), program, rules);
                restore("iptables-restore", &rules.v4())?;
                restore("ip6tables-restore", &rules.v6())
            }
            Self::Linkerd => linkerd(pod),
        }
    }
}

/// What `istio-iptables` is told in its arguments; by default, those of an injected sidecar: `-p 15001 -z 15006 -u 1337
/// -m REDIRECT -i '*' -x "" -b '*' -d 15090,15021,15020`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IstioRules {
    /// Where the sidecar accepts what the application sends.
    pub outbound: u16,
    /// Where it accepts what others send to the application.
    pub inbound: u16,
    /// The sidecar's user and group.
    pub uid: u32,
    /// Ports of the pod that others reach directly.
    pub excluded: Vec<u16>,
}

impl Default for IstioRules {
    fn default() -> Self {
        let provider = Provider::Istio;
        Self {
            outbound: provider.outbound_port(),
            inbound: provider.inbound_port(),
            uid: provider.proxy_user().0,
            excluded: vec![15090, 15021, 15020],
        }
    }
}

impl IstioRules {
    /// Installs the rules for IPv4 in the namespace that this process is in: what an init container does.
    pub fn install_here(&self) -> Result<()> {
        restore(Command::new("iptables-restore"), "iptables-restore", &self.v4())
    }

    fn v4(&self) -> String {
        self.text("127.0.0.6/32", "127.0.0.1/32")
    }

    fn v6(&self) -> String {
        self.text("::6/128", "::1/128")
    }

    /// The input of iptables-restore for one family, as `istio-iptables` prints it.
    fn text(&self, inbound_source: &str, loopback: &str) -> String {
        let Self { outbound, inbound, uid, excluded } = self;
        let direct: String =
            excluded.iter().map(|port| format!("-A ISTIO_INBOUND -p tcp --dport {port} -j RETURN\n")).collect();
        format!(
            "* nat
-N ISTIO_INBOUND
-N ISTIO_REDIRECT
-N ISTIO_IN_REDIRECT
-N ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports {outbound}
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports {inbound}
-A PREROUTING -p tcp -j ISTIO_INBOUND
{direct}-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -o lo -s {inbound_source} -j RETURN
-A ISTIO_OUTPUT -o lo ! -d {loopback} -p tcp ! --dport 15008 -m owner --uid-owner {uid} -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner {uid} -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner {uid} -j RETURN
-A ISTIO_OUTPUT -o lo ! -d {loopback} -p tcp ! --dport 15008 -m owner --gid-owner {uid} -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner {uid} -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner {uid} -j RETURN
-A ISTIO_OUTPUT -d {loopback} -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
COMMIT
"
        )
    }
}

/// Feeds rules to `command`, which is iptables-restore or ip6tables-restore.
fn restore(mut command: Command, program: &str, rules: &str) -> Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    child.stdin.take().context("no standard input")?.write_all(rules.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn linkerd(pod: &Pod) -> Result<()> {
    let program = parts::cached("linkerd-init/proxy-init")?;
    // 4190 and 4191 are the proxy's own ports; the rest are the flags of an injected pod.
    let arguments = ["--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140", "--proxy-uid", "2102"];
    let output = pod
        .netns()
        .command(&program)
        .args(arguments)
        .args(["--inbound-ports-to-ignore", "4190,4191,4567,4568", "--outbound-ports-to-ignore", "4567,4568"])
        .output()
        .context("cannot run Linkerd's proxy-init")?;
    if !output.status.success() {
        bail!("Linkerd's proxy-init: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
