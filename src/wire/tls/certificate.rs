//! X.509 certificates in DER (RFC 5280 4.1), of any size: every field is there and readable, keys and signatures are filler.

use bytes::Bytes;

/// Bytes of the smallest certificate that [`certificate`] makes for a name of up to 64 bytes: smaller sizes are rounded up.
pub const SMALLEST_CERTIFICATE: usize = 640;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;

/// id-ecPublicKey, prime256v1, ecdsa-with-SHA256 (RFC 5480, RFC 5758).
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Where real certificates have policies, addresses of their issuer and lists of timestamps, ours have netscape-comment's
/// successor for anything: a private-enterprise extension of the size that is left.
const FILLING: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xda, 0x4b, 0x01];

/// Tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = vec![tag];
    let [.., high, low] = len.to_be_bytes();
    match len {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        0x100..=0xffff => out.extend([0x82, high, low]),
        _ => {
            let [.., third, second, first] = len.to_be_bytes();
            out.extend([0x83, third, second, first]);
        }
    }
    out.extend_from_slice(content);
    out
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der(SEQUENCE, &parts.concat())
}

fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[der(OID, COMMON_NAME), der(UTF8, common.as_bytes())]);
    sequence(&[der(SET, &attribute)])
}

/// A bit string of `len` filler bytes in which no byte is zero, as no bit is unused.
fn bits(first: u8, len: usize) -> Vec<u8> {
    let mut content = vec![0, first];
    content.resize(len + 1, 0x5a);
    der(BIT_STRING, &content)
}

fn build(subject: &str, issuer: &str, serial: usize, filling: usize) -> Vec<u8> {
    let algorithm = || sequence(&[der(OID, ECDSA_SHA256)]);
    let validity = sequence(&[der(UTC_TIME, b"250101000000Z"), der(UTC_TIME, b"350101000000Z")]);
    let key_kind = sequence(&[der(OID, EC_PUBLIC_KEY), der(OID, PRIME256V1)]);
    // An uncompressed point: 4, x, y.
    let key = sequence(&[key_kind, bits(0x04, 65)]);
    let alt = sequence(&[der(0x82, subject.as_bytes())]);
    let extensions = sequence(&[
        sequence(&[der(OID, SUBJECT_ALT_NAME), der(OCTET_STRING, &alt)]),
        sequence(&[der(OID, FILLING), der(OCTET_STRING, &der(OCTET_STRING, &vec![0x5a; filling]))]),
    ]);
    let body = sequence(&[
        der(0xa0, &der(INTEGER, &[2])),
        der(INTEGER, &vec![0x5a; serial]),
        algorithm(),
        name(issuer),
        validity,
        name(subject),
        key,
        der(0xa3, &extensions),
    ]);
    let point = der(INTEGER, &[0x5a; 32]);
    let signature = sequence(&[point.clone(), point]);
    let signature = der(BIT_STRING, &[&[0][..], &signature].concat());
    sequence(&[body, algorithm(), signature])
}

/// A certificate for `subject` by `issuer` of exactly `size` bytes, or of the smallest size above it that there is.
#[must_use]
pub fn certificate(subject: &str, issuer: &str, size: usize) -> Bytes {
    let mut filling = size.saturating_sub(build(subject, issuer, 16, 0).len());
    loop {
        // Lengths of lengths jump: a serial number of another length lands between.
        let made = (8..=20).rev().map(|serial| build(subject, issuer, serial, filling));
        let mut larger = None;
        for der in made {
            if der.len() == size {
                return der.into();
            }
            if der.len() > size {
                larger = Some(der);
            }
        }
        match (larger, filling) {
            (Some(der), 0) => return der.into(),
            (Some(_), _) => filling -= 1,
            (None, _) => filling += 1,
        }
    }
}

/// A chain for `subject` of `total` bytes in all: the server's own certificate, then its issuers, without the root. Two
/// certificates up to 4,000 bytes, as most public sites have; three above. A total below two of the smallest is rounded up.
#[must_use]
pub fn chain(subject: &str, total: usize) -> Vec<Bytes> {
    let count = if total > 4_000 { 3 } else { 2 };
    let each = (total / count).max(SMALLEST_CERTIFICATE);
    let names = [subject, "Filler Issuing CA", "Filler Intermediate CA", "Filler Root CA"];
    let mut chain: Vec<Bytes> = (1..count).map(|at| certificate(names[at], names[at + 1], each)).collect();
    let rest = total.saturating_sub(each * (count - 1)).max(SMALLEST_CERTIFICATE);
    chain.insert(0, certificate(subject, names[1], rest));
    chain
}
