//! The tables, one file an extension. A new extension is a file here, a line in [`tables!`], and its name in
//! `extension.rs`.

pub(crate) mod compressed;

use crate::row::{Handlers, Insn, no_such};
use hartwright_ir::Reader;

tables! {
    i::all, i::rv32, i::rv64, i::only64, zmmul::all, zmmul::rv64, m::all, m::rv64, zalrsc::all, zalrsc::rv64, zaamo::all, zaamo::rv64, zacas::all, zacas::rv32, zacas::rv64,
    zabha::all, zabha::swaps, f::all, f::rv64, d::all, d::rv64, zfhmin::all, zfhmin::double, zfh::all, zfh::rv64,
    zfa::single, zfa::double, zfa::half, zfa::rv32,
    zicsr::all, zifencei::all, zihintpause::all, zihintntl::all, zimop::all, zilsd::rv32, zawrs::all, zicond::all, zicbom::all, zicbop::all, zicboz::all,
    zba::all, zba::rv64, zbb::all, zbb::rv32, zbb::rv64, zbb::shared, zbb::shared_rv32, zbb::shared_rv64, zbc::all, zbc::shared, zbs::all, zbs::rv32, zbs::rv64,
    zbkb::all, zbkb::rv32, zbkb::rv64, zbkx::all, zknd::rv32, zknd::rv64, zknd::keys, zkne::rv32, zkne::rv64,
    zknh::all, zknh::rv32, zknh::rv64, zksed::all, zksh::all,
    privileged::all, svinval::all, rv128::base, rv128::products, rv128::quotients,
}

mod d;
mod f;
mod i;
mod m;
mod privileged;
mod rv128;
mod svinval;
mod zaamo;
mod zabha;
mod zacas;
mod zalrsc;
mod zawrs;
mod zba;
mod zbb;
mod zbc;
mod zbkb;
mod zbkx;
mod zbs;
pub(crate) mod zfa;
mod zfh;
mod zfhmin;
mod zicbom;
mod zicbop;
mod zicboz;
mod zicond;
mod zicsr;
mod zifencei;
mod zihintntl;
mod zihintpause;
mod zilsd;
mod zimop;
mod zknd;
mod zkne;
mod zknh;
mod zksed;
mod zksh;
mod zmmul;

macro_rules! tables {
    ($($file:ident :: $table:ident),* $(,)?) => {
        /// Every table, in the order of the manual.
        pub(crate) const TABLES: &[&[Insn]] = &[$($file::$table::TABLE),*];

        /// What `H` makes of row `row` of table `table`.
        pub(crate) fn handler<R: Reader, H: Handlers<R>>(table: u8, row: u8) -> H::Handler {
            // Compilers make a jump by the number of that, and not of an array of functions that have parameters.
            let mut before = table;
            $(
                if before == 0 {
                    return $file::$table::handler::<R, H>(row);
                }
                before = before.wrapping_sub(1);
            )*
            no_such(before)
        }
    };
}
use tables;
