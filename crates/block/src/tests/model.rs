//! Random operations on images and on a plain vector, and afterwards what qemu-img says.

use super::{node, opened};
use crate::{
    Format, Image, Manner, Node, open, open_overlay,
    testing::{Folder, Random, qemu_img},
};
use hartwright_device::BlockOp;
use std::{fs, path::Path};

const BYTES: u64 = 600 << 10;

/// One operation on both.
fn step(random: &mut Random, image: &mut Image, model: &mut [u8]) {
    let most = if random.below(4) == 0 { 200_000 } else { 3_000 };
    let mut offset = random.below(BYTES);
    let mut len = 1 + random.below(most.min(BYTES - offset));
    if random.below(3) == 0 {
        offset &= !511;
        len = len.next_multiple_of(512).min(BYTES - offset);
    }
    let range = offset as usize..(offset + len) as usize;
    match random.below(10) {
        0..4 => {
            let byte = random.next() as u8;
            let data: Vec<u8> = (0..len).map(|at| byte.wrapping_add((at >> 5) as u8)).collect();
            model[range].copy_from_slice(&data);
            image.act(&BlockOp::Write { offset, data }).unwrap();
        }
        4 => {
            model[range].fill(0);
            let unmap = random.below(2) == 0;
            image.act(&BlockOp::WriteZeroes { offset, len, unmap }).unwrap();
        }
        5 => {
            image.act(&BlockOp::Discard { offset, len }).unwrap();
            // What it reads as is not said; from now on it is what it reads as now.
            let read = image.read(offset, len).unwrap();
            model[range].copy_from_slice(&read);
        }
        6 => image.act(&BlockOp::Flush).map(drop).unwrap(),
        _ => assert!(image.read(offset, len).unwrap() == model[range], "{offset:#x}, {len:#x} bytes"),
    }
}

/// Runs `steps` on the image, which holds `model` before; afterwards qemu-img finds it sound and the same.
fn compare(folder: &Path, seed: u64, node: &Node, manner: Manner, model: &mut Vec<u8>, steps: usize) {
    let mut random = Random(seed);
    let mut image = open(node, manner).unwrap().image;
    assert_eq!(image.bytes(), model.len() as u64);
    for _ in 0..steps {
        step(&mut random, &mut image, model);
    }
    assert!(image.read(0, BYTES).unwrap() == *model);
    image.close().unwrap();
    drop(image);
    assert!(opened(node).read(0, BYTES).unwrap() == *model);
    fs::write(folder.join("model"), &model).unwrap();
    let format = node.format.unwrap().name();
    if format == "qcow2" {
        let (code, said) = qemu_img(folder, &["check", &node.path]).unwrap();
        assert_eq!(code, 0, "{said}");
    }
    let (code, said) =
        qemu_img(folder, &["compare", "-f", format, &node.path, "-F", "raw", "model"]).unwrap();
    assert_eq!(code, 0, "seed {seed}: {said}");
}

fn manners() -> [Manner; 4] {
    let plain = Manner::default();
    let unmap = Manner { unmap: true, ..plain };
    [
        plain,
        unmap,
        Manner { write_through: true, ..unmap },
        Manner { detect_zeroes: true, zeroes_unmap: true, ..unmap },
    ]
}

/// Whether qemu-img is there; without it there is nobody to ask.
fn there(folder: &Path) -> bool {
    qemu_img(folder, &["--version"]).is_some()
}

#[test]
fn a_raw_image_does_what_a_vector_does() {
    let folder = Folder::new();
    for (seed, manner) in (1..).zip(manners()) {
        let path = folder.file("a", &vec![3; BYTES as usize]);
        let at = path.parent().unwrap();
        if there(at) {
            compare(at, seed, &node(&path, Format::Raw), manner, &mut vec![3; BYTES as usize], 150);
        }
    }
}

#[test]
fn a_qcow2_image_does_what_a_vector_does() {
    let folder = Folder::new();
    let path = folder.path("a");
    let at = path.parent().unwrap();
    if !there(at) {
        return;
    }
    let kinds = [
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=4096,refcount_bits=1",
        "cluster_size=2M,refcount_bits=64",
        "compat=0.10",
        "lazy_refcounts=on",
        "preallocation=metadata",
    ];
    for (seed, options) in (10..).zip(kinds) {
        for (more, manner) in (0..).zip(manners()) {
            let words = ["create", "-q", "-f", "qcow2", "-o", options, "a", &BYTES.to_string()];
            assert_eq!(qemu_img(at, &words).unwrap(), (0, String::new()));
            let seed = seed * 4 + more;
            compare(at, seed, &node(&path, Format::Qcow2), manner, &mut vec![0; BYTES as usize], 60);
        }
    }
}

#[test]
fn past_the_page_cache_it_is_the_same() {
    let folder = Folder::new();
    let path = folder.file("a", &vec![3; BYTES as usize]);
    let at = path.parent().unwrap();
    let raw = Node { direct: true, ..node(&path, Format::Raw) };
    match open(&raw, Manner::default()) {
        // Not every file system can.
        Err(refusal) => return assert!(refusal.message.ends_with("filesystem does not support O_DIRECT")),
        Ok(_) if !there(at) => return,
        Ok(_) => {}
    }
    let manner = Manner { unmap: true, ..Manner::default() };
    compare(at, 71, &raw, manner, &mut vec![3; BYTES as usize], 100);
    // Of a hole anything can be read, however it lies.
    let hole = folder.file("hole", b"");
    fs::File::options().write(true).open(&hole).unwrap().set_len(BYTES).unwrap();
    let raw = Node { direct: true, ..node(&hole, Format::Raw) };
    assert_eq!(
        open(&raw, Manner { read_only: true, ..manner }).unwrap().image.read(512, 512).unwrap(),
        [0; 512]
    );
    compare(at, 73, &raw, manner, &mut vec![0; BYTES as usize], 100);
    let qcow2 = Node { direct: true, ..node(&folder.path("q"), Format::Qcow2) };
    let create = ["create", "-q", "-f", "qcow2", "q", &BYTES.to_string()];
    assert_eq!(qemu_img(at, &create).unwrap().0, 0);
    compare(at, 72, &qcow2, manner, &mut vec![0; BYTES as usize], 100);
    // An image of no bytes stays one: nothing is written to find out how writes must lie.
    let empty = folder.file("empty", b"");
    open(&Node { direct: true, ..node(&empty, Format::Raw) }, manner).unwrap();
    assert_eq!(fs::metadata(empty).unwrap().len(), 0);
}

#[test]
fn what_is_not_written_shows_what_is_below() {
    let folder = Folder::new();
    // The backing file is shorter, so the end of the disk is zeroes.
    let below: Vec<u8> = (0..500_000_u64).map(|at| (at >> 9) as u8 | 1).collect();
    folder.file("raw", &below);
    let path = folder.path("a");
    let at = path.parent().unwrap();
    if !there(at) {
        return;
    }
    let run = |words: &[&str]| assert_eq!(qemu_img(at, words).unwrap(), (0, String::new()), "{words:?}");
    run(&["convert", "-f", "raw", "-O", "qcow2", "raw", "plain"]);
    run(&["convert", "-c", "-f", "raw", "-O", "qcow2", "raw", "compressed"]);
    run(&["create", "-q", "-f", "qcow2", "-b", "compressed", "-F", "qcow2", "middle"]);
    for (seed, (format, name)) in
        (100..).zip([("raw", "raw"), ("qcow2", "plain"), ("qcow2", "compressed"), ("qcow2", "middle")])
    {
        for (more, manner) in (0..).zip(manners()) {
            let size = BYTES.to_string();
            run(&["create", "-q", "-f", "qcow2", "-b", name, "-F", format, "a", &size]);
            let mut model = below.clone();
            model.resize(BYTES as usize, 0);
            compare(at, seed * 4 + more, &node(&path, Format::Qcow2), manner, &mut model, 60);
        }
    }
    // A compressed image is written as well.
    let mut model = below.clone();
    model.resize(BYTES as usize, 0);
    run(&["resize", "-q", "-f", "qcow2", "compressed", &BYTES.to_string()]);
    compare(
        at,
        7,
        &Node::at(at.join("compressed").to_str().unwrap(), Some(Format::Qcow2)),
        Manner::default(),
        &mut model,
        60,
    );
}

#[test]
fn an_overlay_that_is_thrown_away_does_what_a_vector_does() {
    let folder = Folder::new();
    let mut model = vec![3; BYTES as usize];
    let path = folder.file("a", &model);
    let manner = Manner { unmap: true, ..Manner::default() };
    let mut image = open_overlay(&node(&path, Format::Raw), manner).unwrap().image;
    let mut random = Random(99);
    for _ in 0..300 {
        step(&mut random, &mut image, &mut model);
    }
    assert!(image.read(0, BYTES).unwrap() == model);
    drop(image);
    assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 3));
}

#[test]
fn an_image_with_internal_snapshots_keeps_them() {
    let folder = Folder::new();
    let path = folder.path("a");
    let at = path.parent().unwrap();
    if !there(at) {
        return;
    }
    let run = |words: &[&str]| assert_eq!(qemu_img(at, words).unwrap(), (0, String::new()), "{words:?}");
    run(&["create", "-q", "-f", "qcow2", "a", &BYTES.to_string()]);
    let a = node(&path, Format::Qcow2);
    let mut model = vec![0; BYTES as usize];
    compare(at, 41, &a, Manner::default(), &mut model, 60);
    run(&["snapshot", "-c", "one", "a"]);
    let before = model.clone();
    compare(at, 42, &a, Manner { unmap: true, ..Manner::default() }, &mut model, 60);
    assert!(model != before);
    run(&["snapshot", "-a", "one", "a"]);
    assert!(opened(&a).read(0, BYTES).unwrap() == before);
}
