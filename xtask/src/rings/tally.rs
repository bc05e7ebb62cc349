//! Reading the output of Rust's test programs into counts.
//!
//! It reads lines and knows nothing of processes. A test says that it could not run by printing a
//! line `SKIP: reason` and returning; the test program counts it as passed, this module as skipped.

/// What has been counted so far.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    /// Tests that ran and passed.
    pub(super) passed: usize,
    /// Tests that ran and failed, and everything else that went wrong.
    pub(super) failed: usize,
    /// Tests that did not run.
    pub(super) skipped: usize,
    /// What failed, by name.
    pub(super) failures: Vec<String>,
    /// What was skipped, each with its reason.
    pub(super) skips: Vec<String>,
    /// The test whose output is being read.
    speaker: String,
    /// Tests of the present program that said they could not run; it counts them as passed.
    excuses: usize,
    /// Inside the part where the output of tests that passed is repeated.
    repeating: bool,
}

impl Tally {
    /// Reads one line; true if a person wants to see it.
    pub(super) fn read(&mut self, line: &str) -> bool {
        if line.starts_with("test result: ") {
            self.repeating = false;
            self.count(line);
        } else if line == "successes:" {
            self.repeating = true;
        } else if line == "failures:" {
            self.repeating = false;
        } else if let Some(name) = line.strip_prefix("---- ") {
            name.trim_end_matches(" stdout ----").clone_into(&mut self.speaker);
        } else if let Some(reason) = line.strip_prefix("SKIP: ") {
            self.excuses += 1;
            self.skip(&self.speaker.clone(), reason);
        } else if let Some(verdict) = line.strip_prefix("test ") {
            self.verdict(verdict);
        }
        !self.repeating
    }

    /// Where the names of what is read from here on will begin.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.failures.len(), self.skips.len())
    }

    /// Puts a mark before the names of what was read since.
    pub(super) fn name_since(&mut self, (failures, skips): (usize, usize), mark: &str) {
        let since = self.failures.iter_mut().skip(failures);
        since.chain(self.skips.iter_mut().skip(skips)).for_each(|name| name.insert_str(0, mark));
    }

    /// Records something that went wrong outside any test.
    pub(super) fn fail(&mut self, what: &str) {
        self.failed += 1;
        self.failures.push(what.to_owned());
    }

    /// Records a test that did not run.
    pub(super) fn skip(&mut self, name: &str, reason: &str) {
        self.skipped += 1;
        self.skips.push(format!("{name}: {reason}"));
    }
}

impl Tally {
    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn count(&mut self, line: &str) {
        let words: Vec<&str> =
            line.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            if let [number, what] = pair
                && let Ok(number) = number.parse::<usize>()
            {
                match *what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
        }
        self.passed = self.passed.saturating_sub(std::mem::take(&mut self.excuses));
    }

    /// Reads `NAME ... FAILED` and `NAME ... ignored, REASON`; the numbers come with the result.
    fn verdict(&mut self, verdict: &str) {
        let Some((name, end)) = verdict.split_once(" ... ") else { return };
        if end == "FAILED" {
            self.failures.push(name.to_owned());
        } else if let Some(reason) = end.strip_prefix("ignored") {
            self.skips.push(format!("{name}: {}", reason.trim_start_matches(", ")));
        }
    }
}

#[cfg(test)]
mod tests;
