//! The extensions: what each is called, what it requires, and what it is made of.

use std::fmt;

extensions! {
    // name               order  what it requires, and what it is made of
    I           "i"           0  [];
    M           "m"           1  [] = [Zmmul];
    A           "a"           2  [] = [Zaamo, Zalrsc];
    F           "f"           3  [Zicsr];
    D           "d"           4  [F];
    C           "c"           5  [] = [Zca];
    B           "b"           6  [] = [Zba, Zbb, Zbs];
    Zicbom      "zicbom"      10 [];
    Zicbop      "zicbop"      10 [];
    Zicboz      "zicboz"      10 [];
    Zicntr      "zicntr"      10 [Zicsr];
    Zicond      "zicond"      10 [];
    Zicsr       "zicsr"       10 [];
    Zifencei    "zifencei"    10 [];
    Zihintntl   "zihintntl"   10 [];
    Zihintpause "zihintpause" 10 [];
    Zihpm       "zihpm"       10 [Zicsr];
    Zimop       "zimop"       10 [];
    Zmmul       "zmmul"       11 [];
    Zaamo       "zaamo"       12 [];
    Zabha       "zabha"       12 [Zaamo];
    Zacas       "zacas"       12 [Zaamo];
    Zalrsc      "zalrsc"      12 [];
    Zawrs       "zawrs"       12 [];
    Zfa         "zfa"         13 [F];
    Zfh         "zfh"         13 [Zfhmin];
    Zfhmin      "zfhmin"      13 [F];
    Zca         "zca"         15 [];
    Zcb         "zcb"         15 [Zca];
    Zcd         "zcd"         15 [Zca, D];
    Zcf         "zcf"         15 [Zca, F];
    Zcmop       "zcmop"       15 [Zca];
    Zba         "zba"         16 [];
    Zbb         "zbb"         16 [];
    Zbc         "zbc"         16 [];
    Zbkb        "zbkb"        16 [];
    Zbkc        "zbkc"        16 [];
    Zbkx        "zbkx"        16 [];
    Zbs         "zbs"         16 [];
    Zk          "zk"          17 [] = [Zkn, Zkt];
    Zkn         "zkn"         17 [] = [Zbkb, Zbkc, Zbkx, Zknd, Zkne, Zknh];
    Zknd        "zknd"        17 [];
    Zkne        "zkne"        17 [];
    Zknh        "zknh"        17 [];
    Zks         "zks"         17 [] = [Zbkb, Zbkc, Zbkx, Zksed, Zksh];
    Zksed       "zksed"       17 [];
    Zksh        "zksh"        17 [];
    Zkt         "zkt"         17 [];
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
        let mut i = 0;
        while i < ext.requires().len() {
            self = self.with(ext.requires()[i]);
            i += 1;
        }
        let mut i = 0;
        while i < ext.parts().len() {
            self = self.with(ext.parts()[i]);
            i += 1;
        }
        self
    }

    /// This set, all it implies, and the parts of C that depend on what else is there and on `xlen` (unprivileged
    /// spec, Zc).
    pub const fn complete(self, xlen: u32) -> Self {
        let (mut set, mut i) = (ExtSet(0), 0);
        while i < Ext::ALL.len() {
            if self.has(Ext::ALL[i]) {
                set = set.with(Ext::ALL[i]);
            }
            i += 1;
        }
        if set.has(Ext::C) && set.has(Ext::D) {
            set = set.with(Ext::Zcd);
        }
        if set.has(Ext::C) && set.has(Ext::F) && xlen == 32 {
            set = set.with(Ext::Zcf);
        }
        set
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
    ($($ext:ident $name:literal $order:literal [$($required:ident),*] $(= [$($part:ident),*])?;)*) => {
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

            /// What it cannot be without, and so brings with it.
            pub const fn requires(self) -> &'static [Ext] {
                match self { $(Ext::$ext => &[$(Ext::$required),*]),* }
            }

            /// What it is another name for, all of it together; empty for what is one thing.
            pub const fn parts(self) -> &'static [Ext] {
                match self { $(Ext::$ext => &[$($(Ext::$part),*)?]),* }
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
        assert_eq!(set.to_string(), "ifdc_zicntr_zicsr_zca_zba_smstateen_ssstateen_svinval");
    }
}
