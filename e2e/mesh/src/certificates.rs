//! Identities of the mesh: a small certificate authority and one certificate a pod, with the SPIFFE name that Istio
//! would give its service account. Made by the openssl program; valid for a day.

use std::path::{Path, PathBuf};

use anyhow::Result;
use meshaccel_e2e_harness::netns::run;

use super::process::User;

/// A directory with `ca.crt`, and `<pod>.crt` and `<pod>.key` for each pod.
#[derive(Debug)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes the authority.
    pub fn new(directory: &Path) -> Result<Self> {
        let certificates = Self { directory: directory.join("certificates") };
        std::fs::create_dir(&certificates.directory)?;
        let (key, certificate) = (certificates.file("ca.key"), certificates.file("ca.crt"));
        let subject = ["-subj", "/O=cluster.local", "-days", "1", "-keyout", &key, "-out", &certificate];
        run("openssl", &[&["req", "-x509", "-nodes"][..], &KEY, &subject].concat())?;
        Ok(certificates)
    }

    /// Makes the key and certificate of a pod, readable by its sidecar alone.
    pub fn issue(&self, pod: &str, user: User) -> Result<()> {
        let (key, request) = (self.file(&format!("{pod}.key")), self.file(&format!("{pod}.csr")));
        let (certificate, extensions) = (self.file(&format!("{pod}.crt")), self.file(&format!("{pod}.ext")));
        let subject = ["-subj", "/", "-keyout", &key, "-out", &request];
        run("openssl", &[&["req", "-nodes"][..], &KEY, &subject].concat())?;
        let name = spiffe(pod);
        std::fs::write(
            &extensions,
            format!(
                "subjectAltName=critical,URI:{name}\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\n"
            ),
        )?;
        let (ca, ca_key) = (self.file("ca.crt"), self.file("ca.key"));
        run(
            "openssl",
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-CAcreateserial",
                "-days",
                "1",
                "-extfile",
                &extensions,
                "-out",
                &certificate,
            ],
        )?;
        std::os::unix::fs::chown(&key, Some(user.0), Some(user.0))?;
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
const KEY: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/// The identity of a pod.
pub fn spiffe(pod: &str) -> String {
    format!("spiffe://cluster.local/ns/default/sa/{pod}")
}
