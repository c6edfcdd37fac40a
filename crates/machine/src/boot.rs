//! What is in memory when the machine starts: reset code, firmware, kernel, initrd, device tree, loaders' files.
//!
//! The places are QEMU's: firmware at the start of RAM, the kernel at the next 2 MiB boundary (4 MiB at 32 bits), the
//! initrd half a RAM (at most 512 MiB) above it, the device tree at the top of RAM, below 3 GiB.

use crate::{LoaderDevice, MachineSpec, items::items, reset::Reset};
use hartwright_device::Items;
use hartwright_fdt::{self as fdt, Build, Tree};
use hartwright_isa::{Ext, cpu::CpuModel};
use hartwright_loader::{
    Bios, Class, Firmware, Image, Layout, Part, Place, Role, Symbols, find_firmware, read, read_unpacked,
};
use hartwright_mem::{AddressSpace, BusError};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where Linux wants to lie (Documentation/arch/riscv/boot.rst: the PMD size), and so where kernels are put; at 32
/// bits that is the size of a superpage of Sv32.
const fn kernel_align(class: Class) -> u64 {
    match class {
        Class::Bits32 => 4 << 20,
        Class::Bits64 => 2 << 20,
    }
}
/// Where the device tree is put, if there is room.
const DEVICE_TREE_ALIGN: u64 = 2 << 20;
/// The device tree stays below: a 32-bit M-mode firmware could not reach it, and QEMU does so.
const DEVICE_TREE_BELOW: u64 = 3 << 30;
const PAGE: u64 = 0x1000;

/// What the command line says about booting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootOptions {
    /// `-bios`; without it firmware is `default` when there is a kernel, else `builtin`.
    pub bios: Option<String>,
    /// `-kernel`.
    pub kernel: Option<String>,
    /// `-initrd`.
    pub initrd: Option<String>,
    /// `-append`.
    pub append: Option<String>,
    /// `-dtb`, instead of the generated one.
    pub dtb: Option<String>,
    /// `-L`, in order.
    pub folders: Vec<PathBuf>,
    /// `-seed`: `/chosen/rng-seed` follows from it. Without it, it is random.
    pub seed: Option<u64>,
    /// `-device loader,...`, in order.
    pub loaders: Vec<LoaderDevice>,
    /// `-fw_cfg`: files for firmware, by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether firmware shall know that nobody sees graphics.
    pub no_graphics: bool,
    /// Whether the first flash chip has contents: then the firmware is there, or starts what is there.
    pub flash: bool,
    /// Our own firmware, for a machine that is given neither `-bios` nor `-kernel`.
    pub builtin: Option<&'static [u8]>,
}

/// What goes into memory, and where harts begin. Kept, because a reset puts it there again.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Firmware, kernel, initrd, device tree and loaders' files, each with its place.
    pub layout: Layout,
    /// Where harts begin after a reset, unless [`starts`](Self::starts) says otherwise.
    pub reset: u64,
    /// Where single harts begin instead, by `-device loader,cpu-num=`.
    pub starts: Vec<(u32, u64)>,
    /// The names of everything loaded.
    pub symbols: Symbols,
    /// What firmware may ask for.
    pub items: Arc<Items>,
    /// What to tell the user, such as which firmware was taken.
    pub notes: Vec<String>,
    /// The device tree's blob, as the guest finds it.
    pub device_tree: Vec<u8>,
    /// Where it lies.
    pub device_tree_at: u64,
    /// Whether harts begin in S-mode, in the kernel, and the emulator answers its calls (`-bios builtin`).
    pub supervisor: bool,
    /// What is put at `reset`; nothing where that is the kernel itself.
    reset_code: Vec<u8>,
}

/// Why a plan's files are not in memory.
#[derive(Debug)]
pub enum NotLoaded {
    /// An address is not memory.
    Bus(BusError),
    /// The host does not give back what was [put away](Layout::put_away).
    Host(io::Error),
}

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotLoaded::Bus(why) => why.fmt(f),
            NotLoaded::Host(why) => why.fmt(f),
        }
    }
}

impl From<BusError> for NotLoaded {
    fn from(why: BusError) -> Self {
        NotLoaded::Bus(why)
    }
}

impl From<io::Error> for NotLoaded {
    fn from(why: io::Error) -> Self {
        NotLoaded::Host(why)
    }
}

impl Plan {
    /// Writes everything to memory; at start, and at every reset.
    ///
    /// # Errors
    ///
    /// An address is not memory: a plan is made for a specification whose memory it knows, so only another
    /// machine's address space can do that. Or the host does not give back what was put away.
    pub fn load(&self, space: &AddressSpace) -> Result<(), NotLoaded> {
        static ZEROS: [u8; 0x1_0000] = [0; 0x1_0000];
        for segment in self.layout.parts().iter().flat_map(|part| &part.image.segments) {
            segment.bytes.pieces(|at, piece| {
                space.write_bytes(segment.address + at, piece).map_err(NotLoaded::from)
            })?;
            let mut at = segment.address + segment.bytes.len();
            while at < segment.end() {
                let some = (segment.end() - at).min(ZEROS.len() as u64);
                space.write_bytes(at, &ZEROS[..some as usize])?;
                at += some;
            }
        }
        Ok(space.write_bytes(self.reset, &self.reset_code)?)
    }

    /// Where hart `hart` begins.
    pub fn start(&self, hart: u32) -> u64 {
        self.starts.iter().rfind(|start| start.0 == hart).map_or(self.reset, |start| start.1)
    }
}

/// Reads all files, which must be for harts of `model`, and finds a place for each. `generated` is the machine's own
/// device tree, without `/chosen`'s boot properties.
///
/// # Errors
///
/// One sentence with the option's file and what is wrong with it.
pub fn plan(
    spec: &MachineSpec,
    options: &BootOptions,
    generated: Tree,
    model: &CpuModel,
) -> Result<Plan, String> {
    let ram = spec.main_ram().ok_or("the machine has no RAM")?;
    let limit = *ram.size;
    let class = if model.xlen == 32 { Class::Bits32 } else { Class::Bits64 };
    let place = |m: &crate::Memory| Place { name: m.name.to_string(), base: *m.base, size: *m.size };
    let mut layout = Layout::new(spec.memories.iter().map(place).collect());
    let mut notes = vec![];
    if options.append.is_some() && options.kernel.is_none() {
        return Err("-append only allowed with -kernel option".into());
    }
    if options.initrd.is_some() && options.kernel.is_none() {
        return Err("-initrd only allowed with -kernel option".into());
    }

    // Where code in flash begins: of machine mode if no firmware is loaded, else what the firmware starts.
    let flash = spec.devices.iter().find(|d| d.drive.as_ref().is_some_and(|drive| **drive == "pflash0"));
    let flash = flash.filter(|_| options.flash).map(|device| *device.base);
    let supervisor = options.bios.as_deref().is_some_and(|named| Bios::new(named) == Bios::Builtin);
    if supervisor {
        enough_for_supervisor(options, model)?;
    }
    let firmware = match firmware(options, flash.is_some(), class, model)? {
        None => None,
        Some(Source::Builtin(bytes)) => {
            enough_for_builtin(model)?;
            Some(("(built in)".to_owned(), bytes.to_vec()))
        }
        Some(Source::Found(found)) => {
            let name = found.path.display().to_string();
            let bytes = read_unpacked(&found.path, limit)
                .map_err(|why| format!("could not load firmware '{name}': {why}"))?;
            notes.extend(found.note);
            Some((name, bytes))
        }
    };
    let mut firmware_entry = None;
    let mut kernel_at = *spec.boot.firmware;
    if supervisor {
        // Where it is with firmware, which other software may rely on.
        kernel_at = kernel_at.saturating_add(kernel_align(class));
    }
    if let Some((name, bytes)) = firmware {
        let image = Image::new(bytes, *spec.boot.firmware, class)
            .map_err(|why| format!("could not load firmware '{name}': {why}"))?;
        firmware_entry = Some(image.entry);
        kernel_at = image.end().checked_next_multiple_of(kernel_align(class)).unwrap_or(kernel_at);
        layout.add(Part { role: Role::Firmware, name, image })?;
    }

    let mut kernel = None;
    if let Some(name) = options.kernel.as_ref().filter(|_| flash.is_none()) {
        let image = read_unpacked(Path::new(name), limit)
            .and_then(|bytes| Image::new(bytes, kernel_at, class))
            .map_err(|why| format!("could not load kernel '{name}': {why}"))?;
        kernel = Some((image.entry, image.start(), image.end()));
        layout.add(Part { role: Role::Kernel, name: name.clone(), image })?;
    }

    let mut initrd = None;
    if let (Some(name), Some((_, start, end))) = (&options.initrd, kernel) {
        let bytes =
            read(Path::new(name), limit).map_err(|why| format!("could not load initrd '{name}': {why}"))?;
        let len = bytes.len() as u64;
        let after = end.next_multiple_of(PAGE);
        let usual = (start.saturating_add((limit / 2).min(512 << 20)) / PAGE * PAGE).max(after);
        // An initrd of more than half the memory still fits right after the kernel.
        let fits = usual.saturating_add(len) <= ram.base.saturating_add(limit);
        let at = if fits { usual } else { after };
        layout.add(Part { role: Role::Initrd, name: name.clone(), image: Image::raw(bytes, at) })?;
        initrd = Some((at, at + len));
    }

    let mut starts = vec![];
    for loader in &options.loaders {
        let (part, start) = loader.load(limit, class)?;
        starts.extend(start);
        if let Some(part) = part {
            layout.add(part)?;
        }
    }
    if let Some((hart, _)) = starts.iter().find(|start| u64::from(start.0) >= *spec.cpu.harts) {
        return Err(format!("-device loader: cpu-num={hart}: the machine has {} harts", spec.cpu.harts));
    }

    let mut tree = match &options.dtb {
        None => generated,
        Some(name) => read(Path::new(name), limit)
            .map_err(|why| why.to_string())
            .and_then(|blob| fdt::parse(&blob).map_err(|why| why.to_string()))
            .map_err(|why| format!("could not load device tree '{name}': {why}"))?,
    };
    choose(&mut tree, options, initrd);
    let device_tree = tree.to_dtb();
    let name = options.dtb.clone().unwrap_or_else(|| "(generated)".to_owned());
    let device_tree_at = place_device_tree(&mut layout, ram, &name, &device_tree)?;

    let next = flash.or(kernel.map(|(entry, ..)| entry));
    let entry = firmware_entry.or(next).unwrap_or(*spec.boot.firmware);
    let reset = Reset {
        entry,
        device_tree: device_tree_at,
        next: next.unwrap_or(0),
        narrow: model.xlen == 32,
        csrs: model.extensions.has(Ext::Zicsr),
    };
    // The kernel's names win over the firmware's.
    let mut parts: Vec<&Part> = layout.parts().iter().collect();
    parts.sort_by_key(|part| part.role != Role::Kernel);
    let symbols =
        parts.into_iter().fold(Symbols::default(), |symbols, part| symbols.merge(part.image.symbols.clone()));
    Ok(Plan {
        reset: if supervisor { entry } else { *spec.boot.reset },
        starts,
        symbols,
        items: Arc::new(items(spec, options, flash.is_some(), limit)?),
        notes,
        device_tree,
        device_tree_at,
        supervisor,
        reset_code: if supervisor { vec![] } else { reset.code() },
        layout,
    })
}

enum Source {
    Builtin(&'static [u8]),
    Found(Firmware),
}

/// Whether harts have what our own firmware is compiled for.
fn enough_for_builtin(model: &CpuModel) -> Result<(), String> {
    let needs = [Ext::M, Ext::Zmmul, Ext::Zaamo, Ext::Zalrsc, Ext::Zca, Ext::Zicsr, Ext::Zifencei];
    let missing: Vec<_> =
        needs.into_iter().filter(|ext| !model.extensions.has(*ext)).map(Ext::name).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "our own firmware needs {}, which this CPU has not; -bios none -kernel FILE starts a program",
            missing.join(", ")
        )),
    }
}

/// Whether there is something to answer calls of, and harts that this is done for.
fn enough_for_supervisor(options: &BootOptions, model: &CpuModel) -> Result<(), String> {
    if options.kernel.is_none() {
        return Err(
            "-bios builtin answers the calls of a kernel in supervisor mode: -kernel FILE names one".into()
        );
    }
    match model.xlen {
        64 => Ok(()),
        xlen => Err(format!(
            "-bios builtin is for harts of 64 bits, and these have {xlen}: -bios FILE names firmware for them"
        )),
    }
}

fn firmware(
    options: &BootOptions,
    flash: bool,
    class: Class,
    model: &CpuModel,
) -> Result<Option<Source>, String> {
    let bios = match (&options.bios, &options.kernel, options.builtin) {
        (Some(named), ..) => Bios::new(named),
        (None, None, Some(builtin)) if !flash => return Ok(Some(Source::Builtin(builtin))),
        (None, ..) => Bios::Default,
    };
    if bios == Bios::Default && model.xlen > 64 {
        let xlen = model.xlen;
        return Err(format!(
            "there is no firmware of {xlen} bits: -bios none starts without, -bios FILE with another"
        ));
    }
    let found = find_firmware(&bios, &options.folders, class).map_err(|why| why.to_string())?;
    Ok(found.map(Source::Found))
}

/// `/chosen`: what only this start knows.
fn choose(tree: &mut Tree, options: &BootOptions, initrd: Option<(u64, u64)>) {
    let name = "chosen";
    let mut chosen = tree.root.remove_child(name).unwrap_or_else(|| fdt::Node::new_unchecked(name));
    if let Some(append) = &options.append {
        chosen = chosen.str("bootargs", append);
    }
    if let Some((start, end)) = initrd {
        chosen = chosen.u64s("linux,initrd-start", &[start]).u64s("linux,initrd-end", &[end]);
    }
    chosen = chosen.bytes("rng-seed", &rng_seed(options.seed));
    tree.root.add_child(chosen);
}

/// 32 bytes: from `seed`, the same for the same seed; else from the host.
fn rng_seed(seed: Option<u64>) -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    let mut bytes = [0; 32];
    for (number, chunk) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *chunk = match seed {
            // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
            Some(seed) => {
                let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1));
                z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                (z ^ z >> 31).to_le_bytes()
            }
            // The standard library keys each of these from the host's random numbers.
            None => RandomState::new().hash_one(number).to_le_bytes(),
        };
    }
    bytes
}

/// Puts the device tree as high as it goes: on a 2 MiB boundary, or in small memory on a page.
fn place_device_tree(
    layout: &mut Layout,
    ram: &crate::Memory,
    name: &str,
    blob: &[u8],
) -> Result<u64, String> {
    let end = ram.base.saturating_add(*ram.size);
    let top = if *ram.base < DEVICE_TREE_BELOW { end.min(DEVICE_TREE_BELOW) } else { end };
    let mut refused = String::new();
    for align in [DEVICE_TREE_ALIGN, PAGE] {
        let at = top.saturating_sub(blob.len() as u64) / align * align;
        let image = Image::raw(blob.to_vec(), at);
        match layout.add(Part { role: Role::DeviceTree, name: name.to_owned(), image }) {
            Ok(()) => return Ok(at),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}
