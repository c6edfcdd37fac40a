//! Bit names of the CSRs (privileged spec, chapters 3 and 10).

macro_rules! bits {
    ($($name:ident = $value:expr;)*) => { $(#[doc = concat!("`", stringify!($name), "`.")] pub const $name: u64 = $value;)* };
}

bits! {
    MSTATUS_SIE  = 1 << 1;
    MSTATUS_MIE  = 1 << 3;
    MSTATUS_SPIE = 1 << 5;
    MSTATUS_MPIE = 1 << 7;
    MSTATUS_SPP  = 1 << 8;
    MSTATUS_MPP  = 3 << 11;
    MSTATUS_FS   = 3 << 13;
    MSTATUS_MPRV = 1 << 17;
    MSTATUS_SUM  = 1 << 18;
    MSTATUS_MXR  = 1 << 19;
    MSTATUS_TVM  = 1 << 20;
    MSTATUS_TW   = 1 << 21;
    MSTATUS_TSR  = 1 << 22;
    MSTATUS_UXL  = 3 << 32;
    MSTATUS_SXL  = 3 << 34;

    SSIP = 1 << 1;
    MSIP = 1 << 3;
    STIP = 1 << 5;
    MTIP = 1 << 7;
    SEIP = 1 << 9;
    MEIP = 1 << 11;
    LCOFIP = 1 << 13;

    ENVCFG_FIOM  = 1;
    ENVCFG_CBIE  = 3 << 4;
    ENVCFG_CBCFE = 1 << 6;
    ENVCFG_CBZE  = 1 << 7;
    ENVCFG_ADUE  = 1 << 61;
    ENVCFG_PBMTE = 1 << 62;
    ENVCFG_STCE  = 1 << 63;

    MSECCFG_MML   = 1;
    MSECCFG_MMWP  = 1 << 1;
    MSECCFG_RLB   = 1 << 2;
    MSECCFG_USEED = 1 << 8;
    MSECCFG_SSEED = 1 << 9;

    STATEEN_ENVCFG = 1 << 62;
    STATEEN_SE     = 1 << 63;

    COUNTER_TM = 1 << 1;

    EVENT_UINH = 1 << 60;
    EVENT_SINH = 1 << 61;
    EVENT_MINH = 1 << 62;
    EVENT_OF   = 1 << 63;
}

/// Where `mstatus.MPP` begins.
pub const MPP_SHIFT: u32 = 11;

/// Interrupt codes, the most urgent first (privileged spec, 3.1.9): MEI, MSI, MTI, SEI, SSI, STI, LCOFI.
pub const INTERRUPT_PRIORITY: [u64; 7] = [11, 3, 7, 9, 1, 5, 13];
