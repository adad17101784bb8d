//! What there is around a daemon that cannot install: which kernel, what it may do, who else has a say. Only looked at once
//! something has failed, to tell why: whether something works is found out by doing it.

use std::path::Path;

use meshaccel_bpf::sys::{detached, kernel_release};
use procfs::process::{MountInfo, Process};

/// Facts. What cannot be seen counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// As uname(2) gives it.
    pub release: String,
    /// Effective capabilities, a bit each.
    pub capabilities: u64,
    /// The uids are not the machine's own.
    pub user_namespace: bool,
    /// How far the kernel is locked down.
    pub lockdown: Lockdown,
    /// SELinux or AppArmor, when it confines this process.
    pub confined: Option<Confined>,
    /// A seccomp filter is on this process.
    pub seccomp: bool,
}

/// `kernel_lockdown(7)`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lockdown {
    #[default]
    None,
    /// Root may not change the running kernel.
    Integrity,
    /// Nor read its memory.
    Confidentiality,
}

/// By which security module, as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined {
    pub by: &'static str,
    /// The domain or profile.
    pub label: String,
}

impl Surroundings {
    /// Looks.
    pub fn observe() -> Self {
        let status = Process::myself().and_then(|own| own.status()).ok();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let lockdown =
            detached::read("securityfs", "lockdown").unwrap_or_else(|_| read("/sys/kernel/security/lockdown"));
        let enforcing = detached::read("selinuxfs", "enforce").unwrap_or_else(|_| read("/sys/fs/selinux/enforce"));
        Self {
            release: kernel_release(),
            // Not to be known is no reason to say that they are missing.
            capabilities: status.as_ref().map_or(u64::MAX, |status| status.capeff),
            user_namespace: is_user_namespace(&read("/proc/self/uid_map")),
            lockdown: locked_down(&lockdown),
            confined: confined(&read("/proc/self/attr/current"), &enforcing),
            seccomp: status.and_then(|status| status.seccomp).is_some_and(|mode| mode != 0),
        }
    }

    /// May this process take descriptors of others? Yama can forbid it to everybody (ptrace_scope 3).
    pub fn may_take_descriptors(&self) -> bool {
        const SYS_PTRACE: u32 = 19;
        let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
        self.capabilities & 1 << SYS_PTRACE != 0 && scope.trim() != "3"
    }
}

/// Does `cgroups`, where the cgroup v2 hierarchy is mounted, show the daemon's own cgroup alone, and not the machine's? So it is
/// where a container has a cgroup namespace of its own and mounts the hierarchy itself. A program that is attached there would
/// see no pod.
pub fn shows_own_cgroup_only(cgroups: &Path) -> bool {
    let Ok(own) = Process::myself() else { return false };
    let mounts = own.mountinfo().map(|mounts| mounts.0).unwrap_or_default();
    let init = Process::new(1).and_then(|init| init.cgroups()).ok();
    let init = init.and_then(|all| all.0.into_iter().find(|one| one.hierarchy == 0)).map(|one| one.pathname);
    is_own_cgroup_only(mount_root(&mounts, cgroups), init.as_deref())
}

/// Both paths are told as seen from the root of the cgroup namespace, so `/..` leads out of it.
fn is_own_cgroup_only(mounted: Option<&str>, init: Option<&str>) -> bool {
    let outside = |path: &str| path == "/.." || path.starts_with("/../");
    init.is_some_and(outside) && mounted.is_some_and(|mounted| !outside(mounted))
}

/// Which folder of its file system is mounted where `path` is.
fn mount_root<'a>(mounts: &'a [MountInfo], path: &Path) -> Option<&'a str> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.mount_point));
    // Of those at one place the last one hides the others.
    let nearest = above.max_by_key(|mount| mount.mount_point.as_os_str().len())?;
    Some(&nearest.root)
}

/// `/proc/self/uid_map` of a machine's own namespace maps every uid to itself.
fn is_user_namespace(map: &str) -> bool {
    let whole = ["0", "0", "4294967295"];
    !map.is_empty() && map.split_whitespace().collect::<Vec<_>>() != whole
}

/// `none integrity [confidentiality]`
fn locked_down(text: &str) -> Lockdown {
    match text.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        Some(("confidentiality", _)) => Lockdown::Confidentiality,
        Some(("integrity", _)) => Lockdown::Integrity,
        _ => Lockdown::None,
    }
}

/// From `/proc/self/attr/current`: `cri-containerd.apparmor.d (enforce)`, `system_u:system_r:container_t:s0:c4,c12`.
fn confined(label: &str, selinux_enforces: &str) -> Option<Confined> {
    let label = label.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if let Some(profile) = label.strip_suffix(" (enforce)") {
        return Some(Confined { by: "AppArmor", label: profile.to_owned() });
    }
    let domain = label.split(':').nth(2)?;
    // Domains that the usual policies let do everything: root's own, and that of privileged containers.
    let free = ["unconfined_t", "spc_t", "kernel_t"].contains(&domain);
    (!free && selinux_enforces.trim() != "0").then(|| Confined { by: "SELinux", label: label.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_seen() {
        let seen = Surroundings::observe();
        let uname = nix::sys::utsname::uname().unwrap();
        assert_eq!(seen.release, uname.release().to_string_lossy());
        assert_ne!(seen.capabilities, u64::MAX);
    }

    #[test]
    fn the_lockdown_in_force_is_the_one_in_brackets() {
        for (text, expected) in [
            ("[none] integrity confidentiality\n", Lockdown::None),
            ("none [integrity] confidentiality\n", Lockdown::Integrity),
            ("none integrity [confidentiality]\n", Lockdown::Confidentiality),
            ("", Lockdown::None),
        ] {
            assert_eq!(locked_down(text), expected, "{text}");
        }
    }

    #[test]
    fn a_label_confines_unless_it_is_free_or_not_enforced() {
        let by =
            |label: &str, enforces| confined(label, enforces).map(|found| format!("{}: {}", found.by, found.label));
        let apparmor = Some("AppArmor: cri-containerd.apparmor.d".to_owned());
        assert_eq!(by("cri-containerd.apparmor.d (enforce)\n", ""), apparmor);
        assert_eq!(by("cri-containerd.apparmor.d (complain)\n", ""), None);
        assert_eq!(by("unconfined\n", ""), None);
        let container = "system_u:system_r:container_t:s0:c4,c12";
        assert_eq!(by(&format!("{container}\0"), "1"), Some(format!("SELinux: {container}")));
        // Whether it enforces cannot be seen from within most containers.
        assert_eq!(by(container, ""), Some(format!("SELinux: {container}")));
        assert_eq!(by(container, "0"), None);
        assert_eq!(by("system_u:system_r:spc_t:s0", "1"), None);
        assert_eq!(by("", ""), None);
    }

    #[test]
    fn uids_that_are_not_the_machines_are_a_namespaces() {
        assert!(!is_user_namespace("         0          0 4294967295\n"));
        assert!(is_user_namespace("         0     100000      65536\n"));
        assert!(!is_user_namespace(""));
    }

    #[test]
    fn only_a_hierarchy_that_the_container_mounted_itself_lacks_the_pods() {
        let mounts = |root: &str| {
            let line = format!("36 25 0:30 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw");
            [
                MountInfo::from_line("25 1 0:20 / / rw - overlay overlay rw").unwrap(),
                MountInfo::from_line(&line).unwrap(),
            ]
        };
        let lacks = |root: &str, init: &str| {
            let mounts = mounts(root);
            is_own_cgroup_only(mount_root(&mounts, Path::new("/sys/fs/cgroup")), Some(init))
        };
        assert!(lacks("/", "/../../../../init.scope"), "a container's own mount in its own namespace");
        assert!(!lacks("/../../../..", "/../../../../init.scope"), "the node's mount (hostPath)");
        assert!(!lacks("/", "/init.scope"), "the machine itself, or a node that is a container");
        assert!(!lacks("/", "/"), "the machine without systemd");
        assert!(!lacks("/..and", "/..and"), "a name that begins with dots");
        assert!(!is_own_cgroup_only(None, Some("/..")) && !is_own_cgroup_only(Some("/"), None));
    }

    #[test]
    fn what_is_mounted_over_another_is_what_shows() {
        let line = |root: &str, point: &str| {
            MountInfo::from_line(&format!("36 25 0:30 {root} {point} rw - cgroup2 cgroup2 rw")).unwrap()
        };
        let mounts = [line("/first", "/a"), line("/second", "/a"), line("/other", "/a/b"), line("/longer", "/ab")];
        assert_eq!(mount_root(&mounts, Path::new("/a/c")), Some("/second"));
        assert_eq!(mount_root(&mounts, Path::new("/a/b/c")), Some("/other"));
    }
}
