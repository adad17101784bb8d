//! The kernels that scripts/kernels.sh unpacked, and what is expected of each.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::parts;

use crate::report::Expect;

/// The first version that has all that is needed.
const FIRST: (u32, u32) = (5, 15);

/// A processor that is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    Amd64,
    Arm64,
}

impl Processor {
    /// Debian's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub processor: Processor,
    /// `uname -r`.
    pub release: String,
    /// The package's version, which begins with the kernel's.
    pub version: String,
    pub suite: String,
    pub image: PathBuf,
}

impl Kernel {
    /// A line of the list, as scripts/kernels.sh writes it.
    fn parse(line: &str) -> Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [processor, release, version, suite, image] = fields[..] else { bail!("not a kernel: {line:?}") };
        let processor = match processor {
            "amd64" => Processor::Amd64,
            "arm64" => Processor::Arm64,
            other => bail!("an unknown processor: {other}"),
        };
        let kernel = Self {
            processor,
            release: release.to_owned(),
            version: version.to_owned(),
            suite: suite.to_owned(),
            image: image.into(),
        };
        kernel.series().with_context(|| format!("no version: {line:?}"))?;
        Ok(kernel)
    }

    /// Major and minor number.
    fn series(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split('.').map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }

    /// The upstream version: `6.12.43`.
    pub fn upstream(&self) -> &str {
        self.version.split(['-', '+', '~']).next().unwrap_or(&self.version)
    }

    /// What has to be seen.
    pub fn expect(&self) -> Expect {
        if self.series().is_some_and(|series| series >= FIRST) { Expect::Works } else { Expect::Refused }
    }

    /// The test's name.
    pub fn title(&self) -> String {
        format!("linux_{}_{}_{}", self.version, self.processor.name(), self.suite)
    }
}

/// The list of this name: `smoke` or `all`.
pub fn kernels(list: &str) -> Result<Vec<Kernel>> {
    let path = parts::cached(&format!("kernels/{list}")).context("scripts/kernels.sh has unpacked no kernels")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kernels: Vec<Kernel> = text.lines().map(Kernel::parse).collect::<Result<_>>()?;
    ensure!(!kernels.is_empty(), "{path} lists no kernel");
    for kernel in &kernels {
        ensure!(kernel.image.is_file(), "{} is missing: run scripts/kernels.sh", kernel.image.display());
    }
    Ok(kernels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(version: &str) -> Kernel {
        Kernel::parse(&format!("amd64\t6.1.0-56-cloud-amd64\t{version}\tbookworm\t/k/vmlinuz")).unwrap()
    }

    #[test]
    fn a_kernel_before_the_first_that_can_is_to_be_refused() {
        assert_eq!(kernel("5.10.262-1").expect(), Expect::Refused);
        assert_eq!(kernel("5.15.1-1").expect(), Expect::Works);
        assert_eq!(kernel("6.1.192-2").expect(), Expect::Works);
        assert_eq!(kernel("10.0.1-1").expect(), Expect::Works);
    }

    #[test]
    fn a_line_is_read_whole() {
        let kernel = kernel("6.12.43-1~bpo12+1");
        assert_eq!(kernel.upstream(), "6.12.43");
        assert_eq!(kernel.title(), "linux_6.12.43-1~bpo12+1_amd64_bookworm");
        assert!(Kernel::parse("amd64\t6.1").is_err());
    }
}
