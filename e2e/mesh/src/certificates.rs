//! Identities of the mesh: a small certificate authority and one certificate a pod, with the SPIFFE name that Istio
//! would give its service account. Valid for a day.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::process::User;

/// A directory with `ca.crt`, and `<pod>.crt` and `<pod>.key` for each pod.
pub struct Certificates {
    directory: PathBuf,
    authority: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Makes the authority.
    pub fn new(directory: &Path) -> Result<Self> {
        let directory = directory.join("certificates");
        std::fs::create_dir(&directory)?;
        let mut parameters = valid_for_a_day();
        parameters.distinguished_name.push(DnType::OrganizationName, "cluster.local");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key()?;
        let certificate = parameters.self_signed(&key)?;
        std::fs::write(directory.join("ca.crt"), certificate.pem())?;
        Ok(Self { directory, authority: Issuer::new(parameters, key) })
    }

    /// Makes the key and certificate of a pod, readable by its sidecar alone.
    pub fn issue(&self, pod: &str, user: User) -> Result<()> {
        let mut parameters = valid_for_a_day();
        let name = spiffe(pod).try_into().context("a name that is no IA5String")?;
        // Critical, since the subject is empty (RFC 5280, 4.2.1.6); so rcgen has it.
        parameters.subject_alt_names = vec![SanType::URI(name)];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = key()?;
        let certificate = parameters.signed_by(&key, &self.authority)?;
        std::fs::write(self.file(&format!("{pod}.crt")), certificate.pem())?;
        let path = self.file(&format!("{pod}.key"));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, key.serialize_pem().as_bytes())?;
        std::os::unix::fs::chown(&path, Some(user.0), Some(user.0))?;
        Ok(())
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of one file.
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).to_string_lossy().into_owned()
    }
}

/// Elliptic-curve keys, as Istio's certificates have them: RSA would make handshakes the test.
fn key() -> Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("cannot make a key")
}

fn valid_for_a_day() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    // Clocks of machines differ a little.
    parameters.not_before = OffsetDateTime::now_utc() - Duration::minutes(5);
    parameters.not_after = OffsetDateTime::now_utc() + Duration::days(1);
    parameters
}

/// The identity of a pod.
pub fn spiffe(pod: &str) -> String {
    format!("spiffe://cluster.local/ns/default/sa/{pod}")
}
