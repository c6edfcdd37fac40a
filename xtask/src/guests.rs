//! `cargo xtask guests`: guest software from Debian's archive into the cache.

use crate::{
    cache::{Cache, sha256},
    debian::{self, Archive},
    initramfs, kallsyms,
    manifest::{Guest, Manifest},
    peers, trixie,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A file that is made here out of fetched ones.
struct Made {
    guest: &'static str,
    to: &'static str,
    /// Of which guest which files, in what order.
    from: &'static [(&'static str, &'static [&'static str])],
    make: fn(&[Vec<u8>]) -> Result<Vec<u8>>,
}

const MADE: [Made; 3] = [
    Made {
        guest: "busybox",
        to: "initrd.gz",
        from: &[("busybox", &["busybox"])],
        make: |from| initramfs::build(&from[0]),
    },
    Made {
        guest: "linux",
        to: "vmlinux.sym",
        from: &[("linux", &["vmlinux"])],
        make: |from| Ok(kallsyms::elf(&kallsyms::read(&from[0])?)),
    },
    Made {
        guest: "linux",
        to: "initrd.disk.gz",
        from: &[("busybox", &["busybox"]), ("linux", &MODULES)],
        make: |from| initramfs::for_disk(&from[0], &from[1..]),
    },
];

/// [`initramfs::MODULES`], by the names they have in the cache.
const MODULES: [&str; initramfs::MODULES.len()] = [
    "crc32c_generic.ko.xz",
    "crc16.ko.xz",
    "mbcache.ko.xz",
    "jbd2.ko.xz",
    "ext4.ko.xz",
    "virtio_mmio.ko.xz",
    "virtio_blk.ko.xz",
];

/// Fetches the guests `names`, or all but [`trixie`], which takes long to make. `peers`, which is no guest, is QEMU 11.
pub fn fetch(names: &[String]) -> Result<()> {
    let cache = Cache::of_user()?;
    let manifest = Manifest::read()?;
    for name in names {
        known(&manifest, name)?;
    }
    let named = |name: &str| names.iter().any(|named| named == name);
    let trixie = named(trixie::NAME);
    let made = || MADE.iter().filter(|made| names.is_empty() || named(made.guest));
    let wanted = |name: &str| {
        let source = made().flat_map(|made| made.from).any(|(guest, _)| *guest == name);
        names.is_empty() || named(name) || source || (trixie && name == trixie::SHELL)
    };
    let mut archives = BTreeMap::new();
    for guest in manifest.guests.iter().filter(|guest| wanted(&guest.name)) {
        let how = fetch_one(&cache, guest, &mut archives).with_context(|| guest.name.clone())?;
        eprintln!("{:12} {how}", guest.name);
    }
    for made in made() {
        make(&cache, made)?;
    }
    if names.is_empty() || named(peers::NAME) || trixie {
        peers::fetch(&cache)?;
    }
    if trixie {
        trixie::make(&cache).context(trixie::NAME)?;
    }
    Ok(())
}

/// Makes a file out of fetched ones, anew each time: it costs a second at most, and the recipe may have changed.
fn make(cache: &Cache, made: &Made) -> Result<()> {
    let files = made.from.iter().flat_map(|(guest, files)| files.iter().map(move |file| (guest, file)));
    let from =
        files.map(|(guest, file)| Ok(fs::read(cache.file(guest, file)?)?)).collect::<Result<Vec<_>>>()?;
    match (made.make)(&from) {
        Ok(bytes) => cache.link(made.guest, made.to, &cache.store(&bytes)?)?,
        // A newer kernel may keep its symbols otherwise; it boots all the same.
        Err(error) => eprintln!("note: {} of {} cannot be made: {error:#}", made.to, made.guest),
    }
    Ok(())
}

/// The folder of guest `name`, which must have been fetched.
pub fn path(name: &str) -> Result<PathBuf> {
    known(&Manifest::read()?, name)?;
    let folder = Cache::of_user()?.guest(name);
    ensure!(folder.is_dir(), "{name} has not been fetched: run `cargo xtask guests {name}`");
    Ok(folder)
}

/// The guests that there are, one a line.
pub fn list() -> Result<String> {
    let rows = Manifest::read()?.guests;
    let rows = rows.iter().map(|guest| format!("  {:12} {} ({})\n", guest.name, guest.about, guest.version));
    let others = [(trixie::NAME, trixie::ABOUT), (peers::NAME, peers::ABOUT)];
    Ok(rows.chain(others.map(|(name, about)| format!("  {name:12} {about}\n"))).collect())
}

fn known(manifest: &Manifest, name: &str) -> Result<()> {
    if [peers::NAME, trixie::NAME].contains(&name) || manifest.guests.iter().any(|guest| guest.name == name) {
        return Ok(());
    }
    bail!("there is no guest called {name}; there are\n{}", list()?)
}

/// Brings one guest into the cache; answers in words what was done.
fn fetch_one(
    cache: &Cache,
    guest: &Guest,
    archives: &mut BTreeMap<(String, String), Archive>,
) -> Result<String> {
    let pinned = guest.files.iter().all(|file| cache.holds(&file.sha256));
    let present = guest.files.iter().all(|file| cache.linked(&guest.name, &file.to).is_some());
    Ok(if pinned {
        for file in &guest.files {
            cache.link(&guest.name, &file.to, &file.sha256)?;
        }
        cache.note(&guest.name, "VERSION", &guest.version)?;
        format!("{} from the cache", guest.version)
    } else if present {
        let version = fs::read_to_string(cache.guest(&guest.name).join("VERSION"))?;
        format!("{version} from the cache (tests/guests.toml names {})", guest.version)
    } else {
        eprintln!("{:12} fetching {} of {} for {}", guest.name, guest.package, guest.suite, guest.arch);
        let key = (guest.suite.clone(), guest.arch.clone());
        if !archives.contains_key(&key) {
            archives.insert(key.clone(), Archive::open(cache, &guest.suite, &guest.arch)?);
        }
        let version = download(cache, guest, &archives[&key])?;
        format!("{version} fetched")
    })
}

/// Takes the guest's files out of its package into the store; answers the version.
fn download(cache: &Cache, guest: &Guest, archive: &Archive) -> Result<String> {
    let package = match &guest.holder {
        Some(prefix) => archive.dependency(&guest.package, prefix)?,
        None => guest.package.clone(),
    };
    let folder = cache.scratch(&guest.name)?;
    let inside = folder.join("inside");
    fs::create_dir_all(&inside)?;
    let patterns: Vec<_> = guest.files.iter().map(|file| file.from.as_str()).collect();
    let version = archive.take(&package, &guest.version, &patterns, &inside)?;
    for file in &guest.files {
        let found = find(&inside, &file.from)?;
        let bytes = match file.keep.is_empty() {
            true => fs::read(found)?,
            false => debian::repack(&found, &file.keep, &folder)?,
        };
        let hash = sha256(&bytes);
        ensure!(
            hash == file.sha256 || version != guest.version,
            "{} of {package} {version} has sha256 {hash}, and tests/guests.toml says {}",
            file.from,
            file.sha256
        );
        cache.store(&bytes)?;
        cache.link(&guest.name, &file.to, &hash)?;
        eprintln!("{:12} {} {} bytes, sha256 {hash}", guest.name, file.to, bytes.len());
    }
    cache.note(&guest.name, "VERSION", &version)?;
    fs::remove_dir_all(&folder)?;
    Ok(version)
}

/// The one file below `root` that `pattern` names; in each of its parts a `*` may stand for any text.
pub(crate) fn find(root: &Path, pattern: &str) -> Result<PathBuf> {
    let mut path = root.to_owned();
    for part in pattern.split('/') {
        let Some((before, after)) = part.split_once('*') else {
            path.push(part);
            continue;
        };
        let matches = |name: &str| name.starts_with(before) && name.ends_with(after);
        let mut found = fs::read_dir(&path)?.filter_map(Result::ok).map(|entry| entry.path());
        let found = found.find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(matches));
        path = found.ok_or_else(|| anyhow!("{} holds no {pattern}", root.display()))?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_that_an_initrd_loads_are_files_of_the_kernel_in_the_same_order() {
        let manifest = Manifest::read().unwrap();
        let linux = manifest.guests.iter().find(|guest| guest.name == "linux").unwrap();
        let kept: Vec<_> = linux.files.iter().filter(|file| file.to.ends_with(".ko.xz")).collect();
        let paths: Vec<_> = kept.iter().map(|file| file.from.as_str()).collect();
        assert_eq!(paths, initramfs::MODULES.map(|path| format!("usr/lib/modules/*/kernel/{path}.ko.xz")));
        let names: Vec<_> = kept.iter().map(|file| file.to.as_str()).collect();
        assert_eq!(names, MODULES);
    }

    #[test]
    fn a_star_stands_for_any_text_in_a_folders_name_too() {
        let root = std::env::temp_dir().join(format!("hartwright-find-{}", std::process::id()));
        let file = root.join("lib/6.12.0-riscv64/fs/ext4.ko.xz");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(find(&root, "lib/*/fs/ext4.ko*").unwrap(), file);
        assert!(find(&root, "lib/*/fs/xfs*").unwrap_err().to_string().ends_with("holds no lib/*/fs/xfs*"));
        fs::remove_dir_all(&root).unwrap();
    }
}
