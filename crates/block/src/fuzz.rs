//! Any bytes as an image: what a fuzzer, and the tests of damaged images, do with them.

use crate::{
    chain::{Backing, Format, Node, open},
    check::check,
    header::Header,
    image::{Image, Manner},
};
use hartwright_device::BlockOp;
use rustix::fs::{MemfdFlags, memfd_create};
use std::{fs::File, io::Write, os::fd::AsRawFd};

/// What is read at once; a disk may be of exabytes.
const WINDOW: u64 = 64 << 10;

/// Opens `bytes` as a qcow2 image, in memory, reads and writes it, and opens it again. Whatever the bytes are: no
/// panic, no hang, and no image that was accepted and has become damaged.
pub fn any_image(bytes: &[u8]) {
    let Ok(memory) = memfd_create("hartwright-fuzz", MemfdFlags::CLOEXEC) else { return };
    let mut file = File::from(memory);
    if file.write_all(bytes).is_err() {
        return;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    if let Ok(header) = Header::read(&file) {
        drop(check(&file, &header));
    }
    let node = Node { backing: Backing::Nothing, locking: false, ..Node::at(&path, Some(Format::Qcow2)) };
    let manner = Manner { unmap: true, ..Manner::default() };
    if let Ok(opened) = open(&node, Manner { read_only: true, ..manner }) {
        look(&opened.image);
    }
    let Ok(opened) = open(&node, manner) else { return };
    let mut image = opened.image;
    look(&image);
    change(&mut image);
    let closed = image.close();
    drop(image);
    if closed.is_ok() {
        let again = open(&node, manner);
        assert!(again.is_ok(), "what was sound has become damaged: {again:?}");
    }
}

/// Reads the first, the middle and the last part.
fn look(image: &Image) {
    let bytes = image.bytes();
    for offset in [0, bytes / 2, bytes.saturating_sub(WINDOW)] {
        let _ = image.read(offset, (bytes - offset).min(WINDOW));
    }
}

/// Writes, zeroes and discards here and there; that it fails is an answer too.
fn change(image: &mut Image) {
    let bytes = image.bytes();
    for offset in [0, 5_000, bytes / 3, bytes / 2, bytes.saturating_sub(9_000)] {
        let len = bytes.saturating_sub(offset).min(3_000);
        let _ = image.act(&BlockOp::Write { offset, data: vec![1; len as usize] });
        let next = offset + len;
        let len = bytes.saturating_sub(next).min(4_096);
        let _ = image.act(&BlockOp::WriteZeroes { offset: next, len, unmap: offset & 1 != 0 });
        let next = next + len;
        let len = bytes.saturating_sub(next).min(2_048);
        let _ = image.act(&BlockOp::Discard { offset: next, len });
    }
    let _ = image.act(&BlockOp::Flush);
}
