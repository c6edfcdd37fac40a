//! Control and status registers by number and name (privileged spec, CSR listing).

use std::borrow::Cow;

csrs! {
    FFLAGS        0x001 "fflags";
    FRM           0x002 "frm";
    FCSR          0x003 "fcsr";
    SEED          0x015 "seed";
    CYCLE         0xc00 "cycle";
    TIME          0xc01 "time";
    INSTRET       0xc02 "instret";
    CYCLEH        0xc80 "cycleh";
    TIMEH         0xc81 "timeh";
    INSTRETH      0xc82 "instreth";
    HPMCOUNTER3   0xc03 "hpmcounter3";

    SSTATUS       0x100 "sstatus";
    SIE           0x104 "sie";
    STVEC         0x105 "stvec";
    SCOUNTEREN    0x106 "scounteren";
    SENVCFG       0x10a "senvcfg";
    SSTATEEN0     0x10c "sstateen0";
    SSTATEEN1     0x10d "sstateen1";
    SSTATEEN2     0x10e "sstateen2";
    SSTATEEN3     0x10f "sstateen3";
    SSCRATCH      0x140 "sscratch";
    SEPC          0x141 "sepc";
    SCAUSE        0x142 "scause";
    STVAL         0x143 "stval";
    SIP           0x144 "sip";
    STIMECMP      0x14d "stimecmp";
    STIMECMPH     0x15d "stimecmph";
    SATP          0x180 "satp";
    SCOUNTOVF     0xda0 "scountovf";

    MSTATUS       0x300 "mstatus";
    MISA          0x301 "misa";
    MEDELEG       0x302 "medeleg";
    MIDELEG       0x303 "mideleg";
    MIE           0x304 "mie";
    MTVEC         0x305 "mtvec";
    MCOUNTEREN    0x306 "mcounteren";
    MENVCFG       0x30a "menvcfg";
    MSTATEEN0     0x30c "mstateen0";
    MSTATEEN1     0x30d "mstateen1";
    MSTATEEN2     0x30e "mstateen2";
    MSTATEEN3     0x30f "mstateen3";
    MSTATUSH      0x310 "mstatush";
    MEDELEGH      0x312 "medelegh";
    MENVCFGH      0x31a "menvcfgh";
    MSTATEEN0H    0x31c "mstateen0h";
    MSTATEEN1H    0x31d "mstateen1h";
    MSTATEEN2H    0x31e "mstateen2h";
    MSTATEEN3H    0x31f "mstateen3h";
    MCOUNTINHIBIT 0x320 "mcountinhibit";
    MCYCLECFG     0x321 "mcyclecfg";
    MINSTRETCFG   0x322 "minstretcfg";
    MHPMEVENT3    0x323 "mhpmevent3";
    MCYCLECFGH    0x721 "mcyclecfgh";
    MINSTRETCFGH  0x722 "minstretcfgh";
    MHPMEVENT3H   0x723 "mhpmevent3h";
    MSCRATCH      0x340 "mscratch";
    MEPC          0x341 "mepc";
    MCAUSE        0x342 "mcause";
    MTVAL         0x343 "mtval";
    MIP           0x344 "mip";
    PMPCFG0       0x3a0 "pmpcfg0";
    PMPADDR0      0x3b0 "pmpaddr0";
    MSECCFG       0x747 "mseccfg";
    MSECCFGH      0x757 "mseccfgh";
    TSELECT       0x7a0 "tselect";
    TDATA1        0x7a1 "tdata1";
    TDATA2        0x7a2 "tdata2";
    TDATA3        0x7a3 "tdata3";
    TINFO         0x7a4 "tinfo";
    MCONTEXT      0x7a8 "mcontext";
    MCYCLE        0xb00 "mcycle";
    MINSTRET      0xb02 "minstret";
    MCYCLEH       0xb80 "mcycleh";
    MINSTRETH     0xb82 "minstreth";
    MHPMCOUNTER3  0xb03 "mhpmcounter3";
    MVENDORID     0xf11 "mvendorid";
    MARCHID       0xf12 "marchid";
    MIMPID        0xf13 "mimpid";
    MHARTID       0xf14 "mhartid";
    MCONFIGPTR    0xf15 "mconfigptr";
}

/// Numbered families: first number, how many, the number in the first name, and the name before and after it.
const FAMILIES: &[(u16, u16, u16, &str, &str)] = &[
    (0x323, 29, 3, "mhpmevent", ""),
    (0x723, 29, 3, "mhpmevent", "h"),
    (0x3a0, 16, 0, "pmpcfg", ""),
    (0x3b0, 64, 0, "pmpaddr", ""),
    (0xb03, 29, 3, "mhpmcounter", ""),
    (0xb83, 29, 3, "mhpmcounter", "h"),
    (0xc03, 29, 3, "hpmcounter", ""),
    (0xc83, 29, 3, "hpmcounter", "h"),
];

/// What register `number` is called, if it has a name here.
pub fn name(number: u16) -> Option<Cow<'static, str>> {
    if let Some((_, name)) = NAMED.iter().find(|(n, _)| *n == number) {
        return Some(Cow::Borrowed(name));
    }
    let (first, _, index, name, end) =
        FAMILIES.iter().find(|(first, count, ..)| (*first..first + count).contains(&number))?;
    Some(Cow::Owned(format!("{name}{}{end}", number - first + index)))
}

/// The number of the register called `name`.
pub fn number(name: &str) -> Option<u16> {
    (0..0x1000).find(|n| self::name(*n).is_some_and(|known| known == name))
}

/// Every register with a name, by number.
pub fn all() -> impl Iterator<Item = (u16, Cow<'static, str>)> {
    (0..0x1000).filter_map(|n| Some((n, name(n)?)))
}

macro_rules! csrs {
    ($($csr:ident $number:literal $name:literal;)*) => {
        $(#[doc = concat!("`", $name, "`")] pub const $csr: u16 = $number;)*
        const NAMED: &[(u16, &str)] = &[$(($number, $name)),*];
    };
}
use csrs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_each_others_inverse() {
        for (n, name) in all() {
            assert_eq!(number(&name), Some(n), "{name}");
        }
        assert_eq!(number("pmpaddr15"), Some(0x3bf));
        assert_eq!(number("mhpmcounter31"), Some(0xb1f));
        assert_eq!(number("nonsense"), None);
    }
}
