//! Opening an image: its file, under QEMU's locks, its format, its tables looked at, and what it is built on.

use crate::{
    check::{Report, check},
    header::Header,
    image::{Image, Manner, SECTOR},
    lock::{Rights, lock},
    lossy::Lossy,
    ordered::Ordered,
};
use hartwright_backend::opts::Refusal;
use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder, StorageOpenOptions,
    file::File as Storage, qcow2::Qcow2, raw::Raw,
};
use rustix::{
    fs::{Mode, OFlags, SeekFrom, seek},
    io::Errno,
};
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// More images than this on top of each other are a circle.
const DEEPEST: usize = 100;

/// What an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The disk's bytes and nothing else.
    Raw,
    /// QEMU's own format.
    Qcow2,
    /// One that QEMU knows and we do not.
    Foreign(&'static str),
}

/// By format, where its magic bytes are and what they are. What else is not looked for.
const MAGICS: &[(Format, usize, &[u8])] = &[
    (Format::Qcow2, 0, b"QFI\xfb\0\0\0\x02"),
    (Format::Qcow2, 0, b"QFI\xfb\0\0\0\x03"),
    (Format::Foreign("qcow"), 0, b"QFI\xfb\0\0\0\x01"),
    (Format::Foreign("qed"), 0, b"QED\0"),
    (Format::Foreign("vmdk"), 0, b"KDMV"),
    (Format::Foreign("vmdk"), 0, b"COWD"),
    (Format::Foreign("vhdx"), 0, b"vhdxfile"),
    (Format::Foreign("vpc"), 0, b"conectix"),
    (Format::Foreign("luks"), 0, b"LUKS\xba\xbe"),
    (Format::Foreign("parallels"), 0, b"WithoutFreeSpace"),
    (Format::Foreign("parallels"), 0, b"WithouFreSpacExt"),
    (Format::Foreign("bochs"), 0, b"Bochs Virtual HD Image"),
    (Format::Foreign("vdi"), 64, b"\x7f\x10\xda\xbe"),
];

impl Format {
    /// What the first sector of an image looks like.
    pub fn probe(sector: &[u8]) -> Format {
        let is = |(_, at, magic): &&(Format, usize, &[u8])| {
            sector.get(*at..).is_some_and(|rest| rest.starts_with(magic))
        };
        MAGICS.iter().find(is).map_or(Format::Raw, |(format, ..)| *format)
    }

    /// Its name, as options have it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
            Format::Foreign(name) => name,
        }
    }

    /// The format of that name, if it is one of ours.
    pub fn named(name: &str) -> Option<Format> {
        [Format::Raw, Format::Qcow2].into_iter().find(|format| format.name() == name)
    }
}

/// An image to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The file, as the user named it.
    pub path: String,
    /// Its format; `None`: what it looks like.
    pub format: Option<Format>,
    /// What it is built on.
    pub backing: Backing,
    /// Past the host's page cache.
    pub direct: bool,
    /// Whether to take locks.
    pub locking: bool,
    /// The test aid `lossy` is between.
    pub lossy: bool,
}

/// What an image is built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// What its header says.
    Header,
    /// Nothing, whatever its header says.
    Nothing,
    /// This.
    Given(Box<Node>),
}

impl Node {
    /// The image at `path`, in that format or the one it looks like.
    pub fn at(path: &str, format: Option<Format>) -> Node {
        let backing = Backing::Header;
        Node { path: path.to_owned(), format, backing, direct: false, locking: true, lossy: false }
    }
}

/// An image that was opened, with what it was found to be.
#[derive(Debug)]
pub struct Opened {
    /// The image.
    pub image: Image,
    /// Its format.
    pub format: Format,
    /// The file that it is built on.
    pub backing: Option<String>,
    /// How many images there are, itself included.
    pub depth: usize,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Opens `node`.
///
/// # Errors
/// One sentence, in QEMU's words where it has some.
pub fn open(node: &Node, manner: Manner) -> Result<Opened, Refusal> {
    let mut warnings = vec![];
    let Layer { format, access, file, lossy, tables, backing, depth } = layer(node, manner, 0)?;
    let guessed = node.format.is_none() && format == Format::Raw && !manner.read_only;
    if guessed {
        warnings.push(format!(
            "WARNING: Image format was not specified for '{}' and probing guessed raw.\n         \
             Automatically detecting the format is dangerous for raw images, write operations on block 0 will be \
             restricted.\n         Specify the 'raw' format explicitly to remove the restrictions.",
            node.path
        ));
    }
    let image = Image::new(access, file, lossy, tables, Manner { guarded: guessed, ..manner });
    Ok(Opened { image, format, backing, depth, warnings })
}

/// Opens `node` for reading, with what is written going to a file that nobody sees and that goes with the program.
///
/// # Errors
/// As of [`open`]; or the host has no place for such a file.
pub fn open_overlay(node: &Node, manner: Manner) -> Result<Opened, Refusal> {
    let mut base = open(node, Manner { read_only: true, ..manner })?;
    let failed = |why: String| Refusal::new(format!("Could not create temporary overlay: {why}"));
    let folder = std::env::var_os("TMPDIR").map_or(PathBuf::from("/var/tmp"), PathBuf::from);
    // A file without a name: nobody has to delete it, however the program ends.
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(&folder, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| failed(format!("{}: {}", folder.display(), crate::reason(&error.into()))))?;
    let file = File::from(file);
    let storage = || Storage::from_open_file(file.try_clone()?, StorageOpenOptions::new().write(true));
    let bytes = base.image.bytes();
    let access = (|| {
        Qcow2::<Storage>::create_builder(storage()?).size(bytes).create()?;
        let backing = Some(base.image.into_access());
        let open = Qcow2::<Storage>::builder(storage()?).write(true).backing(backing).data_file(None);
        Ok(FormatAccess::new(open.open(DenyImplicitOpenGate::default())?))
    })();
    let access = access.map_err(|error: io::Error| failed(crate::reason(&error)))?;
    // Nobody sees it after a kill, so in what order it is written is all the same.
    base.image = Image::new(access, file, None, None, Manner { read_only: false, no_flush: true, ..manner });
    let backing = Some(node.path.clone());
    Ok(Opened { format: Format::Qcow2, backing, depth: base.depth + 1, ..base })
}

/// One image of a chain, open.
struct Layer {
    format: Format,
    access: FormatAccess<Storage>,
    file: File,
    lossy: Option<Lossy>,
    tables: Option<Ordered>,
    /// The path of the next one.
    backing: Option<String>,
    /// How many there are from here on.
    depth: usize,
}

/// Opens one image and those below it.
fn layer(node: &Node, manner: Manner, depth: usize) -> Result<Layer, Refusal> {
    let read_only = manner.read_only;
    if depth > DEEPEST {
        return Err(Refusal::new(format!(
            "'{}': more than {DEEPEST} backing files, or a circle of them",
            node.path
        )));
    }
    let path = local(&node.path)?;
    let failed =
        |error: &io::Error| Refusal::new(format!("Could not open '{}': {}", node.path, crate::reason(error)));
    let file = open_file(path, read_only, node.direct).map_err(|error| failed(&error))?;
    // What is looked at is not looked at past the page cache, which wants whole blocks.
    let plain = open_file(path, true, false).map_err(|error| failed(&error))?;
    let format = match node.format {
        Some(format) => format,
        None => {
            let mut sector = [0; SECTOR as usize];
            let n = plain.read_at(&mut sector, 0).map_err(|error| failed(&error))?;
            Format::probe(&sector[..n])
        }
    };
    let rights = if format == Format::Raw && depth == 0 { Rights::raw } else { Rights::format };
    if node.locking {
        lock(&file, &node.path, rights(read_only))?;
    }
    let (file, lossy) = if node.lossy {
        let lossy = Lossy::new(file).map_err(|error| failed(&error))?;
        (lossy.memory().map_err(|error| failed(&error))?, Some(lossy))
    } else {
        (file, None)
    };
    let direct = node.direct && lossy.is_none();
    let shown = !direct || shows_alignment(path, &plain, read_only).map_err(|error| failed(&error))?;
    // With `direct` and `write` the library would find out the alignment by writing.
    let options = StorageOpenOptions::new().filename(path).write(!read_only && !node.direct).direct(direct);
    let access = if shown { file.try_clone() } else { open_file(path, read_only, false) };
    let storage = access.and_then(|file| Storage::from_open_file(file, options.direct(direct && shown)));
    let storage = storage.map_err(|error| failed(&error))?;
    match format {
        Format::Raw => {
            let raw = Raw::builder(storage).write(!read_only).open(DenyImplicitOpenGate::default());
            let access = FormatAccess::new(raw.map_err(|error| failed(&error))?);
            Ok(Layer { format, access, file, lossy, tables: None, backing: None, depth: 1 })
        }
        Format::Qcow2 => {
            let (header, report) = trusted(node, &plain, read_only)?;
            let next = below(node, &header)?;
            let below =
                next.as_ref().map(|next| layer(next, Manner { read_only: true, ..manner }, depth + 1));
            let below = below.transpose().map_err(|refusal| Refusal {
                message: format!("Could not open backing file: {}", refusal.message),
                hint: refusal.hint,
            })?;
            let (below, depth) = below.map_or((None, 0), |below| (Some(below.access), below.depth));
            let backing = next.map(|next| next.path);
            let length = crate::length(&plain).map_err(|error| failed(&error))?;
            let ordered = !read_only && !manner.resizes && Ordered::suits(&header, &report, length);
            let tables = ordered.then(|| {
                // Tables come in one by one, and not as the disk under them wants it.
                let buffered = match direct {
                    true => open_file(path, false, false)?,
                    false => file.try_clone()?,
                };
                Ordered::new(buffered, header, &report)
            });
            let tables = tables.transpose().map_err(|error| failed(&error))?;
            let qcow2 = (|| {
                let (tables, data) = match &tables {
                    Some(tables) => {
                        let options = StorageOpenOptions::new().write(true);
                        (Storage::from_open_file(tables.memory()?, options)?, Some(storage))
                    }
                    None => (storage, None),
                };
                let builder = Qcow2::<Storage>::builder(tables).write(!read_only);
                builder.backing(below).data_file(data).open(DenyImplicitOpenGate::default())
            })();
            let access = FormatAccess::new(qcow2.map_err(|error| failed(&error))?);
            Ok(Layer { format, access, file, lossy, tables, backing, depth: depth + 1 })
        }
        Format::Foreign(name) => {
            let message = format!("'{}' is an image in format {name}: not yet in hartwright", node.path);
            Err(Refusal::new(message).hint(format!("qemu-img convert -f {name} -O qcow2 makes one that is")))
        }
    }
}

/// The header, after a look at all that it leads to, and what was found.
fn trusted(node: &Node, plain: &File, read_only: bool) -> Result<(Header, Report), Refusal> {
    let refuse = |why: String| Refusal::new(format!("Could not open '{}': {why}", node.path));
    let header = Header::read(plain).map_err(|why| match &*why {
        "Image is not in qcow2 format" => Refusal::new(why),
        _ => refuse(why),
    })?;
    header.usable(read_only).map_err(|(what, help)| refuse(what).hint(help))?;
    let report = check(plain, &header).map_err(refuse)?;
    let bad = if read_only { report.misleading } else { report.harmful };
    if bad > 0 {
        let first = report.messages.first().map_or("", |message| message.trim_start_matches("ERROR "));
        let message = format!("its tables are damaged in {bad} places; the first: {first}");
        let help = format!("qemu-img check -r all {} repairs what can be repaired", node.path);
        return Err(refuse(message).hint(help));
    }
    Ok((header, report))
}

/// What the image is built on, if on anything.
fn below(node: &Node, header: &Header) -> Result<Option<Node>, Refusal> {
    let name = match (&node.backing, &header.backing) {
        (Backing::Given(below), _) => return Ok(Some((**below).clone())),
        (Backing::Nothing, _) | (_, None) => return Ok(None),
        (Backing::Header, Some(name)) if name.is_empty() => return Ok(None),
        (Backing::Header, Some(name)) => name,
    };
    let format = match header.backing_format.as_deref() {
        None => None,
        // A protocol where a format should be, as old tools wrote it.
        Some("file" | "host_device") => Some(Format::Raw),
        Some(name) => Some(Format::named(name).ok_or_else(|| {
            Refusal::new(format!("'{}': backing file in format '{name}': not yet in hartwright", node.path))
        })?),
    };
    let path = beside(&node.path, name);
    let (direct, locking) = (node.direct, node.locking);
    Ok(Some(Node { direct, locking, ..Node::at(&path, format) }))
}

/// The file called `name` by an image at `path`: beside it, unless it says where.
pub fn beside(path: &str, name: &str) -> String {
    let plain = name.strip_prefix("file:").unwrap_or(name);
    let protocol = protocol(plain).is_some();
    match Path::new(path.strip_prefix("file:").unwrap_or(path)).parent() {
        Some(folder) if !protocol && !Path::new(plain).is_absolute() => {
            folder.join(plain).to_string_lossy().into_owned()
        }
        _ => plain.to_owned(),
    }
}

/// What stands before a colon, and no slash before that.
fn protocol(path: &str) -> Option<&str> {
    let (name, _) = path.split_once(':')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Protocols that QEMU has and we have not.
const PROTOCOLS: &[&str] = &[
    "blkdebug",
    "blkverify",
    "ftp",
    "ftps",
    "gluster",
    "http",
    "https",
    "iscsi",
    "json",
    "nbd",
    "nfs",
    "rbd",
    "ssh",
];

/// The path of a file of this host.
pub(crate) fn local(path: &str) -> Result<&Path, Refusal> {
    if let Some(path) = path.strip_prefix("file:") {
        return Ok(Path::new(path));
    }
    match protocol(path) {
        Some(name) if PROTOCOLS.contains(&name.split('+').next().unwrap_or(name)) => {
            Err(Refusal::new(format!("{name}: not yet in hartwright")))
        }
        Some(name) => Err(Refusal::new(format!("Unknown protocol '{name}'"))),
        None => Ok(Path::new(path)),
    }
}

/// Whether reading the beginning of `plain`, the file at `path`, past the page cache shows how accesses must lie. Of a
/// hole anything can be read, so zeroes are put where there is one, as `qemu-img create` does; if they may not be, the
/// answer is no.
fn shows_alignment(path: &Path, plain: &File, read_only: bool) -> io::Result<bool> {
    let hole = match seek(plain, SeekFrom::Data(0)) {
        Ok(data) => data,
        Err(Errno::NXIO) => u64::MAX,
        // Where nothing knows of holes, there are none.
        Err(_) => 0,
    };
    let zeroes = vec![0; crate::length(plain)?.min(hole).min(4096) as usize];
    if !zeroes.is_empty() && !read_only {
        open_file(path, false, false)?.write_all_at(&zeroes, 0)?;
    }
    Ok(zeroes.is_empty() || !read_only)
}

/// A file or block device, open.
pub(crate) fn open_file(path: &Path, read_only: bool, direct: bool) -> io::Result<File> {
    let flags = if direct { OFlags::DIRECT } else { OFlags::empty() };
    // A pipe would keep us waiting for its other end.
    let flags = flags | OFlags::NONBLOCK;
    let file = File::options().read(true).write(!read_only).custom_flags(flags.bits() as i32).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(22) if direct => io::Error::other("filesystem does not support O_DIRECT"),
        _ => error,
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("Is a directory"));
    }
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::other("it is no file and no block device"));
    }
    Ok(file)
}
