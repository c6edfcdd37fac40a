//! A device alone: its registers, lines, time, port and memory are in the test's hands.

use hartwright_device::{
    BusError, CharPort, Clock, Device, Dma, Line, Locked, Mtime, OWN, Power, Request, Sink, Wiring,
};
use hartwright_mem::AddressSpace;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// A device with nothing around it but this bench.
///
/// Its clock stands until [`pass`](Self::pass); 1 MiB of memory for its DMA lies at [`RAM`](Self::RAM).
pub struct Bench<D: Device> {
    device: Arc<Locked<D>>,
    outputs: Vec<String>,
    ends: Arc<Ends>,
    clock: Clock,
    port: CharPort,
    memory: Arc<AddressSpace>,
    asked: mpsc::Receiver<Request>,
}

/// The far ends of the device's lines.
struct Ends(Mutex<Vec<bool>>);

impl Sink for Ends {
    fn set(&self, pin: u32, level: bool) {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = levels.get_mut(pin as usize) {
            *end = level;
        }
    }
}

impl<D: Device + Default> Bench<D> {
    /// A device with these properties, each as a command line would give it.
    ///
    /// # Panics
    /// The device has no such property, or refuses its value.
    #[track_caller]
    pub fn with(properties: &[(&str, &str)]) -> Self {
        let mut device = D::default();
        for (name, value) in properties {
            device.give(name, &(*value).into()).unwrap_or_else(|why| panic!("{why}"));
        }
        Self::new(device)
    }
}

impl<D: Device> Bench<D> {
    /// Where memory is, for the device's DMA.
    pub const RAM: u64 = 0x8000_0000;

    /// Puts `device` on the bench, wired and reset.
    ///
    /// # Panics
    /// The device refuses its properties.
    #[track_caller]
    pub fn new(device: D) -> Self {
        let outputs: Vec<_> = device.outputs().into_iter().map(|output| output.name).collect();
        let ends = Arc::new(Ends(Mutex::new(vec![false; outputs.len()])));
        let mut map = AddressSpace::build();
        map.ram("ram", Self::RAM, 1 << 20).expect("it lies alone");
        let memory = map.finish().expect("the host has a mebibyte");
        let clock = Clock::by_hand();
        let port = CharPort::default();
        // A port without an end drops what is written.
        port.connect(Arc::new(|| {}));
        let (ask, asked) = mpsc::channel();
        let ask = Mutex::new(ask);
        let wiring = Wiring {
            name: "bench".into(),
            lines: (0..outputs.len() as u32).map(|pin| Line::new(ends.clone(), pin)).collect(),
            mtime: Mtime::new(clock.clone(), 10_000_000),
            clock: clock.clone(),
            memory: Dma::new(&memory),
            chardev: port.clone(),
            power: Power::new(move |request| {
                // The bench may be gone before its device.
                let _ = ask.lock().unwrap_or_else(PoisonError::into_inner).send(request);
            }),
            ..Wiring::default()
        };
        let device = Locked::new(Box::new(device));
        device.wire(wiring).unwrap_or_else(|why| panic!("{why}"));
        Bench { device, outputs, ends, clock, port, memory, asked }
    }

    /// Reads `size` (1, 2, 4 or 8) bytes of registers as a guest does.
    ///
    /// # Errors
    /// The guest would get an access fault.
    pub fn read(&self, offset: u64, size: u8) -> Result<u64, BusError> {
        self.device.with(|device| device.read(offset, size))
    }

    /// Writes `size` (1, 2, 4 or 8) bytes of registers as a guest does.
    ///
    /// # Errors
    /// The guest would get an access fault.
    pub fn write(&self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        self.device.with(|device| device.write(offset, size, value))
    }

    /// Whether the device drives its line `name` high.
    ///
    /// # Panics
    /// It has no such line.
    #[track_caller]
    pub fn line(&self, name: &str) -> bool {
        let pin = self.outputs.iter().position(|output| output == name);
        let pin = pin.unwrap_or_else(|| panic!("no line '{name}'; the device drives {:?}", self.outputs));
        self.ends.0.lock().unwrap_or_else(PoisonError::into_inner)[pin]
    }

    /// Drives input `pin` of the device.
    pub fn input(&self, pin: u32, level: bool) {
        assert!(pin < OWN, "pins from {OWN:#x} on are the device's own");
        self.device.set(pin, level);
    }

    /// Lets `nanoseconds` of the machine's time pass; alarms ring meanwhile.
    pub fn pass(&self, nanoseconds: u64) {
        self.clock.advance(nanoseconds);
    }

    /// Gives the device's port input; what it has no room for is lost.
    pub fn type_in(&self, text: &str) {
        self.port.feed(text.as_bytes());
    }

    /// What the device has written to its port since it was last asked.
    pub fn said(&self) -> String {
        let mut bytes = vec![0; self.port.pending_output()];
        let count = self.port.peek_output(&mut bytes);
        self.port.consume_output(count);
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The memory that the device's DMA reaches.
    pub fn memory(&self) -> Dma {
        Dma::new(&self.memory)
    }

    /// What the device has asked of the machine's power since it was last asked.
    pub fn requests(&self) -> Vec<Request> {
        self.asked.try_iter().collect()
    }

    /// Resets the device.
    pub fn reset(&self) {
        self.device.reset();
    }

    /// Looks at the device itself.
    pub fn device<T>(&self, look: impl FnOnce(&mut D) -> T) -> T {
        self.device.with(look)
    }

    /// Asks what every device must do; see [`conforms`](hartwright_device::conforms).
    ///
    /// # Panics
    /// The device does something else.
    #[track_caller]
    pub fn conforms(&self) {
        self.device.with(|device| hartwright_device::conforms(device)).unwrap_or_else(|why| panic!("{why}"));
    }
}
