//! From the command line to a machine: the one named, with what the options change, plug in and load.

use std::path::Path;

use hartwright_backend::opts::parse_switch;
use hartwright_board::monitor;
use hartwright_isa::cpu::CpuModel;
use hartwright_machine::{
    BootOptions, Checked, CpuTree, LoaderDevice, MachineSpec, Options, Plan, choose, device_tree, plan,
};
use hartwright_mem::Backing;
use hartwright_objects::{Given, Globals, Object, Registry};

use crate::{Config, DeviceOption, Failure, Outcome, catalogue, disks::first_flash, numa};

/// A machine that makes sense, and what goes into its memory.
pub struct Assembled {
    /// Its description and devices.
    pub checked: Checked,
    /// What goes into its memory.
    pub plan: Plan,
    /// Its harts' model.
    pub model: CpuModel,
    /// The files that stand for some of the main RAM.
    pub backings: Vec<Backing>,
    /// The machine's own properties, if it is a built-in one.
    pub object: Option<Box<dyn Object>>,
}

/// Assembles what `config` describes, or writes the description it asks for instead.
///
/// # Errors
/// [`Outcome::Fail`] for what makes no sense; [`Outcome::Print`], with no text, when a description was asked for.
pub fn assemble(config: &Config) -> Result<Assembled, Outcome> {
    let fail = |message: String| Outcome::Fail(Failure::new(message));
    let registry = Registry::linked().map_err(|error| fail(error.to_string()))?;
    let memory = numa::layout(config).map_err(Outcome::Fail)?;
    if config.dump_spec.is_some() && (!memory.numa.nodes.is_empty() || !config.backends.is_empty()) {
        let why = "a description has no NUMA nodes and no memory backends: not yet in hartwright";
        return Err(Outcome::Fail(Failure::of("-machine dumpspec", why)));
    }
    let options = Options {
        target: config.program.target(),
        ram: memory.ram,
        numa: memory.numa,
        harts: config.smp.as_ref().map(|smp| smp.cpus),
        cpu: config.cpu.as_ref().map(|cpu| cpu.model.clone()),
        properties: config.machine_properties.clone(),
    };
    let chosen = choose(&config.machine, &options).map_err(fail)?;
    let mut spec = chosen.spec;
    if let Some(max) = config.smp.as_ref().map(|smp| smp.maxcpus).filter(|max| *max > *spec.cpu.max) {
        let (name, most) = (&spec.name, *spec.cpu.max);
        return Err(fail(format!(
            "Invalid SMP CPUs {max}. The max CPUs supported by machine '{name}' is {most}"
        )));
    }
    let loaders = plug_in(config, &registry, &mut spec)?;
    let model = model(config, &mut spec)?;
    if let Some(file) = &config.dump_spec {
        return Err(dumped(file, spec.to_string().as_bytes(), "dumpspec"));
    }
    let globals = globals(config, &registry)?;
    let checked = spec
        .check(&registry, &globals)
        .map_err(|problems| fail(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let boot = BootOptions {
        loaders,
        builtin: chosen.firmware.or(monitor(model.xlen)),
        flash: first_flash(config),
        ..config.boot.clone()
    };
    let tree = device_tree(&checked, &CpuTree::from(&model));
    let plan = plan(&checked.spec, &boot, tree, &model).map_err(fail)?;
    if let Some(file) = &config.dump_dtb {
        return Err(dumped(file, &plan.device_tree, "dumpdtb"));
    }
    Ok(Assembled { checked, plan, model, backings: memory.backings, object: chosen.object })
}

/// Adds what `-device` names to `spec`; gives the loaders among it.
fn plug_in(
    config: &Config,
    registry: &Registry,
    spec: &mut MachineSpec,
) -> Result<Vec<LoaderDevice>, Outcome> {
    let mut loaders = Vec::new();
    for device in &config.devices {
        let refuse = |why: String| Outcome::Fail(Failure::of(&device.option, why));
        let pairs = pairs(device);
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        if device.driver == "loader" {
            loaders.push(LoaderDevice::new(pairs).map_err(refuse)?);
        } else {
            spec.plug(registry, &device.driver, pairs).map_err(refuse)?;
            ends_are_there(config, registry, device).map_err(refuse)?;
        }
    }
    Ok(loaders)
}

/// Refuses a device that names a host end, a disk or a source of random bytes which nobody asked for.
fn ends_are_there(config: &Config, registry: &Registry, device: &DeviceOption) -> Result<(), String> {
    let known = |name: &str| registry.class(&device.driver).is_ok_and(|class| class.property(name).is_ok());
    for (name, value) in device.properties.iter().filter(|(name, _)| known(name)) {
        let value = text(value);
        let (there, numbered) = match name.as_str() {
            "chardev" => (config.chardevs.iter().any(|planned| planned.spec.id == value), "serial"),
            "drive" => (config.disks.iter().any(|planned| planned.drive.id == value), "pflash"),
            "rng" if config.sources.iter().all(|planned| planned.id != value) => {
                return Err(format!("Device '{value}' not found"));
            }
            _ => continue,
        };
        // The machine's own, serial0 and so on, may lead nowhere.
        let own = value.strip_prefix(numbered).is_some_and(|number| number.parse::<u32>().is_ok());
        if !there && !own && !value.is_empty() {
            return Err(format!("Property '{}.{name}' can't find value '{value}'", device.driver));
        }
    }
    Ok(())
}

/// A device's properties as text, its id among them.
fn pairs(device: &DeviceOption) -> Vec<(String, String)> {
    let id = device.id.iter().map(|id| ("id".to_owned(), id.clone()));
    id.chain(device.properties.iter().map(|(name, value)| (name.clone(), text(value)))).collect()
}

/// A value as an option has it.
pub(crate) fn text(value: &Given) -> String {
    match value {
        Given::Text(text) => text.clone(),
        Given::Bool(true) => "on".into(),
        Given::Bool(false) => "off".into(),
        Given::Int(number) => number.to_string(),
        Given::Float(number) => number.to_string(),
        Given::List(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
    }
}

/// The CPU model of the machine, with its properties; those of `-cpu` become the machine's.
fn model(config: &Config, spec: &mut MachineSpec) -> Result<CpuModel, Outcome> {
    let name = &spec.cpu.model.value;
    let target = config.program.target();
    let model = target.find(name).ok_or_else(|| {
        let why = catalogue::unknown_cpu(target, name);
        match &config.cpu {
            Some(_) => Outcome::Fail(Failure::new(why)),
            None => Outcome::Fail(Failure::new(spec.source.problem(spec.cpu.model.at, why).to_string())),
        }
    })?;
    let Some(cpu) = &config.cpu else {
        return spec.cpu_model(model).map_err(|why| Outcome::Fail(Failure::new(why.to_string())));
    };
    let refuse = |why: String| Outcome::Fail(Failure::of(&format!("-cpu {}", cpu.model), why));
    let switch = |(name, value): &'_ (String, String)| match parse_switch(name, value) {
        Ok(on) => Ok((name.clone().into(), on.into())),
        Err(refusal) => Err(refuse(refusal.to_string())),
    };
    spec.cpu.properties = cpu.properties.iter().map(switch).collect::<Result<_, _>>()?;
    spec.cpu_model(model).map_err(|why| refuse(why.message))
}

fn globals(config: &Config, registry: &Registry) -> Result<Globals, Outcome> {
    let mut globals = Globals::new();
    for global in &config.globals {
        let machine = registry.class(&global.driver).is_ok_and(|class| registry.is_a(class, "machine"));
        if machine {
            let why = format!("-machine NAME,{}={} sets a machine's property", global.property, global.value);
            return Err(Outcome::Fail(Failure::of(&global.option, why)));
        }
        let added = globals.add(registry, &global.driver, &global.property, global.value.as_str().into());
        added.map_err(|error| {
            let hint = error.hint().map_or(String::new(), |hint| format!("\n{hint}"));
            Outcome::Fail(Failure::of(&global.option, format!("{error}{hint}")))
        })?;
    }
    Ok(globals)
}

fn dumped(file: &Path, bytes: &[u8], property: &str) -> Outcome {
    match std::fs::write(file, bytes) {
        Ok(()) => Outcome::print(""),
        Err(error) => {
            let why = format!("{property}={}: {}", file.display(), hartwright_backend::reason(&error));
            Outcome::Fail(Failure::of("-machine", why))
        }
    }
}

/// The host ends that devices name themselves, besides `serial0` and so on.
pub(crate) fn named_chardevs(spec: &MachineSpec) -> impl Iterator<Item = &str> {
    let serial = |name: &str| name.strip_prefix("serial").is_some_and(|n| n.parse::<u32>().is_ok());
    spec.chardevs().filter(move |name| !serial(name) && !name.is_empty())
}
