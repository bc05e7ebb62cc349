//! Unit and property tests of mirroring, over a table in memory that writes down what is done to
//! it.

use std::{cell::RefCell, io, rc::Rc};

use aya::sys::SyscallError;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Insert(u32, u32),
    Remove(u32),
}

#[derive(Clone, Default)]
struct Memory {
    room: usize,
    entries: Rc<RefCell<HashMap<u32, u32>>>,
    changes: Rc<RefCell<Vec<Change>>>,
}

impl Memory {
    fn with(room: usize, entries: &[(u32, u32)]) -> Self {
        let memory = Self { room, ..Self::default() };
        memory.entries.borrow_mut().extend(entries.iter().copied());
        memory
    }
}

impl Table<u32, u32> for Memory {
    fn entries(&self) -> Result<HashMap<u32, u32>, MapError> {
        Ok(self.entries.borrow().clone())
    }

    fn insert(&mut self, key: &u32, value: &u32) -> Result<(), MapError> {
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= self.room && !entries.contains_key(key) {
            let io_error = io::Error::from_raw_os_error(E2BIG);
            return Err(SyscallError { call: "bpf_map_update_elem", io_error }.into());
        }
        entries.insert(*key, *value);
        self.changes.borrow_mut().push(Change::Insert(*key, *value));
        Ok(())
    }

    fn remove(&mut self, key: &u32) -> Result<(), MapError> {
        self.changes.borrow_mut().push(Change::Remove(*key));
        self.entries.borrow_mut().remove(key).map(drop).ok_or(MapError::KeyNotFound)
    }
}

#[test]
fn only_the_difference_is_written_and_new_entries_come_first() {
    let memory = Memory::with(10, &[(1, 10), (2, 20), (3, 30)]);
    let mut mirror = Mirror::new("test", memory.clone()).unwrap();
    mirror.apply(&HashMap::from([(1, 10), (2, 21), (4, 40)])).unwrap();
    let changes = memory.changes.take();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert_eq!(changes.last(), Some(&Change::Remove(3)));
    mirror.apply(&HashMap::from([(1, 10), (2, 21), (4, 40)])).unwrap();
    assert!(memory.changes.take().is_empty());
}

#[test]
fn a_full_table_keeps_what_is_wanted_and_says_what_is_missing() {
    let memory = Memory::with(2, &[(1, 10), (2, 20)]);
    let mut mirror = Mirror::new("test", memory.clone()).unwrap();
    let refusal = mirror.apply(&HashMap::from([(1, 10), (2, 20), (3, 30)])).unwrap_err();
    assert_eq!(refusal.to_string(), "map test is full: 1 entries do not fit");
    assert_eq!(*memory.entries.borrow(), HashMap::from([(1, 10), (2, 20)]));
    mirror.apply(&HashMap::from([(2, 20), (3, 30)])).unwrap();
    assert_eq!(*memory.entries.borrow(), HashMap::from([(2, 20), (3, 30)]));
}

proptest! {
    #[test]
    fn the_table_becomes_what_is_wanted_and_nothing_wanted_is_ever_missing(
        before: HashMap<u8, u8>,
        wanted: HashMap<u8, u8>,
    ) {
        let wide = |map: &HashMap<u8, u8>| -> HashMap<u32, u32> {
            map.iter().map(|(key, value)| (u32::from(*key), u32::from(*value))).collect()
        };
        let (before, wanted) = (wide(&before), wide(&wanted));
        let memory = Memory { room: 512, ..Memory::default() };
        memory.entries.borrow_mut().clone_from(&before);
        let mut mirror = Mirror::new("test", memory.clone()).unwrap();
        mirror.apply(&wanted).unwrap();
        prop_assert_eq!(&*memory.entries.borrow(), &wanted);
        prop_assert_eq!(mirror.len(), wanted.len());
        for change in memory.changes.take() {
            if let Change::Remove(key) = change {
                prop_assert!(!wanted.contains_key(&key));
            }
        }
    }
}
