//! A machine with its harts, standing: what the program surrounds with the host, and a test with its own hands.

use std::sync::{Arc, OnceLock};

use hartwright_device::{Clock, Power, Sink};
use hartwright_exec::{Environment, Harts, Icount, Pace, Semihost, Setup, Trace};
use hartwright_machine::{Frame, Machine, Outside as Ends, Plan};
use hartwright_monitor::{Control, Outside, Parts, Stops};
use hartwright_sbi::Sbi;
use hartwright_semihosting::Debugger;

use crate::{Assembled, Config, Counted, Failure, Outcome, Threads, entropy, semihosting::semihosting};

/// A machine, what goes into its memory, and who runs it.
pub struct Built {
    /// The machine.
    pub machine: Machine,
    /// What a reset puts into its memory again.
    pub plan: Plan,
    /// Starts and stops it.
    pub control: Arc<Control>,
    /// Where a debugger's server meets programs that call its host.
    pub debugger: Arc<Debugger>,
}

impl Built {
    /// Builds what `assembled` describes, its memory filled, its harts at rest.
    ///
    /// # Errors
    /// The host has not that much memory or that many threads, or a device refuses its properties.
    pub fn new(
        config: &Config,
        assembled: Assembled,
        ends: &Ends,
        trace: Trace,
        outside: Box<dyn Outside>,
    ) -> Result<Built, Outcome> {
        let fail = |message: String| Outcome::Fail(Failure::new(message));
        let Assembled { checked, mut plan, model, backings, object } = assembled;
        let clock = if config.icount.is_some() { Clock::by_hand() } else { Clock::new() };
        let mut frame = Frame::backed(checked, clock, backings).map_err(fail)?;
        frame.items = plan.items.clone();
        let hart = |id: u64| hartwright_hart::Config {
            model: model.clone(),
            id,
            reset_pc: plan.start(id as u32),
            space: frame.space.clone(),
            mtime: frame.mtime.clone(),
            entropy: entropy::of_hart(config, &ends.entropy, id),
        };
        let stops = Stops::default();
        let halter: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>> = Arc::default();
        let power = {
            let (halter, power) = (halter.clone(), ends.power.clone());
            Power::new(move |request| {
                if let Some(halt) = halter.get() {
                    halt();
                }
                power.post(request);
            })
        };
        let environment = plan.supervisor.then(|| {
            let console = ends.ports.get("serial0").cloned().unwrap_or_default();
            let harts = *frame.spec.cpu.harts as usize;
            Sbi::new(harts, plan.device_tree_at, console, power.clone()) as Arc<dyn Environment>
        });
        let debugger = Arc::default();
        let semihost = config
            .semihosting
            .as_ref()
            .map(|asked| semihosting(asked, &frame, &plan, ends, &debugger) as Arc<dyn Semihost>);
        let setup = Setup {
            harts: (0..*frame.spec.cpu.harts).map(hart).collect(),
            listener: stops.listener(),
            trace: trace.clone(),
            environment,
            semihost,
            pace: match (config.icount, config.accel.threads) {
                (Some(Counted { shift, sleep }), _) => {
                    Pace::Counted(Icount { clock: frame.clock.clone(), shift, sleep })
                }
                (None, Some(Threads::Single)) => Pace::InTurn,
                (None, _) if config.accel.checks() => Pace::InTurn,
                (None, _) => Pace::Together,
            },
            engine: config.accel.engine,
        };
        let harts = Harts::new(setup).map_err(fail)?;
        let pins: Vec<Arc<dyn Sink>> =
            (0..harts.len()).map(|hart| harts.port(hart) as Arc<dyn Sink>).collect();
        // Set once, here.
        let _ = halter.set(Box::new(harts.halter()));
        let ends = Ends { power, ..ends.clone() };
        let machine = frame.wire(object, &pins, &ends).map_err(fail)?;
        plan.load(&machine.space)
            .map_err(|why| fail(format!("the machine's memory cannot be filled: {why}")))?;
        plan.layout.put_away();
        let parts = Parts {
            harts,
            space: machine.space.clone(),
            clock: machine.clock.clone(),
            root: machine.root.clone(),
            symbols: plan.symbols.clone(),
            name: config.name.clone(),
            version: config.program.version(),
            trace,
            outside,
        };
        let control = Control::new(parts, stops).map_err(fail)?;
        Ok(Built { machine, plan, control, debugger })
    }

    /// Begins again, while all harts stand: devices, what the plan puts into memory, harts. Other RAM stays.
    pub fn reset(&self) {
        self.control.while_standing(|harts| {
            self.machine.reset();
            // It fitted when the machine was made, and the map does not change; but the host may fail.
            if let Err(why) = self.plan.load(&self.machine.space) {
                self.control.trace.write(&format!("reset: a file cannot be loaded again: {why}\n"));
            }
            harts.reset();
        });
        self.control.was_reset();
    }
}
