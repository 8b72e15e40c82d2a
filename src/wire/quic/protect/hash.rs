//! SHA-256 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869) in the form that TLS 1.3 uses (RFC 8446 7.1).
//!
//! For captures only.

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the first eight.
const ROUNDS: [u32; 64] = fractions::<64>(true);
const START: [u32; 8] = fractions::<8>(false);

/// Fractional parts of roots of the first `N` primes, found by bisection over integers.
const fn fractions<const N: usize>(cube: bool) -> [u32; N] {
    let mut found = [0; N];
    let (mut count, mut candidate) = (0, 2u128);
    while count < N {
        let mut divisor = 2;
        let mut prime = true;
        while divisor * divisor <= candidate {
            if candidate % divisor == 0 {
                prime = false;
            }
            divisor += 1;
        }
        if prime {
            // The largest x with x^k <= p 2^(32k): 32 bits behind the point.
            let target = candidate << if cube { 96 } else { 64 };
            let (mut low, mut high) = (0u128, 1 << 40);
            while high - low > 1 {
                let middle = u128::midpoint(low, high);
                let power = if cube { middle * middle * middle } else { middle * middle };
                if power <= target {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            #[expect(clippy::cast_possible_truncation, reason = "the fraction is the low half")]
            let fraction = low as u32;
            found[count] = fraction;
            count += 1;
        }
        candidate += 1;
    }
    found
}

pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut state = START;
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 64];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for at in 16..64 {
            let (a, b) = (words[at - 15], words[at - 2]);
            let small = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
            let large = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
            words[at] = words[at - 16].wrapping_add(small).wrapping_add(words[at - 7]).wrapping_add(large);
        }
        // The variables a to h of the standard, in order.
        let mut v = state;
        for (word, constant) in words.into_iter().zip(ROUNDS) {
            let choice = v[4] & v[5] ^ !v[4] & v[6];
            let majority = v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2];
            let sum1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let sum0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let first = v[7].wrapping_add(sum1).wrapping_add(choice).wrapping_add(constant).wrapping_add(word);
            v.rotate_right(1);
            v[0] = first.wrapping_add(sum0).wrapping_add(majority);
            v[4] = v[4].wrapping_add(first);
        }
        state.iter_mut().zip(v).for_each(|(word, add)| *word = word.wrapping_add(add));
    }
    let mut out = [0; 32];
    out.chunks_exact_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_be_bytes()));
    out
}

/// HMAC with SHA-256; keys here are never longer than a block.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = sha256(&[&block.map(|byte| byte ^ 0x36)[..], message].concat());
    sha256(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

/// HKDF-Expand-Label with an empty context, for at most 32 bytes.
pub(super) fn expand_label<const N: usize>(secret: &[u8; 32], label: &str) -> [u8; N] {
    let label = format!("tls13 {label}");
    #[expect(clippy::cast_possible_truncation, reason = "keys and labels are short")]
    let head = [0, N as u8, label.len() as u8];
    let info = [&head[..], label.as_bytes(), &[0, 1]].concat();
    let block = hmac(secret, &info);
    std::array::from_fn(|at| block[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    #[test]
    fn the_examples_of_fips_180_and_rfc_4231() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(b"abc")), abc);
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&sha256(b"")), empty);
        let jefe = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac(b"Jefe", b"what do ya want for nothing?")), jefe);
    }
}
