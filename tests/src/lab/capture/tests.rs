use super::{FILE_HEADER, Frames, MAGIC};

fn file(frames: &[&[u8]]) -> Vec<u8> {
    let mut file = MAGIC.to_ne_bytes().to_vec();
    file.resize(FILE_HEADER, 0);
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap().to_ne_bytes();
        file.extend([[0; 4], [0; 4], length, length].concat());
        file.extend(*frame);
    }
    file
}

/// A TCP segment over IPv4 without options, to a port.
fn segment(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45]);
    frame.resize(14 + 9, 0);
    frame.push(6);
    frame.resize(14 + 22, 0);
    frame.extend(port.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn frames_are_told_apart() {
    let frames = Frames::parse(&file(&[b"one", &segment(15008, b"two")])).unwrap();
    assert_eq!(frames.count(), 2);
    assert!(frames.hold(b"one") && frames.hold(b"two"));
    assert!(!frames.hold(b"onetwo"));
    assert!(frames.use_port(15008) && !frames.use_port(9080));
}

#[test]
fn a_record_that_is_not_whole_is_left_out() {
    let whole = file(&[b"one", b"two"]);
    let frames = Frames::parse(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(frames.count(), 1);
    assert!(Frames::parse(&whole[..3]).is_err());
    assert!(Frames::parse(b"something else").is_err());
}
