//! What can be changed about a CPU model: its extensions, its virtual address spaces, its PMP.

use crate::{
    Ext, ExtSet,
    cpu::{CpuModel, Mmu, PMP_ENTRIES, RVA22S64, RVA22U64},
};

/// Extensions that QEMU names and that are not here. To be without them is no problem.
const ABSENT: &[&str] = &[
    "h",
    "q",
    "v",
    "rva23s64",
    "rva23u64",
    "smaia",
    "smcdeleg",
    "smcsrind",
    "smctr",
    "smdbltrp",
    "smmpm",
    "smnpm",
    "smpmpmt",
    "smrnmi",
    "ssaia",
    "ssccfg",
    "sscsrind",
    "ssctr",
    "ssdbltrp",
    "ssnpm",
    "sspm",
    "supm",
    "svrsw60t59b",
    "zalasr",
    "zama16b",
    "zce",
    "zcmp",
    "zcmt",
    "zdinx",
    "zfbfmin",
    "zfinx",
    "zhinx",
    "zhinxmin",
    "zicfilp",
    "zicfiss",
    "ztso",
    "zvbb",
    "zvbc",
    "zve32f",
    "zve32x",
    "zve64d",
    "zve64f",
    "zve64x",
    "zvfbfa",
    "zvfbfmin",
    "zvfbfwma",
    "zvfh",
    "zvfhmin",
    "zvkb",
    "zvkg",
    "zvkn",
    "zvknc",
    "zvkned",
    "zvkng",
    "zvknha",
    "zvknhb",
    "zvks",
    "zvksc",
    "zvksed",
    "zvksg",
    "zvksh",
    "zvkt",
];

/// What `g` stands for.
const G: &[Ext] = &[Ext::I, Ext::M, Ext::A, Ext::F, Ext::D, Ext::Zicsr, Ext::Zifencei];

/// One of these every CPU has.
const BASES: [Ext; 2] = [Ext::I, Ext::E];

/// The virtual address spaces by name.
const SPACES: &[(&str, Mmu, &str)] = &[
    ("sv32", Mmu::Sv32, "virtual addresses of 32 bits"),
    ("sv39", Mmu::Sv39, "virtual addresses of 39 bits"),
    ("sv48", Mmu::Sv48, "virtual addresses of 48 bits"),
    ("sv57", Mmu::Sv57, "virtual addresses of 57 bits"),
];

/// A property, and whether a model has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// As `-cpu` spells it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// Whether the model has it.
    pub on: bool,
}

impl CpuModel {
    /// Every property, by name.
    pub fn properties(&self) -> Vec<Property> {
        let there = |ext: &&Ext| ext.is_for(self.xlen) && !BASES.contains(ext);
        let extensions = Ext::ALL.iter().filter(there).map(|ext| Property {
            name: ext.name(),
            doc: ext.doc(),
            on: self.extensions.has(*ext),
        });
        let spaces = self.spaces().map(|(name, mmu, doc)| Property { name, doc, on: self.mmu >= *mmu });
        let others = [
            Property { name: "mmu", doc: "virtual addresses", on: self.mmu > Mmu::Bare },
            Property { name: "pmp", doc: "physical memory protection", on: self.pmp_entries > 0 },
        ];
        // QEMU's older name of it.
        let debug = Ext::Sdtrig.is_for(self.xlen).then_some(Property {
            name: "debug",
            doc: Ext::Sdtrig.doc(),
            on: self.extensions.has(Ext::Sdtrig),
        });
        let mut all: Vec<_> = extensions.chain(spaces).chain(others).chain(debug).collect();
        all.sort_by_key(|property| property.name);
        all
    }

    /// This model with properties switched on and off; of one that is named twice the last counts. What an
    /// extension requires comes with it, and its parts go with it.
    ///
    /// # Errors
    /// One sentence: a name that nothing has or that is not here yet, or what contradicts what.
    pub fn with<'a>(&self, properties: impl IntoIterator<Item = (&'a str, bool)>) -> Result<Self, String> {
        let (mut on, mut off, mut spaces) = (vec![], vec![], vec![]);
        let mut model = self.clone();
        for (name, value) in properties {
            let one = Ext::ALL.iter().position(|ext| ext.name() == name);
            let named = match (name, one) {
                (_, Some(ext)) => &Ext::ALL[ext..=ext],
                ("g", None) if value => G,
                ("debug", None) => &[Ext::Sdtrig],
                ("rva22u64", None) if value => RVA22U64,
                ("rva22s64", None) if value => {
                    on.extend(RVA22U64);
                    model.mmu = model.mmu.max(Mmu::Sv39);
                    RVA22S64
                }
                _ => &[],
            };
            if !named.is_empty() {
                on.retain(|ext| !named.contains(ext));
                off.retain(|ext| !named.contains(ext));
                if value { &mut on } else { &mut off }.extend(named);
            } else if let Some(space) = self.spaces().find(|space| space.0 == name) {
                spaces.retain(|(other, _)| *other != space);
                spaces.push((space, value));
            } else {
                match (name, value) {
                    ("mmu", true) if self.mmu == Mmu::Bare => model.mmu = self.largest_space(),
                    ("mmu", true) => model.mmu = self.mmu,
                    ("mmu", false) => model.mmu = Mmu::Bare,
                    ("pmp", _) => model.pmp_entries = if value { PMP_ENTRIES } else { 0 },
                    // Without a profile there is no more and no less; and nothing is without `Bare`.
                    ("g" | "rva22u64" | "rva22s64" | "svbare", _) => {}
                    (absent, _) if ABSENT.contains(&absent) => {
                        if value {
                            return Err(format!("the extension '{name}' is not yet in hartwright"));
                        }
                    }
                    _ => return Err(format!("Property '{}-riscv-cpu.{name}' not found", self.name)),
                }
            }
        }
        if let Some(ext) = on.iter().find(|ext| !ext.is_for(self.xlen)) {
            let widths = [32, 64, 128].into_iter().filter(|bits| ext.is_for(*bits));
            let widths = widths.map(|bits| bits.to_string()).collect::<Vec<_>>().join(" and ");
            let (ext, name, xlen) = (ext.name(), self.name, self.xlen);
            return Err(format!("'{ext}' is for {widths} bits, and '{name}' has {xlen}"));
        }
        if model.pmp_entries == 0 && on.contains(&Ext::Smepmp) {
            return Err("smepmp=on: it needs 'pmp'; leave pmp=off out, or smepmp=on".into());
        }
        if model.pmp_entries == 0 {
            off.push(Ext::Smepmp);
        }
        model.extensions = switched(self.extensions, self.xlen, &on, &off)?;
        match BASES.map(|base| model.extensions.has(base)) {
            [true, true] => return Err("I and E extensions are incompatible".into()),
            [false, false] => return Err("every CPU has the base 'i', or 'e' instead".into()),
            _ => {}
        }
        if model.extensions.has(Ext::Zcf) && model.extensions.has(Ext::Zclsd) {
            return Err("Zclsd cannot be supported together with C and F extension".into());
        }
        model.mmu = limited(model.mmu, &spaces)?;
        Ok(model)
    }

    /// The virtual address spaces that its width has.
    fn spaces(&self) -> impl Iterator<Item = &'static (&'static str, Mmu, &'static str)> {
        let narrow = self.xlen == 32;
        SPACES.iter().filter(move |(_, mmu, _)| (*mmu == Mmu::Sv32) == narrow)
    }

    fn largest_space(&self) -> Mmu {
        self.spaces().map(|space| space.1).max().unwrap_or(Mmu::Bare)
    }
}

/// The set without `off`, with `on`, and with what these require.
fn switched(before: ExtSet, xlen: u32, on: &[Ext], off: &[Ext]) -> Result<ExtSet, String> {
    let mut set = before;
    if set.has(Ext::C) {
        // They came with it, and will again if what they are about is still there.
        set = set.without(Ext::Zcd).without(Ext::Zcf);
    }
    set = off.iter().fold(set, |set, ext| without_parts(set, *ext));
    set = on.iter().fold(set, |set, ext| set.with(*ext)).complete(xlen);
    let Some(ext) = off.iter().find(|ext| set.has(**ext)) else { return Ok(set) };
    let brings = |by: &Ext| {
        let of_c = *by == Ext::C && matches!(ext, Ext::Zcd | Ext::Zcf);
        by.requires().contains(ext) || by.parts().contains(ext) || of_c
    };
    let (name, by) = (ext.name(), set.iter().find(brings).map_or("", Ext::name));
    Err(format!("{name}=off: '{by}' is on and needs '{name}'; {by}=off turns it off too"))
}

fn without_parts(set: ExtSet, ext: Ext) -> ExtSet {
    if !set.has(ext) {
        return set;
    }
    ext.parts().iter().fold(set.without(ext), |set, part| without_parts(set, *part))
}

/// The largest address space that is left: each brings the smaller ones.
fn limited(most: Mmu, asked: &[(&(&str, Mmu, &str), bool)]) -> Result<Mmu, String> {
    let on = asked.iter().filter(|(_, on)| *on).map(|(space, _)| *space).max_by_key(|space| space.1);
    let off = asked.iter().filter(|(_, on)| !*on).map(|(space, _)| *space).min_by_key(|space| space.1);
    let below = |space: Mmu| match space {
        Mmu::Sv57 => Mmu::Sv48,
        Mmu::Sv48 => Mmu::Sv39,
        Mmu::Sv39 | Mmu::Sv32 | Mmu::Bare => Mmu::Bare,
    };
    match (on, off) {
        (Some((by, at, _)), Some((name, least, _))) if at >= least => {
            Err(format!("{name}=off: '{by}' is on and needs '{name}'; {by}=off turns it off too"))
        }
        (Some((_, mmu, _)), _) => Ok(*mmu),
        (None, Some((_, least, _))) => Ok(most.min(below(*least))),
        (None, None) => Ok(most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(model: &str, properties: &str) -> Result<CpuModel, String> {
        let pairs = properties.split(',').filter_map(|pair| pair.split_once('='));
        CpuModel::find(model).unwrap().with(pairs.map(|(name, value)| (name, value == "on")))
    }

    #[track_caller]
    fn check(model: &str, properties: &str, there: &[Ext], gone: &[Ext]) {
        let extensions = with(model, properties).unwrap().extensions;
        there.iter().for_each(|ext| assert!(extensions.has(*ext), "{} is gone", ext.name()));
        gone.iter().for_each(|ext| assert!(!extensions.has(*ext), "{} is there", ext.name()));
    }

    #[test]
    fn extensions_bring_what_they_need_and_take_their_parts_away() {
        use Ext::*;
        check("rv64", "", &[Zcd, Zaamo, Zmmul], &[Zkn, Zfh]);
        check("rv64", "zfh=on", &[Zfh, Zfhmin, F], &[]);
        check("rv64", "zba=off", &[Zbb], &[Zba]);
        check("rv64", "d=off", &[F, C, Zca], &[D, Zcd]);
        check("rv64", "c=off", &[D], &[C, Zca, Zcd]);
        check("rv64", "a=off,zalrsc=on", &[Zalrsc], &[A, Zaamo]);
        check("rv64", "zk=on", &[Zkn, Zkt, Zbkb, Zknh], &[Zks]);
        check("max", "zkn=off,zk=off", &[Zks, Zbkb], &[Zkn, Zknd, Zk]);
        check("rv64", "d=off,f=off,zfa=off", &[], &[F, D, Zcd]);
        check("rv64", "zba=off,zba=on", &[Zba], &[]);
        check("rv64", "v=off,h=off", &[I], &[]);
        check("rv64", "b=off", &[Zba], &[B]);
        check("rv64", "m=off,a=off,f=off,d=off,zfa=off,g=on", &[M, A, F, D], &[]);
    }

    #[test]
    fn every_property_can_be_had_and_given_back() {
        for model in crate::cpu::MODELS {
            for Property { name, on, .. } in model.properties() {
                let again = model.with([(name, on)]).unwrap();
                // A smaller address space asked for is also a limit.
                assert_eq!(again.extensions, model.extensions, "{name}");
                assert!(again == *model || name.starts_with("sv"), "{name}");
                // C and F have the patterns of the one, and the other is about what is not there.
                let not_alone = name == "zclsd" && model.extensions.has(Ext::Zcf)
                    || name == "smepmp" && model.pmp_entries == 0;
                assert_eq!(model.with([(name, true)]).is_ok(), !not_alone, "{name}");
            }
        }
    }

    #[test]
    fn contradictions_are_said() {
        let says = |properties, text: &str| assert_eq!(with("rv64", properties).unwrap_err(), text);
        says("f=off", "f=off: 'd' is on and needs 'f'; d=off turns it off too");
        says("zba=off,b=on", "zba=off: 'b' is on and needs 'zba'; b=off turns it off too");
        says("zcd=off", "zcd=off: 'c' is on and needs 'zcd'; c=off turns it off too");
        says("sv39=off,sv48=on", "sv39=off: 'sv48' is on and needs 'sv39'; sv48=off turns it off too");
        says("i=off", "every CPU has the base 'i', or 'e' instead");
        says("e=on", "I and E extensions are incompatible");
        says("zcf=on", "'zcf' is for 32 bits, and 'rv64' has 64");
        assert_eq!(
            with("x-rv128", "zba=on").unwrap_err(),
            "'zba' is for 32 and 64 bits, and 'x-rv128' has 128"
        );
        says("v=on", "the extension 'v' is not yet in hartwright");
        says("smepmp=on,pmp=off", "smepmp=on: it needs 'pmp'; leave pmp=off out, or smepmp=on");
        says("foo=on", "Property 'rv64-riscv-cpu.foo' not found");
    }

    #[test]
    fn what_is_for_one_width_is_refused_at_the_other() {
        let says = |properties, text: &str| assert_eq!(with("rv32", properties).unwrap_err(), text);
        says("svpbmt=on", "'svpbmt' is for 64 and 128 bits, and 'rv32' has 32");
        says("sv39=on", "Property 'rv32-riscv-cpu.sv39' not found");
        says("zclsd=on", "Zclsd cannot be supported together with C and F extension");
        check("rv32", "f=off,d=off,zfa=off,zclsd=on", &[Ext::Zilsd, Ext::Zclsd], &[Ext::Zcf, Ext::Zcd]);
        check("rv32e", "m=on,c=on", &[Ext::E, Ext::Zca], &[Ext::I]);
        check("rv32", "i=off,e=on", &[Ext::E], &[Ext::I]);
        assert_eq!(with("rv32", "sv32=off").unwrap().mmu, Mmu::Bare);
        assert_eq!(with("rv32i", "mmu=on").unwrap().mmu, Mmu::Sv32);
    }

    #[test]
    fn address_spaces_bring_the_smaller_ones() {
        let mmu = |properties| with("rv64", properties).unwrap().mmu;
        assert_eq!(mmu("sv57=off"), Mmu::Sv48);
        assert_eq!(mmu("sv39=on"), Mmu::Sv39);
        assert_eq!(mmu("sv48=on,sv57=off"), Mmu::Sv48);
        assert_eq!(mmu("sv39=off"), Mmu::Bare);
        assert_eq!(mmu("mmu=off"), Mmu::Bare);
        assert_eq!(with("rv64", "pmp=off").unwrap().pmp_entries, 0);
    }
}
