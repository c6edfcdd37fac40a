//! Images that are damaged, or that have what we lack: a sentence, and nothing else happens to them.

use super::node;
use crate::{
    Format, Header, Manner, any_image, check, open,
    testing::{Folder, Random, qemu_img},
};
use hartwright_device::BlockOp;
use std::{fs, fs::File, os::unix::fs::FileExt, path::Path};

/// A small image with data, a zero cluster, holes and an internal snapshot in it.
fn sample(at: &Path) -> Option<Vec<u8>> {
    let data: Vec<u8> = (0..100_000_u64).map(|at| (at >> 8) as u8 | 1).collect();
    fs::write(at.join("data"), data).unwrap();
    let run = |words: &[&str]| qemu_img(at, words).map(|done| assert_eq!(done.0, 0, "{words:?}: {}", done.1));
    let create = ["convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4096", "data", "sample"];
    run(&create)?;
    run(&["resize", "-q", "sample", "4M"])?;
    run(&["snapshot", "-c", "one", "sample"])?;
    let path = at.join("sample");
    let mut image = super::opened(&node(&path, Format::Qcow2));
    image.act(&BlockOp::Write { offset: 50_000, data: vec![9; 9_000] }).unwrap();
    image.act(&BlockOp::Write { offset: 2 << 20, data: vec![9; 9_000] }).unwrap();
    image.act(&BlockOp::WriteZeroes { offset: 8192, len: 8192, unmap: false }).unwrap();
    image.close().unwrap();
    drop(image);
    Some(fs::read(path).unwrap())
}

#[test]
fn no_damage_to_the_tables_does_harm() {
    let folder = Folder::new();
    let path = folder.path("a");
    let Some(good) = sample(path.parent().unwrap()) else { return };
    any_image(&good);
    let file = File::open(path.with_file_name("sample")).unwrap();
    let header = Header::read(&file).unwrap();
    assert_eq!(check(&file, &header).unwrap().messages, Vec::<String>::new());
    // The header, the refcount table and its first block, and all that L1 tables and L2 tables are in.
    let mut tables =
        vec![(0, 112), (header.refcount_offset, 64), (header.l1_offset, header.l1_size as u64 * 8)];
    let entry = |at: u64| u64::from_be_bytes(good[at as usize..at as usize + 8].try_into().unwrap());
    tables.push((entry(header.refcount_offset), 256));
    for index in 0..u64::from(header.l1_size) {
        let l2 = entry(header.l1_offset + index * 8) & 0x00ff_ffff_ffff_fe00;
        tables.extend((l2 != 0).then_some((l2, 512)));
    }
    tables.push((header.snapshots_offset, 64));
    let mut random = Random(2026);
    for _ in 0..1500 {
        let mut bad = good.clone();
        for _ in 0..1 + random.below(3) {
            let (offset, len) = tables[random.below(tables.len() as u64) as usize];
            let at = (offset + random.below(len)) as usize;
            match random.below(3) {
                0 => bad[at] ^= 1 << random.below(8),
                1 => bad[at] = random.next() as u8,
                // A whole entry that leads to another place.
                _ => {
                    let value = random.below(good.len() as u64 * 2) & !511 | random.below(2) << 63;
                    bad[at & !7..(at & !7) + 8].copy_from_slice(&value.to_be_bytes());
                }
            }
        }
        if random.below(20) == 0 {
            bad.truncate(random.below(good.len() as u64) as usize);
        }
        any_image(&bad);
    }
}

/// What opening says of an image with these bytes at this place.
fn says(good: &[u8], changes: &[(usize, &[u8])], read_only: bool) -> String {
    let folder = Folder::new();
    let mut bad = good.to_vec();
    for (at, bytes) in changes {
        bad[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    let path = folder.file("a", &bad);
    let manner = Manner { read_only, ..Manner::default() };
    let refusal = open(&node(&path, Format::Qcow2), manner).unwrap_err();
    refusal.to_string().replace(path.to_str().unwrap(), "a")
}

#[test]
fn what_we_lack_is_refused_by_name() {
    let folder = Folder::new();
    let Some(good) = sample(folder.path("a").parent().unwrap()) else { return };
    for (bit, word) in [
        (0, "it is marked dirty: it was not closed, and its refcounts may be wrong\nqemu-img check -r all"),
        (1, "it is marked corrupt\nqemu-img check -r all"),
        (2, "its data is in an external data file, which is not yet in hartwright\nqemu-img convert"),
        (3, "its clusters are compressed with zstd, which is not yet in hartwright\nqemu-img convert"),
        (4, "it has extended L2 entries, which are not yet in hartwright\nqemu-img convert"),
        (5, "it has the unknown incompatible feature 5\na newer program"),
    ] {
        let said = says(&good, &[(79, &[1 << bit])], true);
        assert!(said.starts_with(&format!("Could not open 'a': {word}")), "{said}");
    }
    let said = says(&good, &[(35, &[1])], true);
    assert!(said.starts_with("Could not open 'a': it is encrypted (AES), which is not yet"), "{said}");
    assert_eq!(says(&good, &[(7, &[4])], true), "Could not open 'a': Unsupported qcow2 version 4");
    assert_eq!(says(&good, &[(0, b"X")], true), "Image is not in qcow2 format");
    assert_eq!(says(&[], &[], true), "Image is not in qcow2 format");
    assert_eq!(says(&good, &[(23, &[40])], true), "Could not open 'a': Unsupported cluster size: 2^40");
}

#[test]
fn an_entry_that_leads_into_a_table_is_found() {
    let folder = Folder::new();
    let Some(good) = sample(folder.path("a").parent().unwrap()) else { return };
    let path = folder.file("a", &good);
    let header = Header::read(&File::open(path).unwrap()).unwrap();
    let l1 = header.l1_offset as usize;
    let l2 = (u64::from_be_bytes(good[l1..l1 + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_fe00) as usize;
    let to_header = (1_u64 << 63).to_be_bytes();
    // No offset and no cluster: an unallocated one.
    assert!(!says(&good, &[(l2, &to_header), (l2 + 8, &[0x80, 0, 0, 0, 0, 0, 0x10, 0])], false).is_empty());
    let said = says(&good, &[(l2, &(header.l1_offset | 1 << 63).to_be_bytes())], true);
    assert!(said.contains("lies where other metadata does"), "{said}");
    let said = says(&good, &[(l1, &(good.len() as u64 * 4096).to_be_bytes())], true);
    assert!(said.contains("beyond the end of the file"), "{said}");
}

#[test]
fn a_circle_of_backing_files_ends() {
    let folder = Folder::new();
    let path = folder.path("a");
    let at = path.parent().unwrap();
    let create = ["create", "-q", "-f", "qcow2", "-u", "-b", "a", "-F", "qcow2", "a", "1M"];
    let Some((0, _)) = qemu_img(at, &create) else { return };
    let manner = Manner { read_only: true, ..Manner::default() };
    let said = open(&node(&path, Format::Qcow2), manner).unwrap_err().message;
    assert!(said.ends_with("more than 100 backing files, or a circle of them"), "{said}");
}

#[test]
fn a_format_that_is_not_ours_is_named() {
    let folder = Folder::new();
    let path = folder.file("a", b"KDMV and more");
    let guess = crate::Node { format: None, ..node(&path, Format::Raw) };
    let said = open(&guess, Manner::default()).unwrap_err().message;
    assert!(said.ends_with("is an image in format vmdk: not yet in hartwright"), "{said}");
    File::options().write(true).open(&path).unwrap().write_all_at(b"QED\0", 0).unwrap();
    assert!(open(&guess, Manner::default()).unwrap_err().message.contains("format qed"));
}
