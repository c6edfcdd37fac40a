//! Meanings as handlers: a [`Reader`] that does what it reads, now.

use crate::core::{Core, Stop};
use hartwright_hart::{Cause, Illegal, Privilege, Trap, status};
use hartwright_ir::{
    Amo, Bin, Cbo, Crypto, CsrOp, Fmt, Fp, FpTest, Int, Mem, Order, Reader, System, Un, Value, Width,
};
use hartwright_isa::Ext;
use hartwright_mem::Word;
use std::{
    ops,
    sync::atomic::{Ordering, fence},
};

/// A hart at this very moment.
pub(crate) struct Now<'c, W>(pub(crate) &'c Core<W>);

impl<W> Clone for Now<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Now<'_, W> {}

/// A register's contents: `a + b` adds.
#[derive(Clone, Copy)]
pub(crate) struct Reg<W>(W);

impl<W: Width> Value for Reg<W> {
    #[inline(always)]
    fn bin(self, f: Bin, rhs: Self) -> Self {
        Reg(W::bin(f, self.0, rhs.0))
    }
    #[inline(always)]
    fn bin32(self, f: Bin, rhs: Self) -> Self {
        let low = u32::bin(f, self.0.to_u64() as u32, rhs.0.to_u64() as u32);
        Reg(W::from_i64((low as i32).into()))
    }
    #[inline(always)]
    fn bin64(self, f: Bin, rhs: Self) -> Self {
        Reg(W::from_i64(u64::bin(f, self.0.to_u64(), rhs.0.to_u64()) as i64))
    }
    #[inline(always)]
    fn un(self, f: Un) -> Self {
        Reg(W::un(f, self.0))
    }
    #[inline(always)]
    fn un32(self, f: Un) -> Self {
        Reg(W::from_i64((u32::un(f, self.0.to_u64() as u32) as i32).into()))
    }
    fn crypto(self, f: Crypto, rhs: Self) -> Self {
        Reg(f.eval(self.0, rhs.0))
    }
    #[inline(always)]
    fn select(self, a: Self, b: Self) -> Self {
        if self.0 == W::default() { b } else { a }
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Bin:ident),*) => { $(
        impl<W: Width> ops::$Trait for Reg<W> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, rhs: Self) -> Self { self.bin(Bin::$Bin, rhs) }
        }
    )* };
}
operators!(Add add Add, Sub sub Sub, BitAnd bitand And, BitOr bitor Or, BitXor bitxor Xor, Shl shl Shl, Shr shr Shr);

impl<W: Width> ops::Not for Reg<W> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        self.un(Un::Not)
    }
}

impl<'c, W: Width> Now<'c, W> {
    #[inline(always)]
    fn check<T>(self, result: Result<T, Trap>) -> Result<T, Stop> {
        match result {
            Ok(value) => Ok(value),
            Err(trap) => Err(self.0.raise(trap)),
        }
    }

    /// An illegal-instruction exception; the core knows the instruction's bits.
    #[cold]
    fn illegal(self) -> Stop {
        self.0.raise(Trap::new(Cause::IllegalInstruction, 0))
    }

    #[inline(always)]
    fn legal<T>(self, result: Result<T, Illegal>) -> Result<T, Stop> {
        match result {
            Ok(value) => Ok(value),
            Err(Illegal) => Err(self.illegal()),
        }
    }

    #[inline(always)]
    fn put<T: Word>(self, addr: Reg<W>, value: T) -> Result<(), Stop> {
        if self.check(self.0.hart.store(addr.0.to_u64(), value))? { Err(Stop::Next) } else { Ok(()) }
    }

    /// Changes a word in one step; gives what was there.
    fn update<T: Word>(self, addr: Reg<W>, f: impl Fn(T) -> T) -> Result<u64, Stop> {
        let old = self.0.hart.update(addr.0.to_u64(), f);
        self.check(old).map(Word::to_u64)
    }

    /// `f` of a word and a register, as wide as a register: extension keeps every order.
    fn amo_at<T: Word>(self, f: Amo, m: Mem, addr: Reg<W>, v: Reg<W>) -> Result<u64, Stop> {
        let register = m.extend::<W>(v.0.to_u64());
        self.update(addr, |old: T| T::from_u64(f.eval(m.extend::<W>(old.to_u64()), register).to_u64()))
    }

    fn swap_at<T: Word>(self, addr: Reg<W>, old: Reg<W>, new: Reg<W>) -> Result<u64, Stop> {
        let (old, new) = (T::from_u64(old.0.to_u64()), T::from_u64(new.0.to_u64()));
        self.update(addr, |found: T| if found == old { new } else { found })
    }

    /// Whether the environment configuration lets the present mode use a cache-block operation: the bits of
    /// `menvcfg` and, in U-mode, of `senvcfg`, that must not all be zero.
    fn cbo_allowed(self, bits: u64) -> bool {
        let hart = &self.0.hart;
        let csr = |n| hart.read_csr(n).unwrap_or(0);
        let mode = hart.privilege();
        (mode == Privilege::Machine || csr(hartwright_isa::csr::MENVCFG) & bits != 0)
            && (mode != Privilege::User || csr(hartwright_isa::csr::SENVCFG) & bits != 0)
    }
}

impl<W: Width> Reader for Now<'_, W> {
    type Value = Reg<W>;
    type Float = u64;
    type Stop = Stop;

    #[inline(always)]
    fn x(self, r: u8) -> Reg<W> {
        Reg(self.0.hart.x(r))
    }
    #[inline(always)]
    fn set_x(self, r: u8, v: Reg<W>) {
        self.0.hart.set_x(r, v.0);
    }
    #[inline(always)]
    fn f(self, r: u8) -> u64 {
        self.0.hart.f(r)
    }
    #[inline(always)]
    fn set_f(self, r: u8, v: u64) {
        self.0.hart.set_f(r, v);
    }
    #[inline(always)]
    fn constant(self, v: i64) -> Reg<W> {
        Reg(W::from_i64(v))
    }

    #[inline(always)]
    fn landing(self, to: Reg<W>) -> Result<Reg<W>, Stop> {
        if to.0.to_u64() & 2 != 0 && !self.0.hart.has(Ext::Zca) {
            return Err(self.0.raise(Trap::new(Cause::InstructionAddressMisaligned, to.0.to_u64() & !1)));
        }
        Ok(to)
    }
    #[inline(always)]
    fn jump(self, to: Reg<W>) -> Result<(), Stop> {
        self.0.hart.set_pc(to.0.to_u64() & !1);
        Err(Stop::Jump)
    }
    #[inline(always)]
    fn jump_if(self, cond: Reg<W>, to: u64) -> Result<(), Stop> {
        if cond.0 == W::default() {
            return Ok(());
        }
        let to = self.landing(self.constant(to as i64))?;
        self.jump(to)
    }

    #[inline(always)]
    fn load(self, m: Mem, addr: Reg<W>) -> Result<Reg<W>, Stop> {
        let (hart, addr) = (&self.0.hart, addr.0.to_u64());
        let raw = match m.size() {
            1 => hart.load::<u8>(addr).map(u64::from),
            2 => hart.load::<u16>(addr).map(u64::from),
            4 => hart.load::<u32>(addr).map(u64::from),
            16 => return self.check(hart.load_pair(addr)).map(|raw| Reg(W::from_u128(raw))),
            _ => hart.load::<u64>(addr),
        };
        self.check(raw).map(|raw| Reg(m.extend(raw)))
    }
    #[inline(always)]
    fn store(self, m: Mem, addr: Reg<W>, v: Reg<W>) -> Result<(), Stop> {
        if m.size() == 16 {
            return self.check(self.0.hart.store_pair(addr.0.to_u64(), v.0.to_u128()));
        }
        let v = v.0.to_u64();
        match m.size() {
            1 => self.put(addr, v as u8),
            2 => self.put(addr, v as u16),
            4 => self.put(addr, v as u32),
            _ => self.put(addr, v),
        }
    }
    #[inline(always)]
    fn load_float(self, fmt: Fmt, addr: Reg<W>) -> Result<u64, Stop> {
        let (hart, addr) = (&self.0.hart, addr.0.to_u64());
        let raw = match fmt {
            Fmt::H => hart.load::<u16>(addr).map(u64::from),
            Fmt::S => hart.load::<u32>(addr).map(u64::from),
            Fmt::D => hart.load::<u64>(addr),
        };
        self.check(raw).map(|raw| fmt.boxed(raw))
    }
    #[inline(always)]
    fn store_float(self, fmt: Fmt, addr: Reg<W>, v: u64) -> Result<(), Stop> {
        match fmt {
            Fmt::H => self.put(addr, v as u16),
            Fmt::S => self.put(addr, v as u32),
            Fmt::D => self.put(addr, v),
        }
    }

    fn amo(self, f: Amo, m: Mem, _: Order, addr: Reg<W>, v: Reg<W>) -> Result<Reg<W>, Stop> {
        let old = match m.size() {
            1 => self.amo_at::<u8>(f, m, addr, v),
            2 => self.amo_at::<u16>(f, m, addr, v),
            4 => self.amo_at::<u32>(f, m, addr, v),
            _ => self.amo_at::<u64>(f, m, addr, v),
        };
        old.map(|old| Reg(m.extend(old)))
    }
    fn compare_and_swap(
        self,
        m: Mem,
        _: Order,
        addr: Reg<W>,
        old: Reg<W>,
        new: Reg<W>,
    ) -> Result<Reg<W>, Stop> {
        let found = match m.size() {
            1 => self.swap_at::<u8>(addr, old, new),
            2 => self.swap_at::<u16>(addr, old, new),
            4 => self.swap_at::<u32>(addr, old, new),
            _ => self.swap_at::<u64>(addr, old, new),
        };
        found.map(|found| Reg(m.extend(found)))
    }
    fn compare_and_swap_pair(
        self,
        _: Order,
        addr: Reg<W>,
        old: [Reg<W>; 2],
        new: [Reg<W>; 2],
    ) -> Result<[Reg<W>; 2], Stop> {
        let whole = |[low, high]: [Reg<W>; 2]| {
            let low = u128::from(low.0.to_u64()) << (128 - W::BITS) >> (128 - W::BITS);
            u128::from(high.0.to_u64()) << W::BITS | low
        };
        let (addr, old, new) = (addr.0.to_u64(), whole(old), whole(new));
        let found = if W::BITS == 32 {
            let (old, new) = (old as u64, new as u64);
            let found = self.0.hart.update(addr, |found: u64| if found == old { new } else { found });
            self.check(found)?.into()
        } else {
            self.check(self.0.hart.compare_exchange_pair(addr, old, new))?
        };
        Ok([found as u64, (found >> W::BITS) as u64].map(|half| Reg(W::from_u64(half))))
    }
    fn load_reserved(self, m: Mem, order: Order, addr: Reg<W>) -> Result<Reg<W>, Stop> {
        let (hart, addr) = (&self.0.hart, addr.0.to_u64());
        let value = match m.size() {
            4 => hart.load_reserved::<u32>(addr).map(u64::from),
            _ => hart.load_reserved::<u64>(addr),
        };
        if order.aq {
            fence(Ordering::SeqCst);
        }
        self.check(value).map(|value| Reg(m.extend(value)))
    }
    fn store_conditional(self, m: Mem, _: Order, addr: Reg<W>, v: Reg<W>) -> Result<Reg<W>, Stop> {
        let (hart, addr, v) = (&self.0.hart, addr.0.to_u64(), v.0.to_u64());
        let stored = match m.size() {
            4 => hart.store_conditional(addr, v as u32),
            _ => hart.store_conditional(addr, v),
        };
        self.check(stored).map(|stored| self.constant((!stored).into()))
    }
    fn cbo(self, op: Cbo, addr: Reg<W>) -> Result<(), Stop> {
        let bits = match op {
            Cbo::Inval => status::ENVCFG_CBIE,
            Cbo::Clean | Cbo::Flush => status::ENVCFG_CBCFE,
            Cbo::Zero => status::ENVCFG_CBZE,
        };
        if !self.cbo_allowed(bits) {
            return Err(self.illegal());
        }
        let addr = addr.0.to_u64();
        let hart = &self.0.hart;
        // There is no cache: what is left of the other operations is their permission check.
        self.check(if op == Cbo::Zero { hart.zero_block(addr) } else { hart.touch_block(addr) })
    }

    #[inline]
    fn fp(self, op: Fp, fmt: Fmt, rm: u8, args: [u64; 3]) -> Result<u64, Stop> {
        self.legal(self.0.hart.fp(op, fmt, rm, args))
    }
    fn fp_test(self, op: FpTest, fmt: Fmt, a: u64, b: u64) -> Reg<W> {
        self.constant(self.0.hart.fp_test(op, fmt, a, b) as i64)
    }
    fn fp_to_int(self, to: Int, fmt: Fmt, rm: u8, a: u64) -> Result<Reg<W>, Stop> {
        let value = self.legal(self.0.hart.fp_to_int(to, fmt, rm, a))?;
        Ok(self.constant(value as i64))
    }
    fn int_to_fp(self, from: Int, fmt: Fmt, rm: u8, a: Reg<W>) -> Result<u64, Stop> {
        self.legal(self.0.hart.int_to_fp(from, fmt, rm, a.0.to_u64()))
    }
    fn fp_to_fp(self, from: Fmt, to: Fmt, rm: u8, a: u64) -> Result<u64, Stop> {
        self.legal(self.0.hart.fp_to_fp(from, to, rm, a))
    }
    #[inline(always)]
    fn float_bits(self, fmt: Fmt, a: u64) -> Reg<W> {
        self.constant(fmt.extend(a))
    }
    #[inline(always)]
    fn bits_float(self, fmt: Fmt, a: Reg<W>) -> u64 {
        fmt.boxed(a.0.to_u64())
    }
    #[inline(always)]
    fn float_constant(self, fmt: Fmt, bits: u64) -> u64 {
        fmt.boxed(bits)
    }
    fn float_high(self, a: u64) -> Reg<W> {
        self.constant(a as i64 >> 32)
    }
    fn float_pair(self, low: Reg<W>, high: Reg<W>) -> u64 {
        high.0.to_u64() << 32 | low.0.to_u64() & 0xffff_ffff
    }

    fn csr(self, csr: u16, op: CsrOp, v: Reg<W>, read: bool, write: bool) -> Result<Reg<W>, Stop> {
        self.legal(self.0.hart.access_csr(csr, op, v.0, read, write)).map(Reg)
    }

    fn reserved<T>(self) -> Result<T, Stop> {
        Err(self.illegal())
    }

    fn system(self, op: System) -> Result<(), Stop> {
        let hart = &self.0.hart;
        let mode = hart.privilege();
        let status = || hart.read_csr(hartwright_isa::csr::MSTATUS).unwrap_or(0);
        match op {
            System::Ecall => {
                let cause = match mode {
                    Privilege::User => Cause::EcallFromU,
                    Privilege::Supervisor => Cause::EcallFromS,
                    Privilege::Machine => Cause::EcallFromM,
                };
                Err(self.0.raise(Trap::new(cause, 0)))
            }
            System::Ebreak => Err(Stop::Break),
            System::Mret if mode == Privilege::Machine => {
                hart.mret();
                Err(Stop::Jump)
            }
            System::Sret
                if mode == Privilege::Machine
                    || mode == Privilege::Supervisor && status() & status::MSTATUS_TSR == 0 =>
            {
                hart.sret();
                Err(Stop::Jump)
            }
            System::Mret | System::Sret => Err(self.illegal()),
            System::Wfi | System::WrsNto
                if mode == Privilege::User && op == System::Wfi
                    || mode < Privilege::Machine && status() & status::MSTATUS_TW != 0 =>
            {
                Err(self.illegal())
            }
            System::Wfi => Err(Stop::Wait),
            System::WrsNto | System::WrsSto | System::Pause => Err(Stop::Spin),
            System::Fence { store_load } => {
                fence(if store_load { Ordering::SeqCst } else { Ordering::AcqRel });
                Ok(())
            }
            System::FenceI => {
                fence(Ordering::SeqCst);
                Err(Stop::Refetch)
            }
            System::SfenceWInval | System::SfenceInvalIr if mode == Privilege::User => Err(self.illegal()),
            // Invalidations are done at once, so there is nothing to wait for.
            System::SfenceWInval | System::SfenceInvalIr => Ok(()),
        }
    }

    fn fence_vma(self, addr: Option<Reg<W>>, asid: Option<Reg<W>>) -> Result<(), Stop> {
        let hart = &self.0.hart;
        let tvm = hart.read_csr(hartwright_isa::csr::MSTATUS).unwrap_or(0) & status::MSTATUS_TVM != 0;
        let allowed = match hart.privilege() {
            Privilege::Machine => true,
            Privilege::Supervisor => !tvm,
            Privilege::User => false,
        };
        if !allowed {
            return Err(self.illegal());
        }
        match (addr, asid) {
            (Some(addr), _) => hart.flush_page(addr.0.to_u64()),
            (None, Some(asid)) => hart.flush_space(asid.0.to_u64()),
            (None, None) => hart.flush(),
        }
        Ok(())
    }
}
