//! The guests' cache: one folder outside the clone, whose files are named by their content.
//!
//! `store/SHA256` holds a file; `guests/NAME/FILE` is a link to one. Both appear by renaming, so a
//! run that is killed leaves nothing half-written behind a name that somebody reads.

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// A cache of guest software in a folder of its own.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The user's cache: `$HARTWRIGHT_CACHE`, else `$XDG_CACHE_HOME/hartwright`, else `~/.cache/hartwright`.
    pub fn of_user() -> Result<Cache> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("HARTWRIGHT_CACHE")
            .or_else(|| Some(set("XDG_CACHE_HOME")?.join("hartwright")))
            .or_else(|| Some(set("HOME")?.join(".cache/hartwright")))
            .ok_or_else(|| anyhow!("no folder for guests: set HARTWRIGHT_CACHE, XDG_CACHE_HOME or HOME"))?;
        Ok(Cache { root: std::path::absolute(root)? })
    }

    /// A cache in `root`.
    pub fn at(root: impl Into<PathBuf>) -> Cache {
        Cache { root: root.into() }
    }

    /// The folder of the whole cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the guest `name`, whether or not it has been fetched.
    pub fn guest(&self, name: &str) -> PathBuf {
        self.root.join("guests").join(name)
    }

    /// The file of guest `name` called `file`; the error names the command that fetches it.
    pub fn file(&self, name: &str, file: &str) -> Result<PathBuf> {
        let path = self.guest(name).join(file);
        match path.exists() {
            true => Ok(path),
            false => bail!("{} is not there: run `cargo xtask guests {name}`", path.display()),
        }
    }

    /// A new, empty folder for work in progress, on the same file system as the store.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join("tmp").join(format!("{name}-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Puts `bytes` into the store; answers their hash.
    pub fn store(&self, bytes: &[u8]) -> Result<String> {
        let hash = sha256(bytes);
        let path = self.stored(&hash);
        if !self.holds(&hash) {
            replace(&path, |new| fs::write(new, bytes))?;
        }
        Ok(hash)
    }

    /// Makes `guests/name/file` a link to the stored file `hash`.
    pub fn link(&self, name: &str, file: &str, hash: &str) -> Result<()> {
        let target = Path::new("../../store").join(hash);
        replace(&self.guest(name).join(file), |new| std::os::unix::fs::symlink(&target, new))
    }

    /// Writes the small text `file` beside the links of guest `name`.
    pub fn note(&self, name: &str, file: &str, text: &str) -> Result<()> {
        replace(&self.guest(name).join(file), |new| fs::write(new, text))
    }

    /// The hash of the stored file behind `guests/name/file`, if it is there and undamaged.
    pub fn linked(&self, name: &str, file: &str) -> Option<String> {
        let target = fs::read_link(self.guest(name).join(file)).ok()?;
        let hash = target.file_name()?.to_str()?.to_owned();
        self.holds(&hash).then_some(hash)
    }

    /// Whether the store has the file `hash` and its content still has that hash.
    pub fn holds(&self, hash: &str) -> bool {
        fs::read(self.stored(hash)).is_ok_and(|bytes| sha256(&bytes) == hash)
    }

    fn stored(&self, hash: &str) -> PathBuf {
        self.root.join("store").join(hash)
    }
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets `make` create a file under a temporary name and then renames it to `path`.
fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().ok_or_else(|| anyhow!("{} has no folder", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&new);
    fs::create_dir_all(folder)
        .and_then(|()| make(&new))
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &str) -> Cache {
        let root = env::temp_dir().join(format!("hartwright-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Cache::at(root)
    }

    #[test]
    fn a_linked_file_is_found_by_its_guest() {
        let cache = cache("link");
        let hash = cache.store(b"firmware").unwrap();
        cache.link("fw", "fw.bin", &hash).unwrap();
        assert_eq!(fs::read(cache.file("fw", "fw.bin").unwrap()).unwrap(), b"firmware");
        assert_eq!(cache.linked("fw", "fw.bin"), Some(hash));
        fs::remove_dir_all(cache.root()).unwrap();
    }

    #[test]
    fn a_damaged_file_is_not_held_and_can_be_stored_again() {
        let cache = cache("damage");
        let hash = cache.store(b"kernel").unwrap();
        fs::write(cache.root().join("store").join(&hash), b"kern").unwrap();
        assert!(!cache.holds(&hash));
        assert_eq!(cache.store(b"kernel").unwrap(), hash);
        assert!(cache.holds(&hash));
        fs::remove_dir_all(cache.root()).unwrap();
    }

    #[test]
    fn a_missing_guest_names_the_command_that_fetches_it() {
        let error = cache("missing").file("linux", "vmlinux").unwrap_err().to_string();
        assert!(error.ends_with("linux/vmlinux is not there: run `cargo xtask guests linux`"), "{error}");
    }
}
