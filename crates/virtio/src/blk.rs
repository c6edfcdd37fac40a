//! The block device: requests become those of a [`BlockPort`], many on their way at once.

use crate::{
    Chain, Io, VirtioCard,
    card::{COMMON_NOT_YET, not_yet, virtio_card},
};
use hartwright_device::{
    BlockInfo, BlockOp, BlockPort, BlockReply, BlockRequest, Card, Dma, Error, OWN, Saved, Wiring,
};
use hartwright_objects::{Choice, Object};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Features (virtio 1.2, 5.2.3).
mod feature {
    pub(super) const SEG_MAX: u64 = 1 << 2;
    pub(super) const GEOMETRY: u64 = 1 << 4;
    pub(super) const RO: u64 = 1 << 5;
    pub(super) const BLK_SIZE: u64 = 1 << 6;
    pub(super) const FLUSH: u64 = 1 << 9;
    pub(super) const TOPOLOGY: u64 = 1 << 10;
    pub(super) const CONFIG_WCE: u64 = 1 << 11;
    pub(super) const MQ: u64 = 1 << 12;
    pub(super) const DISCARD: u64 = 1 << 13;
    pub(super) const WRITE_ZEROES: u64 = 1 << 14;
    /// Legacy: offered as QEMU offers it, and every such request is unsupported.
    pub(super) const SCSI: u64 = 1 << 7;
}

/// Bytes of a sector, the unit of the protocol whatever the disk's blocks are.
const SECTOR: u64 = 512;
/// Bytes of a request's header: type, reserved, sector.
const HEADER: u64 = 16;
/// Bytes of a disk's name.
const ID: usize = 20;
/// A request's bytes go to the host in pieces of this many, so that none is as large as a driver likes.
const PIECE: u64 = 1 << 20;
/// So many requests are on their way at once; more wait in their rings.
const AT_ONCE: usize = 64;
/// Where the configuration says whether writes are cached.
const WCE: usize = 32;

/// Types of requests (virtio 1.2, 5.2.6).
mod kind {
    pub(super) const IN: u32 = 0;
    pub(super) const OUT: u32 = 1;
    pub(super) const FLUSH: u32 = 4;
    pub(super) const GET_ID: u32 = 8;
    pub(super) const DISCARD: u32 = 11;
    pub(super) const WRITE_ZEROES: u32 = 13;
    /// Legacy: other requests come before or after this one; they do, each waits for its reply.
    pub(super) const BARRIER: u32 = 1 << 31;
}

/// What the last byte of a request says in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok = 0,
    IoErr = 1,
    Unsupported = 2,
}

/// On, off, or as the host likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Choice)]
pub(crate) enum Switch {
    /// As the host likes.
    #[default]
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// What becomes of a request that the host cannot do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Choice)]
pub(crate) enum OnError {
    /// The guest is told.
    #[default]
    Auto,
    /// The guest is told.
    Report,
    /// It counts as done.
    Ignore,
    /// The machine stops where the host has no room, else the guest is told.
    Enospc,
    /// The machine stops.
    Stop,
}

virtio_card! {
    /// A disk on a virtio bus.
    #[object(
        name = "virtio-blk-device",
        parent = "device",
        family = dyn VirtioCard,
        category = Storage,
        bus = "virtio-bus"
    )]
    pub struct Blk {
        // Configuration.
        /// The disk: the id of a -drive, or the node name of a -blockdev.
        #[property]
        drive: Option<String>,
        /// What the driver is told as the disk's name; up to 20 characters.
        #[property]
        serial: Option<String>,
        /// Where firmware looks for something to start, in order; no firmware asks.
        #[property]
        bootindex: Option<i32>,
        /// How many queues there are; 65535 is one.
        #[property(name = "num-queues", default = 65535)]
        num_queues: u16,
        /// How long requests may be: two descriptors fewer than this.
        #[property(name = "queue-size", default = 256)]
        queue_size: u16,
        /// Whether the longest request follows from the size of queues; if not, it has 126 pieces.
        #[property(name = "seg-max-adjust", default = true)]
        seg_max_adjust: bool,
        /// Whether the driver may switch the cache on and off.
        #[property(name = "config-wce", default = true)]
        config_wce: bool,
        /// Whether writes may be lost until they are flushed, instead of what the drive says.
        #[property(name = "write-cache")]
        write_cache: Switch,
        /// Whether the driver may say which blocks matter no longer.
        #[property(default = true)]
        discard: bool,
        /// Whether the driver may ask for zeroes without sending them.
        #[property(name = "write-zeroes", default = true)]
        write_zeroes: bool,
        /// Sectors that one discard may be about.
        #[property(name = "max-discard-sectors", default = 0x3f_ffff)]
        max_discard_sectors: u32,
        /// Sectors that one request for zeroes may be about.
        #[property(name = "max-write-zeroes-sectors", default = 0x3f_ffff)]
        max_write_zeroes_sectors: u32,
        /// Bytes that a discard should be a multiple of; 4294967295 is a logical block.
        #[property(name = "discard_granularity", default = 0xffff_ffff)]
        discard_granularity: u64,
        /// Whether the driver is told of that.
        #[property(name = "report-discard-granularity", default = true)]
        report_discard_granularity: bool,
        /// Bytes of a logical block, a power of two from 512; 0 is as the drive has it.
        #[property(name = "logical_block_size", default = 0)]
        logical_block_size: u64,
        /// Bytes of a physical block, a power of two from 512; 0 is as the drive has it.
        #[property(name = "physical_block_size", default = 0)]
        physical_block_size: u64,
        /// The least that it is sensible to read or write at once, in bytes.
        #[property(name = "min_io_size", default = 0)]
        min_io_size: u64,
        /// What is best read or written at once, in bytes.
        #[property(name = "opt_io_size", default = 0)]
        opt_io_size: u64,
        /// Cylinders; 0 is as the size has it.
        #[property(default = 0)]
        cyls: u32,
        /// Heads; 0 is 16.
        #[property(default = 0)]
        heads: u32,
        /// Sectors of a track; 0 is 63.
        #[property(default = 0)]
        secs: u32,
        /// Cylinders that firmware of PCs is told: it has no effect.
        #[property(default = 0)]
        lcyls: u32,
        /// Heads that firmware of PCs is told: it has no effect.
        #[property(default = 0)]
        lheads: u32,
        /// Sectors of a track that firmware of PCs is told: it has no effect.
        #[property(default = 0)]
        lsecs: u32,
        /// Requests of SCSI commands: not yet in hartwright.
        #[property(default = false)]
        scsi: bool,
        /// Whether neighbouring requests may be put together; they are not.
        #[property(name = "request-merging", default = true)]
        request_merging: bool,
        /// Whether the drive may have other writers: not yet in hartwright.
        #[property(name = "share-rw", default = false)]
        share_rw: bool,
        /// What becomes of a read that the host cannot do; other than telling the guest is not yet in hartwright.
        #[property]
        rerror: OnError,
        /// What becomes of a write that the host cannot do; other than telling the guest is not yet in hartwright.
        #[property]
        werror: OnError,
        /// Whether failed requests are counted; nothing is.
        #[property(name = "account-failed")]
        account_failed: Switch,
        /// Whether invalid requests are counted; nothing is.
        #[property(name = "account-invalid")]
        account_invalid: Switch,
        /// Whether block sizes come from the drive where they are not given; they do.
        #[property(name = "backend_defaults")]
        backend_defaults: Switch,
        /// The thread that does requests: not yet in hartwright.
        #[property]
        iothread: Option<String>,
        /// For old machines: the cache may be switched only if the driver can flush.
        #[property(name = "x-enable-wce-if-config-wce", default = true)]
        x_enable_wce_if_config_wce: bool,

        // Wiring.
        port: BlockPort,
        /// The disk as the driver was last told.
        info: Option<BlockInfo>,

        // What is on its way to the host.
        on_way: BTreeMap<u64, Step>,
        /// The tag of the next request to the host; no two are alike, ever.
        next_tag: u64,
        /// Replies to come for requests of before a reset: until they have come, nothing new is sent, lest an old
        /// write come after a new one.
        stale: usize,

        // State.
        state: State,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The driver switched the cache, on or off.
    wce: Option<bool>,
    /// Requests that are not done, by number.
    requests: BTreeMap<u64, Request>,
    next: u64,
}

/// A request of the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    queue: usize,
    chain: Chain,
    task: Task,
    /// The disk's first byte that it is about.
    offset: u64,
    /// How many there are.
    len: u64,
    /// How many are done.
    done: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Task {
    Read,
    Write,
    Flush,
    Discard,
    WriteZeroes {
        unmap: bool,
    },
    /// A write is done, and there is no cache.
    WriteThrough,
}

/// What a request to the host is a part of.
#[derive(Clone, Copy, Debug)]
struct Step {
    request: u64,
    len: u64,
}

impl Blk {
    fn queues(&self) -> u16 {
        if self.num_queues == 65535 { 1 } else { self.num_queues }
    }

    fn sectors(&self) -> u64 {
        self.info.as_ref().map_or(0, |info| info.bytes / SECTOR)
    }

    fn logical(&self) -> u64 {
        match self.logical_block_size {
            0 => self.info.as_ref().map_or(SECTOR, |info| info.logical_block_size.into()),
            size => size,
        }
    }

    fn physical(&self) -> u64 {
        let size = match self.physical_block_size {
            0 => self.info.as_ref().map_or(SECTOR, |info| info.physical_block_size.into()),
            size => size,
        };
        size.max(self.logical())
    }

    fn read_only(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.read_only)
    }

    /// Whether writes may be lost until they are flushed, unless the driver says otherwise.
    fn cached(&self) -> bool {
        match self.write_cache {
            Switch::Auto => self.info.as_ref().is_none_or(|info| info.write_cache),
            Switch::On => true,
            Switch::Off => false,
        }
    }

    fn wce(&self) -> bool {
        self.state.wce.unwrap_or(self.cached())
    }

    /// Takes requests from their rings as long as more may be on their way.
    fn pump(&mut self, io: &mut Io<'_>) {
        self.resume(io);
        let mut queue = 0;
        while queue < usize::from(self.queues()) {
            if self.stale > 0 || self.state.requests.len() >= AT_ONCE {
                return;
            }
            match io.pop(queue) {
                Some(chain) => self.take(queue, chain, io),
                None => queue += 1,
            }
        }
    }

    /// Sends off the requests of which nothing is on its way: those of a restored state.
    fn resume(&mut self, io: &mut Io<'_>) {
        if self.stale > 0 || self.state.requests.len() <= self.on_way.len() {
            return;
        }
        let on_way: Vec<u64> = self.on_way.values().map(|step| step.request).collect();
        let idle = self.state.requests.keys().filter(|number| !on_way.contains(number));
        let idle: Vec<u64> = idle.copied().collect();
        idle.into_iter().for_each(|number| self.go_on(number, io));
    }

    fn take(&mut self, queue: usize, chain: Chain, io: &mut Io<'_>) {
        let mut header = [0; HEADER as usize];
        if chain.read(io.memory(), 0, &mut header) < header.len() || chain.writable() == 0 {
            return io.fail("a block request without header or status");
        }
        let (word, sector) = halves(&header);
        let (kind, data) = (word as u32 & !kind::BARRIER, chain.readable() - HEADER);
        let request = |task, offset, len| Request { queue, chain: chain.clone(), task, offset, len, done: 0 };
        let begun = match kind {
            kind::IN => self.fits(sector, chain.writable() - 1).map(|(at, len)| request(Task::Read, at, len)),
            kind::OUT => self.fits(sector, data).map(|(at, len)| request(Task::Write, at, len)),
            kind::FLUSH => Ok(request(Task::Flush, 0, 0)),
            kind::GET_ID => {
                let mut id = self.serial.clone().unwrap_or_else(|| self.drive_serial()).into_bytes();
                id.resize(ID, 0);
                let room = (chain.writable() - 1).min(ID as u64) as usize;
                chain.write(io.memory(), 0, &id[..room]);
                Err(Status::Ok)
            }
            kind::DISCARD | kind::WRITE_ZEROES => {
                self.range(kind, &chain, data, io.memory()).map(|(task, at, len)| request(task, at, len))
            }
            _ => Err(Status::Unsupported),
        };
        match begun {
            Ok(request) => {
                let number = self.state.next;
                self.state.next += 1;
                self.state.requests.insert(number, request);
                self.go_on(number, io);
            }
            Err(status) => complete(queue, &chain, status, io),
        }
    }

    fn drive_serial(&self) -> String {
        self.info.as_ref().map_or(String::new(), |info| info.serial.clone())
    }

    /// The bytes of `len` from `sector` on, if they are whole blocks of the disk.
    fn fits(&self, sector: u64, len: u64) -> Result<(u64, u64), Status> {
        let offset = sector.checked_mul(SECTOR).ok_or(Status::IoErr)?;
        let whole = offset.is_multiple_of(self.logical()) && len.is_multiple_of(self.logical());
        let end = offset.checked_add(len).ok_or(Status::IoErr)?;
        if whole && end <= self.sectors() * SECTOR { Ok((offset, len)) } else { Err(Status::IoErr) }
    }

    /// What a discard or a request for zeroes is about (virtio 1.2, 5.2.6: one segment, as the configuration says).
    fn range(&self, kind: u32, chain: &Chain, data: u64, dma: &Dma) -> Result<(Task, u64, u64), Status> {
        const UNMAP: u32 = 1;
        let zeroes = kind == kind::WRITE_ZEROES;
        if !(if zeroes { self.write_zeroes } else { self.discard }) || data != HEADER || self.read_only() {
            return Err(if self.read_only() { Status::IoErr } else { Status::Unsupported });
        }
        let mut segment = [0; HEADER as usize];
        chain.read(dma, HEADER, &mut segment);
        let (sector, word) = halves(&segment);
        let (count, flags) = (word as u32, (word >> 32) as u32);
        if flags & !UNMAP != 0 || !zeroes && flags != 0 {
            return Err(Status::Unsupported);
        }
        let most = if zeroes { self.max_write_zeroes_sectors } else { self.max_discard_sectors };
        let (offset, len) = self.fits(sector, u64::from(count) * SECTOR)?;
        if count > most {
            return Err(Status::IoErr);
        }
        let task = if zeroes { Task::WriteZeroes { unmap: flags & UNMAP != 0 } } else { Task::Discard };
        Ok((task, offset, len))
    }

    /// Sends the host the next piece of a request, or completes it.
    fn go_on(&mut self, number: u64, io: &mut Io<'_>) {
        let wce = self.wce();
        let Some(request) = self.state.requests.get_mut(&number) else { return };
        let left = request.len.saturating_sub(request.done);
        let changes = matches!(request.task, Task::Write | Task::WriteZeroes { .. });
        if left == 0 && changes && !wce {
            request.task = Task::WriteThrough;
        }
        let offset = request.offset.saturating_add(request.done);
        let (op, len) = match request.task {
            Task::Flush | Task::WriteThrough => (BlockOp::Flush, 0),
            _ if left == 0 => return self.complete(number, Status::Ok, io),
            Task::Read => (BlockOp::Read { offset, len: left.min(PIECE) }, left.min(PIECE)),
            Task::Write => {
                let mut data = vec![0; left.min(PIECE) as usize];
                request.chain.read(io.memory(), HEADER + request.done, &mut data);
                (BlockOp::Write { offset, data }, left.min(PIECE))
            }
            Task::Discard => (BlockOp::Discard { offset, len: left }, left),
            Task::WriteZeroes { unmap } => (BlockOp::WriteZeroes { offset, len: left, unmap }, left),
        };
        let tag = self.next_tag;
        self.next_tag += 1;
        self.on_way.insert(tag, Step { request: number, len });
        self.port.submit(BlockRequest { tag, op });
    }

    fn hear(&mut self, BlockReply { tag, result }: BlockReply, io: &mut Io<'_>) {
        let Some(step) = self.on_way.remove(&tag) else {
            self.stale = self.stale.saturating_sub(1);
            return;
        };
        let Some(request) = self.state.requests.get_mut(&step.request) else { return };
        match result {
            Err(_) => self.complete(step.request, Status::IoErr, io),
            Ok(data) => {
                match request.task {
                    Task::Read if data.len() as u64 != step.len => {
                        return self.complete(step.request, Status::IoErr, io);
                    }
                    Task::Read => drop(request.chain.write(io.memory(), request.done, &data)),
                    Task::Flush | Task::WriteThrough => return self.complete(step.request, Status::Ok, io),
                    _ => {}
                }
                request.done += step.len;
                self.go_on(step.request, io);
            }
        }
    }

    fn complete(&mut self, number: u64, status: Status, io: &mut Io<'_>) {
        if let Some(request) = self.state.requests.remove(&number) {
            complete(request.queue, &request.chain, status, io);
        }
    }

    /// Forgets what is on its way for the requests that `of` tells; the replies are still to come.
    fn forget(&mut self, of: impl Fn(&Request) -> bool) {
        let requests = &self.state.requests;
        let gone = |step: &Step| requests.get(&step.request).is_none_or(&of);
        let before = self.on_way.len();
        self.on_way.retain(|_, step| !gone(step));
        self.stale += before - self.on_way.len();
        self.state.requests.retain(|_, request| !of(request));
    }
}

/// Gives a request back with its status, which is its last byte.
fn complete(queue: usize, chain: &Chain, status: Status, io: &mut Io<'_>) {
    let len = chain.writable();
    chain.write(io.memory(), len.saturating_sub(1), &[status as u8]);
    io.push(queue, chain.head, u32::try_from(len).unwrap_or(u32::MAX));
}

/// Two little-endian words.
fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    (word(0), word(8))
}

impl Card for Blk {
    fn check(&self) -> Result<(), Error> {
        let class = self.class().name;
        not_yet(self, &COMMON_NOT_YET)?;
        not_yet(self, &["iothread", "scsi", "share-rw"])?;
        for (name, policy) in [("rerror", self.rerror), ("werror", self.werror)] {
            if !matches!(policy, OnError::Auto | OnError::Report) {
                not_yet(self, &[name])?;
            }
        }
        if self.drive.as_ref().is_none_or(String::is_empty) {
            return Err(Error::Senseless("drive property not set".into()));
        }
        if self.num_queues == 0 {
            return Err(Error::Senseless("num-queues property must be larger than 0".into()));
        }
        if self.num_queues != 65535 && self.num_queues > 1024 {
            let why = format!("{} queues are too many: 1024 is the most", self.num_queues);
            return Err(Error::Refused { class: class.into(), property: "num-queues".into(), why });
        }
        let size = self.queue_size;
        if !size.is_power_of_two() || size > 1024 {
            let why = format!("invalid queue-size property ({size}), must be a power of 2 (max 1024)");
            return Err(Error::Senseless(why));
        }
        if size <= 2 && self.seg_max_adjust {
            let why = format!("invalid queue-size property ({size}), must be > 2 with seg-max-adjust");
            return Err(Error::Senseless(why));
        }
        for (name, value) in [
            ("logical_block_size", self.logical_block_size),
            ("physical_block_size", self.physical_block_size),
        ] {
            if value != 0 && !(512..=2 << 20).contains(&value) {
                let (class, property) = (class.into(), name.into());
                return Err(Error::OutOfRange {
                    class,
                    property,
                    value: value.into(),
                    min: 512,
                    max: 2 << 20,
                });
            }
            if value != 0 && !value.is_power_of_two() {
                let why = format!("{value} is no power of two");
                return Err(Error::Refused { class: class.into(), property: name.into(), why });
            }
        }
        Ok(())
    }

    fn wire(&mut self, wiring: Wiring) {
        self.port = wiring.block;
        self.info = self.port.info();
        self.port.attach(wiring.me, OWN);
    }
}

impl VirtioCard for Blk {
    fn id(&self) -> u32 {
        2
    }

    fn features(&self, legacy: bool) -> u64 {
        use feature::{
            BLK_SIZE, CONFIG_WCE, DISCARD, FLUSH, GEOMETRY, MQ, RO, SCSI, SEG_MAX, TOPOLOGY, WRITE_ZEROES,
        };
        let rows = [
            (CONFIG_WCE, self.config_wce),
            (FLUSH, self.cached() || self.config_wce),
            (MQ, self.queues() > 1),
            (DISCARD, self.discard),
            (WRITE_ZEROES, self.write_zeroes),
            (RO, self.read_only()),
            (SCSI, legacy),
        ];
        let always = SEG_MAX | GEOMETRY | BLK_SIZE | TOPOLOGY;
        rows.iter().filter(|(_, there)| *there).fold(always, |all, (bit, _)| all | bit)
    }

    fn queues(&self) -> usize {
        Blk::queues(self).into()
    }

    /// Virtio 1.2, 5.2.4.
    fn config(&self) -> Vec<u8> {
        let (logical, sectors) = (self.logical(), self.sectors());
        let heads = if self.heads == 0 { 16 } else { self.heads };
        let secs = if self.secs == 0 { 63 } else { self.secs };
        let cyls = match self.cyls {
            0 => (sectors / (16 * 63)).clamp(2, 16383) as u32,
            cyls => cyls,
        };
        let granularity = match self.discard_granularity {
            0 | 0xffff_ffff => logical,
            bytes => bytes,
        };
        let alignment = if self.report_discard_granularity { granularity } else { logical };
        let seg_max = if self.seg_max_adjust { u32::from(self.queue_size) - 2 } else { 126 };
        let mut bytes = vec![];
        bytes.extend(sectors.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(seg_max.to_le_bytes());
        bytes.extend((cyls as u16).to_le_bytes());
        bytes.extend([heads as u8, secs as u8]);
        bytes.extend((logical as u32).to_le_bytes());
        bytes.extend([(self.physical() / logical).trailing_zeros() as u8, 0]);
        bytes.extend(((self.min_io_size / logical) as u16).to_le_bytes());
        bytes.extend(((self.opt_io_size / logical) as u32).to_le_bytes());
        bytes.extend([self.wce().into(), 0]);
        bytes.extend(Blk::queues(self).to_le_bytes());
        if self.discard || self.write_zeroes {
            bytes.extend(if self.discard { self.max_discard_sectors } else { 0 }.to_le_bytes());
            bytes.extend(u32::from(self.discard).to_le_bytes());
            bytes.extend(if self.discard { (alignment / SECTOR) as u32 } else { 0 }.to_le_bytes());
        }
        if self.write_zeroes {
            bytes.extend(self.max_write_zeroes_sectors.to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            bytes.push(1);
        }
        bytes
    }

    fn configure(&mut self, offset: usize, bytes: &[u8], io: &mut Io<'_>) {
        match bytes {
            [on] if offset == WCE && self.config_wce => self.state.wce = Some(on & 1 != 0),
            _ => io.guest_error(offset as u64, "write to read-only configuration"),
        }
    }

    /// A driver that cannot flush has no cache to flush (virtio 1.2, 5.2.5.2).
    fn started(&mut self, io: &mut Io<'_>) {
        if !io.has(feature::CONFIG_WCE) {
            self.state.wce = Some(io.has(feature::FLUSH) && self.cached());
        }
    }

    fn notify(&mut self, _: usize, io: &mut Io<'_>) {
        self.pump(io);
    }

    fn input(&mut self, _: u32, _: bool, io: &mut Io<'_>) {
        while let Some(reply) = self.port.take_reply() {
            self.hear(reply, io);
        }
        let info = self.port.info();
        if info != self.info {
            let resized = info.as_ref().map(|info| info.bytes) != self.info.as_ref().map(|info| info.bytes);
            self.info = info;
            if resized {
                io.config_changed();
            }
        }
        self.pump(io);
    }

    fn drop_queue(&mut self, queue: usize) {
        self.forget(|request| request.queue == queue);
    }

    fn reset(&mut self) {
        self.forget(|_| true);
        self.state = State::default();
    }

    fn save(&self) -> Result<String, String> {
        self.state.save()
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        let mut state = State::default();
        state.restore(saved)?;
        self.forget(|_| true);
        self.state = state;
        Ok(())
    }

    /// Requests begin again where the host last replied.
    fn restored(&mut self, io: &mut Io<'_>) {
        self.pump(io);
    }
}
