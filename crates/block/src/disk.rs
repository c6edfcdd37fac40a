//! The thread that serves a port: it takes requests, does them on an image, and replies.

use crate::image::Image;
use hartwright_device::{BlockError, BlockPort};
use std::{
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

/// A disk that is being served; dropping it ends the service as [`Disk::finish`] does.
#[derive(Debug)]
pub struct Disk {
    port: BlockPort,
    bell: Sender<()>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Disk {
    /// Serves `image` at `port`, on a thread called after `name`.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn serve(name: &str, image: Image, port: &BlockPort) -> io::Result<Disk> {
        let (bell, rung) = mpsc::channel();
        let (end, info) = (Arc::new(AtomicBool::new(false)), image.info());
        let (there, ended) = (port.clone(), end.clone());
        let work = move || serve(image, &there, &rung, &ended);
        let thread = thread::Builder::new().name(format!("disk {name}")).spawn(work)?;
        let ringer = bell.clone();
        // Once the thread is gone, so is the disk.
        port.connect(
            info,
            Arc::new(move || {
                let _ = ringer.send(());
            }),
        );
        Ok(Disk { port: port.clone(), bell, end, thread: Some(thread) })
    }

    /// Does what is on its way, flushes, and closes the image; from then on there is no disk.
    ///
    /// # Errors
    /// The host could not take all that was written.
    pub fn finish(mut self) -> io::Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.end.store(true, Ordering::Release);
        let _ = self.bell.send(());
        let done = thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread died")));
        self.port.disconnect();
        done
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn serve(image: Image, port: &BlockPort, rung: &Receiver<()>, end: &AtomicBool) -> io::Result<()> {
    let mut image = Some(image);
    while rung.recv().is_ok() {
        while let Some(request) = port.take_request() {
            let result = act(&mut image, |image| image.act(&request.op)).unwrap_or(Err(BlockError::Io));
            port.reply(request.tag, result);
        }
        if end.load(Ordering::Acquire) {
            break;
        }
    }
    act(&mut image, Image::close).unwrap_or(Ok(()))
}

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread, now, is caught, and no reason to end the process: it is at work on an image.
pub fn catches_panics() -> bool {
    CAUGHT.get()
}

/// The tables of an image are looked at before it is opened, and who holds it lets nobody else write it. If the
/// library finds them wrong in a way that it has no error for all the same, the image is left alone from then on.
fn act<T>(image: &mut Option<Image>, work: impl FnOnce(&mut Image) -> T) -> Option<T> {
    let open = image.as_mut()?;
    CAUGHT.set(true);
    let done = catch_unwind(AssertUnwindSafe(|| work(open)));
    CAUGHT.set(false);
    done.map_err(|_| std::mem::forget(image.take())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Manner, Node, open, testing::Folder};

    #[test]
    fn a_panic_at_work_on_an_image_is_caught_and_said_to_be() {
        let folder = Folder::new();
        let node = Node::at(folder.file("a", &[7; 512]).to_str().unwrap(), Some(Format::Raw));
        let mut image = Some(open(&node, Manner::default()).unwrap().image);
        assert!(!catches_panics());
        assert_eq!(act(&mut image, |_| catches_panics()), Some(true));
        assert_eq!(act(&mut image, |_| -> u8 { panic!("the library is wrong") }), None);
        assert!(!catches_panics() && image.is_none());
    }
}
