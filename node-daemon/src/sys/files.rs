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

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: (u32, u32),
    inode: u64,
    mount: u64,
}

/// Of what `path` leads to.
pub fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: all zero is a valid statx.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let asked = libc::STATX_INO | libc::STATX_MNT_ID;
    // SAFETY: the path is a C string, and the kernel fills in the structure.
    let result = unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, asked, &raw mut found) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let device = (found.stx_dev_major, found.stx_dev_minor);
    Ok(Identity { device, inode: found.stx_ino, mount: found.stx_mnt_id })
}
