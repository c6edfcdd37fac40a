//! Finds lines that end nowhere, at a wrong place, or where another does.

use crate::{At, Device, End, MachineSpec, Problem, Said, check::PORT, source::first_is_to_blame};
use hartwright_device as device;
use hartwright_device::{Output, Target};
use hartwright_objects::nearest;
use std::collections::HashMap;

/// The bits of `mip` that a line can drive (privileged specification 1.13, 3.1.9).
const HART_PINS: &[(u32, &str)] = &[(3, "MSIP"), (7, "MTIP"), (9, "SEIP"), (11, "MEIP")];

/// By input, the line that ends there and where it was said.
type Users = HashMap<End, (String, At)>;

impl MachineSpec {
    /// Checks every line, and that each chardev and each drive has one user.
    pub(crate) fn check_lines(
        &self,
        devices: &[Box<dyn device::Device>],
        outputs: &[Vec<Output>],
        problems: &mut Vec<Problem>,
    ) {
        let mut users = Users::new();
        let mut ports: HashMap<(&str, &str), &Said<String>> = HashMap::new();
        for (spec, outputs) in self.devices.iter().zip(outputs) {
            for output in outputs {
                if let Target::Hart { hart, bit } = output.target
                    && u64::from(hart) < *self.cpu.harts
                {
                    let end = End { to: format!("hart{hart}"), pin: bit };
                    self.take(&mut users, devices, end, spec, &output.name, spec.name.at, problems);
                }
            }
            for (name, end) in &spec.lines {
                if let Err(problem) = self.check_line(spec, outputs, name, end, devices) {
                    problems.push(problem);
                } else {
                    self.take(&mut users, devices, end.value.clone(), spec, name, end.at, problems);
                }
            }
        }
        for (what, port) in self.ends() {
            let Some(first) = ports.insert((what, port), port) else { continue };
            let other = self.source.aside(first.at);
            let message = if what == PORT {
                format!("{what} '{port}' has two users; the other is there{other}")
            } else {
                format!("Drive '{port}' is already in use by another device{other}")
            };
            let advice = if what == PORT {
                let free = (0..).map(|number| format!("serial{number}"));
                let free = free.into_iter().find(|name| self.chardevs().all(|used| used != name));
                free.map(|free| format!("\"{free}\" is free"))
            } else {
                Some("two devices that write one disk destroy what is on it".into())
            };
            problems.push(self.source.problem(port.at, message).hint(advice));
        }
    }

    /// Notes the user of an input, of which there may be one.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into the message")]
    fn take(
        &self,
        users: &mut Users,
        devices: &[Box<dyn device::Device>],
        end: End,
        spec: &Device,
        line: &str,
        at: At,
        problems: &mut Vec<Problem>,
    ) {
        let user = format!("'{}' of '{}'", line, spec.name);
        let Some((first, first_at)) = users.get(&end) else {
            users.insert(end, (user, at));
            return;
        };
        let swap = first_is_to_blame(*first_at, at);
        let (user, at, other, other_at) =
            if swap { (first, *first_at, &user, at) } else { (&user, at, first, *first_at) };
        let message = format!("{user} ends at {end}, where {other} does{}", self.source.aside(other_at));
        let free = self.free_input(devices, &end).map(|free| format!("{free} is free"));
        let none = "a second line there would undo what the first one says";
        problems.push(self.source.problem(at, message).advise(free.unwrap_or(none.into())));
    }

    /// An input of the same device above `end`, or else below it, at which no line ends.
    fn free_input(&self, devices: &[Box<dyn device::Device>], end: &End) -> Option<End> {
        let index = self.devices.iter().position(|device| *device.name == end.to)?;
        let count = devices[index].inputs();
        let used = |pin: u32| {
            let mut ends = self.devices.iter().flat_map(|device| &device.lines);
            ends.any(|(_, other)| other.to == end.to && other.pin == pin)
        };
        // Interrupt 0 is none to a PLIC (PLIC specification 1.0, 1.3).
        let pin = (end.pin.saturating_add(1)..count).chain(1..end.pin.min(count)).find(|pin| !used(*pin))?;
        Some(End { to: end.to.clone(), pin })
    }

    fn check_line(
        &self,
        spec: &Device,
        outputs: &[Output],
        name: &Said<String>,
        end: &Said<End>,
        devices: &[Box<dyn device::Device>],
    ) -> Result<(), Problem> {
        let lines = || outputs.iter().filter(|o| o.target == Target::Interrupt).map(|o| o.name.as_str());
        if !lines().any(|line| line == name.value) {
            let message = format!("device '{}' ({}) has no line '{name}'", spec.name, spec.class);
            let near = nearest(name, lines()).map(|near| format!("did you mean '{near}'?"));
            let all = lines().collect::<Vec<_>>().join(", ");
            let all = if all.is_empty() { "it has none".to_owned() } else { format!("it has {all}") };
            return Err(self.source.problem(name.at, message).advise(near.unwrap_or(all)));
        }
        let dangling = |message: String, advice: String| {
            Err(self
                .source
                .problem(end.at, format!("line '{name}' of '{}' {message}", spec.name))
                .advise(advice))
        };
        if let Some(hart) = end.hart() {
            if hart >= *self.cpu.harts {
                return dangling(
                    format!("ends at hart {hart}, which is not there"),
                    format!("harts are numbered from 0 to {}", self.cpu.harts.saturating_sub(1)),
                );
            }
            if !HART_PINS.iter().any(|pin| pin.0 == end.pin) {
                let pins = HART_PINS.iter().map(|(bit, name)| format!("{bit} ({name})"));
                return dangling(
                    format!("ends at bit {} of mip, which no line drives", end.pin),
                    format!("lines drive {}", pins.collect::<Vec<_>>().join(", ")),
                );
            }
            return Ok(());
        }
        let inputs = |index: usize| devices[index].inputs();
        match self.devices.iter().position(|other| *other.name == end.to) {
            Some(index) if end.pin < inputs(index) => Ok(()),
            Some(index) if inputs(index) == 0 => dangling(
                format!("ends at '{}', which has no inputs", end.to),
                "an interrupt controller has some".into(),
            ),
            Some(index) => dangling(
                format!("ends at input {} of '{}'", end.pin, end.to),
                format!("its inputs are 0 to {}", inputs(index) - 1),
            ),
            None => {
                let near = nearest(&end.to, self.devices.iter().map(|d| d.name.as_str()));
                let near = near.map_or("it names no device and no hart".into(), |near| {
                    format!("did you mean '{near}'?")
                });
                dangling(format!("ends at '{}', which is not there", end.to), near)
            }
        }
    }
}
