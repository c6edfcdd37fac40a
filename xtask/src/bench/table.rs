//! What was measured, as a table that is Markdown and can be read as it is.

use super::workload::Set;

/// What a program cost.
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) set: Set,
    /// CPU seconds on each emulator.
    pub(super) seconds: Vec<f64>,
}

/// Programs by emulators; the last emulator is what the others are compared with.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) emulators: Vec<&'static str>,
    pub(super) rows: Vec<Measured>,
}

impl Measured {
    /// How many times as fast as the last emulator each of the others is.
    pub(super) fn ratios(&self) -> Vec<f64> {
        let (peer, others) =
            self.seconds.split_last().map_or((0.0, &[][..]), |(peer, others)| (*peer, others));
        others.iter().map(|seconds| peer / seconds).collect()
    }
}

impl Table {
    /// Geometric means of a set's ratios, one for each emulator but the last; none if the set has no row.
    pub(super) fn means(&self, set: Set) -> Option<Vec<f64>> {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.set == set).map(Measured::ratios).collect();
        let mean = |column: usize| geometric_mean(rows.iter().map(|ratios| ratios[column]));
        (!rows.is_empty()).then(|| (0..self.emulators.len() - 1).map(mean).collect())
    }

    /// As Markdown.
    pub(super) fn text(&self) -> String {
        let (peer, others) =
            self.emulators.split_last().map_or(("", &[][..]), |(peer, others)| (*peer, others));
        let mut head: Vec<String> = self.emulators.iter().map(|name| format!("{name}, s")).collect();
        head.extend(others.iter().map(|name| format!("{peer} / {name}")));
        let mut text = format!("### {}\n\n{}", self.title, row("", &head));
        text += &format!("|---|{}\n", "---:|".repeat(head.len()));
        for set in Set::ALL {
            let Some(means) = self.means(set) else { continue };
            for measured in self.rows.iter().filter(|row| row.set == set) {
                let mut cells: Vec<_> =
                    measured.seconds.iter().map(|seconds| format!("{seconds:.3}")).collect();
                cells.extend(measured.ratios().iter().map(|ratio| format!("{ratio:.2}")));
                text += &row(&measured.name, &cells);
            }
            let mut cells = vec![String::new(); self.emulators.len()];
            cells.extend(means.iter().map(|mean| format!("**{mean:.2}**")));
            text += &row(&format!("*{}*", set.name()), &cells);
        }
        text
    }
}

fn row(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>15} |")).collect();
    format!("| {name:17} |{cells}\n")
}

fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_ratios_to_its_last_column_and_a_mean_for_each_set() {
        let row =
            |name: &str, set, seconds: [f64; 3]| Measured { name: name.into(), set, seconds: seconds.into() };
        let rows = vec![
            row("a", Set::Integer, [1.0, 2.0, 2.0]),
            row("b", Set::Integer, [1.0, 4.0, 8.0]),
            row("c", Set::Float, [0.5, 1.0, 1.5]),
        ];
        let table = Table { title: "Title", emulators: vec!["ours", "old", "new"], rows };
        assert_eq!(table.rows[1].ratios(), [8.0, 2.0]);
        let means = table.means(Set::Integer).unwrap();
        assert!((means[0] - 4.0).abs() < 1e-9 && (means[1] - 2f64.sqrt()).abs() < 1e-9, "{means:?}");
        assert_eq!(table.means(Set::Kernel), None);
        let text = table.text();
        assert!(
            text.contains("new / ours") && text.contains("**4.00**") && text.contains("*floating point*"),
            "{text}"
        );
    }
}
