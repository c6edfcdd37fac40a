//! `-drive`, `-blockdev` and the short forms: disks.

use hartwright_backend::opts::Opts;
use hartwright_block::spec::from_json;

use super::{Complete, FLAG, Flag};
use crate::{Asked, Outcome, asked::Argument};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["drive"],
        form: "[file=FILE][,if=TYPE][,id=ID][,format=raw|qcow2][,PROPERTY=VALUE]...",
        brief: "open a disk image, for a device that names it, or for one that comes with it",
        more: "if=none leaves it to a -device with drive=ID; if=virtio, which is the default, plugs in a \
               virtio-blk-device; if=pflash is the machine's flash. cache=none|writeback|writethrough|directsync|unsafe \
               says when a write is safe; readonly=on, snapshot=on, discard=unmap and detect-zeroes=on|unmap are as in \
               QEMU. An image is locked as QEMU locks it: whoever else would write it is refused.",
        examples: &[
            ("-drive file=a.qcow2,if=virtio", "a disk"),
            (
                "-drive file=a.img,format=raw,if=none,id=hd0 -device virtio-blk-device,drive=hd0",
                "the same in two steps, with the format said",
            ),
        ],
        parse: drive,
        accepts: &[
            "file=a",
            "if=none,id=x",
            "file=a,,b,format=raw,cache=none",
            "file.driver=file,file.filename=a",
        ],
        refuses: &[(
            "id=",
            "-drive id=: Parameter 'id' expects an identifier\n\
             Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
        )],
        ..FLAG
    },
    Flag {
        names: &["blockdev"],
        form: "[driver=]DRIVER,node-name=NAME[,PROPERTY=VALUE]...|JSON",
        brief: "open a disk image as a node, for a device that names it",
        more: "The drivers are raw, qcow2 and file; a format has its file in file.driver and file.filename, or in \
               file=NAME, the name of another node.",
        examples: &[(
            "-blockdev driver=qcow2,node-name=hd0,file.driver=file,file.filename=a.qcow2",
            "a node that -device virtio-blk-device,drive=hd0 can name",
        )],
        parse: blockdev,
        accepts: &[
            "file,node-name=a,filename=b",
            r#"{"driver":"raw","node-name":"a","file":{"driver":"file","filename":"b"}}"#,
        ],
        refuses: &[
            (r#"{"driver":"#, "-blockdev {\"driver\":: JSON parse error, premature EOI"),
            (
                "node-name=a,read-only",
                "-blockdev node-name=a,read-only: Expected '=' after parameter 'read-only'",
            ),
        ],
        ..FLAG
    },
    image(&["hda"], "a disk, as -drive index=0 does", |asked, arg| short(asked, arg, &[("index", "0")])),
    image(&["hdb"], "a second disk", |asked, arg| short(asked, arg, &[("index", "1")])),
    image(&["hdc"], "a third disk", |asked, arg| short(asked, arg, &[("index", "2")])),
    image(&["hdd"], "a fourth disk", |asked, arg| short(asked, arg, &[("index", "3")])),
    image(&["cdrom"], "a disk that cannot be written", |asked, arg| {
        short(asked, arg, &[("index", "2"), ("media", "cdrom")])
    }),
    image(&["pflash"], "the contents of the machine's flash", |asked, arg| {
        short(asked, arg, &[("if", "pflash")])
    }),
    image(&["mtdblock"], "on-board flash, which no machine has", |asked, arg| {
        short(asked, arg, &[("if", "mtd")])
    }),
    image(&["sd"], "a card, for which no machine has a slot", |asked, arg| {
        short(asked, arg, &[("if", "sd")])
    }),
    image(&["fda"], "a floppy disk, for which no machine has a drive", |asked, arg| {
        short(asked, arg, &[("if", "floppy"), ("index", "0")])
    }),
    image(&["fdb"], "a second floppy disk, likewise", |asked, arg| {
        short(asked, arg, &[("if", "floppy"), ("index", "1")])
    }),
    Flag {
        names: &["snapshot"],
        brief: "keep what is written to disks only until the end",
        more: "It goes to a file without a name in TMPDIR, or else /var/tmp. A drive with snapshot=off is written.",
        parse: |asked, _| {
            asked.snapshot = true;
            Ok(())
        },
        ..FLAG
    },
];

const fn image(
    names: &'static [&'static str],
    brief: &'static str,
    parse: fn(&mut Asked, &Argument) -> Result<(), Outcome>,
) -> Flag {
    Flag {
        names,
        form: "FILE",
        brief,
        parse,
        complete: Complete::File,
        accepts: &["a.img", "a,b.img"],
        ..FLAG
    }
}

fn drive(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let mut opts = Opts::parse(&arg.text, None).map_err(|refusal| arg.refuse(refusal))?;
    opts.id().map_err(|refusal| arg.refuse(refusal))?;
    arg.warn(&mut opts.warnings, asked);
    asked.drives.push(arg.said(opts.pairs().to_vec()));
    Ok(())
}

fn blockdev(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let pairs = if arg.text.starts_with('{') {
        from_json(&arg.text).map_err(|refusal| arg.refuse(refusal))?
    } else {
        arg.strict("driver")?.pairs().to_vec()
    };
    asked.blockdevs.push(arg.said(pairs));
    Ok(())
}

/// `-hda FILE` and its like: a file's name, in which a comma is a comma.
pub(crate) fn short(asked: &mut Asked, arg: &Argument, more: &[(&str, &str)]) -> Result<(), Outcome> {
    let file = ("file".to_owned(), arg.text.clone());
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let pairs = std::iter::once(file).chain(more).collect();
    asked.drives.push(arg.said(pairs));
    Ok(())
}
