//! Images against a plain model, and against qemu-img.

mod damaged;
mod img;
mod model;
mod ordered;

use crate::{Format, Image, Manner, Node, chain::Opened, open, open_overlay, testing::Folder};
use hartwright_device::{BlockError, BlockOp};

fn node(path: &std::path::Path, format: Format) -> Node {
    Node::at(path.to_str().unwrap(), Some(format))
}

fn opened(node: &Node) -> Image {
    open(node, Manner::default()).unwrap().image
}

#[test]
fn a_raw_image_is_its_bytes() {
    let folder = Folder::new();
    let path = folder.file("a", &[7; 2048]);
    let mut image = opened(&node(&path, Format::Raw));
    assert_eq!(image.info().bytes, 2048);
    image.act(&BlockOp::Write { offset: 510, data: vec![1, 2, 3] }).unwrap();
    image.act(&BlockOp::WriteZeroes { offset: 1024, len: 3, unmap: false }).unwrap();
    assert_eq!(image.act(&BlockOp::Read { offset: 509, len: 5 }).unwrap(), [7, 1, 2, 3, 7]);
    image.act(&BlockOp::Flush).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((&bytes[509..514], &bytes[1023..1028]), (&[7, 1, 2, 3, 7][..], &[7, 0, 0, 0, 7][..]));
}

#[test]
fn an_image_of_no_bytes_and_one_that_ends_in_a_sector_are_disks() {
    let folder = Folder::new();
    let empty = folder.file("empty", b"");
    let mut image = opened(&node(&empty, Format::Raw));
    assert_eq!(image.info().bytes, 0);
    assert_eq!(image.act(&BlockOp::Read { offset: 0, len: 0 }), Ok(vec![]));
    let odd = folder.file("odd", &[9; 1000]);
    let mut image = opened(&node(&odd, Format::Raw));
    assert_eq!(image.info().bytes, 1024);
    assert_eq!(image.act(&BlockOp::Read { offset: 999, len: 3 }), Ok(vec![9, 0, 0]));
    image.act(&BlockOp::Write { offset: 1020, data: vec![1; 4] }).unwrap();
    assert_eq!(image.act(&BlockOp::Write { offset: 1020, data: vec![1; 5] }), Err(BlockError::Io));
    drop(image);
    assert_eq!(std::fs::read(&odd).unwrap()[999..], [vec![9], vec![0; 20], vec![1; 4]].concat());
}

#[test]
fn the_same_image_twice_writable_is_refused() {
    let folder = Folder::new();
    let path = folder.file("a", &[0; 512]);
    let node = node(&path, Format::Raw);
    let held = opened(&node);
    let says = open(&node, Manner::default()).unwrap_err();
    assert_eq!(says.message, "Failed to get \"write\" lock");
    drop(held);
    opened(&node);
}

#[test]
fn a_guessed_raw_image_stays_raw() {
    let folder = Folder::new();
    let path = folder.file("a", &[0; 1024]);
    let Opened { mut image, format, warnings, .. } =
        open(&Node { format: None, ..node(&path, Format::Raw) }, Manner::default()).unwrap();
    assert_eq!((format, warnings.len()), (Format::Raw, 1));
    let magic = b"QFI\xfb\0\0\0\x03".to_vec();
    assert_eq!(image.act(&BlockOp::Write { offset: 0, data: magic.clone() }), Err(BlockError::Io));
    assert_eq!(image.act(&BlockOp::Write { offset: 512, data: magic }), Ok(vec![]));
    assert_eq!(image.act(&BlockOp::Read { offset: 0, len: 8 }), Ok(vec![0; 8]));
}

#[test]
fn what_a_snapshot_takes_is_gone_with_it() {
    let folder = Folder::new();
    let path = folder.file("a", &[5; 200_000]);
    let mut image = open_overlay(&node(&path, Format::Raw), Manner::default()).unwrap().image;
    assert_eq!(image.info().bytes, 200_192);
    image.act(&BlockOp::Write { offset: 70_000, data: vec![6; 10] }).unwrap();
    image.act(&BlockOp::Write { offset: 200_100, data: vec![6; 92] }).unwrap();
    image.act(&BlockOp::Flush).unwrap();
    assert_eq!(
        image.act(&BlockOp::Read { offset: 69_999, len: 12 }).unwrap(),
        [5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5]
    );
    assert_eq!(image.act(&BlockOp::Read { offset: 199_999, len: 3 }).unwrap(), [5, 0, 0]);
    drop(image);
    assert!(std::fs::read(&path).unwrap() == [5; 200_000]);
}
