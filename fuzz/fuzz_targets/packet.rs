//! IP, TCP, UDP and ICMP: bytes that decode are written the same way again, with checksums set right first so that most inputs get
//! that far.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightlag::wire::codec::{Checksum, decode, encode};

fuzz_target!(|data: &[u8]| {
    let _ = decode(data);
    let mut bytes = data.to_vec();
    mend(&mut bytes);
    let Ok(packet) = decode(&bytes) else { return };
    let mut again = Vec::new();
    encode(&packet, &mut again).expect("what was decoded can be encoded");
    assert_eq!(decode(&again).as_ref(), Ok(&packet), "{bytes:02x?} and {again:02x?}");
});

/// Makes a header of 20 bytes with the right length and checksums of whatever protocol it names.
fn mend(bytes: &mut [u8]) {
    let Ok(total) = u16::try_from(bytes.len()) else { return };
    if bytes.len() < 28 {
        return;
    }
    bytes[0] = 0x45;
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    bytes[6] &= 0x40;
    bytes[7] = 0;
    bytes[9] = [1, 6, 17][usize::from(bytes[9]) % 3];
    seal(bytes, 10, 20, &[]);
    let (protocol, len) = (bytes[9], total - 20);
    let mut pseudo = bytes[12..20].to_vec();
    pseudo.extend([0, protocol]);
    pseudo.extend(len.to_be_bytes());
    let end = bytes.len();
    match protocol {
        1 => seal(&mut bytes[20..], 2, end - 20, &[]),
        6 if len >= 20 => seal(&mut bytes[20..], 16, end - 20, &pseudo),
        17 => {
            bytes[24..26].copy_from_slice(&len.to_be_bytes());
            seal(&mut bytes[20..], 6, end - 20, &pseudo);
        }
        _ => {}
    }
}

/// Writes the checksum of the first `len` bytes, and of what comes before them, at `field`.
fn seal(bytes: &mut [u8], field: usize, len: usize, before: &[u8]) {
    bytes[field..field + 2].fill(0);
    let mut checksum = Checksum::new();
    checksum.add(before);
    checksum.add(&bytes[..len]);
    bytes[field..field + 2].copy_from_slice(&checksum.value().to_be_bytes());
}
