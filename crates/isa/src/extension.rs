//! The extensions: what each is called, and what it brings with it.

use std::fmt;

extensions! {
    // name         order  implies
    I           "i"   0    [];
    M           "m"   1    [];
    A           "a"   2    [];
    F           "f"   3    [Zicsr];
    D           "d"   4    [F];
    C           "c"   5    [];
    Zicbom      "zicbom"      10 [];
    Zicbop      "zicbop"      10 [];
    Zicboz      "zicboz"      10 [];
    Zicntr      "zicntr"      10 [Zicsr];
    Zicond      "zicond"      10 [];
    Zicsr       "zicsr"       10 [];
    Zifencei    "zifencei"    10 [];
    Zihintpause "zihintpause" 10 [];
    Zihpm       "zihpm"       10 [Zicsr];
    Zawrs       "zawrs"       12 [];
    Zba         "zba"         13 [];
    Zbb         "zbb"         13 [];
    Zbc         "zbc"         13 [];
    Zbs         "zbs"         13 [];
    Smstateen   "smstateen"   30 [Ssstateen];
    Ssstateen   "ssstateen"   31 [];
    Sstc        "sstc"        31 [];
    Svade       "svade"       32 [];
    Svadu       "svadu"       32 [];
    Svinval     "svinval"     32 [];
    Svnapot     "svnapot"     32 [];
    Svpbmt      "svpbmt"      32 [];
}

/// A set of extensions. [`Display`](fmt::Display) gives the tail of an ISA string: `imac_zicsr_zba`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtSet(u128);

impl ExtSet {
    /// These and all they imply.
    pub const fn of(list: &[Ext]) -> Self {
        let (mut set, mut i) = (ExtSet(0), 0);
        while i < list.len() {
            set = set.with(list[i]);
            i += 1;
        }
        set
    }

    /// This set, `ext`, and all it implies.
    pub const fn with(mut self, ext: Ext) -> Self {
        if self.has(ext) {
            return self;
        }
        self.0 |= 1 << ext as u32;
        let (implied, mut i) = (ext.implies(), 0);
        while i < implied.len() {
            self = self.with(implied[i]);
            i += 1;
        }
        self
    }

    /// This set without `ext`.
    #[must_use]
    pub const fn without(self, ext: Ext) -> Self {
        ExtSet(self.0 & !(1 << ext as u32))
    }

    /// Whether `ext` is in it.
    pub const fn has(self, ext: Ext) -> bool {
        self.0 >> ext as u32 & 1 != 0
    }

    /// Its members, in the order of an ISA string (unprivileged spec, ISA naming).
    pub fn iter(self) -> impl Iterator<Item = Ext> {
        let mut list: Vec<Ext> = Ext::ALL.iter().copied().filter(|ext| self.has(*ext)).collect();
        list.sort_by_key(|ext| (ext.order(), ext.name()));
        list.into_iter()
    }
}

impl fmt::Display for ExtSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ext in self.iter() {
            if ext.name().len() > 1 {
                f.write_str("_")?;
            }
            f.write_str(ext.name())?;
        }
        Ok(())
    }
}

macro_rules! extensions {
    ($($ext:ident $name:literal $order:literal [$($implied:ident),*];)*) => {
        /// A named part of the instruction set or of the privileged architecture.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are the specification's")]
        pub enum Ext { $($ext),* }

        impl Ext {
            /// Every extension there is here.
            pub const ALL: &[Ext] = &[$(Ext::$ext),*];

            /// As ISA strings spell it: lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Ext::$ext => $name),* }
            }

            /// What it brings with it.
            pub const fn implies(self) -> &'static [Ext] {
                match self { $(Ext::$ext => &[$(Ext::$implied),*]),* }
            }

            /// Its rank in an ISA string; equals go by name.
            const fn order(self) -> u8 {
                match self { $(Ext::$ext => $order),* }
            }
        }
    };
}
use extensions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isa_string_is_in_canonical_order() {
        let set = ExtSet::of(&[Ext::Zba, Ext::D, Ext::Svinval, Ext::Zicntr, Ext::I, Ext::Smstateen, Ext::C]);
        assert_eq!(set.to_string(), "ifdc_zicntr_zicsr_zba_smstateen_ssstateen_svinval");
    }
}
