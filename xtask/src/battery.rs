//! The battery's table: what was compared with whom, row by row of the instruction tables.
//!
//! The tests of `crates/exec/tests/instructions.rs` leave a file a plan below `target/tmp/battery`, and one with every
//! row there is; this reads them.

use crate::target;
use anyhow::{Context, Result, ensure};
use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

/// One row of the instruction tables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    mnemonic: String,
    extension: String,
    /// The widths that have it: `Any`, `Rv32`, and so on.
    has: String,
    /// The test that proves it, if no plan does.
    elsewhere: String,
    widths: BTreeSet<u32>,
    peers: BTreeSet<String>,
    cases: u64,
    comparisons: u64,
    differences: u64,
    excused: u64,
}

/// What the tests left.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Row>,
}

fn folder() -> PathBuf {
    target().join("tmp/battery")
}

/// Forgets what earlier tests left.
pub fn clear() -> Result<()> {
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// Reads what the tests left.
pub fn read() -> Result<Table> {
    let (mut rows, mut plans) = (None, vec![]);
    for entry in fs::read_dir(folder()).context("the battery left no table")? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        match path.file_stem().is_some_and(|stem| stem == "rows") {
            true => rows = Some(text),
            false => plans.push(text),
        }
    }
    Table::parse(&rows.context("the battery left no list of rows")?, &plans)
}

impl Table {
    fn parse(rows: &str, plans: &[String]) -> Result<Table> {
        let mut table = Table { rows: vec![] };
        for line in rows.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            ensure!(fields.len() == 4, "{line:?}: a row has four fields");
            let [mnemonic, extension, has, elsewhere] = [0, 1, 2, 3].map(|i| fields[i].to_owned());
            table.rows.push(Row { mnemonic, extension, has, elsewhere, ..Row::default() });
        }
        for line in plans.iter().flat_map(|plan| plan.lines()) {
            let fields: Vec<&str> = line.split('\t').collect();
            ensure!(fields.len() == 9, "{line:?}: what a plan says of a row has nine fields");
            let number = |i: usize| fields[i].parse::<u64>().with_context(|| format!("{line:?}"));
            let row = table.rows.iter_mut().find(|row| row.is(fields[0], fields[1], fields[2]));
            let row = row.with_context(|| format!("{line:?}: there is no such row"))?;
            row.widths.insert(number(3)? as u32);
            row.cases += number(4)?;
            row.comparisons += number(5)?;
            row.differences += number(6)?;
            row.excused += number(7)?;
            row.peers.extend(fields[8].split(',').map(str::to_owned));
        }
        Ok(table)
    }

    /// Rows that were compared with a peer, and all.
    pub fn covered(&self) -> (usize, usize) {
        let covered = self.rows.iter().filter(|row| row.comparisons > 0 || !row.elsewhere.is_empty());
        (covered.count(), self.rows.len())
    }

    /// The last line.
    pub fn totals(&self) -> String {
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        let (covered, all) = self.covered();
        format!(
            "rows covered {covered} of {all}, comparisons {}, differences {}",
            sum(|row| row.comparisons),
            sum(|row| row.differences)
        )
    }

    /// A row a line, and the totals.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{:14} {:11} {:10} {:>7} {:>11} {:22} {:>5} {:>11}\n",
            "mnemonic", "extension", "widths", "cases", "comparisons", "peers", "own", "differences"
        );
        for row in &self.rows {
            let widths: Vec<String> = row.widths.iter().map(u32::to_string).collect();
            let peers = match row.peers.is_empty() {
                true => row.elsewhere.clone(),
                false => row.peers.iter().cloned().collect::<Vec<_>>().join(" "),
            };
            let widths = widths.join(" ");
            let Row { mnemonic, extension, cases, comparisons, excused, differences, .. } = row;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{mnemonic:14} {extension:11} {widths:10} {cases:7} {comparisons:11} {peers:22} {excused:5} {differences:11}"
            );
        }
        text + "\nown: cases in which a peer has its own way, as listed in crates/exec/tests/instructions.rs\n"
            + &self.totals()
            + "\n"
    }
}

impl Row {
    fn is(&self, mnemonic: &str, extension: &str, has: &str) -> bool {
        self.mnemonic == mnemonic && self.extension == extension && self.has == has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_adds_up_what_the_plans_say_of_it() {
        let rows = "add\ti\tAny\t\nld\ti\tRv64\t\nld\tzilsd\tRv32\tmemory.rs\n";
        let plans = [
            "add\ti\tAny\t64\t10\t720\t0\t1\tqemu-7\n".to_owned(),
            "add\ti\tAny\t32\t5\t360\t1\t0\tqemu-7,qemu-11\n".to_owned(),
        ];
        let table = Table::parse(rows, &plans).unwrap();
        let add = &table.rows[0];
        assert_eq!((add.cases, add.comparisons, add.differences, add.excused), (15, 1080, 1, 1));
        assert_eq!((add.widths.len(), add.peers.len()), (2, 2));
        assert_eq!(table.totals(), "rows covered 2 of 3, comparisons 1080, differences 1");
    }

    #[test]
    fn a_plan_that_speaks_of_no_row_is_refused() {
        let error = Table::parse("", &["add\ti\tAny\t64\t1\t72\t0\t0\tq\n".into()]).unwrap_err();
        assert!(error.to_string().contains("there is no such row"), "{error}");
    }
}
