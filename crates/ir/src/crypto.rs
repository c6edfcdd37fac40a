//! What the cryptographic instructions compute (unprivileged spec, scalar cryptography), from the ciphers' own
//! definitions: FIPS 197 for AES, FIPS 180-4 for SHA-2, GB/T 32905 and 32907 for SM3 and SM4.

use crate::Width;

/// A step of a cipher or of a hash. Where a number stands with it, it is that of a byte of the second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// One byte of an AES round: `32` bits of the next state.
    Aes32(Aes, u8),
    /// Half of an AES round; the operands are the halves of the state.
    Aes64(Aes),
    /// The inverse mix-columns step on both words of the first operand.
    Aes64Im,
    /// The step of the key schedule with this round's constant.
    Aes64Ks1(u8),
    /// The exclusive-ors of the key schedule.
    Aes64Ks2,
    /// A sum of SHA-256, on 32 bits.
    Sha256(Sha),
    /// A sum of SHA-512.
    Sha512(Sha),
    /// The low half of a sum of SHA-512, whose operand is `low, high`.
    Sha512Low(Sha),
    /// The high half, whose operand is `high, low`.
    Sha512High(Sha),
    /// Permutation 0 of SM3.
    Sm3P0,
    /// Permutation 1 of SM3.
    Sm3P1,
    /// One byte of an SM4 round.
    Sm4Ed(u8),
    /// One byte of SM4's key schedule.
    Sm4Ks(u8),
}

/// A round of AES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aes {
    /// The last encryption round, which does not mix columns.
    Es,
    /// A middle one.
    Esm,
    /// The last decryption round.
    Ds,
    /// A middle one.
    Dsm,
}

/// The four sums of SHA-2; FIPS 180-4 writes them σ0, σ1, Σ0 and Σ1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Sha {
    Sig0,
    Sig1,
    Sum0,
    Sum1,
}

impl Crypto {
    /// The result, of two registers; operations on 32 bits give them sign-extended.
    pub fn eval<W: Width>(self, a: W, b: W) -> W {
        let (a, b) = (a.to_u64(), b.to_u64());
        let word = |word: u32| W::from_i64((word as i32).into());
        match self {
            Crypto::Aes32(round, byte) => word(aes32(round, byte, a as u32, b as u32)),
            Crypto::Aes64(round) => W::from_u64(aes64(round, a, b)),
            Crypto::Aes64Im => W::from_u64(columns(a, INVERSE_MIX)),
            Crypto::Aes64Ks1(round) => {
                let high = (a >> 32) as u32;
                let rotated = if round < 10 { high.rotate_right(8) } else { high };
                let key = u32::from_le_bytes(rotated.to_le_bytes().map(|byte| AES[byte as usize]));
                let key =
                    u64::from(key ^ ROUND_CONSTANTS.get(round as usize).map_or(0, |byte| u32::from(*byte)));
                W::from_u64(key << 32 | key)
            }
            Crypto::Aes64Ks2 => {
                let low = (a >> 32 ^ b) & 0xffff_ffff;
                W::from_u64((low ^ b >> 32) << 32 | low)
            }
            Crypto::Sha256(sum) => word(sha256(sum, a as u32)),
            Crypto::Sha512(sum) => W::from_u64(sha512(sum, a)),
            Crypto::Sha512Low(sum) => word(sha512(sum, b << 32 | a & 0xffff_ffff) as u32),
            Crypto::Sha512High(sum) => word((sha512(sum, a << 32 | b & 0xffff_ffff) >> 32) as u32),
            Crypto::Sm3P0 => {
                let x = a as u32;
                word(x ^ x.rotate_left(9) ^ x.rotate_left(17))
            }
            Crypto::Sm3P1 => {
                let x = a as u32;
                word(x ^ x.rotate_left(15) ^ x.rotate_left(23))
            }
            // SM4 numbers bytes from the most significant one, a register from the least, so the rotations of the
            // standard are done on a word turned around.
            Crypto::Sm4Ed(byte) => word(a as u32 ^ sm4(byte, b, &[0, 2, 10, 18, 24])),
            Crypto::Sm4Ks(byte) => word(a as u32 ^ sm4(byte, b, &[0, 13, 23])),
        }
    }
}

/// The coefficients by which a byte of a column goes into the bytes from its own place on.
type Mix = [u8; 4];
const MIX: Mix = [2, 1, 1, 3];
const INVERSE_MIX: Mix = [14, 9, 13, 11];
const ROUND_CONSTANTS: [u8; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36];

/// The substitution boxes: of AES, of its inverse, and of SM4.
const AES: [u8; 256] = aes_box();
const INVERSE_AES: [u8; 256] = inverse(&AES);
const SM4: [u8; 256] = sm4_box();

fn aes32(round: Aes, byte: u8, a: u32, b: u32) -> u32 {
    let shift = 8 * u32::from(byte & 3);
    let input = (b >> shift) as u8 as usize;
    let output = match round {
        Aes::Es => u32::from(AES[input]),
        Aes::Esm => u32::from_le_bytes(column(AES[input], MIX)),
        Aes::Ds => u32::from(INVERSE_AES[input]),
        Aes::Dsm => u32::from_le_bytes(column(INVERSE_AES[input], INVERSE_MIX)),
    };
    a ^ output.rotate_left(shift)
}

/// The low half of the state that a round leaves, of a state whose low half is `a`.
fn aes64(round: Aes, a: u64, b: u64) -> u64 {
    let state = (u128::from(b) << 64 | u128::from(a)).to_le_bytes();
    // Row `r` is rotated by `r` columns, to the left or back.
    let (sbox, columns_on, mix) = match round {
        Aes::Es => (&AES, 1, None),
        Aes::Esm => (&AES, 1, Some(MIX)),
        Aes::Ds => (&INVERSE_AES, 3, None),
        Aes::Dsm => (&INVERSE_AES, 3, Some(INVERSE_MIX)),
    };
    let shifted = |i: usize| state[4 * ((i / 4 + columns_on * (i % 4)) % 4) + i % 4];
    let substituted = u64::from_le_bytes(std::array::from_fn(|i| sbox[shifted(i) as usize]));
    mix.map_or(substituted, |mix| columns(substituted, mix))
}

/// Mixes two columns.
fn columns(words: u64, mix: Mix) -> u64 {
    let mixed = |word: u32| {
        let bytes = word.to_le_bytes().into_iter().zip([0, 8, 16, 24]);
        bytes.fold(0, |sum, (byte, place)| sum ^ u32::from_le_bytes(column(byte, mix)).rotate_left(place))
    };
    u64::from(mixed((words >> 32) as u32)) << 32 | u64::from(mixed(words as u32))
}

/// What one byte adds to its column, from its own place on.
fn column(byte: u8, mix: Mix) -> [u8; 4] {
    mix.map(|coefficient| product(byte, coefficient, AES_FIELD))
}

fn sha256(sum: Sha, x: u32) -> u32 {
    let r = |by| x.rotate_right(by);
    match sum {
        Sha::Sig0 => r(7) ^ r(18) ^ x >> 3,
        Sha::Sig1 => r(17) ^ r(19) ^ x >> 10,
        Sha::Sum0 => r(2) ^ r(13) ^ r(22),
        Sha::Sum1 => r(6) ^ r(11) ^ r(25),
    }
}

fn sha512(sum: Sha, x: u64) -> u64 {
    let r = |by| x.rotate_right(by);
    match sum {
        Sha::Sig0 => r(1) ^ r(8) ^ x >> 7,
        Sha::Sig1 => r(19) ^ r(61) ^ x >> 6,
        Sha::Sum0 => r(28) ^ r(34) ^ r(39),
        Sha::Sum1 => r(14) ^ r(18) ^ r(41),
    }
}

/// A byte of `b` substituted, the linear transform of SM4 with these rotations, and back to the byte's place.
fn sm4(byte: u8, b: u64, rotations: &[u32]) -> u32 {
    let shift = 8 * u32::from(byte & 3);
    let x = u32::from(SM4[(b >> shift) as u8 as usize]).swap_bytes();
    rotations.iter().fold(0, |sum, by| sum ^ x.rotate_left(*by)).swap_bytes().rotate_left(shift)
}

/// The polynomials of the fields of 256 elements.
const AES_FIELD: u16 = 0x11b;
const SM4_FIELD: u16 = 0x1f5;

const fn product(a: u8, b: u8, field: u16) -> u8 {
    let (mut a, mut sum, mut i) = (a as u16, 0, 0);
    while i < 8 {
        if b >> i & 1 != 0 {
            sum ^= a;
        }
        a <<= 1;
        if a & 0x100 != 0 {
            a ^= field;
        }
        i += 1;
    }
    sum as u8
}

/// The multiplicative inverse, of 0 itself: power 254.
const fn reciprocal(a: u8, field: u16) -> u8 {
    let (mut power, mut i) = (1, 0);
    while i < 7 {
        // Each round doubles the exponent and adds one: 1, 3, 7, ... 127.
        power = product(product(power, power, field), a, field);
        i += 1;
    }
    product(power, power, field)
}

/// The sum of the byte's rotations by the places of the ones in `which`.
const fn rotations(byte: u8, which: u8) -> u8 {
    let (mut sum, mut i) = (0, 0);
    while i < 8 {
        if which >> i & 1 != 0 {
            sum ^= byte.rotate_left(i);
        }
        i += 1;
    }
    sum
}

/// FIPS 197, 5.1.1: the inverse, and an affine map.
const fn aes_box() -> [u8; 256] {
    let (mut table, mut i) = ([0; 256], 0);
    while i < 256 {
        table[i] = rotations(reciprocal(i as u8, AES_FIELD), 0b0001_1111) ^ 0x63;
        i += 1;
    }
    table
}

const fn inverse(table: &[u8; 256]) -> [u8; 256] {
    let (mut back, mut i) = ([0; 256], 0);
    while i < 256 {
        back[table[i] as usize] = i as u8;
        i += 1;
    }
    back
}

/// The standard has a table; it is the inverse between two uses of one affine map.
const fn sm4_box() -> [u8; 256] {
    const ROTATIONS: u8 = 0b1100_1011;
    const CONSTANT: u8 = 0xd3;
    let (mut table, mut i) = ([0; 256], 0);
    while i < 256 {
        let inverse = reciprocal(rotations(i as u8, ROTATIONS) ^ CONSTANT, SM4_FIELD);
        table[i] = rotations(inverse, ROTATIONS) ^ CONSTANT;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and last rows of the standards' tables.
    #[test]
    fn boxes_are_the_standards() {
        assert_eq!(AES[..8], [0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5]);
        assert_eq!(AES[0xf8..], [0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16]);
        assert_eq!(INVERSE_AES[..4], [0x52, 0x09, 0x6a, 0xd5]);
        assert_eq!(SM4[..8], [0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7]);
        assert_eq!(SM4[0xf8..], [0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48]);
    }

    /// FIPS 197, appendix B: the first round of its example, by either width's instructions.
    #[test]
    fn a_round_of_aes_is_that_of_the_standard() {
        let state: [u8; 16] = 0x193d_e3be_a0f4_e22b_9ac6_8d2a_e9f8_4808u128.to_be_bytes();
        let after: [u8; 16] = 0x0466_81e5_e0cb_199a_48f8_d37a_2806_264cu128.to_be_bytes();
        let half =
            |bytes: &[u8; 16], i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().unwrap());
        let (low, high) = (half(&state, 0), half(&state, 1));
        assert_eq!(Crypto::Aes64(Aes::Esm).eval(low, high), half(&after, 0));
        assert_eq!(Crypto::Aes64(Aes::Esm).eval(high, low), half(&after, 1));

        let word = |column: usize| u32::from_le_bytes(state[4 * column..4 * column + 4].try_into().unwrap());
        let first = (0..4).fold(0, |sum, i| Crypto::Aes32(Aes::Esm, i).eval(sum, word(i as usize)));
        assert_eq!(first, half(&after, 0) as u32);
    }

    #[test]
    fn halves_of_sha_512_make_the_whole() {
        for x in [1u64, 0x0123_4567_89ab_cdef, u64::MAX << 7, 1 << 63] {
            for sum in [Sha::Sig0, Sha::Sig1, Sha::Sum0, Sha::Sum1] {
                let (low, high) = (x as u32, (x >> 32) as u32);
                let halves =
                    (Crypto::Sha512High(sum).eval(high, low), Crypto::Sha512Low(sum).eval(low, high));
                assert_eq!(u64::from(halves.0) << 32 | u64::from(halves.1), Crypto::Sha512(sum).eval(x, 0));
            }
        }
    }
}
