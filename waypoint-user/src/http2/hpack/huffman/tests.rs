use proptest::prelude::*;

use super::*;

/// The code of a symbol as zeros and ones.
fn code(symbol: u16) -> String {
    let place = CODES.symbols.iter().position(|known| *known == symbol).unwrap() as u64;
    let is_its = |group: &&Group| (group.start..group.start + group.count).contains(&place);
    let group = CODES.groups.iter().find(is_its).unwrap();
    let number = group.first + place - group.start;
    format!("{number:0width$b}", width = group.length as usize)
}

/// Zeros and ones as bytes, the last filled up with `padding`.
fn bytes(bits: &str, padding: char) -> Vec<u8> {
    let missing = bits.len().next_multiple_of(8) - bits.len();
    let bits: Vec<char> = bits.chars().chain(std::iter::repeat_n(padding, missing)).collect();
    let byte = |bits: &[char]| u8::from_str_radix(&String::from_iter(bits), 2).unwrap();
    bits.chunks(8).map(byte).collect()
}

fn coded(text: &[u8]) -> Vec<u8> {
    bytes(&text.iter().map(|byte| code(u16::from(*byte))).collect::<String>(), '1')
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut output = BytesMut::new();
    decode(text, &mut output).map(|()| output.to_vec())
}

#[test]
fn all_codes_are_those_of_another_implementation() {
    let table: String = (0..=END).map(|symbol| code(symbol) + "\n").collect();
    // Of the table of Python's hpack.
    assert_eq!(crate::http2::hpack::tests::checksum(&table), 0x19e2_4ae4_7fa9_a179);
}

#[test]
fn codes_are_those_of_the_appendix() {
    let known = [
        (b'0', "00000"),
        (b' ', "010100"),
        (b':', "1011100"),
        (b'&', "11111000"),
        (b'!', "1111111000"),
        (b'\\', "1111111111111110000"),
        (0x80, "11111111111111100110"),
        (0xff, "11111111111111111111101110"),
        (0x00, "1111111111000"),
        (0x16, "111111111111111111111111111110"),
    ];
    for (byte, expected) in known {
        assert_eq!(code(byte.into()), expected, "{byte}");
    }
    assert_eq!(code(END), "1".repeat(30));
}

#[test]
fn padding_is_less_than_a_byte_of_ones() {
    assert_eq!(decoded(b""), Ok(Vec::new()));
    assert_eq!(decoded(&bytes(&code(b'0'.into()), '1')), Ok(b"0".to_vec()));
    let wrong = Err(CompressionError::Huffman);
    assert_eq!(decoded(&bytes(&code(b'0'.into()), '0')), wrong);
    assert_eq!(decoded(&[0xff]), wrong);
    let eight = coded(b"00000000");
    assert_eq!(decoded(&eight), Ok(b"00000000".to_vec()));
    assert_eq!(decoded(&[&eight[..], &[0xff]].concat()), wrong);
    assert_eq!(decoded(&[0xff; 4]), wrong);
    // What says that the text ends must not be there, nor a part of a long code.
    assert_eq!(decoded(&bytes(&(code(END) + &code(b'0'.into())), '1')), wrong);
    assert_eq!(decoded(&coded(&[0x16])[..3]), wrong);
}

proptest! {
    #[test]
    fn what_is_coded_comes_back(text in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(decoded(&coded(&text)).unwrap(), text);
    }

    #[test]
    fn what_is_understood_could_be_meant_in_one_way_only(
        text in proptest::collection::vec(any::<u8>(), 0..12)
    ) {
        if let Ok(meant) = decoded(&text) {
            prop_assert_eq!(coded(&meant), text);
        }
    }
}
