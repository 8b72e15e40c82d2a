//! Handshake messages as today's clients and servers write them: the same fields in the same sizes.
//!
//! What the caller decides is in the arguments; keys, signatures and hashes are filler made from the random bytes given.

use super::extension::{Extension, KeyShare, OfferedPsk};
use super::hello::{ClientHello, ServerHello};
use super::message::{CertificateEntry, Handshake, ServerKeyExchange};
use super::{Version, numbers};
use bytes::Bytes;

/// Bytes of a binder and of a Finished in 1.3: a hash of SHA-256.
pub const HASH_LEN: usize = 32;
/// Bytes of a Finished in 1.2 (RFC 5246 7.4.9).
pub const FINISHED_12_LEN: usize = 12;
/// Bytes of an X25519 public key.
const X25519_LEN: usize = 32;
/// Bytes of an ECDSA signature on P-256 in DER, most of the time.
const SIGNATURE_LEN: usize = 71;

/// What a client wants.
#[derive(Clone, Debug, Default)]
pub struct Offer<'a> {
    /// Its random bytes.
    pub random: [u8; 32],
    /// Versions in order of preference.
    pub versions: &'a [Version],
    /// The name that it asks for; none for an address (RFC 6066 3).
    pub server_name: Option<&'a str>,
    /// Application protocols in order of preference.
    pub alpn: &'a [Bytes],
    /// A ticket of 1.2; empty asks for one.
    pub session_ticket: Bytes,
    /// A ticket of 1.3.
    pub psk: Option<OfferedPsk>,
    /// Whether data follows at once.
    pub early_data: bool,
    /// QUIC's transport parameters; over QUIC there is no session id (RFC 9001 8.4).
    pub quic: Option<Bytes>,
}

/// `len` filler bytes that look random and follow from `random`.
fn filler(random: &[u8; 32], salt: u8, len: usize) -> Bytes {
    random.iter().cycle().zip(0..len).map(|(byte, at)| byte.rotate_left(3) ^ salt ^ at.to_le_bytes()[0]).collect()
}

/// Suites that a browser offers: three of 1.3, then pairs of ECDHE with AES-GCM and ChaCha20, then those for old servers.
const SUITES: [u16; 15] = [
    numbers::AES_128_GCM_SHA256,
    numbers::AES_256_GCM_SHA384,
    numbers::CHACHA20_POLY1305_SHA256,
    numbers::ECDHE_ECDSA_AES_128_GCM_SHA256,
    numbers::ECDHE_RSA_AES_128_GCM_SHA256,
    0xc02c,
    0xc030,
    0xcca9,
    0xcca8,
    0xc013,
    0xc014,
    0x009c,
    0x009d,
    0x002f,
    0x0035,
];

/// The ClientHello of a browser, without grease and without a post-quantum key share, which alone would be 1.2 kB: 230 to 300 bytes
/// without a ticket, 450 to 520 with one.
#[must_use]
pub fn client_hello(offer: Offer<'_>) -> ClientHello {
    let speaks = |version| offer.versions.contains(&version);
    let schemes = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let mut extensions = Vec::new();
    extensions.extend(offer.server_name.map(|name| Extension::ServerName(Some(name.to_owned()))));
    if speaks(Version::Tls12) {
        extensions.push(Extension::ExtendedMasterSecret);
        extensions.push(Extension::RenegotiationInfo);
    }
    extensions.push(Extension::SupportedGroups(vec![numbers::X25519, numbers::SECP256R1, numbers::SECP384R1]));
    if speaks(Version::Tls12) {
        extensions.push(Extension::EcPointFormats);
        extensions.push(Extension::SessionTicket(offer.session_ticket));
    }
    if !offer.alpn.is_empty() {
        extensions.push(Extension::Alpn(offer.alpn.to_vec()));
    }
    extensions.push(Extension::StatusRequest);
    extensions.push(Extension::SignatureAlgorithms(schemes.to_vec()));
    extensions.push(Extension::SignedCertificateTimestamps(Bytes::new()));
    if speaks(Version::Tls13) {
        let key = filler(&offer.random, 1, X25519_LEN);
        extensions.push(Extension::KeyShares(vec![KeyShare { group: numbers::X25519, key }]));
        extensions.push(Extension::PskKeyExchangeModes(vec![1]));
        extensions.push(Extension::SupportedVersions(offer.versions.iter().map(|version| version.code()).collect()));
    }
    let session_id = if offer.quic.is_some() { Bytes::new() } else { filler(&offer.random, 2, 32) };
    extensions.extend(offer.quic.map(Extension::QuicTransportParameters));
    if let Some(psk) = offer.psk {
        if offer.early_data {
            extensions.push(Extension::EarlyData);
        }
        extensions.push(Extension::PreSharedKeys(vec![psk]));
    }
    let cipher_suites = SUITES
        .iter()
        .copied()
        .filter(|&suite| speaks(if suite >> 8 == 0x13 { Version::Tls13 } else { Version::Tls12 }));
    ClientHello { random: offer.random, session_id, cipher_suites: cipher_suites.collect(), extensions }
}

/// A server's answer in 1.3; `resumed` takes the first ticket offered.
#[must_use]
pub fn server_hello_13(random: [u8; 32], session_id: Bytes, resumed: bool) -> ServerHello {
    let mut extensions = vec![
        Extension::SelectedShare(KeyShare { group: numbers::X25519, key: filler(&random, 1, X25519_LEN) }),
        Extension::SelectedVersion(Version::Tls13),
    ];
    if resumed {
        extensions.push(Extension::SelectedPsk(0));
    }
    ServerHello { random, session_id, cipher_suite: numbers::AES_128_GCM_SHA256, extensions }
}

/// A server's answer in 1.2; it announces a ticket if `ticket` says so.
#[must_use]
pub fn server_hello_12(random: [u8; 32], session_id: Bytes, alpn: Option<Bytes>, ticket: bool) -> ServerHello {
    let mut extensions = vec![Extension::RenegotiationInfo, Extension::EcPointFormats, Extension::ExtendedMasterSecret];
    if ticket {
        extensions.push(Extension::SessionTicket(Bytes::new()));
    }
    extensions.extend(alpn.map(|name| Extension::Alpn(vec![name])));
    ServerHello { random, session_id, cipher_suite: numbers::ECDHE_ECDSA_AES_128_GCM_SHA256, extensions }
}

/// A server's EncryptedExtensions.
#[must_use]
pub fn encrypted_extensions(named: bool, alpn: Option<Bytes>, early_data: bool, quic: Option<Bytes>) -> Handshake {
    let mut extensions = Vec::new();
    if named {
        extensions.push(Extension::ServerName(None));
    }
    extensions.extend(alpn.map(|name| Extension::Alpn(vec![name])));
    extensions.extend(quic.map(Extension::QuicTransportParameters));
    if early_data {
        extensions.push(Extension::EarlyData);
    }
    Handshake::EncryptedExtensions(extensions)
}

/// The chain as the message of this version.
#[must_use]
pub fn certificate_message(chain: &[Bytes], version: Version) -> Handshake {
    match version {
        Version::Tls12 => Handshake::CertificateList(chain.to_vec()),
        Version::Tls13 => {
            let entry = |der: &Bytes| CertificateEntry { der: der.clone(), extensions: Vec::new() };
            Handshake::Certificate(chain.iter().map(entry).collect())
        }
    }
}

/// A server's CertificateVerify, signed with ECDSA on P-256.
#[must_use]
pub fn certificate_verify(random: &[u8; 32]) -> Handshake {
    Handshake::CertificateVerify { scheme: numbers::ECDSA_SECP256R1_SHA256, signature: signature(random) }
}

/// A server's ServerKeyExchange with X25519, signed with ECDSA on P-256.
#[must_use]
pub fn server_key_exchange(random: &[u8; 32]) -> Handshake {
    Handshake::ServerKeyExchange(ServerKeyExchange {
        group: numbers::X25519,
        key: filler(random, 1, X25519_LEN),
        scheme: numbers::ECDSA_SECP256R1_SHA256,
        signature: signature(random),
    })
}

/// A client's ClientKeyExchange with X25519.
#[must_use]
pub fn client_key_exchange(random: &[u8; 32]) -> Handshake {
    Handshake::ClientKeyExchange(filler(random, 1, X25519_LEN))
}

/// A Finished whose hash begins with `proof`.
#[must_use]
pub fn finished(version: Version, proof: u64) -> Handshake {
    let len = if version == Version::Tls13 { HASH_LEN } else { FINISHED_12_LEN };
    let mut hash = proof.to_be_bytes().to_vec();
    hash.resize(len, 0x5a);
    Handshake::Finished(hash.into())
}

/// The DER of an ECDSA signature: two integers in a sequence.
fn signature(random: &[u8; 32]) -> Bytes {
    let mut der = vec![0x30, 69, 0x02, 33, 0];
    let first = filler(random, 3, 32);
    der.push(first[0] | 0x80);
    der.extend_from_slice(&first[1..]);
    der.extend([0x02, 32]);
    let second = filler(random, 4, 32);
    der.push(second[0] & 0x7f | 1);
    der.extend_from_slice(&second[1..]);
    debug_assert_eq!(der.len(), SIGNATURE_LEN);
    der.into()
}
