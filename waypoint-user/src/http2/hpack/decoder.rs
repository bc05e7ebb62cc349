//! Takes fields out of blocks.

use bytes::{Bytes, BytesMut};

use super::{
    CompressionError, FIELD_BYTES, Field, Outcome, huffman, integer,
    table::{Entry, Name, Table, Value, field},
};

/// Takes fields out of the blocks of one direction of a connection.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// How large the table may be made. No other size is agreed to later.
    max: usize,
}

impl Decoder {
    /// One that agreed to remember so much.
    pub fn new(table_size_max: usize) -> Self {
        Self { table: Table::new(table_size_max), max: table_size_max }
    }

    /// Tells every field of a block, as long as all together are not counted more than
    /// `list_bytes_max` (RFC 9113 section 6.5.2). Values are slices of the block where they can be.
    pub fn decode(
        &mut self,
        block: &Bytes,
        list_bytes_max: usize,
        each: &mut dyn FnMut(Field),
    ) -> Result<Outcome, CompressionError> {
        let mut reader = Reader { block, input: block, text: BytesMut::new() };
        self.resize(&mut reader)?;
        let mut list = List { left: Some(list_bytes_max), each };
        while let Some(first) = reader.input.first() {
            match first.leading_zeros() {
                0 => {
                    let entry = self.table.get(integer::take(&mut reader.input, 7)?)?;
                    if list.has_room(entry.size) {
                        (list.each)(entry.field());
                    }
                }
                1 => self.remember(&mut reader, &mut list)?,
                2 => return Err(CompressionError::Resize),
                zeros => self.literal(&mut reader, zeros == 3, &mut list)?,
            }
        }
        Ok(list.left.map_or(Outcome::TooLarge, |_| Outcome::Whole))
    }

    /// Takes what resizes the table off the front of a block (RFC 7541 section 4.2).
    fn resize(&mut self, reader: &mut Reader<'_>) -> Result<(), CompressionError> {
        while reader.input.first().is_some_and(|first| first.leading_zeros() == 2) {
            let size = integer::take(&mut reader.input, 5)?;
            if size > self.max {
                return Err(CompressionError::Resize);
            }
            self.table.resize(size);
        }
        Ok(())
    }

    /// A field that is remembered (RFC 7541 section 6.2.1).
    fn remember(
        &mut self,
        reader: &mut Reader<'_>,
        list: &mut List<'_>,
    ) -> Result<(), CompressionError> {
        let (name, name_bytes) = self.name(reader, 6)?;
        let value = reader.text()?;
        let size = FIELD_BYTES + name_bytes + value.len();
        if !self.table.holds(size) {
            self.table.make_room(size);
            if list.has_room(size) {
                let value = Value::parse(&name, value);
                (list.each)(field(name, value));
            }
            return Ok(());
        }
        let entry = Entry::new((name, name_bytes), &value);
        if list.has_room(size) {
            (list.each)(entry.field());
        }
        self.table.insert(entry);
        Ok(())
    }

    /// A field that is not remembered (RFC 7541 sections 6.2.2 and 6.2.3).
    fn literal(
        &mut self,
        reader: &mut Reader<'_>,
        is_never_indexed: bool,
        list: &mut List<'_>,
    ) -> Result<(), CompressionError> {
        let (name, name_bytes) = self.name(reader, 4)?;
        let value = reader.text()?;
        if list.has_room(FIELD_BYTES + name_bytes + value.len()) {
            let mut value = Value::parse(&name, value);
            if is_never_indexed {
                value.set_sensitive();
            }
            (list.each)(field(name, value));
        }
        Ok(())
    }

    /// A name and its length, by its index or in letters.
    fn name(
        &self,
        reader: &mut Reader<'_>,
        prefix: u32,
    ) -> Result<(Name, usize), CompressionError> {
        match integer::take(&mut reader.input, prefix)? {
            0 => {
                let name = reader.text()?;
                Ok((Name::parse(&name), name.len()))
            }
            index => {
                let entry = self.table.get(index)?;
                Ok((entry.name.clone(), entry.name_bytes))
            }
        }
    }
}

/// Who hears of the fields, and how much they may still count.
struct List<'e> {
    /// `None` once they were too much.
    left: Option<usize>,
    each: &'e mut dyn FnMut(Field),
}

impl List<'_> {
    fn has_room(&mut self, size: usize) -> bool {
        self.left = self.left.and_then(|left| left.checked_sub(size));
        self.left.is_some()
    }
}

/// A block, and how far it was read.
struct Reader<'b> {
    block: &'b Bytes,
    input: &'b [u8],
    /// Room for what is Huffman-coded.
    text: BytesMut,
}

impl Reader<'_> {
    /// A text (RFC 7541 section 5.2).
    fn text(&mut self) -> Result<Bytes, CompressionError> {
        let first = self.input.first().ok_or(CompressionError::Truncated)?;
        let is_coded = first & 0x80 != 0;
        let len = integer::take(&mut self.input, 7)?;
        let all = self.input;
        let (text, rest) = all.split_at_checked(len).ok_or(CompressionError::Truncated)?;
        self.input = rest;
        if !is_coded {
            return Ok(self.block.slice_ref(text));
        }
        if self.text.capacity() == 0 {
            // Once for all that may come in this block.
            self.text.reserve(huffman::decoded_max(all.len()));
        }
        huffman::decode(text, &mut self.text)?;
        Ok(self.text.split().freeze())
    }
}
