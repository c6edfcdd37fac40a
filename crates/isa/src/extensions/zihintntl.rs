//! Hints that what is accessed next will not be accessed again soon (unprivileged spec, Zihintntl). To a CPU without
//! them, they are `add` into `x0`.

use crate::row::instructions;

instructions! { all: Zihintntl, Any; |m|
    "ntl.p1"   N "0000000 00010 00000 000    00000 0110011" () => ();
    "ntl.pall" N "0000000 00011 00000 000    00000 0110011" () => ();
    "ntl.s1"   N "0000000 00100 00000 000    00000 0110011" () => ();
    "ntl.all"  N "0000000 00101 00000 000    00000 0110011" () => ();
}
