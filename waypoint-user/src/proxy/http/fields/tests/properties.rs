//! Edits of fields against a list of fields.

use proptest::prelude::*;

use super::*;

/// Names, of which the last ones are none.
const NAMES: [&str; 7] = ["x-a", "x-b", "x-c", "cookie", "x d", "", "x\u{e9}"];
const GOOD_NAMES: usize = 4;

/// Values, of which the last ones are none.
const VALUES: [&str; 7] = ["1", "2", "", "a, b;c", "a\nb", "\0", "\u{7f}"];
const GOOD_VALUES: usize = 4;

/// A name and a value, by their numbers.
type Pair = (usize, usize);

/// What is done to fields, by numbers of names and values.
#[derive(Clone, Debug)]
struct Change {
    set: Vec<Pair>,
    add: Vec<Pair>,
    remove: Vec<usize>,
}

impl Change {
    fn edit(&self) -> HeaderEdit {
        let text = |pairs: &[Pair]| {
            let text = |(name, value): &Pair| (NAMES[*name].into(), VALUES[*value].into());
            pairs.iter().map(text).collect()
        };
        let remove = self.remove.iter().map(|name| NAMES[*name].into()).collect();
        HeaderEdit { set: text(&self.set), add: text(&self.add), remove }
    }

    /// The same, done to a list.
    fn apply(&self, fields: &mut Vec<Pair>) {
        let is_field = |(name, value): &&Pair| *name < GOOD_NAMES && *value < GOOD_VALUES;
        for pair in self.set.iter().filter(is_field) {
            fields.retain(|(name, _)| *name != pair.0);
            fields.push(*pair);
        }
        fields.extend(self.add.iter().filter(is_field));
        fields.retain(|(name, _)| !self.remove.contains(name));
    }
}

fn pairs(names: usize, values: usize) -> impl Strategy<Value = Vec<Pair>> {
    prop::collection::vec((0..names, 0..values), 0..6)
}

fn change() -> impl Strategy<Value = Change> {
    let written = || pairs(NAMES.len(), VALUES.len());
    let remove = prop::collection::vec(0..NAMES.len(), 0..3);
    (written(), written(), remove).prop_map(|(set, add, remove)| Change { set, add, remove })
}

proptest! {
    #[test]
    fn edits_do_to_fields_what_they_do_to_a_list(
        mut list in pairs(GOOD_NAMES, GOOD_VALUES),
        changes in prop::collection::vec(change(), 0..4),
    ) {
        let text = |list: &[Pair]| -> Vec<(&str, &str)> {
            list.iter().map(|(name, value)| (NAMES[*name], VALUES[*value])).collect()
        };
        let mut fields = headers(&text(&list));
        let edits: Vec<HeaderEdit> = changes.iter().map(Change::edit).collect();
        edit(&mut fields, edits.iter());
        for change in &changes {
            change.apply(&mut list);
        }
        prop_assert_eq!(fields.len(), list.len());
        // Fields of one name stay in their order.
        prop_assert_eq!(fields, headers(&text(&list)));
    }
}
