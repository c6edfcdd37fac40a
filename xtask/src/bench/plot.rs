//! A picture of ratios: a bar for each program, longer where ours is faster.

use super::{table::Table, workload::Set};

const LABELS: f64 = 110.0;
const WIDTH: f64 = 760.0;
const ROW: f64 = 16.0;
/// Bars that would be longer than this many times as fast are cut, and their number tells.
const LONGEST: f64 = 12.0;

/// Ratios of our translator to the last emulator, for whole programs of each table and their means.
pub(super) fn ratios(tables: &[(&str, &Table)]) -> String {
    let mut body = String::new();
    let mut y = 34.0;
    for (title, table) in tables {
        let Some(column) = table.emulators.iter().position(|name| *name == "jit") else { continue };
        body += &format!("<text class=\"head\" x=\"0\" y=\"{}\">{title}</text>\n", y + 4.0);
        y += 12.0;
        for set in [Set::Integer, Set::Float, Set::Memory] {
            for row in table.of(set) {
                body += &bar(&row.name, row.ratios()[column], "bar", y);
                y += ROW;
            }
            if let (Some(name), Some(means)) = (set.mean(), table.means(set)) {
                body += &bar(name, means[column], "mean", y);
                y += ROW + 6.0;
            }
        }
        y += 20.0;
    }
    let one = x(1.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<style>text {{ fill: #555 }} .head {{ font-weight: bold }} .bar {{ fill: #4c8dae }} \
         .mean {{ fill: #c8553d }} line {{ stroke: #999; stroke-dasharray: 3 3 }}</style>\n\
         <text x=\"0\" y=\"14\">Times as fast as QEMU 11.1, by CPU time (the dotted line is as fast)</text>\n\
         <line x1=\"{one}\" y1=\"24\" x2=\"{one}\" y2=\"{}\"/>\n{body}</svg>\n",
        y - 20.0
    )
}

fn bar(name: &str, ratio: f64, class: &str, y: f64) -> String {
    let end = x(ratio);
    format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
         <rect class=\"{class}\" x=\"{LABELS}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\"/>\
         <text x=\"{:.1}\" y=\"{}\">{ratio:.2}</text>\n",
        LABELS - 6.0,
        y + 11.0,
        end - LABELS,
        ROW - 4.0,
        end + 4.0,
        y + 11.0
    )
}

fn x(ratio: f64) -> f64 {
    LABELS + (WIDTH - LABELS - 50.0) * ratio.min(LONGEST) / LONGEST
}
