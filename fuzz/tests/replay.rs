//! What fuzzing begins from and what it found, given to every target once more; libFuzzer has no part in it.
#![forbid(unsafe_code)]

use hartwright_fuzz::{TARGETS, Target};
use std::{
    fs, panic,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder that may not be there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &Target) {
    for kind in ["seeds", "found"] {
        for file in files(&here().join(kind).join(target.name)) {
            let name = file.strip_prefix(here()).unwrap().display();
            eprintln!("{name}");
            let bytes = fs::read(&file).unwrap();
            (target.run)(&bytes);
            // Its halves are inputs too, and mostly broken ones.
            (target.run)(&bytes[..bytes.len() / 2]);
            (target.run)(&bytes[bytes.len() / 2..]);
        }
    }
}

#[test]
fn seeds_and_what_was_found_make_nothing_panic() {
    // A panic on a hart's thread ends that thread alone, so all are counted.
    static PANICS: AtomicU32 = AtomicU32::new(0);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    thread::scope(|scope| TARGETS.iter().for_each(|target| drop(scope.spawn(|| replay(target)))));
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

#[test]
fn every_target_has_seeds_and_every_folder_a_target() {
    for target in TARGETS {
        assert!(!files(&here().join("seeds").join(target.name)).is_empty(), "{} has no seeds", target.name);
    }
    for folder in files(&here().join("seeds")).into_iter().chain(files(&here().join("found"))) {
        let known = TARGETS.iter().any(|target| folder.ends_with(target.name));
        assert!(known, "{}: there is no such target", folder.display());
    }
}

#[test]
fn a_target_lives_with_nothing_and_with_anything_long() {
    for target in TARGETS {
        (target.run)(&[]);
        (target.run)(&vec![0xff; target.longest]);
    }
}
