//! `hartwright img` beside Debian's qemu-img 7.2: the same words, the same output and exit code, and each reads what
//! the other wrote.
//!
//! Different on purpose: where the file of an image ends, because imago puts its tables elsewhere; and how many bytes
//! it takes on the host.

use crate::{
    img,
    testing::{Folder, qemu_img},
};
use std::{fs, path::Path};

/// Exit code, standard output and standard error of ours.
fn ours(folder: &Path, line: &str) -> (i32, String) {
    let words: Vec<String> = line.split(' ').map(|word| word.replace("F/", &at(folder))).collect();
    let (code, text) = match img::run(&words) {
        Ok(done) => (done.code.into(), done.text + &done.errors),
        Err(refusal) => (1, format!("qemu-img: {refusal}\n")),
    };
    (code, text.replace(&at(folder), "F/"))
}

fn theirs(folder: &Path, line: &str) -> Option<(i32, String)> {
    let words: Vec<String> = line.split(' ').map(|word| word.replace("F/", &at(folder))).collect();
    let (code, text) = qemu_img(folder, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
    Some((code, text.replace(&at(folder), "F/")))
}

fn at(folder: &Path) -> String {
    folder.to_str().unwrap().to_owned() + "/"
}

/// Without what may differ.
fn plain(text: &str) -> String {
    let differs = ["disk size:", "\"actual-size\":", "Image end offset:", "\"image-end-offset\":"];
    let kept = text.lines().filter(|line| !differs.iter().any(|start| line.trim_start().starts_with(start)));
    // Where to look further, each says in its own way.
    kept.map(|line| line.trim_start_matches("qemu-img: "))
        .filter(|line| !line.starts_with("Try '") && !line.starts_with("img "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn version(folder: &Path) -> Option<String> {
    qemu_img(folder, &["--version"]).map(|said| said.1)
}

#[test]
fn the_same_words_say_the_same_as_qemu_img() {
    let (a, b) = (Folder::new(), Folder::new());
    let (a, b) = (a.path(""), b.path(""));
    if !version(&a).is_some_and(|version| version.contains("version 7.2")) {
        return;
    }
    let (a, b) = (
        Path::new(a.to_str().unwrap().trim_end_matches('/')),
        Path::new(b.to_str().unwrap().trim_end_matches('/')),
    );
    let lines = "create -f qcow2 F/q 10M\ncreate -f raw F/r 1G\ncreate -q -f qcow2 F/q2 10M\ncreate F/i 1M\n\
        create -f qcow2 -b F/r -F raw F/b\ncreate -f qcow2 -b F/r F/b2\ncreate -f qcow2 -b F/nope -F raw F/b3\n\
        create -f qcow2 -u -b nope -F raw F/b3 1M\ncreate -f qcow2 -F raw -b r F/b4\ncreate -f qcow2 F/x\n\
        create -f nope F/x 1M\ncreate -f qcow2 F/x 1Q\ncreate -f qcow2 -o foo=1 F/x 1M\ncreate\n\
        create -f qcow2 -o cluster_size=4k,refcount_bits=1,lazy_refcounts=on F/y 1M\ncreate -fqcow2 F/z 1000\n\
        create -f qcow2 -o preallocation=metadata F/y2 1M\ncreate -f raw -o preallocation=full F/y3 1M\n\
        info F/q\ninfo F/r\ninfo F/b\ninfo F/b4\ninfo F/y\ninfo F/z\ninfo --output=json F/q\ninfo --output=json F/r\n\
        info F/b4 --output json\ninfo --backing-chain F/b\ninfo --backing-chain --output=json F/b\ninfo F/nope\n\
        info -f raw F/i\ninfo --output=foo F/r\ninfo\ninfo -f qcow2 F/r\n\
        check F/q\ncheck F/r\ncheck -q F/q\ncheck F/nope\ncheck F/y2\ncheck --output=json F/y\ncheck -f qcow2 F/r\n\
        resize F/q 20M\nresize F/q +5M\nresize --shrink F/q -5M\nresize -q F/q 30M\nresize -f raw F/r 2G\n\
        resize F/q foo\nresize F/q\ninfo F/q\ncheck F/q\ninfo F/r\nresize F/nope 1M\n\
        convert -f raw -O qcow2 F/i F/c\nconvert -O raw F/q F/d\nconvert -O nope F/r F/d\nconvert F/r\n\
        convert -O qcow2 F/nope F/d\ninfo F/c\ncheck F/c\ninfo F/d\nfoo\nresize\nconvert -O raw F/y2 F/e\ninfo F/e";
    for line in lines.lines() {
        let (mine, theirs) = (ours(a, line), theirs(b, line).unwrap());
        assert_eq!((mine.0, plain(&mine.1)), (theirs.0, plain(&theirs.1)), "{line}");
    }
}

#[test]
fn each_reads_what_the_other_wrote() {
    let folder = Folder::new();
    let data: Vec<u8> =
        (0..3_000_000_u64).map(|at| if at >> 16 & 3 == 0 { 0 } else { (at >> 7) as u8 }).collect();
    let path = folder.file("raw", &data);
    let at = path.parent().unwrap();
    if version(at).is_none() {
        return;
    }
    let mine = |line: &str| assert_eq!(ours(at, line).0, 0, "{line}: {}", ours(at, line).1);
    let other = |line: &str| {
        let said = theirs(at, line).unwrap();
        assert_eq!(said.0, 0, "{line}: {}", said.1);
    };
    for options in ["cluster_size=65536", "cluster_size=512,refcount_bits=8", "cluster_size=2M"] {
        mine(&format!("convert -f raw -O qcow2 -o {options} F/raw F/mine"));
        other("check F/mine");
        other("compare -f raw F/raw -F qcow2 F/mine");
        mine("check F/mine");
        for more in ["", " -c", " -o compat=0.10"] {
            if more.contains("compat") && options.contains("refcount_bits") {
                continue;
            }
            other(&format!("convert -f raw -O qcow2 -o {options}{more} F/raw F/theirs"));
            mine("check F/theirs");
            mine("convert -f qcow2 -O raw F/theirs F/back");
            // A raw disk is whole sectors.
            let back = fs::read(folder.path("back")).unwrap();
            assert!(back.len() == data.len().next_multiple_of(512) && back.starts_with(&data));
        }
    }
    mine("resize -f qcow2 F/mine 5M");
    other("check F/mine");
    mine("resize -f qcow2 --shrink F/mine 1M");
    other("check F/mine");
    mine("create -q -f qcow2 -F qcow2 -b mine F/over 8M");
    other("check F/over");
    // What was cut off does not come back, and what lies below does not show where the disk grew.
    mine("resize -f qcow2 F/mine 2M");
    other("create -q -f raw F/zero 1M");
    other("convert -f qcow2 -O raw F/mine F/grown");
    let grown = fs::read(folder.path("grown")).unwrap();
    assert!(grown[..1 << 20] == data[..1 << 20] && grown[1 << 20..].iter().all(|byte| *byte == 0));
}

#[test]
fn damage_is_counted_as_qemu_img_counts_it() {
    let folder = Folder::new();
    let data: Vec<u8> = (0..300_000_u64).map(|at| (at >> 7) as u8 | 1).collect();
    let path = folder.file("raw", &data);
    let at = path.parent().unwrap();
    if !version(at).is_some_and(|version| version.contains("version 7.2")) {
        return;
    }
    assert_eq!(theirs(at, "convert -f raw -O qcow2 F/raw F/q").unwrap().0, 0);
    let good = fs::read(folder.path("q")).unwrap();
    let long = |at: usize| u64::from_be_bytes(good[at..at + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_fe00;
    let block = long(long(48) as usize) as usize;
    let l2 = long(long(40) as usize) as usize;
    let cases: [(&str, usize, &[u8]); 5] = [
        ("a refcount of 0", block + 2 * 5, &[0, 0]),
        ("a refcount of 2", block + 2 * 5, &[0, 2]),
        ("a leak", l2, &[0; 8]),
        ("a leaked cluster behind", block + 2 * 9, &[0, 1]),
        ("nothing", 0, b"Q"),
    ];
    for (what, offset, bytes) in cases {
        let mut bad = good.clone();
        bad[offset..offset + bytes.len()].copy_from_slice(bytes);
        folder.file("q", &bad);
        let (mine, theirs) = (ours(at, "check F/q"), theirs(at, "check F/q").unwrap());
        let sum = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.contains("found") || line.contains("%")).map(Into::into).collect()
        };
        assert_eq!((mine.0, sum(&mine.1)), (theirs.0, sum(&theirs.1)), "{what}:\n{}\n{}", mine.1, theirs.1);
    }
}
