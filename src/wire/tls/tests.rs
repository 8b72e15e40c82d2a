//! Every message comes back from its bytes; hostile bytes come back as errors; sizes are those of the world outside.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

fn share() -> impl Strategy<Value = KeyShare> {
    (any::<u16>(), bytes(70)).prop_map(|(group, key)| KeyShare { group, key })
}

fn numbers() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..12)
}

/// What a ClientHello and what any other message may hold.
fn extension(hello: bool) -> BoxedStrategy<Extension> {
    let psk = (bytes(300), any::<u32>(), bytes(48)).prop_map(|(identity, obfuscated_age, binder)| OfferedPsk {
        identity,
        obfuscated_age,
        binder,
    });
    let both = prop_oneof![
        prop::collection::vec(bytes(12), 0..4).prop_map(Extension::Alpn),
        numbers().prop_map(Extension::SupportedGroups),
        numbers().prop_map(Extension::SignatureAlgorithms),
        bytes(60).prop_map(Extension::SignedCertificateTimestamps),
        bytes(200).prop_map(Extension::SessionTicket),
        bytes(90).prop_map(Extension::QuicTransportParameters),
        (0_u16..300).prop_map(Extension::Padding),
        bytes(20).prop_map(|content| Extension::Other(0x2a2a, content)),
        Just(Extension::EcPointFormats),
        Just(Extension::ExtendedMasterSecret),
        Just(Extension::StatusRequest),
        Just(Extension::EarlyData),
        Just(Extension::RenegotiationInfo),
        Just(Extension::ServerName(None)),
    ];
    if hello {
        prop_oneof![
            both,
            "[a-z]{1,20}\\.example".prop_map(|name| Extension::ServerName(Some(name))),
            prop::collection::vec(psk, 0..3).prop_map(Extension::PreSharedKeys),
            numbers().prop_map(Extension::SupportedVersions),
            prop::collection::vec(any::<u8>(), 0..3).prop_map(Extension::PskKeyExchangeModes),
            prop::collection::vec(share(), 0..3).prop_map(Extension::KeyShares),
        ]
        .boxed()
    } else {
        prop_oneof![
            both,
            any::<u16>().prop_map(Extension::SelectedPsk),
            Just(Extension::SelectedVersion(Version::Tls13)),
            share().prop_map(Extension::SelectedShare),
        ]
        .boxed()
    }
}

fn extensions(hello: bool) -> impl Strategy<Value = Vec<Extension>> {
    prop::collection::vec(extension(hello), 0..6)
}

fn message() -> impl Strategy<Value = (Version, Handshake)> {
    let client = (any::<[u8; 32]>(), bytes(32), numbers(), extensions(true)).prop_map(
        |(random, session_id, cipher_suites, extensions)| {
            Handshake::ClientHello(ClientHello { random, session_id, cipher_suites, extensions })
        },
    );
    let server = (any::<[u8; 32]>(), bytes(32), any::<u16>(), extensions(false)).prop_map(
        |(random, session_id, cipher_suite, extensions)| {
            Handshake::ServerHello(ServerHello { random, session_id, cipher_suite, extensions })
        },
    );
    let ticket = (any::<u32>(), any::<u32>(), bytes(8), bytes(250), any::<Option<u32>>()).prop_map(
        |(lifetime, age_add, nonce, ticket, early)| {
            let extensions = early.map(Extension::MaxEarlyData).into_iter().collect();
            Handshake::NewSessionTicket(NewSessionTicket { lifetime, age_add, nonce, ticket, extensions })
        },
    );
    let entry = (bytes(400), extensions(false)).prop_map(|(der, extensions)| CertificateEntry { der, extensions });
    let exchange = (any::<u16>(), bytes(65), any::<u16>(), bytes(256))
        .prop_map(|(group, key, scheme, signature)| ServerKeyExchange { group, key, scheme, signature });
    let new = prop_oneof![
        client,
        server,
        ticket,
        Just(Handshake::EndOfEarlyData),
        extensions(false).prop_map(Handshake::EncryptedExtensions),
        prop::collection::vec(entry, 0..4).prop_map(Handshake::Certificate),
        (any::<u16>(), bytes(256)).prop_map(|(scheme, signature)| Handshake::CertificateVerify { scheme, signature }),
        bytes(48).prop_map(Handshake::Finished),
    ];
    let old = prop_oneof![
        (any::<u32>(), bytes(250)).prop_map(|(lifetime, ticket)| Handshake::SessionTicket { lifetime, ticket }),
        prop::collection::vec(bytes(400), 0..4).prop_map(Handshake::CertificateList),
        exchange.prop_map(Handshake::ServerKeyExchange),
        Just(Handshake::ServerHelloDone),
        bytes(65).prop_map(Handshake::ClientKeyExchange),
        bytes(12).prop_map(Handshake::Finished),
    ];
    prop_oneof![new.prop_map(|message| (Version::Tls13, message)), old.prop_map(|message| (Version::Tls12, message))]
}

proptest! {
    #[test]
    fn a_message_comes_back_from_its_bytes((version, message) in message(), behind in bytes(10)) {
        let mut wire = message.encode();
        wire.extend_from_slice(&behind);
        let mut wire = Bytes::from(wire);
        prop_assert_eq!(Handshake::decode(&mut wire, version), Ok(Some(message)));
        prop_assert_eq!(wire, behind);
    }

    #[test]
    fn a_message_that_is_not_whole_is_waited_for((version, message) in message(), cut in any::<prop::sample::Index>()) {
        let wire = message.encode();
        let mut part = Bytes::copy_from_slice(&wire[..cut.index(wire.len())]);
        let len = part.len();
        prop_assert_eq!(Handshake::decode(&mut part, version), Ok(None));
        prop_assert_eq!(part.len(), len);
    }

    #[test]
    fn hostile_bytes_are_an_error_and_no_panic((version, message) in message(), at in any::<prop::sample::Index>(), with: u8) {
        let mut wire = message.encode();
        let at = at.index(wire.len());
        wire[at] = with;
        let _ = Handshake::decode(&mut wire.into(), version);
    }

    #[test]
    fn record_headers_come_back(code in 20_u8..=23, len in 0_u16..=16_640) {
        let record = Record { content: ContentType::from_code(code).unwrap(), version: 0x0303, len };
        prop_assert_eq!(Record::decode(record.encode()), Ok(record));
    }

    #[test]
    fn alerts_come_back(fatal: bool, code: u8) {
        let alert = Alert { fatal, description: Description::from_code(code) };
        prop_assert_eq!(alert.description.code(), code);
        prop_assert_eq!(Alert::decode(Bytes::copy_from_slice(&alert.encode())), Ok(alert));
    }

    #[test]
    fn a_certificate_has_the_size_asked_for(size in SMALLEST_CERTIFICATE..5_000) {
        prop_assert_eq!(certificate("www.shop.example", "Filler Issuing CA", size).len(), size);
    }
}

/// What is no TLS shows in its first bytes.
#[test]
fn plain_http_is_no_record() {
    assert_eq!(Record::decode(*b"GET /"), Err(DecodeError::ContentType(b'G')));
    assert_eq!(Record::decode([22, 3, 3, 0x48, 0x01]), Err(DecodeError::RecordLength(0x4801)));
    assert!(Record::decode([22, 3, 3, 0x48, 0x00]).is_ok());
    assert_eq!(Record::decode([22, 2, 0, 0, 1]), Err(DecodeError::Version(0x0200)));
}

#[test]
fn a_chain_is_as_long_as_asked_for() {
    let sizes = |total| chain("shop.example", total).iter().map(Bytes::len).collect::<Vec<_>>();
    assert_eq!(sizes(3_000), [1_500, 1_500]);
    assert_eq!(sizes(4_001), [1_335, 1_333, 1_333]);
    assert_eq!(sizes(0), [SMALLEST_CERTIFICATE, SMALLEST_CERTIFICATE]);
    assert_eq!(sizes(12_345).iter().sum::<usize>(), 12_345);
}

/// What browsers and servers put on the wire: a hello of 1.3 without a ticket is 230 to 300 bytes, with one up to 520; the
/// server's first flight is its chain and less than 300 bytes around it.
#[test]
fn messages_have_the_sizes_of_the_world_outside() {
    let alpn = [Bytes::from_static(b"h2"), Bytes::from_static(b"http/1.1")];
    let offer = || typical::Offer {
        random: [7; 32],
        versions: &[Version::Tls13, Version::Tls12],
        server_name: Some("www.shop.example"),
        alpn: &alpn,
        ..typical::Offer::default()
    };
    let len = |message: Handshake| message.encode().len();
    let hello = typical::client_hello(offer());
    assert_eq!(hello.server_name(), Some("www.shop.example"));
    assert!(hello.speaks(Version::Tls13) && hello.speaks(Version::Tls12));
    let full = len(Handshake::ClientHello(hello));
    assert!((230..=300).contains(&full), "{full}");
    let identity = Bytes::from(vec![0; 192]);
    let psk = Some(OfferedPsk { identity, obfuscated_age: 1, binder: Bytes::from(vec![0; typical::HASH_LEN]) });
    let resumed =
        len(Handshake::ClientHello(typical::client_hello(typical::Offer { psk, early_data: true, ..offer() })));
    assert!((450..=520).contains(&resumed), "{resumed}");
    assert_eq!(len(Handshake::ServerHello(typical::server_hello_13([7; 32], vec![0; 32].into(), false))), 122);
    let chain = chain("www.shop.example", 3_000);
    let around: usize = [
        typical::encrypted_extensions(true, Some(alpn[0].clone()), false, None),
        typical::certificate_message(&chain, Version::Tls13),
        typical::certificate_verify(&[7; 32]),
        typical::finished(Version::Tls13, 1),
    ]
    .into_iter()
    .map(len)
    .sum();
    assert!((3_120..=3_300).contains(&around), "{around}");
}
