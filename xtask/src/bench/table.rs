//! What was measured, as a table that is Markdown and can be read as it is.

use super::workload::Set;

/// What a program cost.
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) set: Set,
    /// CPU seconds on each emulator, or what the name says.
    pub(super) figures: Vec<f64>,
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
            self.figures.split_last().map_or((0.0, &[][..]), |(peer, others)| (*peer, others));
        others.iter().map(|seconds| peer / seconds).collect()
    }
}

impl Table {
    /// Geometric means of a set's ratios, one for each emulator but the last; none if the set has no row.
    pub(super) fn means(&self, set: Set) -> Option<Vec<f64>> {
        let rows: Vec<_> = self.of(set).map(Measured::ratios).collect();
        let mean = |column: usize| geometric_mean(rows.iter().map(|ratios| ratios[column]));
        (!rows.is_empty()).then(|| (0..self.emulators.len() - 1).map(mean).collect())
    }

    /// The rows of a set.
    pub(super) fn of(&self, set: Set) -> impl Iterator<Item = &Measured> {
        self.rows.iter().filter(move |row| row.set == set)
    }

    /// By how much of the least figure of a set the most is above it, on each emulator.
    fn spreads(&self, set: Set) -> impl Iterator<Item = f64> {
        (0..self.emulators.len()).map(move |at| {
            let column = || self.of(set).map(|row| row.figures[at]);
            let (least, most) = (column().fold(f64::INFINITY, f64::min), column().fold(0.0, f64::max));
            most / least - 1.0
        })
    }

    /// As Markdown.
    pub(super) fn text(&self) -> String {
        let (peer, others) =
            self.emulators.split_last().map_or(("", &[][..]), |(peer, others)| (*peer, others));
        let mut head: Vec<String> = self.emulators.iter().map(|&name| name.to_owned()).collect();
        head.extend(others.iter().map(|name| format!("{peer} / {name}")));
        let mut text = format!("## {}\n\n{}", self.title, row("", &head));
        text += &format!("|---|{}\n", "---:|".repeat(head.len()));
        for set in Set::ALL {
            for measured in self.of(set) {
                let mut cells: Vec<_> = measured.figures.iter().map(|&figure| three_digits(figure)).collect();
                cells.extend(measured.ratios().iter().map(|ratio| format!("{ratio:.2}")));
                text += &row(&measured.name, &cells);
            }
            if let (Some(name), Some(means)) = (set.mean(), self.means(set)) {
                let mut cells = vec![String::new(); self.emulators.len()];
                cells.extend(means.iter().map(|mean| format!("**{mean:.2}**")));
                text += &row(&format!("*{name}, geometric mean*"), &cells);
            }
            if set == Set::Layout && self.of(set).next().is_some() {
                let mut cells: Vec<_> =
                    self.spreads(set).map(|spread| format!("**{:.1} %**", 100.0 * spread)).collect();
                cells.resize(head.len(), String::new());
                text += &row("*worst behind best*", &cells);
            }
        }
        text
    }
}

fn row(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>15} |")).collect();
    format!("| {name:32} |{cells}\n")
}

fn three_digits(figure: f64) -> String {
    let decimals = match figure {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{figure:.decimals$}")
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
            |name: &str, set, figures: [f64; 3]| Measured { name: name.into(), set, figures: figures.into() };
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
            text.contains("new / ours")
                && text.contains("**4.00**")
                && text.contains("*floating point, geometric mean*"),
            "{text}"
        );
    }

    #[test]
    fn places_have_a_spread_and_figures_three_digits() {
        let row =
            |figures: [f64; 2]| Measured { name: "place".into(), set: Set::Layout, figures: figures.into() };
        let table =
            Table { title: "Title", emulators: vec!["a", "b"], rows: vec![row([1.0, 2.0]), row([1.1, 1.0])] };
        let text = table.text();
        assert!(text.contains(" **10.0 %** | ") && text.contains(" **100.0 %** | "), "{text}");
        assert_eq!([217.4, 41.54, 2.346, 0.0512].map(three_digits), ["217", "41.5", "2.35", "0.051"]);
    }
}
