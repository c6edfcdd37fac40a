//! `cargo xtask guests`: guest software from Debian's archive into the cache.

use crate::{
    cache::{Cache, sha256},
    debian::{self, Archive},
    initramfs, kallsyms,
    manifest::{Guest, Manifest},
    peers,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{collections::BTreeMap, fs, path::Path};

/// A file that is made here out of a fetched one.
struct Made {
    guest: &'static str,
    from: &'static str,
    to: &'static str,
    make: fn(&[u8]) -> Result<Vec<u8>>,
}

const MADE: [Made; 2] = [
    Made { guest: "busybox", from: "busybox", to: "initrd.gz", make: initramfs::build },
    Made {
        guest: "linux",
        from: "vmlinux",
        to: "vmlinux.sym",
        make: |image| Ok(kallsyms::elf(&kallsyms::read(image)?)),
    },
];

/// Fetches the guests `names`, or all there are. `peers`, which is no guest, is QEMU 11.
pub fn fetch(names: &[String]) -> Result<()> {
    let cache = Cache::of_user()?;
    let manifest = Manifest::read()?;
    for name in names {
        known(&manifest, name)?;
    }
    let mut archives = BTreeMap::new();
    for guest in &manifest.guests {
        if names.is_empty() || names.contains(&guest.name) {
            let how = fetch_one(&cache, guest, &mut archives).with_context(|| guest.name.clone())?;
            eprintln!("{:12} {how}", guest.name);
        }
    }
    if names.is_empty() || names.iter().any(|name| name == peers::NAME) {
        peers::fetch(&cache)?;
    }
    Ok(())
}

/// The folder of guest `name`, which must have been fetched.
pub fn path(name: &str) -> Result<std::path::PathBuf> {
    known(&Manifest::read()?, name)?;
    let folder = Cache::of_user()?.guest(name);
    ensure!(folder.is_dir(), "{name} has not been fetched: run `cargo xtask guests {name}`");
    Ok(folder)
}

/// The guests that there are, one a line.
pub fn list() -> Result<String> {
    let rows = Manifest::read()?.guests;
    let rows = rows.iter().map(|guest| format!("  {:12} {} ({})\n", guest.name, guest.about, guest.version));
    Ok(rows.chain([format!("  {:12} {}\n", peers::NAME, peers::ABOUT)]).collect())
}

fn known(manifest: &Manifest, name: &str) -> Result<()> {
    if name == peers::NAME || manifest.guests.iter().any(|guest| guest.name == name) {
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
    let how = if pinned {
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
    };
    for made in MADE.iter().filter(|made| made.guest == guest.name) {
        // Made anew each time: it costs a tenth of a second, and the recipe may have changed.
        let from = fs::read(cache.file(made.guest, made.from)?)?;
        match (made.make)(&from) {
            Ok(bytes) => cache.link(made.guest, made.to, &cache.store(&bytes)?)?,
            // A newer kernel may keep its symbols otherwise; it boots all the same.
            Err(error) => eprintln!("note: {} cannot be made from {}: {error:#}", made.to, made.from),
        }
    }
    Ok(how)
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

/// The one file below `root` that `pattern` names; a `*` may stand in its last part.
fn find(root: &Path, pattern: &str) -> Result<std::path::PathBuf> {
    let path = root.join(pattern);
    let Some((before, after)) = pattern.rsplit('/').next().and_then(|last| last.split_once('*')) else {
        return Ok(path);
    };
    let folder = path.parent().unwrap_or(root);
    let matches = |name: &str| name.starts_with(before) && name.ends_with(after);
    let mut found = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let found = found.find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(matches));
    found.ok_or_else(|| anyhow!("the package holds no {pattern}"))
}
