//! `-device TYPE,addr=A,irq=N,...`: one more device on the machine's bus.

use crate::{
    Device, End, MachineSpec,
    cards::is_card,
    check::{DISK, PORT},
};
use hartwright_device::{self as device, Target};
use hartwright_objects::{Error, Given, Globals, Kind, Registry, Value};

const ADDRESS: Kind = Kind::UInt { bits: 64 };

impl MachineSpec {
    /// Adds a device of type `class`. `pairs` are the rest of the option: `addr` where its registers lie, `irq`
    /// where its first line ends (`plic:11`, or a number of the machine's first interrupt controller), `id` its
    /// name; all others are its properties. Only `addr` must be given.
    ///
    /// What goes on another device's bus has neither: `bus` says which, or the first that takes it is taken.
    ///
    /// # Errors
    ///
    /// One sentence, in QEMU's words where it has some; perhaps a second line with a near miss.
    pub fn plug<'a>(
        &mut self,
        registry: &Registry,
        class: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), String> {
        let say = |error: Error| match error.hint() {
            Some(hint) => format!("{error}\n{hint}"),
            None => error.to_string(),
        };
        let known = registry.class(class).map_err(say)?;
        if is_card(known) {
            return self.plug_card(registry, known, pairs).map_err(say);
        }
        let address = |name: &str, text: &str| match ADDRESS.accept(class, name, &text.into()) {
            Ok(Value::UInt(n)) => Ok(n),
            Ok(_) => Err(format!("Parameter '{name}' expects uint64")),
            Err(error) => Err(say(error)),
        };
        let create = |class: &str| registry.create::<dyn device::Device>(class, &Globals::new(), []);
        let mut device = create(class).map_err(say)?;
        let mut new = Device {
            name: String::new().into(),
            class: class.to_owned().into(),
            base: 0.into(),
            size: 0.into(),
            lines: vec![],
            chardev: None,
            drive: None,
            properties: vec![],
        };
        let (mut base, mut irq) = (None, None);
        for (name, value) in pairs {
            match name {
                "driver" => {}
                "addr" => base = Some(address(name, value)?),
                "irq" => irq = Some(value),
                "id" => new.name = value.to_owned().into(),
                PORT => new.chardev = Some(value.to_owned().into()),
                DISK => new.drive = Some(value.to_owned().into()),
                _ => {
                    let given: Given = value.into();
                    device.give(name, &given).map_err(say)?;
                    new.properties.push((name.to_owned().into(), given.into()));
                }
            }
        }
        let base = base.ok_or_else(|| {
            format!(
                "{class}: addr property not set: give the address of its registers, such as addr=0x10010000"
            )
        })?;
        new.base = base.into();
        new.size = device.size().into();
        if let Some(irq) = irq {
            let line = device.outputs().into_iter().find(|output| output.target == Target::Interrupt);
            let line = line.ok_or_else(|| format!("{class} has no interrupt line for irq={irq}"))?;
            let controller = || {
                let inputs = |row: &&Device| create(&row.class).is_ok_and(|device| device.inputs() > 0);
                self.devices.iter().find(inputs).map(|row| row.name.value.clone())
            };
            let end = End::parse(irq).or_else(|| Some(End { to: controller()?, pin: irq.parse().ok()? }));
            let end = end.ok_or_else(|| {
                format!(
                    "irq={irq}: where the line ends is NAME:PIN, such as plic:11, or the number of an input"
                )
            })?;
            new.lines.push((line.name.into(), end.into()));
        }
        if new.name.is_empty() {
            let free = |name: &String| self.devices.iter().all(|row| row.name.value != *name);
            let mut names = (0..).map(|number| format!("{}{number}", device.node()));
            new.name = names.find(free).unwrap_or_default().into();
        } else if self.devices.iter().any(|row| row.name == new.name) {
            return Err(format!("Duplicate ID '{}' for device", new.name));
        }
        self.devices.push(new);
        Ok(())
    }
}
