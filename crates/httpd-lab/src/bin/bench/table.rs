//! Tables that read well in a terminal and in Markdown.

use httpd_lab::Module;

use crate::variant;

/// One value per variant; `None` was not measured.
pub type Cells = Vec<(Module, f64)>;

/// A table under a title.
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self { title: title.into(), rows: vec![columns.iter().map(|c| (*c).to_owned()).collect()] }
    }

    /// A table of `what` with a column per variant, the ratios to no module, and the bar.
    pub fn of_variants(title: &str, what: &str) -> Self {
        Self::new(title, &[what, "no module", "original", "ours", "original / none", "ours / none", "bar for ours"])
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A row of [`Table::of_variants`]; `bar` judges the ratio of ours to no module.
    pub fn compare(&mut self, what: &str, cells: &Cells, digits: usize, bar: Option<Bar>) {
        let base = cells.iter().find(|(m, _)| *m == Module::None).map_or(f64::NAN, |(_, v)| *v);
        let ratios = cells.iter().map(|(module, v)| (*module, v / base)).collect();
        self.compare_by(what, cells, &ratios, digits, bar);
    }

    /// The same with ratios that are not those of the values, such as medians of pairs.
    pub fn compare_by(&mut self, what: &str, cells: &Cells, ratios: &Cells, digits: usize, bar: Option<Bar>) {
        let of = |cells: &Cells, module| cells.iter().find(|(m, _)| *m == module).map(|(_, v)| *v);
        let value = |module| of(cells, module);
        let show = |v: Option<f64>| v.map_or("n/a".into(), |v| grouped(v, digits));
        let ratio = |module| of(ratios, module).filter(|r| r.is_finite());
        let shown = |r: Option<f64>| r.map_or("n/a".into(), |r| format!("{r:.3}"));
        let mut row = vec![what.to_owned()];
        row.extend(variant::ALL.map(|module| show(value(module))));
        row.push(shown(ratio(Module::Original)));
        row.push(shown(ratio(Module::Ours)));
        row.push(bar.map_or(String::new(), |bar| bar.judge(ratio(Module::Ours))));
        self.row(row);
    }

    pub fn print(&self) {
        println!("\n{}\n", self.title);
        let columns = self.rows[0].len();
        let width = |c: usize| self.rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (n, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
            if n == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                println!("| {} |", rule.join(" | "));
            }
        }
    }
}

/// What ours has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    /// The bar and whether `value` reaches it.
    pub fn judge(self, value: Option<f64>) -> String {
        let (text, met) = match self {
            Self::AtMost(bar) => (format!("<= {bar}"), value.map(|v| v <= bar)),
            Self::AtLeast(bar) => (format!(">= {bar}"), value.map(|v| v >= bar)),
        };
        match met {
            Some(true) => format!("{text}: met"),
            Some(false) => format!("{text}: MISSED"),
            None => text,
        }
    }
}

/// The middle of the values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    f64::midpoint(values[(n - 1) / 2], values[n / 2])
}

/// A number with its thousands set apart.
pub fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |w| ("-", w));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map_or_else(|| format!("{sign}{out}"), |f| format!("{sign}{out}.{f}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_in_groups_of_three() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(999.25, 1), "999.2");
        assert_eq!(grouped(-1234.0, 0), "-1,234");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
