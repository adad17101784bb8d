//! What kind of file system a path is on, and mounting bpffs.

use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, statfs};

const BPF_FS: FsType = FsType(0xcafe_4a11);
const CGROUP2: FsType = FsType(0x6367_7270);
const CGROUP1: FsType = FsType(0x0027_e0eb);
const NSFS: FsType = FsType(0x6e73_6673);

/// Where cgroup hierarchies are mounted unless told otherwise.
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// Is `path` on a BPF file system?
pub fn is_bpffs(path: &Path) -> bool {
    kind(path) == Some(BPF_FS)
}

/// Is `path` in the cgroup v2 hierarchy?
pub fn is_cgroup2(path: &Path) -> bool {
    kind(path) == Some(CGROUP2)
}

/// Is `path` in a cgroup v1 hierarchy?
pub fn is_cgroup1(path: &Path) -> bool {
    kind(path) == Some(CGROUP1)
}

/// Does `path` name a namespace?
pub fn is_namespace(path: &Path) -> bool {
    kind(path) == Some(NSFS)
}

fn kind(path: &Path) -> Option<FsType> {
    statfs(path).ok().map(|s| s.filesystem_type())
}

/// The root of the cgroup v2 hierarchy below where hierarchies are mounted: that itself, or `unified` on hybrid systems.
pub fn cgroup2_root(mounted: &Path) -> Option<PathBuf> {
    [mounted.to_owned(), mounted.join("unified")].into_iter().find(|path| is_cgroup2(path))
}

/// Is this mount namespace another than that of process 1? Where that may not be asked, it is taken for the machine's.
pub fn is_in_container() -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    match (namespace("1"), namespace("self")) {
        (Some(init), Some(own)) => init != own,
        _ => false,
    }
}

/// Mounts a BPF file system at `path`.
pub fn mount_bpffs(path: &Path) -> io::Result<()> {
    mount(
        Some("bpf"),
        path,
        Some("bpf"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        Some("mode=0700"),
    )
    .map_err(io::Error::from)
}

/// What tells one file from another that is there at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: (u32, u32),
    inode: u64,
    mount: u64,
    /// No other mount ever has its number (Linux 6.8). Inodes of namespaces, and mounts before, are numbered anew as soon as the
    /// last of a number is gone: `ip netns del`, a moment, and `ip netns add` gives the same ones.
    mount_is_unique: bool,
}

impl Identity {
    /// No other file, at whatever time, is mistaken for this one: it has a mount of its own. `unnamed` has not: the files in
    /// /proc/PID/ns are all on the kernel's own mount.
    pub fn is_for_ever(&self, unnamed: Option<Self>) -> bool {
        self.mount_is_unique && unnamed.is_some_and(|unnamed| unnamed.mount != self.mount)
    }
}

/// Of what `path` leads to.
pub fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::ffi::OsStrExt;
    const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: all zero is a valid statx.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // Kernels ignore what they do not know, and say what they have filled in.
    let asked = libc::STATX_INO | libc::STATX_MNT_ID | STATX_MNT_ID_UNIQUE;
    // SAFETY: the path is a C string, and the kernel fills in the structure.
    let result = unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, asked, &raw mut found) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let device = (found.stx_dev_major, found.stx_dev_minor);
    let mount_is_unique = found.stx_mask & STATX_MNT_ID_UNIQUE != 0;
    Ok(Identity { device, inode: found.stx_ino, mount: found.stx_mnt_id, mount_is_unique })
}
