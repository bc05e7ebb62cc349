use std::collections::BTreeMap;

use super::InOrder;
use crate::mesh::object::ObjectName;

#[test]
fn a_table_is_looked_into_once_from_its_first_name_to_its_last() {
    let name = |name: &str| ObjectName::new("shop", name);
    let table: BTreeMap<_, _> = ["b", "d", "e"].map(|key| (name(key), key)).into();
    let mut table = InOrder::new(&table);
    let found = ["a", "b", "c", "e", "f"].map(|key| table.at(&name(key)).copied());
    assert_eq!(found, [None, Some("b"), None, Some("e"), None]);
}
