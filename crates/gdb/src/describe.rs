//! What registers a hart has, told to gdb in its XML (gdb manual, "Target Descriptions", "RISC-V Features").

use crate::arch::{CSRS, FLOATS, PRIVILEGE};
use hartwright_exec::Inspect;
use hartwright_isa::{Ext, FLOAT_NAMES, INT_NAMES, csr};
use std::fmt::Write;

/// The documents that describe a kind of hart, each with its name.
#[derive(Default)]
pub(crate) struct Description(Vec<(&'static str, String)>);

impl Description {
    /// Describes a hart.
    pub(crate) fn of(hart: &dyn Inspect) -> Self {
        let bits = hart.xlen().min(64);
        let mut features = vec![("riscv-cpu.xml", cpu(bits))];
        if hart.model().extensions.has(Ext::F) {
            features.push(("riscv-fpu.xml", fpu(hart.model().extensions.has(Ext::D))));
        }
        features.push(("riscv-virtual.xml", feature("virtual", &register("priv", bits, PRIVILEGE, "int"))));
        features.push(("riscv-csr.xml", csrs(hart, bits)));
        let names = features.iter().map(|(name, _)| format!("  <xi:include href=\"{name}\"/>\n"));
        let target = format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n  \
             <architecture>riscv:rv{bits}</architecture>\n{}</target>\n",
            names.collect::<String>()
        );
        features.insert(0, ("target.xml", target));
        Description(features)
    }

    /// The document of that name.
    pub(crate) fn document(&self, name: &[u8]) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, text)| text.as_str())
    }
}

fn feature(name: &str, registers: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n\
         <feature name=\"org.gnu.gdb.riscv.{name}\">\n{registers}</feature>\n"
    )
}

fn register(name: &str, bits: u32, number: usize, kind: &str) -> String {
    format!("  <reg name=\"{name}\" bitsize=\"{bits}\" regnum=\"{number}\" type=\"{kind}\"/>\n")
}

fn cpu(bits: u32) -> String {
    let kind = |name| match name {
        "ra" => "code_ptr",
        "sp" | "gp" | "tp" => "data_ptr",
        _ => "int",
    };
    // gdb wants `fp` under the name it gives x8 itself.
    let name = |name| if name == "s0" { "fp" } else { name };
    let names = INT_NAMES.into_iter().enumerate();
    let mut text: String = names.map(|(r, known)| register(name(known), bits, r, kind(known))).collect();
    text += &register("pc", bits, 32, "code_ptr");
    feature("cpu", &text)
}

fn fpu(double: bool) -> String {
    let (bits, kind) = if double { (64, "riscv_double") } else { (32, "ieee_single") };
    let mut text = String::new();
    if double {
        text += "  <union id=\"riscv_double\">\n    <field name=\"float\" type=\"ieee_single\"/>\n    \
                 <field name=\"double\" type=\"ieee_double\"/>\n  </union>\n";
    }
    for (r, name) in FLOAT_NAMES.into_iter().enumerate() {
        text += &register(name, bits, FLOATS + r, kind);
    }
    feature("fpu", &text)
}

fn csrs(hart: &dyn Inspect, bits: u32) -> String {
    let mut text = String::new();
    for (number, name) in csr::all().filter(|(number, _)| hart.csr(*number).is_some()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", register(&name, bits, CSRS + usize::from(number), "int"));
    }
    feature("csr", &text)
}
