//! Reading Prometheus' text format, as far as assertions need it.

use std::collections::BTreeMap;

/// Samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Sample>);

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads a scrape; lines that are not samples are passed over.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(sample).collect())
    }

    /// The sum of a family's samples that carry all these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// Whether a family has any sample that carries all these labels.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.with(name, labels).next().is_some()
    }

    /// The labels and values of a family's samples.
    pub fn samples(&self, name: &str) -> impl Iterator<Item = (&BTreeMap<String, String>, f64)> {
        self.with(name, &[]).map(|sample| (&sample.labels, sample.value))
    }

    fn with(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        let carries = |sample: &&Sample| {
            labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.0.iter().filter(move |sample| sample.name == name).filter(carries)
    }
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)),
        None => (series, BTreeMap::new()),
    };
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// `a="x",b="y"`; a quote or backslash in a value is escaped by a backslash.
fn labels(mut text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((key, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                plain => value.push(plain),
            }
        }
        found.insert(key.trim_start_matches(',').to_owned(), value);
        text = rest.get(end..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests;
