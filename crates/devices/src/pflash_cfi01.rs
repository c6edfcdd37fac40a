//! Parallel NOR flash with the Intel command set: two 16-bit chips side by side, which answer together.

use hartwright_device::{
    Array, BlockOp, BlockPort, BusError, Device, Error, Prop, Saved, Wiring, log, registers,
};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};

// Intel StrataFlash Embedded Memory (J3), chapters 9 to 12, and JEDEC JESD68 (CFI). A command may be written anywhere;
// where it matters, its address is the block's.
registers! { PflashCfi01 size 0x200_0000, widths [1, 2, 4, 8] else fault:
    /// What reads give next, or what is to be done. Writing it is a command, to both chips.
    0x0 command: u32 {
        /// The command.
        COMMAND[7:0] WO {
            read_array = 0xff, read_status = 0x70, clear_status = 0x50, read_id = 0x90, query = 0x98,
            program = 0x40, program_too = 0x10, buffered_program = 0xe8, erase = 0x20, lock_setup = 0x60,
            confirm = 0xd0, lock = 0x01, lock_down = 0x2f,
        },
    } set command_anywhere;
}

/// Bytes side by side: two chips of two.
const BANK: u64 = 4;
/// Bytes of one chip's word.
const CHIP: u64 = 2;
/// The manufacturer's and the device's number, as in QEMU.
const ID: [u16; 2] = [0x89, 0x18];
/// Bytes that a buffered program may write, in both chips.
const BUFFER: u64 = 0x1000;

const READY: u8 = 1 << 7;
const ERASE_FAILED: u8 = 1 << 5;
const PROGRAM_FAILED: u8 = 1 << 4;
const LOCKED: u8 = 1 << 1;
/// Both at once say that a command's second half did not fit its first.
const SEQUENCE: u8 = ERASE_FAILED | PROGRAM_FAILED;

/// Flash memory with the Intel command set, two 16-bit chips wide (CFI).
#[derive(Object)]
#[object(name = "cfi.pflash01", parent = "sys-bus-device", family = dyn Device, category = Storage)]
pub struct PflashCfi01 {
    // Configuration.
    /// How many blocks there are that are erased as one.
    #[property(default = 128)]
    num_blocks: u32,
    /// Bytes of a block, a power of two.
    #[property(default = 0x4_0000)]
    sector_length: u32,
    /// The disk that keeps what is written: exactly as large as the flash.
    #[property(default = String::new())]
    drive: String,

    // Wiring.
    array: Array,
    disk: BlockPort,

    // State; the contents are memory.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    reads: Reads,
    awaits: Awaits,
    status: u8,
    /// The blocks that are locked.
    locked: Vec<u32>,
    /// What a buffered program has gathered: offsets and bytes.
    buffer: Vec<(u64, Vec<u8>)>,
}

/// What reads give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Reads {
    #[default]
    Array,
    Status,
    Id,
    Query,
}

/// What the next write is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Awaits {
    #[default]
    Command,
    /// The word to program.
    Word,
    /// The confirmation to erase the block of this offset.
    Erase(u64),
    /// How many words a buffered program has, less one.
    Count,
    /// So many more words.
    Words(u32),
    /// The confirmation of a buffered program.
    Confirm,
    /// What to do about the lock of a block.
    Lock,
}

impl PflashCfi01 {
    fn len(&self) -> u64 {
        u64::from(self.num_blocks) * u64::from(self.sector_length)
    }

    /// Whether all of `size` bytes at `offset` are the chip's.
    fn has(&self, offset: u64, size: u8) -> bool {
        offset.checked_add(size.into()).is_some_and(|end| end <= self.len())
    }

    /// The block of `offset`.
    fn block(&self, offset: u64) -> u32 {
        (offset / u64::from(self.sector_length.max(1))) as u32
    }

    /// Byte `index` of the table of JESD68; the vendor's part is Intel's, version 1.0.
    fn query(&self, index: u64) -> u16 {
        // Of one chip: log2 of its bytes, and its blocks.
        let size = (self.len() / (BANK / CHIP)).checked_ilog2().unwrap_or(0) as u16;
        let (blocks, block) = (self.num_blocks.saturating_sub(1), self.sector_length / (BANK / CHIP) as u32);
        match index {
            0x10..=0x12 => u16::from(b"QRY"[index as usize - 0x10]),
            0x13 => 0x01,
            0x15 => 0x31,
            0x1b => 0x45,
            0x1c => 0x55,
            0x1f | 0x20 => 0x07,
            0x21 => 0x0a,
            0x23..=0x25 => 0x04,
            0x27 => size,
            0x28 => 0x02,
            0x2a => 0x0b,
            0x2c => 0x01,
            0x2d => blocks as u16 & 0xff,
            0x2e => (blocks >> 8) as u16 & 0xff,
            0x2f => (block >> 8) as u16 & 0xff,
            0x30 => (block >> 16) as u16 & 0xff,
            0x31..=0x35 => u16::from(b"PRI10"[index as usize - 0x31]),
            0x3f => 0x01,
            _ => 0,
        }
    }

    /// What a chip says at word `index` of the bank.
    fn word(&self, index: u64) -> u16 {
        match self.state.reads {
            Reads::Status | Reads::Array => self.state.status.into(),
            Reads::Query => self.query(index),
            Reads::Id => {
                let block = self.block(index * BANK);
                match index % (u64::from(self.sector_length) / BANK).max(1) {
                    2 => self.state.locked.contains(&block).into(),
                    index => ID.get(index as usize).copied().unwrap_or(0),
                }
            }
        }
    }

    fn command_anywhere(&mut self, value: u32) {
        self.command(0, 4, value.into());
    }

    fn command(&mut self, offset: u64, size: u8, value: u64) {
        let code = value as u8;
        let awaits = std::mem::take(&mut self.state.awaits);
        match (awaits, code) {
            (Awaits::Word, _) => {
                let bytes = value.to_le_bytes()[..size as usize].to_vec();
                self.program(&[(offset, bytes)]);
            }
            (Awaits::Count, _) => self.begin_buffer(value as u16),
            (Awaits::Words(left), _) => {
                self.state.buffer.push((offset, value.to_le_bytes()[..size as usize].to_vec()));
                self.state.awaits = if left > 1 { Awaits::Words(left - 1) } else { Awaits::Confirm };
            }
            (Awaits::Confirm, 0xd0) => {
                let words = std::mem::take(&mut self.state.buffer);
                self.program(&words);
            }
            (Awaits::Erase(block), 0xd0) => self.erase(block),
            (Awaits::Lock, 0x01 | 0x2f) => {
                let block = self.block(offset);
                self.state.locked.retain(|locked| *locked != block);
                self.state.locked.push(block);
            }
            (Awaits::Lock, 0xd0) => {
                let block = self.block(offset);
                self.state.locked.retain(|locked| *locked != block);
            }
            (Awaits::Command, _) => self.begin(code, offset),
            // Reading the array gives an operation up; anything else is a mistake.
            (_, 0xff) => self.state.reads = Reads::Array,
            _ => self.mistake(offset, code),
        }
    }

    fn begin(&mut self, code: u8, offset: u64) {
        let (reads, awaits) = match code {
            // The others are what drivers of AMD's chips try.
            0xff | 0xf0 | 0x00 => (Reads::Array, Awaits::Command),
            0x70 => (Reads::Status, Awaits::Command),
            0x90 => (Reads::Id, Awaits::Command),
            0x98 => (Reads::Query, Awaits::Command),
            0x50 => {
                self.state.status = READY;
                (Reads::Array, Awaits::Command)
            }
            0x10 | 0x40 => (Reads::Status, Awaits::Word),
            0x20 => (Reads::Status, Awaits::Erase(offset)),
            0x60 => (Reads::Status, Awaits::Lock),
            0xe8 => (Reads::Status, Awaits::Count),
            _ => {
                let class = self.class().name;
                log::guest_error(class, offset, "unknown command", format_args!(": {code:#x}"));
                (Reads::Array, Awaits::Command)
            }
        };
        (self.state.reads, self.state.awaits) = (reads, awaits);
    }

    fn begin_buffer(&mut self, count: u16) {
        let words = u32::from(count) + 1;
        self.state.buffer.clear();
        if u64::from(words) * CHIP > BUFFER / (BANK / CHIP) {
            return self.mistake(0, 0xe8);
        }
        self.state.awaits = Awaits::Words(words);
    }

    fn mistake(&mut self, offset: u64, code: u8) {
        let class = self.class().name;
        log::guest_error(class, offset, "wrong end of a command", format_args!(": {code:#x}"));
        self.state.status |= SEQUENCE;
        self.state.reads = Reads::Status;
    }

    /// Clears the bits that are clear in each of `words`, all of which lie in one block.
    fn program(&mut self, words: &[(u64, Vec<u8>)]) {
        let Some(first) = words.iter().map(|word| word.0).min() else { return };
        let end =
            words.iter().map(|(at, bytes)| at.saturating_add(bytes.len() as u64)).max().unwrap_or(first);
        if end > self.len() || self.block(first) != self.block(end - 1) || end - first > BUFFER {
            return self.mistake(first, 0xe8);
        }
        let mut bytes = vec![0; (end - first) as usize];
        self.array.read(first, &mut bytes);
        for (at, word) in words {
            let from = (at - first) as usize;
            bytes[from..].iter_mut().zip(word).for_each(|(old, new)| *old &= new);
        }
        self.change(first, &bytes, PROGRAM_FAILED);
    }

    fn erase(&mut self, offset: u64) {
        let size = u64::from(self.sector_length.max(1));
        self.change(offset / size * size, &vec![0xff; size as usize], ERASE_FAILED);
    }

    /// Puts `bytes` where they belong, on the disk first, or says with `failed` that it could not be.
    fn change(&mut self, offset: u64, bytes: &[u8], failed: u8) {
        if self.state.locked.contains(&self.block(offset)) {
            self.state.status |= LOCKED | failed;
            return;
        }
        let disk = self.disk.info().is_some();
        if disk && self.disk.now(BlockOp::Write { offset, data: bytes.to_vec() }).is_err() {
            self.state.status |= failed;
            return;
        }
        self.array.write(offset, bytes);
    }

    /// Reads the disk, which is as large as this is.
    fn load(&mut self, bytes: u64) -> Result<(), Error> {
        const SOME: u64 = 1 << 20;
        let refuse =
            |why: String| Error::Refused { class: self.class().name.into(), property: "drive".into(), why };
        if bytes != self.len() {
            return Err(refuse(format!(
                "device requires {} bytes, block backend provides {bytes} bytes",
                self.len()
            )));
        }
        let mut offset = 0;
        while offset < bytes {
            let read = BlockOp::Read { offset, len: SOME.min(bytes - offset) };
            let data = self.disk.now(read).map_err(|why| refuse(format!("'{}': {why}", self.drive)))?;
            // Zeros are there already, and take no memory of the host.
            for (page, data) in data.chunks(0x1000).enumerate().filter(|page| page.1.iter().any(|b| *b != 0))
            {
                self.array.write(offset + 0x1000 * page as u64, data);
            }
            offset += SOME;
        }
        Ok(())
    }
}

impl Device for PflashCfi01 {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        let class = self.class().name;
        let refuse = |property: &str, why: String| Error::Refused {
            class: class.into(),
            property: property.into(),
            why,
        };
        let fits = |n: u32, most: u32| n.is_power_of_two() && n <= most;
        if !fits(self.sector_length, 1 << 24) || self.sector_length < 0x1000 {
            let why = format!("{:#x} is no power of two from 4 KiB to 16 MiB", self.sector_length);
            return Err(refuse("sector-length", why));
        }
        if !fits(self.num_blocks, 1 << 16) || self.len() > 1 << 30 {
            let why = format!("{} is no power of two that makes at most 1 GiB", self.num_blocks);
            return Err(refuse("num-blocks", why));
        }
        self.array = wiring.array;
        self.disk = wiring.block;
        if let Some(info) = self.disk.info() {
            self.load(info.bytes)?;
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State { status: READY, ..State::default() };
    }

    fn read(&mut self, offset: u64, size: u8) -> Result<u64, BusError> {
        if !self.has(offset, size) {
            return Err(BusError::Refused);
        }
        let mut bytes = [0; 8];
        if self.state.reads == Reads::Array {
            self.array.read(offset, &mut bytes[..size as usize]);
        } else {
            for (byte, at) in bytes[..size as usize].iter_mut().zip(offset..) {
                *byte = self.word(at / BANK).to_le_bytes()[(at % CHIP) as usize];
            }
        }
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        if !self.has(offset, size) {
            return Err(BusError::Refused);
        }
        self.command(offset, size, value);
        Ok(())
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn size(&self) -> u64 {
        self.len()
    }

    fn array(&self) -> bool {
        true
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["cfi-flash"]
    }

    fn node(&self) -> &'static str {
        "flash"
    }

    fn in_soc(&self) -> bool {
        false
    }

    fn joins(&self) -> bool {
        true
    }

    fn describe(&self) -> Vec<(&'static str, Prop)> {
        vec![("bank-width", Prop::Cells(vec![BANK as u32]))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_device::{BlockInfo, Locked, Mmio, conforms};
    use hartwright_mem::AddressSpace;
    use std::sync::{Arc, Mutex, mpsc};

    const LEN: u64 = 0x200_0000;

    /// What a disk has.
    type File = Arc<Mutex<Vec<u8>>>;

    /// A chip with an array, and what its disk has if it is to have one.
    fn flash(read_only: Option<bool>) -> (Arc<Locked<PflashCfi01>>, Arc<AddressSpace>, File) {
        let mut map = AddressSpace::build();
        map.ram("array", 0, LEN).unwrap();
        let space = map.finish().unwrap();
        let disk = BlockPort::default();
        let bytes = Arc::new(Mutex::new(vec![0xff; LEN as usize]));
        bytes.lock().unwrap()[..4].copy_from_slice(b"boot");
        if let Some(read_only) = read_only {
            let (ring, rung) = mpsc::channel();
            let info = BlockInfo {
                bytes: LEN,
                read_only,
                logical_block_size: 512,
                physical_block_size: 512,
                write_cache: true,
                discard: false,
                serial: String::new(),
            };
            disk.connect(info, Arc::new(move || ring.send(()).unwrap_or_default()));
            let (port, bytes) = (disk.clone(), bytes.clone());
            std::thread::spawn(move || {
                while rung.recv().is_ok() {
                    let Some(request) = port.take_request() else { continue };
                    let mut bytes = bytes.lock().unwrap();
                    let reply = match request.op {
                        BlockOp::Read { offset, len } => bytes[offset as usize..][..len as usize].to_vec(),
                        BlockOp::Write { offset, data } => {
                            bytes[offset as usize..][..data.len()].copy_from_slice(&data);
                            vec![]
                        }
                        other => panic!("{other:?}"),
                    };
                    port.reply(request.tag, Ok(reply));
                }
            });
        }
        let flash = Locked::new(Box::new(PflashCfi01::default()));
        flash.wire(Wiring { array: Array::new(&space, 0), block: disk, ..Wiring::default() }).unwrap();
        (flash, space, bytes)
    }

    fn write(flash: &Locked<PflashCfi01>, words: &[u64]) {
        words.iter().for_each(|word| flash.write(0, 4, *word).unwrap());
    }

    #[test]
    fn it_conforms() {
        flash(None).0.with(|device| conforms(device)).unwrap();
    }

    #[test]
    fn what_is_written_is_on_the_disk() {
        let (flash, space, disk) = flash(Some(false));
        assert_eq!(flash.read(0, 4), Ok(u64::from(u32::from_le_bytes(*b"boot"))));
        write(&flash, &[0x20, 0xd0, 0x40, 0x1234_5678]);
        assert_eq!(
            (flash.read(0, 4), disk.lock().unwrap()[..4].to_vec()),
            (Ok(0x80_0080), vec![0x78, 0x56, 0x34, 0x12])
        );
        write(&flash, &[0xff]);
        assert_eq!((flash.read(0, 8), space.load(0, 4)), (Ok(0xffff_ffff_1234_5678), Ok(0x1234_5678)));
        write(&flash, &[0x40, 0xffff_0000, 0xff]);
        assert_eq!(flash.read(0, 4), Ok(0x1234_0000), "programming only clears");
    }

    #[test]
    fn a_disk_that_cannot_be_written_and_a_locked_block_say_so() {
        let (flash, _, _) = flash(Some(true));
        write(&flash, &[0x40, 0]);
        assert_eq!(flash.read(0, 4), Ok(0x90_0090));
        write(&flash, &[0x50, 0x20, 0xd0]);
        assert_eq!(flash.read(0, 2), Ok(0xa0));
        let (flash, ..) = self::flash(None);
        write(&flash, &[0x60, 0x01, 0x20, 0xd0]);
        assert_eq!(flash.read(0, 4), Ok(0xa2_00a2));
        write(&flash, &[0x90]);
        assert_eq!((flash.read(0, 4), flash.read(8, 4)), (Ok(0x89_0089), Ok(0x1_0001)));
    }

    #[test]
    fn the_wrong_end_of_a_command_is_a_mistake_in_the_status() {
        let (flash, ..) = flash(None);
        write(&flash, &[0x20, 0x33]);
        assert_eq!(flash.read(0, 4), Ok(0xb0_00b0));
        write(&flash, &[0x50]);
        assert_eq!(flash.read(0, 4), Ok(0));
    }
}
