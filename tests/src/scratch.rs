//! A folder for one test's files, which goes when the test does.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder of its own; dropped, it is deleted.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Default for Scratch {
    fn default() -> Scratch {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("hartwright-test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Scratch { folder }
    }
}

impl Scratch {
    /// Where the file `name` is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the file `name`; answers where it is.
    #[track_caller]
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Makes the file `name` of instructions for the address where harts start; answers where it is.
    #[track_caller]
    pub fn code(&self, name: &str, instructions: &[u32]) -> PathBuf {
        self.file(name, instructions.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    /// The text of the file `name`, which the program has written.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }
}

#[track_caller]
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
