//! `-numa`: which harts and which memory are near each other.

use std::ops::RangeInclusive;

use hartwright_backend::opts::{Opts, Refusal, parse_size};
use hartwright_machine::{Numa, NumaNode};
use hartwright_mem::Backing;

use crate::{Config, Failure, memory::MemoryBackend};

/// One `-numa`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumaOption {
    /// A node.
    Node {
        /// Its number; else the next one.
        id: Option<u64>,
        /// Its harts.
        cpus: Vec<RangeInclusive<u64>>,
        /// Its bytes.
        mem: Option<u64>,
        /// Its memory, by a backend's id.
        memdev: Option<String>,
    },
    /// How far one node is from another.
    Distance {
        /// From this one.
        from: u64,
        /// To this one.
        to: u64,
        /// So far; 10 is no distance.
        far: u8,
    },
}

/// What is nearest.
const LOCAL: u8 = 10;
/// As many as QEMU has; a machine may have fewer.
const MOST: u64 = 128;

impl NumaOption {
    /// Reads the argument of `-numa`.
    pub(crate) fn parse(text: &str) -> Result<NumaOption, Refusal> {
        let opts = Opts::parse_strict(text, Some("type"))?;
        match opts.get("type") {
            Some("node") => Self::node(&opts),
            Some("dist") => Self::distance(&opts),
            Some(kind @ ("cpu" | "hmat-lb" | "hmat-cache")) => {
                Err(Refusal::new(format!("{kind}: not yet in hartwright")))
            }
            Some(kind) => Err(Refusal::new(format!("Parameter 'type' does not accept value '{kind}'"))),
            None => Err(Refusal::new("Parameter 'type' is missing")),
        }
    }

    fn node(opts: &Opts) -> Result<NumaOption, Refusal> {
        if opts.get("initiator").is_some() {
            return Err(Refusal::new("initiator: not yet in hartwright"));
        }
        opts.only(&["type", "nodeid", "cpus", "mem", "memdev"])?;
        let cpus = opts.pairs().iter().filter(|(key, _)| key == "cpus").map(|(_, value)| range(value));
        let mem = opts.get("mem").map(|text| parse_size("mem", text, 'M')).transpose()?;
        let id = opts.whole("nodeid")?;
        if let Some(id) = id.filter(|id| *id >= MOST) {
            return Err(Refusal::new(format!("Max number of NUMA nodes reached: {id}")));
        }
        let memdev = opts.get("memdev").map(str::to_owned);
        Ok(NumaOption::Node { id, cpus: cpus.collect::<Result<_, _>>()?, mem, memdev })
    }

    fn distance(opts: &Opts) -> Result<NumaOption, Refusal> {
        opts.only(&["type", "src", "dst", "val"])?;
        let number =
            |key: &str| opts.whole(key)?.ok_or_else(|| Refusal::new(format!("Parameter '{key}' is missing")));
        let (from, to, far) = (number("src")?, number("dst")?, number("val")?);
        let far = u8::try_from(far).map_err(|_| Refusal::new("Parameter 'val' expects uint8_t"))?;
        if far < LOCAL {
            return Err(Refusal::new(format!(
                "NUMA distance ({far}) is invalid, it shouldn't be less than {LOCAL}."
            )));
        } else if from == to && far != LOCAL {
            return Err(Refusal::new(format!("Local distance of node {from} should be {LOCAL}.")));
        }
        Ok(NumaOption::Distance { from, to, far })
    }
}

/// `N` or `FIRST-LAST`.
fn range(text: &str) -> Result<RangeInclusive<u64>, Refusal> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(Refusal::new("Parameter 'cpus' expects a uint64 value or range")),
    }
}

/// The memory and the nodes of a machine.
pub(crate) struct Layout {
    /// The bytes of RAM, if the options say.
    pub(crate) ram: Option<u64>,
    /// Harts and memory of each node.
    pub(crate) numa: Numa,
    /// Which bytes of RAM are files'.
    pub(crate) backings: Vec<Backing>,
}

/// What every node has by now.
#[derive(Default)]
struct Rough {
    cpus: Vec<RangeInclusive<u64>>,
    bytes: u64,
    backend: Option<MemoryBackend>,
}

/// Puts together `-m`, `-numa`, `-object memory-backend-...` and `-machine memory-backend=`.
///
/// # Errors
/// One sentence, in QEMU's words.
pub(crate) fn layout(config: &Config) -> Result<Layout, Failure> {
    let mut rough: Vec<Option<Rough>> = vec![];
    let mut distances: Vec<(usize, usize, u8)> = vec![];
    let (mut by_size, mut by_backend) = (false, false);
    for (option, value) in &config.numa {
        let refuse = |why: String| Failure::of(option, why);
        match value {
            NumaOption::Node { id, cpus, mem, memdev } => {
                let number = id.map_or(rough.len(), |id| id as usize);
                rough.resize_with(rough.len().max(number + 1), || None);
                if rough[number].is_some() {
                    return Err(refuse(format!("Duplicate NUMA nodeid: {number}")));
                }
                (by_size, by_backend) = (by_size || mem.is_some(), by_backend || memdev.is_some());
                if by_size && by_backend {
                    let why =
                        "numa configuration should use either mem= or memdev=,mixing both is not allowed";
                    return Err(refuse(why.into()));
                }
                let backend = memdev.as_ref().map(|id| {
                    let found = config.backends.iter().find(|backend| backend.id == *id);
                    found
                        .cloned()
                        .ok_or_else(|| refuse(format!("memdev={id}: there is no such memory backend")))
                });
                let backend = backend.transpose()?;
                let bytes = backend.as_ref().map_or(mem.unwrap_or(0), |backend| backend.size);
                rough[number] = Some(Rough { cpus: cpus.clone(), bytes, backend });
            }
            NumaOption::Distance { from, to, far } => {
                let there = |id: &u64| rough.get(*id as usize).is_some_and(Option::is_some);
                if !there(from) || !there(to) {
                    return Err(refuse(
                        "Source/Destination NUMA node is missing. \
                         Please use '-numa node' option to declare it first."
                            .into(),
                    ));
                }
                distances.push((*from as usize, *to as usize, *far));
            }
        }
    }
    let missing = rough.iter().position(Option::is_none);
    if let Some(missing) = missing {
        return Err(Failure::new(format!("numa: Node ID missing: {missing}")));
    }
    let rough: Vec<Rough> = rough.into_iter().flatten().collect();
    match rough.is_empty() {
        true => whole(config),
        false => split(config, rough, &distances),
    }
}

/// RAM that no node divides.
fn whole(config: &Config) -> Result<Layout, Failure> {
    let mut layout = Layout { ram: config.memory, numa: Numa::default(), backings: vec![] };
    if let Some(id) = &config.memory_backend {
        let found = config.backends.iter().find(|backend| backend.id == *id);
        let found = found.ok_or_else(|| Failure::new(format!("Memory backend '{id}' not found")))?;
        if config.memory.is_some_and(|bytes| bytes != found.size) {
            return Err(Failure::new("Machine memory size does not match the size of the memory backend"));
        }
        layout.ram = Some(found.size);
        layout.backings.extend(found.open(0).map_err(Failure::new)?);
    }
    Ok(layout)
}

/// What a machine has without `-m`, as QEMU's have.
const USUAL_RAM: u64 = 128 << 20;

fn split(config: &Config, rough: Vec<Rough>, far: &[(usize, usize, u8)]) -> Result<Layout, Failure> {
    if config.memory_backend.is_some() {
        return Err(Failure::new(
            "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive",
        ));
    }
    let ram = config.memory.unwrap_or(USUAL_RAM);
    let total = rough.iter().fold(0u64, |total, node| total.saturating_add(node.bytes));
    if total != ram {
        return Err(Failure::new(format!(
            "total memory for NUMA nodes ({total:#x}) should equal RAM size ({ram:#x})"
        )));
    }
    let count = config.smp.as_ref().map_or(1, |smp| smp.cpus);
    let harts = harts(&rough, count)?;
    let mut backings = vec![];
    let mut at = 0;
    for (number, node) in rough.iter().enumerate() {
        if let Some(backend) = &node.backend {
            if rough[..number].iter().any(|other| other.backend.as_ref().is_some_and(|b| b.id == backend.id))
            {
                return Err(Failure::new(format!(
                    "memory backend {} can't be used multiple times.",
                    backend.id
                )));
            }
            backings.extend(backend.open(at).map_err(Failure::new)?);
        }
        at += node.bytes;
    }
    let nodes: Vec<NumaNode> =
        harts.into_iter().zip(&rough).map(|(harts, node)| NumaNode { harts, bytes: node.bytes }).collect();
    let distances = matrix(nodes.len(), far)?;
    Ok(Layout { ram: Some(ram), numa: Numa { nodes, distances }, backings })
}

/// The harts of each node, which follow each other.
fn harts(rough: &[Rough], count: u64) -> Result<Vec<std::ops::Range<u64>>, Failure> {
    let nodes = rough.len() as u64;
    if count < nodes {
        return Err(Failure::new(format!(
            "{nodes} NUMA nodes need a hart each, and there are {count}: see -smp"
        )));
    }
    if rough.iter().all(|node| node.cpus.is_empty()) {
        let each = count / nodes;
        let end = |node: u64| if node + 1 == nodes { count } else { (node + 1) * each };
        return Ok((0..nodes).map(|node| node * each..end(node)).collect());
    }
    if let Some(last) =
        rough.iter().flat_map(|node| &node.cpus).map(|cpus| *cpus.end()).find(|last| *last >= count)
    {
        return Err(Failure::new(format!("CPU index ({last}) should be smaller than maxcpus ({count})")));
    }
    let node_of = |hart: u64| {
        let mut homes =
            (0..rough.len()).filter(|node| rough[*node].cpus.iter().any(|cpus| cpus.contains(&hart)));
        match (homes.next(), homes.next()) {
            (Some(first), Some(second)) => {
                Err(Failure::new(format!("CPU {hart} is in node {first} and in node {second}")))
            }
            // QEMU puts the others into the first node, and warns.
            (home, _) => Ok(home.unwrap_or(0)),
        }
    };
    let homes = (0..count).map(node_of).collect::<Result<Vec<usize>, _>>()?;
    (0..rough.len())
        .map(|node| {
            let mine = |hart: &u64| homes[*hart as usize] == node;
            let first = (0..count).find(mine);
            let first = first
                .ok_or_else(|| Failure::new(format!("NUMA node {node} has no harts: cpus= names some")))?;
            let end = first + (first..count).take_while(mine).count() as u64;
            match (end..count).any(|hart| mine(&hart)) {
                true => Err(Failure::new(format!("discontinuous hartids in socket{node}"))),
                false => Ok(first..end),
            }
        })
        .collect()
}

/// All distances, if one was told; where only one way was, the way back is as far.
fn matrix(nodes: usize, far: &[(usize, usize, u8)]) -> Result<Vec<u8>, Failure> {
    if far.is_empty() {
        return Ok(vec![]);
    }
    let told = |from: usize, to: usize| far.iter().rfind(|row| (row.0, row.1) == (from, to)).map(|row| row.2);
    let one = |from: usize, to: usize| match told(from, to).or(told(to, from)) {
        _ if from == to => Ok(LOCAL),
        Some(far) => Ok(far),
        None => Err(Failure::new(format!(
            "The distance between node {from} and {to} is missing, \
             at least one distance value between each nodes should be provided."
        ))),
    };
    (0..nodes).flat_map(|from| (0..nodes).map(move |to| one(from, to))).collect()
}
