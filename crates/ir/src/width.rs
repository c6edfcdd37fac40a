//! Registers of 32, 64 and 128 bits, and what each operation does to them.

use crate::{Bin, Un};
use std::fmt;

/// The width of the integer registers (`XLEN`), as the host's unsigned integer of that width.
pub trait Width: Copy + Eq + Default + Send + fmt::Debug + fmt::LowerHex + 'static {
    /// `XLEN`.
    const BITS: u32;
    /// Sign-extended, or the low bits.
    fn from_i64(v: i64) -> Self;
    /// Zero-extended, or the low bits.
    fn from_u64(v: u64) -> Self;
    /// Zero-extended, or the low bits.
    fn to_u64(self) -> u64;
    /// Sign-extended, or the low bits.
    fn to_i64(self) -> i64;
    /// The low bits.
    fn from_u128(v: u128) -> Self;
    /// Zero-extended.
    fn to_u128(self) -> u128;
    /// What the operation means.
    fn bin(f: Bin, a: Self, b: Self) -> Self;
    /// What the operation means.
    fn un(f: Un, a: Self) -> Self;
}

macro_rules! widths {
    ($($u:ident $i:ident $mulhu:path, $mulhs:path, $mulhsu:path;)*) => { $(
        impl Width for $u {
            const BITS: u32 = $u::BITS;
            #[inline(always)]
            fn from_i64(v: i64) -> Self { v as $u }
            #[inline(always)]
            fn from_u64(v: u64) -> Self { v as $u }
            #[inline(always)]
            fn to_u64(self) -> u64 { self as u64 }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as $i as i64 }
            #[inline(always)]
            fn from_u128(v: u128) -> Self { v as $u }
            #[inline(always)]
            fn to_u128(self) -> u128 { self as u128 }

            #[inline(always)]
            fn bin(f: Bin, a: Self, b: Self) -> Self {
                let (sa, sb) = (a as $i, b as $i);
                let shift = b as u32 & ($u::BITS - 1);
                match f {
                    Bin::Add => a.wrapping_add(b),
                    Bin::Sub => a.wrapping_sub(b),
                    Bin::And => a & b,
                    Bin::Or => a | b,
                    Bin::Xor => a ^ b,
                    Bin::Shl => a << shift,
                    Bin::Shr => a >> shift,
                    Bin::Sar => (sa >> shift) as $u,
                    Bin::Rol => a.rotate_left(shift),
                    Bin::Ror => a.rotate_right(shift),
                    Bin::Eq => (a == b) as $u,
                    Bin::Ne => (a != b) as $u,
                    Bin::Lt => (sa < sb) as $u,
                    Bin::Ge => (sa >= sb) as $u,
                    Bin::Ltu => (a < b) as $u,
                    Bin::Geu => (a >= b) as $u,
                    Bin::Min => sa.min(sb) as $u,
                    Bin::Max => sa.max(sb) as $u,
                    Bin::Minu => a.min(b),
                    Bin::Maxu => a.max(b),
                    Bin::Mul => a.wrapping_mul(b),
                    Bin::Mulh => $mulhs(a, b),
                    Bin::Mulhu => $mulhu(a, b),
                    Bin::Mulhsu => $mulhsu(a, b),
                    Bin::Div => if b == 0 { $u::MAX } else { sa.wrapping_div(sb) as $u },
                    Bin::Divu => a.checked_div(b).unwrap_or($u::MAX),
                    Bin::Rem => if b == 0 { a } else { sa.wrapping_rem(sb) as $u },
                    Bin::Remu => a.checked_rem(b).unwrap_or(a),
                    Bin::Clmul => (0..$u::BITS).fold(0, |sum, i| if b >> i & 1 != 0 { sum ^ a << i } else { sum }),
                    Bin::Clmulh => (1..$u::BITS).fold(0, |sum, i| if b >> i & 1 != 0 { sum ^ a >> ($u::BITS - i) } else { sum }),
                    Bin::Clmulr => (0..$u::BITS).fold(0, |sum, i| if b >> i & 1 != 0 { sum ^ a >> ($u::BITS - 1 - i) } else { sum }),
                    Bin::Pack => b << ($u::BITS / 2) | a << ($u::BITS / 2) >> ($u::BITS / 2),
                    Bin::Xperm4 => (0..$u::BITS).step_by(4).fold(0, |all, i| {
                        let place = 4 * (b >> i & 15);
                        if place < $u::BITS as $u { all | (a >> place & 15) << i } else { all }
                    }),
                    Bin::Xperm8 => {
                        let bytes = a.to_le_bytes();
                        let pick = |number: u8| bytes.get(number as usize).copied().unwrap_or(0);
                        $u::from_le_bytes(b.to_le_bytes().map(pick))
                    }
                }
            }

            #[inline(always)]
            fn un(f: Un, a: Self) -> Self {
                match f {
                    Un::Not => !a,
                    Un::Clz => a.leading_zeros() as $u,
                    Un::Ctz => a.trailing_zeros() as $u,
                    Un::Cpop => a.count_ones() as $u,
                    Un::Rev8 => a.swap_bytes(),
                    Un::OrcB => $u::from_le_bytes(a.to_le_bytes().map(|byte| if byte == 0 { 0 } else { 0xff })),
                    Un::Brev8 => a.reverse_bits().swap_bytes(),
                    Un::Zip => (0..$u::BITS / 2).fold(0, |all, i| {
                        all | (a >> i & 1) << (2 * i) | (a >> (i + $u::BITS / 2) & 1) << (2 * i + 1)
                    }),
                    Un::Unzip => (0..$u::BITS / 2).fold(0, |all, i| {
                        all | (a >> (2 * i) & 1) << i | (a >> (2 * i + 1) & 1) << (i + $u::BITS / 2)
                    }),
                    Un::Sext(bits) => ((a << ($u::BITS - bits)) as $i >> ($u::BITS - bits)) as $u,
                    Un::Zext(bits) => a << ($u::BITS - bits) >> ($u::BITS - bits),
                }
            }
        }
    )* };
}

widths! {
    u32 i32 mulhu32, mulhs32, mulhsu32;
    u64 i64 mulhu64, mulhs64, mulhsu64;
    u128 i128 mulhu128, mulhs128, mulhsu128;
}

fn mulhu32(a: u32, b: u32) -> u32 {
    (u64::from(a) * u64::from(b) >> 32) as u32
}
fn mulhs32(a: u32, b: u32) -> u32 {
    (i64::from(a as i32) * i64::from(b as i32) >> 32) as u32
}
fn mulhsu32(a: u32, b: u32) -> u32 {
    (i64::from(a as i32) * i64::from(b) >> 32) as u32
}
fn mulhu64(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) >> 64) as u64
}
fn mulhs64(a: u64, b: u64) -> u64 {
    (i128::from(a as i64) * i128::from(b as i64) >> 64) as u64
}
fn mulhsu64(a: u64, b: u64) -> u64 {
    (i128::from(a as i64) * i128::from(b) >> 64) as u64
}
/// Schoolbook on 64-bit halves.
fn mulhu128(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (ah, al, bh, bl) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let middle = ah * bl + (al * bl >> 64);
    let carry = (middle & LOW) + al * bh;
    ah * bh + (middle >> 64) + (carry >> 64)
}
/// A negative operand was taken for itself plus 2^128: takes the other one off the high half.
fn mulhs128(a: u128, b: u128) -> u128 {
    let b_negative = if (b as i128) < 0 { a } else { 0 };
    mulhsu128(a, b).wrapping_sub(b_negative)
}
fn mulhsu128(a: u128, b: u128) -> u128 {
    let a_negative = if (a as i128) < 0 { b } else { 0 };
    mulhu128(a, b).wrapping_sub(a_negative)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 128 bits agree with 64 on what 64 can say, and the high half with long multiplication.
    #[test]
    fn wide_products_agree_with_narrow_ones() {
        let values = [0u64, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 0x1234_5678_9abc_def0];
        for a in values {
            for b in values {
                let wide = |v: u64| u128::from(v) << 64;
                assert_eq!(mulhu128(wide(a), wide(b)), u128::from(a) * u128::from(b));
                assert_eq!(mulhs128(wide(a), wide(b)) as i128, i128::from(a as i64) * i128::from(b as i64));
                assert_eq!(
                    mulhsu128(wide(a), wide(b)) as i128,
                    i128::from(a as i64).wrapping_mul(i128::from(b))
                );
                assert_eq!(mulhu128(a.into(), b.into()), 0);
                assert_eq!(u64::bin(Bin::Clmul, a, b), (u128::bin(Bin::Clmul, a.into(), b.into())) as u64);
                assert_eq!(
                    u64::bin(Bin::Clmulh, a, b),
                    (u128::bin(Bin::Clmul, a.into(), b.into()) >> 64) as u64
                );
                assert_eq!(
                    u64::bin(Bin::Clmulr, a, b),
                    (u128::bin(Bin::Clmul, a.into(), b.into()) >> 63) as u64
                );
            }
        }
    }

    #[test]
    fn unzipping_undoes_zipping() {
        assert_eq!(u32::un(Un::Zip, 0xffff_0000), 0xaaaa_aaaa);
        for x in [1, 0x1234_5678, 0x8000_0001, 0xdead_beef] {
            assert_eq!(u32::un(Un::Unzip, u32::un(Un::Zip, x)), x);
        }
    }

    #[test]
    fn division_has_no_trap() {
        assert_eq!(u64::bin(Bin::Div, 5, 0), u64::MAX);
        assert_eq!(u64::bin(Bin::Rem, 5, 0), 5);
        assert_eq!(u64::bin(Bin::Div, 1 << 63, u64::MAX), 1 << 63);
        assert_eq!(u64::bin(Bin::Rem, 1 << 63, u64::MAX), 0);
        assert_eq!(u32::bin(Bin::Divu, 5, 0), u32::MAX);
        assert_eq!(u32::bin(Bin::Remu, 5, 0), 5);
    }
}
