//! The extensions: what each is called, what it requires, and what it is made of.

use std::fmt;

extensions! {
    // name               order  what it requires, and what it is made of; in a line, what it is
    I           "i"           0  []                                 "the base";
    E           "e"           0  []                                 "the base with 16 registers";
    M           "m"           1  [] = [Zmmul]                       "multiplication and division";
    A           "a"           2  [] = [Zaamo, Zalrsc]               "atomic instructions";
    F           "f"           3  [Zicsr]                            "single precision";
    D           "d"           4  [F]                                "double precision";
    C           "c"           5  [] = [Zca]                         "16-bit instructions";
    B           "b"           6  [] = [Zba, Zbb, Zbs]               "bit manipulation";
    Zicbom      "zicbom"      10 []                                 "cache-block management";
    Zicbop      "zicbop"      10 []                                 "cache-block prefetches";
    Zicboz      "zicboz"      10 []                                 "cache-block zeroing";
    Ziccrse     "ziccrse"     10 [Zalrsc]                           "reservations that succeed in the end";
    Zicntr      "zicntr"      10 [Zicsr]                            "the counters cycle, time and instret";
    Zicond      "zicond"      10 []                                 "conditional zeroing";
    Zicsr       "zicsr"       10 []                                 "CSR instructions";
    Zifencei    "zifencei"    10 []                                 "the instruction-fetch fence";
    Zihintntl   "zihintntl"   10 []                                 "hints that data is not used again";
    Zihintpause "zihintpause" 10 []                                 "a hint that the hart spins";
    Zihpm       "zihpm"       10 [Zicsr]                            "the programmable counters";
    Zilsd       "zilsd"       10 []                                 "loads and stores of register pairs";
    Zimop       "zimop"       10 []                                 "may-be-operations";
    Zmmul       "zmmul"       11 []                                 "multiplication without division";
    Zaamo       "zaamo"       12 []                                 "atomic memory operations";
    Zabha       "zabha"       12 [Zaamo]                            "atomics on bytes and halfwords";
    Zacas       "zacas"       12 [Zaamo]                            "compare and swap";
    Zalrsc      "zalrsc"      12 []                                 "load-reserved and store-conditional";
    Zawrs       "zawrs"       12 []                                 "waiting for a reservation";
    Zfa         "zfa"         13 [F]                                "additional floating-point instructions";
    Zfh         "zfh"         13 [Zfhmin]                           "half precision";
    Zfhmin      "zfhmin"      13 [F]                                "half precision, moved and converted only";
    Zca         "zca"         15 []                                 "16-bit instructions without floating point";
    Zcb         "zcb"         15 [Zca]                              "more 16-bit instructions";
    Zcd         "zcd"         15 [Zca, D]                           "16-bit loads and stores of double precision";
    Zcf         "zcf"         15 [Zca, F]                           "16-bit loads and stores of single precision";
    Zclsd       "zclsd"       15 [Zca, Zilsd]                       "16-bit loads and stores of register pairs";
    Zcmop       "zcmop"       15 [Zca]                              "16-bit may-be-operations";
    Zba         "zba"         16 []                                 "address generation";
    Zbb         "zbb"         16 []                                 "basic bit manipulation";
    Zbc         "zbc"         16 []                                 "carry-less multiplication";
    Zbkb        "zbkb"        16 []                                 "bit manipulation for cryptography";
    Zbkc        "zbkc"        16 []                                 "carry-less multiplication for cryptography";
    Zbkx        "zbkx"        16 []                                 "permutations of nibbles and bytes";
    Zbs         "zbs"         16 []                                 "single bits";
    Zk          "zk"          17 [] = [Zkn, Zkt]                    "standard cryptography: zkn, zkr, zkt";
    Zkn         "zkn"         17 [] = [Zbkb, Zbkc, Zbkx, Zknd, Zkne, Zknh] "NIST's algorithms";
    Zknd        "zknd"        17 []                                 "AES decryption";
    Zkne        "zkne"        17 []                                 "AES encryption";
    Zknh        "zknh"        17 []                                 "SHA-2";
    Zkr         "zkr"         17 []                                 "a source of entropy";
    Zks         "zks"         17 [] = [Zbkb, Zbkc, Zbkx, Zksed, Zksh] "the ShangMi algorithms";
    Zksed       "zksed"       17 []                                 "SM4";
    Zksh        "zksh"        17 []                                 "SM3";
    Zkt         "zkt"         17 []                                 "time that does not depend on data";
    Sdtrig      "sdtrig"      29 []                                 "triggers that break on addresses";
    Smcntrpmf   "smcntrpmf"   30 []                                 "cycles and instructions counted by mode";
    Smepmp      "smepmp"      30 []                                 "memory protection that binds M-mode";
    Smstateen   "smstateen"   30 [Ssstateen]                        "access to state by mode";
    Ssstateen   "ssstateen"   31 []                                 "access to state by U-mode";
    Sscofpmf    "sscofpmf"    31 []                                 "interrupts by counters that overflow";
    Sstc        "sstc"        31 []                                 "a timer of S-mode's own";
    Svade       "svade"       32 []                                 "page faults for A and D bits";
    Svadu       "svadu"       32 []                                 "A and D bits set by hardware";
    Svinval     "svinval"     32 []                                 "fine-grained invalidation of translations";
    Svnapot     "svnapot"     32 []                                 "contiguous pages";
    Svpbmt      "svpbmt"      32 []                                 "page-based memory types";
    Svvptc      "svvptc"      32 []                                 "new translations seen without a fence";
}

impl Ext {
    /// Whether it means something with registers of `xlen` bits. The draft of 128 bits has the base and no more; M, A,
    /// F, D and C are there as QEMU 7.2 reads them, each without what is for 64 bits only.
    pub const fn is_for(self, xlen: u32) -> bool {
        use Ext::*;
        match self {
            Zcf | Zilsd | Zclsd => xlen == 32,
            Svnapot | Svpbmt => xlen != 32,
            I | M | A | F | D | C | Zicntr | Zicsr | Zifencei | Zihintntl | Zihintpause | Zihpm | Zmmul
            | Zaamo | Zalrsc | Zca | Smstateen | Ssstateen | Sstc | Svade | Svadu | Svinval => true,
            _ => xlen != 128,
        }
    }
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
        if set.has(Ext::C) && set.has(Ext::D) && Ext::Zcd.is_for(xlen) {
            set = set.with(Ext::Zcd);
        }
        if set.has(Ext::C) && set.has(Ext::F) && xlen == 32 {
            set = set.with(Ext::Zcf);
        }
        set
    }

    /// This set and another.
    pub const fn and(self, other: Self) -> Self {
        ExtSet(self.0 | other.0)
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
    ($($ext:ident $name:literal $order:literal [$($required:ident),*] $(= [$($part:ident),*])? $doc:literal;)*) => {
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

            /// What it is, in a few words.
            pub const fn doc(self) -> &'static str {
                match self { $(Ext::$ext => $doc),* }
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
            pub(crate) const fn order(self) -> u8 {
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
