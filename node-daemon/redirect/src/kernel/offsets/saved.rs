//! The table of fields against the type information of kernels that are not running here (of Debian, named by release), as
//! `examples/save_btf.rs` saved it; `scripts/save-btf.sh` saves it anew when the table gets a field. A wrong width is seen
//! here and not on a node: some of them the verifier refuses, others would be read wrongly.

use meshaccel_abi::field::{Field, Width};
use meshaccel_abi::redirect::Offsets;
use meshaccel_bpf::btf::{Btf, BtfError};

use super::{fields, span};

macro_rules! saved {
    ($($release:literal),*) => { &[$( ($release, include_bytes!(concat!("saved/", $release, ".btf"))) ),*] };
}

const SAVED: &[(&str, &[u8])] = saved![
    "6.1.0-56-cloud-amd64",
    "6.1.0-56-cloud-arm64",
    "6.12.118+deb13-cloud-amd64",
    "6.12.118+deb13-cloud-arm64",
    "6.18.15+deb13-cloud-amd64",
    "6.18.15+deb13-cloud-arm64",
    "7.3.4+deb13-cloud-amd64",
    "7.3.4+deb13-cloud-arm64"
];

/// What is older than Linux 5.15 may lack fields.
const TOO_OLD: &[(&str, &[u8])] = saved!["5.10.0-46-cloud-amd64"];

fn offsets(bytes: &[u8]) -> Result<Offsets, BtfError> {
    fields(&Btf::parse(bytes.to_vec()).unwrap())
}

/// One field of the first kernel of [`SAVED`].
fn error(paths: &'static [&'static str], width: Width) -> String {
    let field = Field { name: "field", paths, width, optional: false };
    let btf = Btf::parse(SAVED[0].1.to_vec()).unwrap();
    span(&btf, &mut |name| btf.id(name, super::STRUCT), &field).unwrap_err().to_string()
}

#[test]
fn every_field_can_be_loaded_on_every_saved_kernel() {
    for (release, bytes) in SAVED {
        let found = offsets(bytes).unwrap_or_else(|error| panic!("{release}: {error}"));
        // What this test is for: widths that differ between kernels and between architectures.
        assert_eq!(found.stamp_flags.is_narrow(), release.starts_with("6.1."), "{release}");
        assert_eq!(found.call_number.is_narrow(), release.ends_with("arm64"), "{release}");
        let userlocks = if release.starts_with("6.1.") { 0xf } else { 0xff };
        assert_eq!(found.userlocks.of(0xff), userlocks, "{release}");
        assert_eq!(found.shutdown.of(0xff), 0xff, "{release}");
        assert_eq!(found.queue_asked.of(0xff), 1, "{release}");
        // Linux has named them so since 5.13.
        let programs =
            [found.psock_msg_parser, found.psock_stream_parser, found.psock_stream_verdict, found.psock_skb_verdict];
        assert_eq!(programs.map(|at| u64::from(at) - u64::from(programs[0])), [0, 8, 16, 24], "{release}");
    }
}

#[test]
fn registers_are_those_of_the_architecture() {
    for (release, bytes) in SAVED {
        let found = offsets(bytes).unwrap();
        let third = u64::from(found.call_third);
        // struct pt_regs: as ptrace(2) shows it on amd64, x0 first on arm64.
        let expected = if release.ends_with("arm64") { (16, 24, 40) } else { (96, 56, 64) };
        assert_eq!((third, found.call_fourth.into(), found.call_sixth.into()), expected, "{release}");
    }
}

#[test]
fn a_kernel_without_a_needed_field_is_refused() {
    for (release, bytes) in TOO_OLD {
        let error = offsets(bytes).unwrap_err().to_string();
        assert_eq!(error, "this kernel's sk_psock has no field saved_data_ready", "{release}");
    }
}

#[test]
fn a_field_of_another_width_is_refused_by_name() {
    assert_eq!(
        error(&["sock.sk_tsflags"], Width::Bytes(&[4])),
        "this kernel's sock has a field sk_tsflags of 2 bytes, where meshaccel can read 4 bytes"
    );
    assert_eq!(
        error(&["sock.sk_userlocks"], Width::Bytes(&[1, 2])),
        "this kernel's sock has a field sk_userlocks of 4 bits from bit 4, where meshaccel can read 1 byte or 2 bytes"
    );
    assert_eq!(
        error(&["sock.sk_protocol"], Width::Bits),
        "this kernel's sock has a field sk_protocol of 2 bytes, where meshaccel can read bits of one byte"
    );
    assert_eq!(error(&["sock.sk_nothing"], Width::Bits), "this kernel's sock has no field sk_nothing");
    assert_eq!(error(&["nothing.sk_tsflags"], Width::Bits), "this kernel's nothing has no field sk_tsflags");
}

/// A second look that depends on nothing here: what the UAPI and the generic headers fix.
#[test]
fn what_never_moves_has_not_moved() {
    for (release, bytes) in SAVED {
        let found = offsets(bytes).unwrap();
        // struct sock_common begins with addresses, ports, family, state (include/net/sock.h).
        let common = [found.remote_v4, found.local_v4].map(u64::from);
        assert_eq!(common, [0, 4], "{release}");
        assert_eq!([found.remote_port, found.local_port, found.family].map(u64::from), [12, 14, 16], "{release}");
        assert_eq!(found.state.offset(), 18, "{release}");
    }
}
