//! The text format of OpenMetrics: metadata, escaping, unique label sets, the end.

use std::collections::HashSet;
use std::fmt::Display;

/// A metric family.
pub(super) struct Family {
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
}

impl Family {
    pub(super) const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Family {
        Family { name, kind: "gauge", unit, help }
    }

    pub(super) const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Family {
        Family { name, kind: "counter", unit, help }
    }

    pub(super) const fn info(name: &'static str, help: &'static str) -> Family {
        Family { name, kind: "info", unit: "", help }
    }

    fn suffix(&self) -> &'static str {
        match self.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        }
    }
}

/// A document in the making.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    sample: String,
    seen: HashSet<String>,
}

impl Writer {
    /// Begins a family; samples that follow belong to it.
    pub(super) fn family(&mut self, family: &Family) {
        let Family { name, kind, unit, help } = family;
        self.text += &format!("# TYPE {name} {kind}\n");
        if !unit.is_empty() {
            self.text += &format!("# UNIT {name} {unit}\n");
        }
        self.text += &format!("# HELP {name} {}\n", escape(help));
        self.sample = format!("{name}{}", family.suffix());
        self.seen.clear();
    }

    /// A sample with an integer.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<u64>) {
        self.line(labels, value.into());
    }

    /// A sample with a float; what is no number is left out.
    pub(super) fn float(&mut self, labels: &[(&str, &str)], value: f64) {
        if value.is_finite() {
            self.line(labels, format!("{value:?}"));
        }
    }

    /// Rules of a server may have the same text; a further label tells them apart.
    fn line(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let text = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",");
        let mut unique = text.clone();
        let mut number = 2u32;
        while !self.seen.insert(unique.clone()) {
            unique = format!("{text}{}nth=\"{number}\"", if text.is_empty() { "" } else { "," });
            number += 1;
        }
        let labels = if unique.is_empty() { unique } else { format!("{{{unique}}}") };
        self.text += &format!("{}{labels} {value}\n", self.sample);
    }

    pub(super) fn end(mut self) -> String {
        self.text += "# EOF\n";
        self.text
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
