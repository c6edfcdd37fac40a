//! What is in memory when the machine starts.

use std::path::Path;

use super::{Complete, FLAG, Flag};
use crate::{Asked, Outcome, asked::Argument};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["bios"],
        form: "default|builtin|none|FILE",
        brief: "choose the firmware",
        more: "Without it, a machine that is given a kernel gets OpenSBI, and one without gets our own monitor. \
               builtin is \
               no firmware at all: the emulator itself answers the kernel's calls (SBI 2.0), and harts begin in the \
               kernel, in supervisor mode. FILE is looked for as it is, then in the folders of -L.",
        examples: &[
            ("-bios none -kernel a.elf", "bare metal: a.elf runs in machine mode"),
            ("-bios builtin -kernel vmlinux", "Linux without firmware, and faster"),
        ],
        complete: Complete::File,
        parse: |asked, arg| {
            asked.bios = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["none", "default", "builtin", "fw.bin"],
        ..FLAG
    },
    Flag {
        names: &["kernel"],
        form: "FILE",
        brief: "load a kernel: ELF, Linux Image or raw, also compressed with gzip or zstd",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.kernel = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["vmlinux"],
        ..FLAG
    },
    Flag {
        names: &["initrd"],
        form: "FILE",
        brief: "load an initial RAM disk beside the kernel",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.initrd = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["initrd.gz"],
        ..FLAG
    },
    Flag {
        names: &["append"],
        form: "TEXT",
        brief: "give the kernel its command line",
        examples: &[("-kernel vmlinux -append \"console=ttyS0\"", "Linux talks on the first serial port")],
        parse: |asked, arg| {
            asked.append = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["console=ttyS0,115200"],
        ..FLAG
    },
    Flag {
        names: &["dtb"],
        form: "FILE",
        brief: "give the guest this device tree instead of the machine's own",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.dtb = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["board.dtb"],
        ..FLAG
    },
    Flag {
        names: &["L"],
        form: "FOLDER",
        brief: "look for firmware in this folder too",
        complete: Complete::Folder,
        parse: |asked, arg| {
            asked.folders.push((&arg.text).into());
            Ok(())
        },
        accepts: &["/usr/share/qemu"],
        ..FLAG
    },
    Flag {
        names: &["fw_cfg"],
        form: "[name=]NAME,file=FILE|string=TEXT",
        brief: "give firmware a file by name, where the machine has fw_cfg",
        more: "Names of one's own begin with opt/.",
        examples: &[("-fw_cfg name=opt/org.example/x,string=yes", "firmware that asks for it reads \"yes\"")],
        parse: firmware_file,
        accepts: &["name=opt/x,string=a", "opt/x,string="],
        refuses: &[
            ("name=opt/x", "-fw_cfg name=opt/x: invalid argument(s)"),
            ("string=x", "-fw_cfg string=x: invalid argument(s)"),
            ("opt/x,string=a,file=b", "-fw_cfg opt/x,string=a,file=b: invalid argument(s)"),
            ("opt/x,gen_id=a", "-fw_cfg opt/x,gen_id=a: gen_id: not yet in hartwright"),
            ("opt/x,file=/none", "-fw_cfg opt/x,file=/none: can't load /none: No such file or directory"),
        ],
        ..FLAG
    },
];

/// Bytes of a name, without its end (QEMU, docs/specs/fw_cfg.rst).
const LONGEST: usize = 55;
/// What a file may have; a DMA request counts in 32 bits.
const MOST: u64 = u32::MAX as u64;

fn firmware_file(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let opts = arg.opts("name", asked)?;
    opts.only(&["name", "file", "string", "gen_id"]).map_err(|refusal| arg.refuse(refusal))?;
    if opts.get("gen_id").is_some() {
        return Err(arg.refuse("gen_id: not yet in hartwright"));
    }
    let (name, bytes) = match (opts.get("name"), opts.get("file"), opts.get("string")) {
        (Some(name), None, Some(text)) if !name.is_empty() => (name, text.as_bytes().to_vec()),
        (Some(name), Some(file), None) if !name.is_empty() => {
            let bytes = hartwright_loader::read(Path::new(file), MOST);
            (name, bytes.map_err(|why| arg.refuse(format!("can't load {file}: {why}")))?)
        }
        _ => return Err(arg.refuse("invalid argument(s)")),
    };
    if name.len() > LONGEST {
        return Err(arg.refuse(format!("name too long (max. {LONGEST} char)")));
    }
    if !name.starts_with("opt/") {
        let why = "externally provided fw_cfg item names should be prefixed with \"opt/\"";
        asked.warnings.push(format!("{}: warning: {why}", arg.option));
    }
    asked.firmware_files.push((name.to_owned(), bytes));
    Ok(())
}
