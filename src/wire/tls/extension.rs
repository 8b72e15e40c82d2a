//! Extensions of hello messages, certificates and tickets (RFC 8446 4.2).
//!
//! One number has different content in different messages: each form has a variant of its own, and reading is told by
//! [`Place`] which one to expect.

use super::cursor::{Reader, Writer};
use super::{DecodeError, Version};
use bytes::Bytes;

/// In which message an extension stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    ClientHello,
    ServerHello,
    /// EncryptedExtensions and certificates.
    Encrypted,
    Ticket,
}

/// A public key for one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyShare {
    /// The group's number.
    pub group: u16,
    /// The key.
    pub key: Bytes,
}

/// A ticket that a client offers to resume with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedPsk {
    /// The ticket.
    pub identity: Bytes,
    /// Its age in milliseconds plus the number that came with it (RFC 8446 4.2.11.1).
    pub obfuscated_age: u32,
    /// Proof that the client knows the key: an HMAC over the hello up to here.
    pub binder: Bytes,
}

/// An extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extension {
    /// 0: the name that the client asks for; `None` in an answer.
    ServerName(Option<String>),
    /// 5: please staple the certificate's status; empty where it stands beside a certificate in an answer.
    StatusRequest,
    /// 10: groups in order of preference.
    SupportedGroups(Vec<u16>),
    /// 11: formats of curve points; only the uncompressed one is left (RFC 8422 5.1.2).
    EcPointFormats,
    /// 13: signature schemes in order of preference.
    SignatureAlgorithms(Vec<u16>),
    /// 16: application protocols, one of them in an answer.
    Alpn(Vec<Bytes>),
    /// 18: certificate transparency, asked for (empty) or given.
    SignedCertificateTimestamps(Bytes),
    /// 21: so many zeros.
    Padding(u16),
    /// 23: the master secret covers the handshake (RFC 7627).
    ExtendedMasterSecret,
    /// 35: a ticket of 1.2; empty asks for one or announces one (RFC 5077 3.2).
    SessionTicket(Bytes),
    /// 41 in a ClientHello: tickets offered.
    PreSharedKeys(Vec<OfferedPsk>),
    /// 41 in a ServerHello: which of them is taken.
    SelectedPsk(u16),
    /// 42 in a hello or an answer: data comes before the handshake is over.
    EarlyData,
    /// 42 in a ticket: at most so many bytes may.
    MaxEarlyData(u32),
    /// 43 in a ClientHello: versions in order of preference, by number.
    SupportedVersions(Vec<u16>),
    /// 43 in a ServerHello: the version spoken.
    SelectedVersion(Version),
    /// 45: how tickets may be used; 1 is with a key exchange.
    PskKeyExchangeModes(Vec<u8>),
    /// 51 in a ClientHello.
    KeyShares(Vec<KeyShare>),
    /// 51 in a ServerHello.
    SelectedShare(KeyShare),
    /// 57: QUIC's transport parameters, as QUIC encodes them (RFC 9001 8.2).
    QuicTransportParameters(Bytes),
    /// 65281: renegotiation is secure (RFC 5746); one zero byte.
    RenegotiationInfo,
    /// Any other: number and content.
    Other(u16, Bytes),
}

impl Extension {
    const fn code(&self) -> u16 {
        match self {
            Self::ServerName(_) => 0,
            Self::StatusRequest => 5,
            Self::SupportedGroups(_) => 10,
            Self::EcPointFormats => 11,
            Self::SignatureAlgorithms(_) => 13,
            Self::Alpn(_) => 16,
            Self::SignedCertificateTimestamps(_) => 18,
            Self::Padding(_) => 21,
            Self::ExtendedMasterSecret => 23,
            Self::SessionTicket(_) => 35,
            Self::PreSharedKeys(_) | Self::SelectedPsk(_) => 41,
            Self::EarlyData | Self::MaxEarlyData(_) => 42,
            Self::SupportedVersions(_) | Self::SelectedVersion(_) => 43,
            Self::PskKeyExchangeModes(_) => 45,
            Self::KeyShares(_) | Self::SelectedShare(_) => 51,
            Self::QuicTransportParameters(_) => 57,
            Self::RenegotiationInfo => 65_281,
            Self::Other(code, _) => *code,
        }
    }

    fn encode(&self, place: Place, w: &mut Writer) {
        let numbers = |w: &mut Writer, list: &[u16]| list.iter().for_each(|&number| w.u16(number));
        match self {
            Self::ServerName(Some(name)) => w.vector::<2>(|w| {
                w.u8(0);
                w.vector::<2>(|w| w.bytes(name.as_bytes()));
            }),
            // OCSP, no responders named, no extensions (RFC 6066 8).
            Self::StatusRequest if place == Place::ClientHello => w.bytes(&[1, 0, 0, 0, 0]),
            Self::ServerName(None) | Self::ExtendedMasterSecret | Self::EarlyData | Self::StatusRequest => {}
            Self::SupportedGroups(list) | Self::SignatureAlgorithms(list) => w.vector::<2>(|w| numbers(w, list)),
            Self::EcPointFormats => w.bytes(&[1, 0]),
            Self::Alpn(names) => w.vector::<2>(|w| names.iter().for_each(|name| w.vector::<1>(|w| w.bytes(name)))),
            Self::Padding(zeros) => w.bytes(&vec![0; usize::from(*zeros)]),
            Self::SignedCertificateTimestamps(bytes)
            | Self::SessionTicket(bytes)
            | Self::QuicTransportParameters(bytes)
            | Self::Other(_, bytes) => w.bytes(bytes),
            Self::PreSharedKeys(offers) => {
                w.vector::<2>(|w| {
                    for offer in offers {
                        w.vector::<2>(|w| w.bytes(&offer.identity));
                        w.u32(offer.obfuscated_age);
                    }
                });
                w.vector::<2>(|w| offers.iter().for_each(|offer| w.vector::<1>(|w| w.bytes(&offer.binder))));
            }
            Self::SelectedPsk(number) => w.u16(*number),
            Self::MaxEarlyData(bytes) => w.u32(*bytes),
            Self::SupportedVersions(list) => w.vector::<1>(|w| numbers(w, list)),
            Self::SelectedVersion(version) => w.u16(version.code()),
            Self::PskKeyExchangeModes(modes) => w.vector::<1>(|w| w.bytes(modes)),
            Self::KeyShares(shares) => w.vector::<2>(|w| shares.iter().for_each(|share| share.encode(w))),
            Self::SelectedShare(share) => share.encode(w),
            Self::RenegotiationInfo => w.u8(0),
        }
    }

    fn decode(code: u16, mut r: Reader, place: Place) -> Result<Self, DecodeError> {
        let hello = place == Place::ClientHello;
        let extension = match code {
            0 if r.is_empty() => Self::ServerName(None),
            0 => Self::ServerName(Some(server_name(&mut r)?)),
            5 => {
                r.rest();
                Self::StatusRequest
            }
            10 => Self::SupportedGroups(r.vector::<2>()?.all(Reader::u16)?),
            11 => {
                r.vector::<1>()?;
                Self::EcPointFormats
            }
            13 => Self::SignatureAlgorithms(r.vector::<2>()?.all(Reader::u16)?),
            16 => Self::Alpn(r.vector::<2>()?.all(|r| Ok(r.vector::<1>()?.rest()))?),
            18 => Self::SignedCertificateTimestamps(r.rest()),
            21 => Self::Padding(u16::try_from(r.rest().len()).map_err(|_| DecodeError::Value)?),
            23 => Self::ExtendedMasterSecret,
            35 => Self::SessionTicket(r.rest()),
            41 if hello => Self::PreSharedKeys(offered(&mut r)?),
            41 => Self::SelectedPsk(r.u16()?),
            42 if place == Place::Ticket => Self::MaxEarlyData(r.u32()?),
            42 => Self::EarlyData,
            43 if hello => Self::SupportedVersions(r.vector::<1>()?.all(Reader::u16)?),
            43 => Self::SelectedVersion(match r.u16()? {
                0x0304 => Version::Tls13,
                other => return Err(DecodeError::Version(other)),
            }),
            45 => Self::PskKeyExchangeModes(r.vector::<1>()?.all(Reader::u8)?),
            51 if hello => Self::KeyShares(r.vector::<2>()?.all(KeyShare::decode)?),
            51 => Self::SelectedShare(KeyShare::decode(&mut r)?),
            57 => Self::QuicTransportParameters(r.rest()),
            65_281 => {
                r.vector::<1>()?;
                Self::RenegotiationInfo
            }
            other => Self::Other(other, r.rest()),
        };
        r.end().map(|()| extension)
    }

    /// Writes a list of extensions with its length.
    pub(super) fn encode_all(list: &[Self], place: Place, w: &mut Writer) {
        w.vector::<2>(|w| {
            for extension in list {
                w.u16(extension.code());
                w.vector::<2>(|w| extension.encode(place, w));
            }
        });
    }

    /// Reads a list of extensions with its length.
    pub(super) fn decode_all(r: &mut Reader, place: Place) -> Result<Vec<Self>, DecodeError> {
        r.vector::<2>()?.all(|r| {
            let code = r.u16()?;
            Self::decode(code, r.vector::<2>()?, place)
        })
    }
}

impl KeyShare {
    fn encode(&self, w: &mut Writer) {
        w.u16(self.group);
        w.vector::<2>(|w| w.bytes(&self.key));
    }

    fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { group: r.u16()?, key: r.vector::<2>()?.rest() })
    }
}

fn server_name(r: &mut Reader) -> Result<String, DecodeError> {
    let mut list = r.vector::<2>()?;
    if list.u8()? != 0 {
        return Err(DecodeError::Value);
    }
    let name = list.vector::<2>()?.rest();
    list.end()?;
    String::from_utf8(name.to_vec()).map_err(|_| DecodeError::Value)
}

fn offered(r: &mut Reader) -> Result<Vec<OfferedPsk>, DecodeError> {
    let identities = r.vector::<2>()?.all(|r| Ok((r.vector::<2>()?.rest(), r.u32()?)))?;
    let binders = r.vector::<2>()?.all(|r| Ok(r.vector::<1>()?.rest()))?;
    if identities.len() != binders.len() {
        return Err(DecodeError::Value);
    }
    let join = |((identity, obfuscated_age), binder)| OfferedPsk { identity, obfuscated_age, binder };
    Ok(identities.into_iter().zip(binders).map(join).collect())
}
