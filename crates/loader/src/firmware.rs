//! Finds firmware and other data files by name.

use crate::Class;
use std::{
    env, fmt,
    path::{Path, PathBuf},
};

/// OpenSBI 1.6 for 64 bits inside the guests' cache, where `cargo xtask guests` links it.
const CACHED: &str = "guests/opensbi-1.6/fw_dynamic.bin";

/// OpenSBI under QEMU's name for it.
const fn named(class: Class) -> &'static str {
    match class {
        Class::Bits32 => "opensbi-riscv32-generic-fw_dynamic.bin",
        Class::Bits64 => "opensbi-riscv64-generic-fw_dynamic.bin",
    }
}

/// Where Debian's packages put OpenSBI: `opensbi`, which has none for 32 bits, then QEMU's own copy.
const fn installed(class: Class) -> &'static [&'static str] {
    match class {
        Class::Bits32 => &["/usr/share/qemu/opensbi-riscv32-generic-fw_dynamic.bin"],
        Class::Bits64 => &[
            "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",
            "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",
        ],
    }
}

/// Where named data files are looked for after the folders of `-L`.
const STANDARD: &[&str] = &["/usr/share/hartwright", "/usr/share/qemu"];

/// What `-bios` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bios {
    /// No firmware: harts begin at the kernel.
    None,
    /// OpenSBI, wherever it is.
    Default,
    /// No firmware, because the emulator itself answers the kernel's calls.
    Builtin,
    /// A file of that name.
    File(String),
}

impl Bios {
    /// The value of `-bios`.
    pub fn new(value: &str) -> Self {
        match value {
            "none" => Bios::None,
            "default" => Bios::Default,
            "builtin" => Bios::Builtin,
            file => Bios::File(file.to_owned()),
        }
    }
}

/// Firmware that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// Where.
    pub path: PathBuf,
    /// What to tell the user: which file the default is. `None` when he named it himself.
    pub note: Option<String>,
}

/// Firmware that was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    name: String,
    looked: Vec<PathBuf>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unable to find the RISC-V BIOS \"{}\"", self.name)?;
        for (place, path) in self.looked.iter().enumerate() {
            write!(f, "{} {}", if place == 0 { ": looked for" } else { "," }, path.display())?;
        }
        if self.name == "default" {
            let fetched = self.looked.iter().any(|path| path.ends_with(CACHED));
            f.write_str(if fetched {
                "; `cargo xtask guests` fetches it, -bios FILE names another"
            } else {
                "; -bios FILE names one"
            })?;
        }
        Ok(())
    }
}

impl std::error::Error for NotFound {}

/// The firmware that `bios` asks for, by default one for harts of `class`; `folders` are those of `-L`.
///
/// # Errors
///
/// [`NotFound`] with the places that were tried.
pub fn find_firmware(bios: &Bios, folders: &[PathBuf], class: Class) -> Result<Option<Firmware>, NotFound> {
    match bios {
        Bios::None | Bios::Builtin => Ok(None),
        Bios::File(name) => {
            let path =
                data_file(name, folders).ok_or_else(|| NotFound { name: name.clone(), looked: vec![] })?;
            Ok(Some(Firmware { path, note: None }))
        }
        Bios::Default => {
            // A folder of -L may hold the default under QEMU's name for it.
            let named = folders.iter().map(|f| f.join(named(class)));
            let cached = guests_cache().filter(|_| class == Class::Bits64).map(|cache| cache.join(CACHED));
            let places = named.chain(cached).chain(installed(class).iter().map(PathBuf::from));
            let looked: Vec<PathBuf> = places.collect();
            match looked.iter().find(|path| path.is_file()) {
                Some(path) => {
                    let note = Some(format!("firmware: {} (-bios default)", path.display()));
                    Ok(Some(Firmware { path: path.clone(), note }))
                }
                None => Err(NotFound { name: "default".into(), looked }),
            }
        }
    }
}

/// The data file called `name`: as a path, else in the folders of `-L`, else in the standard places.
pub fn data_file(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let here = Path::new(name);
    if here.exists() {
        return Some(here.to_owned());
    }
    let standard = STANDARD.iter().map(Path::new);
    folders.iter().map(PathBuf::as_path).chain(standard).map(|f| f.join(name)).find(|path| path.is_file())
}

/// The guests' cache: `$HARTWRIGHT_CACHE`, else `$XDG_CACHE_HOME/hartwright`, else `~/.cache/hartwright`.
///
/// xtask, which fills it, says the same in its `cache` module; it links no crate of the emulator.
pub fn guests_cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HARTWRIGHT_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("hartwright")))
        .or_else(|| Some(set("HOME")?.join(".cache/hartwright")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_searched_in_the_named_folders() {
        let folder = env::temp_dir().join(format!("hartwright-firmware-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("mine.bin");
        std::fs::write(&file, b"x").unwrap();
        let folders = [folder.clone()];
        let found = find_firmware(&Bios::new("mine.bin"), &folders, Class::Bits64).unwrap().unwrap();
        assert_eq!(found, Firmware { path: file, note: None });
        assert_eq!(find_firmware(&Bios::new("none"), &folders, Class::Bits64), Ok(None));
        assert_eq!(
            find_firmware(&Bios::new("/nonexist"), &folders, Class::Bits64).unwrap_err().to_string(),
            "Unable to find the RISC-V BIOS \"/nonexist\""
        );
        std::fs::write(folder.join("opensbi-riscv64-generic-fw_dynamic.bin"), b"x").unwrap();
        let found = find_firmware(&Bios::Default, &folders, Class::Bits64).unwrap().unwrap();
        assert!(found.path.starts_with(&folder) && found.note.unwrap().contains("-bios default"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
