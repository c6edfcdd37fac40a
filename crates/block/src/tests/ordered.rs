//! What a loss of power may leave of an image's tables, step by step of a flush.

use super::{node, opened};
use crate::{
    Format, Header, Manner, check, open,
    ordered::Ordered,
    testing::{Folder, Random, qemu_img},
};
use hartwright_device::BlockOp;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

const BYTES: u64 = 600 << 10;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The image `after`, of which only some of the sectors are there that `before` lacks.
fn torn(random: &mut Random, before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut bytes = before.to_vec();
    bytes.resize(after.len(), 0);
    let mostly = random.below(4);
    for (to, from) in bytes.chunks_mut(SECTOR).zip(after.chunks(SECTOR)) {
        if random.below(4) > mostly {
            to.copy_from_slice(from);
        }
    }
    bytes
}

/// How much is wrong in the tables of an image, and how much has leaked.
fn looked_at(folder: &Folder, bytes: &[u8]) -> (u64, u64) {
    let path = folder.path("torn");
    fs::write(&path, bytes).unwrap();
    let file = File::open(&path).unwrap();
    let report = check(&file, &Header::read(&file).unwrap()).unwrap();
    (report.corruptions, report.leaks)
}

#[test]
fn whatever_part_of_a_flush_is_lost_the_tables_have_leaks_at_most() {
    let folder = Folder::new();
    let path = folder.path("a");
    let at = path.parent().unwrap();
    if qemu_img(at, &["--version"]).is_none() {
        return;
    }
    let node = node(&path, Format::Qcow2);
    let mut leaked = 0;
    for (seed, options) in (1..).zip([
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=4096,refcount_bits=1",
        "cluster_size=1024",
    ]) {
        let words = ["create", "-q", "-f", "qcow2", "-o", options, "a", &BYTES.to_string()];
        assert_eq!(qemu_img(at, &words).unwrap(), (0, String::new()));
        let mut random = Random(seed);
        for round in 0..6 {
            let before = fs::read(&path).unwrap();
            let mut image = open(&node, Manner { unmap: true, ..Manner::default() }).unwrap().image;
            // What the last one frees, nothing takes before the flush.
            for number in 0..8 {
                let (offset, len) = (random.below(BYTES - 20_000), 1 + random.below(20_000));
                let op = match random.below(4) {
                    _ if number == 7 => BlockOp::Discard { offset, len },
                    0 => BlockOp::WriteZeroes { offset, len, unmap: false },
                    _ => BlockOp::Write { offset, data: vec![round + 1; len as usize] },
                };
                image.act(&op).unwrap();
            }
            image.close().unwrap();
            drop(image);
            let after = fs::read(&path).unwrap();

            // The same once more, from the tables before to those after, with a look at each step.
            let place = folder.file("steps", &before);
            let file = File::options().read(true).write(true).open(&place).unwrap();
            let header = Header::read(&file).unwrap();
            let report = check(&file, &header).unwrap();
            assert!(Ordered::suits(&header, &report, before.len() as u64));
            let mut ordered = Ordered::new(file, header, &report).unwrap();
            ordered.memory().unwrap().write_all_at(&after, 0).unwrap();
            ordered.touch(0, BYTES, true);
            // The guest's data goes to the file past the tables, and makes it as long as it has to be.
            File::options().write(true).open(&place).unwrap().set_len(after.len() as u64).unwrap();
            let mut steps = vec![fs::read(&place).unwrap()];
            let sync = || {
                steps.push(fs::read(&place)?);
                Ok(())
            };
            ordered.commit(sync).unwrap();
            steps.push(fs::read(&place).unwrap());
            for pair in steps.windows(2) {
                for _ in 0..6 {
                    let (wrong, leaks) = looked_at(&folder, &torn(&mut random, &pair[0], &pair[1]));
                    assert_eq!(wrong, 0, "{options}, round {round}");
                    leaked += leaks;
                }
            }
            assert_eq!(looked_at(&folder, steps.last().unwrap()), (0, 0), "{options}, round {round}");
        }
    }
    assert!(leaked > 0, "nothing was torn");
}

#[test]
fn an_image_whose_refcount_table_may_become_too_small_is_the_library_s_to_write() {
    let folder = Folder::new();
    let path = folder.path("a");
    let suits = |options: &str, size: &str| {
        let words = ["create", "-q", "-f", "qcow2", "-o", options, "a", size];
        qemu_img(path.parent().unwrap(), &words).map(|done| {
            assert_eq!(done, (0, String::new()));
            let file = File::open(&path).unwrap();
            let header = Header::read(&file).unwrap();
            Ordered::suits(&header, &check(&file, &header).unwrap(), file.metadata().unwrap().len())
        })
    };
    for (options, size, expect) in [
        ("cluster_size=65536", "8T", true),
        ("cluster_size=4096", "3G", true),
        ("cluster_size=4096", "5G", false),
        ("cluster_size=512", "9M", false),
    ] {
        if let Some(answer) = suits(options, size) {
            assert_eq!(answer, expect, "{options} {size}");
        }
    }
    // It works all the same.
    if suits("cluster_size=512", "9M").is_some() {
        let node = node(&path, Format::Qcow2);
        let mut image = open(&node, Manner::default()).unwrap().image;
        image.act(&BlockOp::Write { offset: 0, data: vec![7; 9 << 20] }).unwrap();
        image.close().unwrap();
        drop(image);
        assert!(opened(&node).read(0, 9 << 20).unwrap().iter().all(|byte| *byte == 7));
    }
}
