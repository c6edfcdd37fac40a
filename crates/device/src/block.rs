//! The queue between a disk's device and the host's file, with many requests on their way at once.

use crate::Sink;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// Two queues between a device and a backend, requests one way and replies the other; clones are the same port.
///
/// Replies come in any order, each with the tag of its request; every request gets one. A flush covers the writes
/// that were replied to before it was submitted. A port without a backend is no disk: [`info`](Self::info) is
/// `None`, and every request fails.
#[derive(Clone, Default)]
pub struct BlockPort(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A reply came, for who waits in [`BlockPort::now`].
    replied: Condvar,
}

#[derive(Default)]
struct State {
    info: Option<BlockInfo>,
    requests: VecDeque<BlockRequest>,
    replies: VecDeque<BlockReply>,
    /// The tags that the backend has and has not replied to.
    taken: Vec<u64>,
    wake: Option<(Arc<dyn Sink>, u32)>,
    waker: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// What a disk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its bytes. Requests stay below; it need not be a multiple of a block.
    pub bytes: u64,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Bytes of the smallest unit that can be addressed; a power of two from 512.
    pub logical_block_size: u32,
    /// Bytes of the smallest unit that is written without reading first; a power of two.
    pub physical_block_size: u32,
    /// Whether writes may be lost until they are flushed.
    pub write_cache: bool,
    /// Whether a discard gives room back to the host; if not, it is accepted and does nothing.
    pub discard: bool,
    /// What the guest is told as serial number; empty for none.
    pub serial: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRequest {
    /// Comes back with the reply. The device chooses it, and no two that are on their way are alike.
    pub tag: u64,
    /// What.
    pub op: BlockOp,
}

/// What a request does. Offsets and lengths are bytes, of any alignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockOp {
    /// Replies with the bytes.
    Read {
        /// The first byte.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// Writes.
    Write {
        /// Where the first byte goes.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Replies when all that was replied to before would survive a loss of power.
    Flush,
    /// The bytes matter no longer; what they read as is undefined.
    Discard {
        /// The first byte.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// The bytes read as zeroes from now on.
    WriteZeroes {
        /// The first byte.
        offset: u64,
        /// How many.
        len: u64,
        /// Whether the host may free the room.
        unmap: bool,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReply {
    /// The request's.
    pub tag: u64,
    /// The bytes that were read; of other requests nothing.
    pub result: Result<Vec<u8>, BlockError>,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The host could not do it, or the image is damaged there.
    Io,
    /// The host has no room left.
    NoSpace,
    /// The disk is read-only.
    ReadOnly,
    /// It goes beyond the end of the disk.
    OutOfRange,
    /// There is no disk, or no longer.
    NoDisk,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BlockError::Io => "input/output error",
            BlockError::NoSpace => "no space left on the host",
            BlockError::ReadOnly => "the disk is read-only",
            BlockError::OutOfRange => "beyond the end of the disk",
            BlockError::NoDisk => "there is no disk",
        })
    }
}

impl std::error::Error for BlockError {}

impl BlockOp {
    /// Whether it changes what is on the disk.
    pub fn writes(&self) -> bool {
        !matches!(self, BlockOp::Read { .. } | BlockOp::Flush)
    }

    /// Its first byte and how many there are.
    pub fn range(&self) -> (u64, u64) {
        match self {
            BlockOp::Read { offset, len }
            | BlockOp::Discard { offset, len }
            | BlockOp::WriteZeroes { offset, len, .. } => (*offset, *len),
            BlockOp::Write { offset, data } => (*offset, data.len() as u64),
            BlockOp::Flush => (0, 0),
        }
    }
}

/// The device's side.
impl BlockPort {
    /// From now on `wake` hears `(pin, true)` when a reply waits after none did, or the disk came or went.
    ///
    /// Who hears it takes replies until there are none.
    pub fn attach(&self, wake: Arc<dyn Sink>, pin: u32) {
        self.lock().wake = Some((wake.clone(), pin));
        wake.set(pin, true);
    }

    /// What the disk is; `None` where there is none.
    pub fn info(&self) -> Option<BlockInfo> {
        self.lock().info.clone()
    }

    /// Sends a request on its way. It is checked here, so a backend sees none that cannot be.
    pub fn submit(&self, request: BlockRequest) {
        let mut state = self.lock();
        if let Err(error) = state.judge(&request.op) {
            return self.answer(state, BlockReply { tag: request.tag, result: Err(error) });
        }
        state.requests.push_back(request);
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker();
        }
    }

    /// A reply, if one waits.
    pub fn take_reply(&self) -> Option<BlockReply> {
        self.lock().replies.pop_front()
    }

    /// Does `op` and waits for it: for a device at its beginning, or one whose registers are the disk. Nobody else
    /// may have requests on their way, because their replies are dropped.
    ///
    /// # Errors
    /// As the reply says.
    pub fn now(&self, op: BlockOp) -> Result<Vec<u8>, BlockError> {
        const TAG: u64 = u64::MAX;
        self.submit(BlockRequest { tag: TAG, op });
        let mut state = self.lock();
        loop {
            if let Some(reply) = state.replies.pop_front() {
                if reply.tag == TAG {
                    return reply.result;
                }
                continue;
            }
            state = self.0.replied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The backend's side.
impl BlockPort {
    /// A disk is here; `waker` is called, on the device's thread, when a request waits.
    pub fn connect(&self, info: BlockInfo, waker: Arc<dyn Fn() + Send + Sync>) {
        let mut state = self.lock();
        state.info = Some(info);
        state.waker = Some(waker);
        drop(state);
        self.wake();
    }

    /// The disk is gone: what is on its way fails, and so does what comes.
    pub fn disconnect(&self) {
        let mut state = self.lock();
        state.info = None;
        state.waker = None;
        let waiting = std::mem::take(&mut state.requests).into_iter().map(|request| request.tag);
        let lost: Vec<u64> = std::mem::take(&mut state.taken).into_iter().chain(waiting).collect();
        state.replies.extend(lost.into_iter().map(|tag| BlockReply { tag, result: Err(BlockError::NoDisk) }));
        drop(state);
        self.0.replied.notify_all();
        self.wake();
    }

    /// The next request. It fits the disk, and if it writes, the disk is not read-only.
    pub fn take_request(&self) -> Option<BlockRequest> {
        let mut state = self.lock();
        let request = state.requests.pop_front()?;
        state.taken.push(request.tag);
        Some(request)
    }

    /// Replies to a request that was taken; one to any other is dropped.
    pub fn reply(&self, tag: u64, result: Result<Vec<u8>, BlockError>) {
        let mut state = self.lock();
        if let Some(at) = state.taken.iter().position(|taken| *taken == tag) {
            state.taken.swap_remove(at);
            self.answer(state, BlockReply { tag, result });
        }
    }

    /// How many requests have no reply yet.
    pub fn outstanding(&self) -> usize {
        let state = self.lock();
        state.requests.len() + state.taken.len()
    }

    fn answer(&self, mut state: MutexGuard<'_, State>, reply: BlockReply) {
        let first = state.replies.is_empty();
        state.replies.push_back(reply);
        drop(state);
        self.0.replied.notify_all();
        if first {
            self.wake();
        }
    }

    /// Never with the port's lock held: what wakes may look at the port.
    fn wake(&self) {
        let wake = self.lock().wake.clone();
        if let Some((sink, pin)) = wake {
            sink.set(pin, true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn judge(&self, op: &BlockOp) -> Result<(), BlockError> {
        let info = self.info.as_ref().ok_or(BlockError::NoDisk)?;
        let (offset, len) = op.range();
        if offset.checked_add(len).is_none_or(|end| end > info.bytes) {
            Err(BlockError::OutOfRange)
        } else if op.writes() && info.read_only {
            Err(BlockError::ReadOnly)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for BlockPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        match &state.info {
            Some(info) => write!(f, "BlockPort({} bytes, {} requests)", info.bytes, state.requests.len()),
            None => f.write_str("BlockPort(no disk)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Sink for Bell {
        fn set(&self, pin: u32, level: bool) {
            assert!(pin == 7 && level);
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn info(bytes: u64, read_only: bool) -> BlockInfo {
        BlockInfo {
            bytes,
            read_only,
            logical_block_size: 512,
            physical_block_size: 512,
            write_cache: true,
            discard: true,
            serial: String::new(),
        }
    }

    fn disk(bytes: u64, read_only: bool) -> BlockPort {
        let port = BlockPort::default();
        port.connect(info(bytes, read_only), Arc::new(|| {}));
        port
    }

    #[test]
    fn without_a_backend_every_request_fails() {
        let port = BlockPort::default();
        assert_eq!(port.info(), None);
        port.submit(BlockRequest { tag: 1, op: BlockOp::Flush });
        assert_eq!(port.take_reply(), Some(BlockReply { tag: 1, result: Err(BlockError::NoDisk) }));
        assert_eq!(port.now(BlockOp::Read { offset: 0, len: 0 }), Err(BlockError::NoDisk));
    }

    #[test]
    fn replies_come_in_the_backend_s_order_and_ring_once() {
        let (port, bell) = (disk(4096, false), Arc::new(Bell::default()));
        port.attach(bell.clone(), 7);
        assert_eq!(bell.0.swap(0, Ordering::SeqCst), 1);
        for tag in [5, 6] {
            port.submit(BlockRequest { tag, op: BlockOp::Read { offset: 0, len: 2 } });
        }
        assert_eq!(port.outstanding(), 2);
        let (first, second) = (port.take_request().unwrap(), port.take_request().unwrap());
        assert_eq!((first.tag, second.tag, port.take_request()), (5, 6, None));
        port.reply(6, Ok(vec![6, 6]));
        port.reply(5, Err(BlockError::Io));
        port.reply(5, Ok(vec![]));
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert_eq!(port.take_reply(), Some(BlockReply { tag: 6, result: Ok(vec![6, 6]) }));
        assert_eq!(port.take_reply(), Some(BlockReply { tag: 5, result: Err(BlockError::Io) }));
        assert_eq!((port.take_reply(), port.outstanding()), (None, 0));
    }

    #[test]
    fn a_backend_sees_nothing_that_does_not_fit() {
        let port = disk(1024, true);
        let refused = [
            (BlockOp::Read { offset: 1000, len: 25 }, BlockError::OutOfRange),
            (BlockOp::Read { offset: u64::MAX, len: 2 }, BlockError::OutOfRange),
            (BlockOp::Write { offset: 0, data: vec![0] }, BlockError::ReadOnly),
            (BlockOp::Discard { offset: 0, len: 1 }, BlockError::ReadOnly),
            (BlockOp::WriteZeroes { offset: 0, len: 1, unmap: true }, BlockError::ReadOnly),
        ];
        for (op, error) in refused {
            assert_eq!(port.now(op.clone()), Err(error), "{op:?}");
        }
        assert_eq!(port.take_request(), None);
    }

    #[test]
    fn what_is_on_its_way_fails_when_the_disk_goes() {
        let port = disk(1024, false);
        for tag in 0..2 {
            port.submit(BlockRequest { tag, op: BlockOp::Flush });
        }
        port.take_request().unwrap();
        port.disconnect();
        let replies: Vec<_> = std::iter::from_fn(|| port.take_reply()).collect();
        assert_eq!(replies.len(), 2);
        assert!(replies.iter().all(|reply| reply.result == Err(BlockError::NoDisk)));
        port.reply(0, Ok(vec![]));
        assert_eq!((port.take_reply(), port.info()), (None, None));
    }

    #[test]
    fn who_needs_it_now_waits_for_the_backend_s_thread() {
        let port = BlockPort::default();
        let (ring, rung) = std::sync::mpsc::channel();
        port.connect(info(1024, false), Arc::new(move || ring.send(()).unwrap()));
        let there = port.clone();
        let backend = thread::spawn(move || {
            while rung.recv().is_ok() {
                let request = there.take_request().unwrap();
                match request.op {
                    BlockOp::Read { len, .. } => there.reply(request.tag, Ok(vec![9; len as usize])),
                    _ => return there.disconnect(),
                }
            }
        });
        assert_eq!(port.now(BlockOp::Read { offset: 1, len: 3 }), Ok(vec![9; 3]));
        assert_eq!(port.now(BlockOp::Flush), Err(BlockError::NoDisk));
        backend.join().unwrap();
    }
}
