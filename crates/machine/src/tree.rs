//! The guest's device tree, told by the specification and the devices: nothing is said a second time here.
//!
//! Bindings: the Devicetree specification 0.4, and Linux's Documentation/devicetree/bindings where it names none.

use crate::{Checked, Device, End, MachineSpec, Numa};
use hartwright_device::{self as device, Output, Prop, Target};
use hartwright_fdt::{Build, Node, Tree};
use hartwright_isa::{
    Ext,
    cpu::{CACHE_BLOCK, CpuModel},
    events::{EVENTS, PROGRAMMABLE},
};

/// What the device tree says of each hart; the CPU model knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTree {
    /// `riscv,isa`.
    pub isa: String,
    /// `riscv,isa-base`.
    pub base: String,
    /// `riscv,isa-extensions`.
    pub extensions: Vec<String>,
    /// `mmu-type`, such as `riscv,sv48`; without an MMU none.
    pub mmu: Option<String>,
    /// Bytes of a block of Zicbom, Zicbop and Zicboz, for those that the model has.
    pub cbom: Option<u32>,
    /// See `cbom`.
    pub cbop: Option<u32>,
    /// See `cbom`.
    pub cboz: Option<u32>,
    /// Whether there are programmable counters.
    pub pmu: bool,
}

impl From<&CpuModel> for CpuTree {
    fn from(model: &CpuModel) -> Self {
        let block = |ext| model.extensions.has(ext).then_some(CACHE_BLOCK as u32);
        CpuTree {
            isa: model.isa_string(),
            base: format!("rv{}i", model.xlen),
            extensions: model.names().into_iter().map(str::to_owned).collect(),
            mmu: Some(model.mmu.device_tree_name().to_owned()),
            cbom: block(Ext::Zicbom),
            cbop: block(Ext::Zicbop),
            cboz: block(Ext::Zicboz),
            pmu: model.extensions.has(Ext::Zihpm),
        }
    }
}

/// The property that says in which NUMA node something is (bindings/numa.txt).
const NODE: &str = "numa-node-id";

/// Nodes that stand for what a write of `value` to the first register of a `regmap` does
/// (bindings/power/reset/syscon-poweroff.yaml, syscon-reboot.yaml).
const SYSCONS: &[(&str, &str, &str, u32)] = &[
    ("sifive,test0", "poweroff", "syscon-poweroff", 0x5555),
    ("sifive,test0", "reboot", "syscon-reboot", 0x7777),
];

/// The device tree of a machine; [`plan`](crate::plan) completes `/chosen`.
pub fn device_tree(checked: &Checked, cpu: &CpuTree) -> Tree {
    let spec = &checked.spec;
    let phandles = Phandles::new(checked);
    let mut root = Node::new_unchecked("")
        .u32("#address-cells", 2)
        .u32("#size-cells", 2)
        .strs("compatible", &spec.compatible)
        .str("model", &spec.model);

    let mut chosen = Node::new_unchecked("chosen");
    let mut aliases = Node::new_unchecked("aliases");
    for (number, path) in serials(checked).iter().enumerate() {
        if number == 0 {
            chosen = chosen.str("stdout-path", path);
        }
        aliases = aliases.str(&format!("serial{number}"), path);
    }
    root = root.with(chosen).with(aliases).with(cpus(spec, cpu));

    for node in memories(spec) {
        root = root.with(node);
    }
    if !spec.numa.distances.is_empty() {
        root = root.with(distances(&spec.numa));
    }

    if cpu.pmu {
        root = root.with(pmu());
    }

    let mut soc = Node::new_unchecked("soc")
        .u32("#address-cells", 2)
        .u32("#size-cells", 2)
        .str("compatible", "simple-bus")
        .flag("ranges");
    let mut slots = vec![];
    let mut before: Option<&Device> = None;
    for (index, spec) in checked.spec.devices.iter().enumerate() {
        let device = &checked.devices[index];
        let compatible = device.compatible();
        let told = device.joins() && before.is_some_and(|before| before.class == spec.class);
        before = Some(spec);
        if compatible.is_empty() || told {
            continue;
        }
        let mut node = Node::new_unchecked(node_name(spec, device.node())).strs("compatible", compatible);
        let reg = reg(&checked.spec.devices[index..], &**device);
        if !reg.is_empty() {
            node = node.u64s("reg", &reg);
        }
        node = interrupts(node, spec, &checked.outputs[index], &phandles);
        let hart = checked.outputs[index].iter().find_map(|output| match output.target {
            Target::Hart { hart, .. } => Some(hart),
            Target::Interrupt => None,
        });
        if let Some(id) = hart.and_then(|hart| checked.spec.numa.node_of(hart.into())) {
            node = node.u32(NODE, id);
        }
        for (name, value) in device.describe() {
            node = match value {
                Prop::Empty => node.flag(name),
                Prop::Cells(cells) => node.cells(name, &cells),
                Prop::Strings(texts) => node.strs(name, &texts),
                Prop::Reference(to) => match phandles.end(&End { to, pin: 0 }) {
                    Some(phandle) => node.u32(name, phandle),
                    None => node,
                },
            };
        }
        if let Some(phandle) = phandles.device(index) {
            node = node.u32("phandle", phandle);
            for (_, name, kind, value) in SYSCONS.iter().filter(|row| compatible.contains(&row.0)) {
                root = root.with(
                    Node::new_unchecked(*name)
                        .str("compatible", kind)
                        .u32("regmap", phandle)
                        .u32("offset", 0)
                        .u32("value", *value),
                );
            }
        }
        match device.in_soc() {
            true if device.bus().is_some() => slots.push(node),
            true => soc = soc.with(node),
            false => root = root.with(node),
        }
    }
    // Cards fill the last slot first, and guests number what they find in the tree's order: the first card is the first.
    for slot in slots.into_iter().rev() {
        soc = soc.with(slot);
    }
    let mut tree = Tree::new();
    tree.root = root.with(soc);
    tree
}

/// RAM, that of each NUMA node by itself.
fn memories(spec: &MachineSpec) -> Vec<Node> {
    let node = |base: u64, size: u64| {
        Node::new_unchecked(format!("memory@{base:x}"))
            .str("device_type", "memory")
            .u64s("reg", &[base, size])
    };
    let mut nodes = vec![];
    for memory in spec.memories.iter().filter(|memory| memory.writable) {
        let main = spec.main_ram().is_some_and(|main| main.name == memory.name);
        if !main || spec.numa.nodes.is_empty() {
            nodes.push(node(*memory.base, *memory.size));
            continue;
        }
        let mut base = *memory.base;
        for (id, bytes) in spec.numa.nodes.iter().map(|node| node.bytes).enumerate() {
            if bytes > 0 {
                nodes.push(node(base, bytes).u32(NODE, id as u32));
            }
            base = base.saturating_add(bytes);
        }
    }
    nodes
}

/// How far NUMA nodes are from each other (bindings/numa.txt).
fn distances(numa: &Numa) -> Node {
    let count = numa.nodes.len().max(1);
    let rows = numa.distances.iter().enumerate();
    let cells = rows.flat_map(|(i, far)| [(i / count) as u32, (i % count) as u32, (*far).into()]);
    Node::new_unchecked("distance-map")
        .str("compatible", "numa-distance-map-v1")
        .cells("distance-matrix", &cells.collect::<Vec<_>>())
}

/// What counters can count, for the firmware (OpenSBI's docs/pmu_support.md): an event's first and last code, and the
/// counters that can count it, as bits.
fn pmu() -> Node {
    let row = |(code, fixed, _): &(u64, u64, _)| [*code as u32, *code as u32, (PROGRAMMABLE | fixed) as u32];
    let cells: Vec<u32> = EVENTS.iter().flat_map(row).collect();
    Node::new_unchecked("pmu").str("compatible", "riscv,pmu").cells("riscv,event-to-mhpmcounters", &cells)
}

/// Where the registers of the first of `devices` are, and of those after it that its node tells of.
fn reg(devices: &[Device], first: &dyn device::Device) -> Vec<u64> {
    let Some(spec) = devices.first() else { return vec![] };
    let alike = devices.iter().take_while(|other| other.class == spec.class);
    let banks = alike.take(if first.joins() { devices.len() } else { 1 });
    let window = |bank: &Device| {
        let (base, windows) = (*bank.base, first.windows(*bank.size));
        windows.into_iter().flat_map(move |(offset, size)| [base.saturating_add(offset), size])
    };
    banks.flat_map(window).collect()
}

fn node_name(spec: &Device, generic: &str) -> String {
    format!("{generic}@{:x}", *spec.base)
}

/// The paths of the serial ports: `serial0` first, those without a host end last.
fn serials(checked: &Checked) -> Vec<String> {
    let mut serials: Vec<((bool, usize, &str), String)> = checked
        .spec
        .devices
        .iter()
        .enumerate()
        .filter(|(index, _)| checked.devices[*index].node() == "serial")
        .map(|(_, spec)| {
            let port = spec.chardev.as_ref().map_or("", |port| port.as_str());
            ((spec.chardev.is_none(), port.len(), port), format!("/soc/{}", node_name(spec, "serial")))
        })
        .collect();
    serials.sort_by_key(|(order, _)| *order);
    serials.into_iter().map(|(_, path)| path).collect()
}

/// /cpus (Devicetree specification, 3.7; bindings/riscv/cpus.yaml and extensions.yaml).
fn cpus(spec: &MachineSpec, cpu: &CpuTree) -> Node {
    let mut cpus = Node::new_unchecked("cpus")
        .u32("#address-cells", 1)
        .u32("#size-cells", 0)
        .u32("timebase-frequency", *spec.timebase as u32);
    for hart in 0..*spec.cpu.harts as u32 {
        let mut node = Node::new_unchecked(format!("cpu@{hart:x}"))
            .str("device_type", "cpu")
            .u32("reg", hart)
            .str("status", "okay")
            .str("compatible", "riscv")
            .str("riscv,isa", &cpu.isa)
            .str("riscv,isa-base", &cpu.base)
            .strs("riscv,isa-extensions", &cpu.extensions);
        if let Some(mmu) = &cpu.mmu {
            node = node.str("mmu-type", mmu);
        }
        let blocks = [("cbom", cpu.cbom), ("cbop", cpu.cbop), ("cboz", cpu.cboz)];
        for (name, bytes) in blocks.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
            node = node.u32(&format!("riscv,{name}-block-size"), bytes);
        }
        if let Some(id) = spec.numa.node_of(hart.into()) {
            node = node.u32(NODE, id);
        }
        cpus = cpus.with(
            node.u32("phandle", Phandles::cpu(hart)).with(
                Node::new_unchecked("interrupt-controller")
                    .u32("#interrupt-cells", 1)
                    .flag("interrupt-controller")
                    .str("compatible", "riscv,cpu-intc")
                    .u32("phandle", Phandles::hart(hart)),
            ),
        );
    }
    let mut map = Node::new_unchecked("cpu-map");
    for (socket, harts) in spec.sockets().into_iter().enumerate() {
        let mut cluster = Node::new_unchecked(format!("cluster{socket}"));
        for (core, hart) in harts.enumerate() {
            let node = Node::new_unchecked(format!("core{core}"));
            cluster = cluster.with(node.u32("cpu", Phandles::cpu(hart as u32)));
        }
        map = map.with(cluster);
    }
    cpus.with(map)
}

/// `interrupts` where all lines end at one controller, else `interrupts-extended`.
fn interrupts(node: Node, spec: &Device, outputs: &[Output], phandles: &Phandles) -> Node {
    let mut ends: Vec<(u32, u32)> = vec![];
    for output in outputs {
        match output.target {
            Target::Hart { hart, bit } => ends.push((Phandles::hart(hart), bit)),
            Target::Interrupt => {
                let end = spec.lines.iter().find(|(name, _)| *name.value == output.name);
                ends.extend(end.and_then(|(_, end)| Some((phandles.end(end)?, end.pin))));
            }
        }
    }
    match ends.first() {
        None => node,
        Some(&(parent, _)) if ends.iter().all(|end| end.0 == parent && parent > phandles.harts) => {
            let pins: Vec<u32> = ends.iter().map(|end| end.1).collect();
            node.u32("interrupt-parent", parent).cells("interrupts", &pins)
        }
        Some(_) => {
            let cells: Vec<u32> = ends.iter().flat_map(|end| [end.0, end.1]).collect();
            node.cells("interrupts-extended", &cells)
        }
    }
}

/// The numbers by which nodes refer to each other: two a hart, then one for each device that is referred to.
struct Phandles {
    /// The highest one of a hart.
    harts: u32,
    /// By device.
    devices: Vec<Option<u32>>,
    names: Vec<String>,
}

impl Phandles {
    fn new(checked: &Checked) -> Self {
        let harts = 2 * *checked.spec.cpu.harts as u32;
        let mut last = harts;
        let devices = checked.devices.iter().map(|device| {
            let syscon = SYSCONS.iter().any(|row| device.compatible().contains(&row.0));
            (device.inputs() > 0 || syscon).then(|| {
                last += 1;
                last
            })
        });
        let devices = devices.collect();
        let names = checked.spec.devices.iter().map(|device| device.name.value.clone()).collect();
        Phandles { harts, devices, names }
    }

    fn cpu(hart: u32) -> u32 {
        2 * hart + 1
    }

    /// Of the hart's interrupt controller.
    fn hart(hart: u32) -> u32 {
        2 * hart + 2
    }

    fn device(&self, index: usize) -> Option<u32> {
        self.devices.get(index).copied().flatten()
    }

    fn end(&self, end: &End) -> Option<u32> {
        match end.hart() {
            Some(hart) => Some(Self::hart(hart as u32)),
            None => self.device(self.names.iter().position(|name| *name == end.to)?),
        }
    }
}
