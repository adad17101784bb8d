use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;

use super::*;
use crate::probe::Unsupported;
use crate::probe::surroundings::Confined;

const ALL: u64 = u64::MAX;
const SYS_ADMIN: u64 = 1 << 21;
const NET_ADMIN: u64 = 1 << 12;

/// A machine on which all is well.
fn well() -> Surroundings {
    Surroundings { release: "6.12.118-talos".into(), capabilities: ALL, ..Surroundings::default() }
}

fn number(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// A program that was refused; with a verdict: by the verifier.
fn refused(errno: i32, verdict: Option<&str>) -> Error {
    let (verdict, source) = (verdict.map(str::to_owned), Some(number(errno)));
    let reason = verdict.as_ref().map_or_else(|| number(errno).to_string(), |v| format!("{}: {v}", number(errno)));
    LoadError::Program { program: "ma_skmsg", reason, verdict, source }.into()
}

fn denied(errno: i32) -> Error {
    Error::Probe { what: "cannot make a network namespace", source: number(errno) }
}

fn of(error: &Error, around: &Surroundings) -> Cause {
    Unsupported::explain(error, around).cause
}

#[test]
fn an_old_kernel_is_told_by_what_it_refuses() {
    let old = Surroundings { release: "5.10.0-46-cloud-amd64".into(), ..well() };
    let too_old = Cause::TooOld { release: old.release.clone() };
    assert_eq!(of(&refused(libc::EINVAL, Some("unknown func bpf_get_netns_cookie#122")), &old), too_old);
    assert_eq!(of(&Error::Probe { what: "a socket option", source: number(libc::ENOPROTOOPT) }, &old), too_old);
    assert_eq!(of(&BtfError::NoField { structure: "sock".into(), field: "x".into() }.into(), &old), too_old);
    // To allow more, or to build its type information, would not help it.
    let locked = Surroundings { lockdown: Lockdown::Confidentiality, ..old.clone() };
    assert_eq!(of(&refused(libc::EINVAL, Some("unknown func bpf_probe_read_kernel#113")), &locked), too_old);
    // Not everything is the kernel's fault: a time-out of the self-test.
    let late = Error::Probe { what: "a connection failed", source: number(libc::EAGAIN) };
    assert_eq!(of(&late, &old), Cause::Other);
    let said = Unsupported::explain(&refused(libc::EINVAL, Some("unknown func bpf_get_netns_cookie#122")), &old);
    assert_eq!(
        said.to_string(),
        "this kernel (5.10.0-46-cloud-amd64) lacks something that the programs need, which Linux has from 5.15 on: run a newer \
         kernel (the kernel refused the program ma_skmsg: Invalid argument (os error 22): unknown func bpf_get_netns_cookie#122)"
    );
    assert_eq!(said.reason(), "KernelUnsupported");
}

#[test]
fn a_kernel_without_type_information_is_not_called_old() {
    let error = Error::from(BtfError::Read { path: "/sys/kernel/btf/vmlinux".into(), source: number(libc::ENOENT) });
    let said = Unsupported::explain(&error, &well());
    assert_eq!(said.cause, Cause::NoTypeInformation);
    assert_eq!(
        said.to_string(),
        "this kernel has no type information (/sys/kernel/btf/vmlinux), which Linux has from 5.4 on: run a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y, as those of distributions are"
    );
}

#[test]
fn what_a_new_enough_kernel_lacks_is_to_be_reported() {
    let said =
        Unsupported::explain(&BtfError::NoField { structure: "sock".into(), field: "sk_x".into() }.into(), &well());
    assert!(said.to_string().starts_with("this kernel (6.12.118-talos) has no field sk_x in its sock: "), "{said}");
    let verdict = "invalid access to map value";
    let said = Unsupported::explain(&refused(libc::EACCES, Some(verdict)), &well());
    assert_eq!(said.cause, Cause::Refused { release: "6.12.118-talos".into(), program: "ma_skmsg" });
    assert!(said.to_string().contains("please report") && said.to_string().contains(verdict), "{said}");
}

/// Of a Talos node: the verifier says that a helper is not for this program.
#[test]
fn a_locked_kernel_hides_the_helper() {
    let locked = Surroundings { lockdown: Lockdown::Confidentiality, ..well() };
    let verdict = "program of this type cannot use helper bpf_probe_read_kernel#113";
    let said = Unsupported::explain(&refused(libc::EINVAL, Some(verdict)), &locked);
    assert_eq!((&said.cause, said.reason()), (&Cause::LockedDown, "NotPermitted"));
    assert!(said.to_string().contains("lockdown=integrity"), "{said}");
    assert_eq!(of(&refused(libc::EPERM, None), &locked), Cause::LockedDown);
    // Another refusal is another matter, and so is a kernel that is not locked so far.
    assert!(matches!(of(&refused(libc::EACCES, Some("R1 !read_ok")), &locked), Cause::Refused { .. }));
    let integrity = Surroundings { lockdown: Lockdown::Integrity, ..well() };
    assert!(matches!(of(&refused(libc::EINVAL, Some(verdict)), &integrity), Cause::Refused { .. }));
}

#[test]
fn capabilities_that_are_missing_are_named() {
    let with = |capabilities| Surroundings { capabilities, ..well() };
    let lacking = |capabilities| match of(&denied(libc::EPERM), &with(capabilities)) {
        Cause::Capabilities { lacking } => lacking,
        other => panic!("{other:?}"),
    };
    assert_eq!(lacking(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON", "CAP_SYS_ADMIN"]);
    assert_eq!(lacking(ALL & !NET_ADMIN), ["CAP_NET_ADMIN"]);
    assert_eq!(lacking(ALL & !SYS_ADMIN), ["CAP_SYS_ADMIN"]);
    // It was split into the others.
    assert_eq!(of(&denied(libc::EPERM), &with(SYS_ADMIN | NET_ADMIN)), Cause::Denied);
    // The verifier trusts those less who have less.
    let verdict = refused(libc::EACCES, Some("R1 pointer comparison prohibited"));
    assert_eq!(of(&verdict, &with(ALL & !SYS_ADMIN)), Cause::Capabilities { lacking: vec!["CAP_SYS_ADMIN"] });
    let said = Unsupported::explain(&denied(libc::EPERM), &with(0)).to_string();
    assert!(said.starts_with("the daemon lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN: "), "{said}");
}

#[test]
fn all_capabilities_of_a_user_namespace_are_not_enough() {
    let inside = Surroundings { user_namespace: true, seccomp: true, ..well() };
    assert_eq!(of(&refused(libc::EPERM, None), &inside), Cause::UserNamespace);
    assert_eq!(of(&refused(libc::EPERM, None), &Surroundings { capabilities: 0, ..inside }), Cause::UserNamespace);
}

#[test]
fn who_denies_it_is_named_if_that_can_be_told() {
    let confined = Confined { by: "SELinux", label: "system_u:system_r:container_t:s0".into() };
    // In a cluster there always is a filter, too.
    let around = Surroundings { confined: Some(confined.clone()), seccomp: true, ..well() };
    for errno in [libc::EACCES, libc::EPERM] {
        // As deep as aya has it.
        let source = MapError::CreateError { name: "ma_pods".into(), io_error: number(errno) };
        let error = Error::from(LoadError::Object(Box::new(EbpfError::MapError(source))));
        assert_eq!(of(&error, &around), Cause::Confined(confined.clone()));
        assert_eq!(of(&error, &Surroundings { seccomp: true, ..well() }), Cause::Filtered);
        assert_eq!(of(&error, &well()), Cause::Denied);
    }
    let said = Unsupported::explain(&refused(libc::EACCES, None), &around);
    assert!(said.to_string().starts_with("SELinux does not permit it to the daemon (system_u:"), "{said}");
    assert_eq!(said.reason(), "NotPermitted");
}

#[test]
fn mounts_that_are_missing_are_told_with_their_place() {
    let at = PathBuf::from("/host/cgroup");
    let said = |error: Error| {
        let said = Unsupported::explain(&error, &well());
        assert_eq!(said.reason(), "MountMissing", "{said}");
        said.to_string()
    };
    assert_eq!(
        said(Error::NoCgroup2 { at: at.clone() }),
        "no cgroup v2 hierarchy is mounted at /host/cgroup or /host/cgroup/unified, which Linux has from 4.5 on: mount one (mount \
         -t cgroup2 none /sys/fs/cgroup/unified), or name another place by --cgroup-root"
    );
    assert_eq!(
        said(Error::OwnCgroupOnly { at }),
        "/host/cgroup shows the daemon's own cgroup only (a private cgroup namespace), not those of pods: give its container the \
         machine's /sys/fs/cgroup (hostPath, or --cgroupns=host), and name it by --cgroup-root"
    );
    let path = PathBuf::from("/sys/fs/bpf");
    for error in [
        PinsError::NotBpffs { path: path.clone() },
        PinsError::NotMounted { path: path.clone() },
        PinsError::Mount(number(libc::ENODEV)),
    ] {
        let said = said(error.into());
        assert!(said.starts_with("/sys/fs/bpf is not on a BPF file system, "), "{said}");
        assert!(said.contains("mount -t bpf bpf /sys/fs/bpf"), "{said}");
    }
    // It may not be mounted by this process: another matter.
    assert_eq!(of(&PinsError::Mount(number(libc::EACCES)).into(), &well()), Cause::Denied);
}

#[test]
fn anything_else_is_told_as_it_is() {
    let error = Error::from(LoadError::Pin { path: "/sys/fs/bpf/x".into(), source: number(libc::ENOSPC) });
    let said = Unsupported::explain(&error, &well());
    assert_eq!((&said.cause, said.reason()), (&Cause::Other, "Failed"));
    assert!(said.to_string().contains("cannot pin /sys/fs/bpf/x: No space left on device"), "{said}");
}

#[test]
fn programs_read_it_in_parts() {
    let error = Error::from(BtfError::Read { path: "/sys/kernel/btf/vmlinux".into(), source: number(libc::ENOENT) });
    let json = serde_json::to_value(Unsupported::explain(&error, &well())).unwrap();
    assert_eq!(json["reason"], "KernelUnsupported");
    assert_eq!(json["since"], "5.4");
    for part in ["missing", "remedy", "seen", "sentence"] {
        assert!(json[part].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    }
}

#[test]
fn releases_are_compared_by_their_first_two_numbers() {
    for (release, expected) in
        [("5.10.0-46-amd64", Some((5, 10))), ("6.1", Some((6, 1))), ("7.3-rc1+", Some((7, 3))), ("x", None)]
    {
        assert_eq!(version(release), expected, "{release}");
    }
    assert!(version("5.15.0-91-generic").unwrap() >= OLDEST);
}
