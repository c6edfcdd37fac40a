//! `tests/guests.toml`: which guests there are, and where each comes from.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The whole manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The guests, in the order in which they are fetched.
    #[serde(rename = "guest")]
    pub guests: Vec<Guest>,
}

/// One guest: some files out of one Debian package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// Our name for it, and the name of its folder in the cache.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// Debian's suite, such as `trixie`.
    pub suite: String,
    /// Debian's architecture, such as `riscv64`; `source` for a source package, as its author published it.
    pub arch: String,
    /// The package to fetch.
    pub package: String,
    /// For a package that only depends on the one with the files: the latter's prefix.
    #[serde(default)]
    pub holder: Option<String>,
    /// The version that the hashes belong to.
    pub version: String,
    /// What to take out of the package.
    pub files: Vec<File>,
}

/// One file of a guest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path inside the package; `*` stands for any text.
    pub from: String,
    /// If it is a tarball: the folders of it to keep, as a tarball that has nothing else.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Its name in the guest's folder.
    pub to: String,
    /// The hash of its content in the pinned version.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest that this program was built with.
    pub fn read() -> Result<Manifest> {
        toml::from_str(include_str!("../../tests/guests.toml")).context("tests/guests.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_parses_and_names_each_guest_once() {
        let manifest = Manifest::read().unwrap();
        let mut names: Vec<_> = manifest.guests.iter().map(|guest| &guest.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), manifest.guests.len());
        for file in manifest.guests.iter().flat_map(|guest| &guest.files) {
            assert_eq!(file.sha256.len(), 64, "{}", file.from);
        }
    }
}
