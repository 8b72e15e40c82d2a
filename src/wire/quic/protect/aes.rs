//! AES-128 (FIPS 197), encryption only, and Galois/Counter Mode (NIST SP 800-38D) with 12-byte nonces.
//!
//! For captures only: nothing secret passes through here, so nothing is done against measuring its time.

/// An expanded key.
#[derive(Clone, Debug)]
pub(super) struct Aes128([[u8; 16]; 11]);

/// Twice `x` in the field of AES.
const fn double(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 == 0 { 0 } else { 0x1b }
}

/// The S-box: each element's inverse, put through an affine map. Walks through all powers of the generator 3 and of its inverse.
const SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let (mut p, mut q) = (1u8, 1u8);
    loop {
        p ^= double(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        q ^= if q & 0x80 == 0 { 0 } else { 0x09 };
        table[p as usize] = 0x63 ^ q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4);
        if p == 1 {
            break;
        }
    }
    table[0] = 0x63;
    table
};

impl Aes128 {
    pub(super) fn new(key: [u8; 16]) -> Self {
        let mut keys = [[0; 16]; 11];
        keys[0] = key;
        let mut constant = 1;
        for round in 1..11 {
            let before = keys[round - 1];
            let mut word = [before[13], before[14], before[15], before[12]].map(|byte| SBOX[usize::from(byte)]);
            word[0] ^= constant;
            constant = double(constant);
            for at in 0..16 {
                let left = if at < 4 { word[at] } else { keys[round][at - 4] };
                keys[round][at] = before[at] ^ left;
            }
        }
        Self(keys)
    }

    pub(super) fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut state = xor(block, self.0[0]);
        for (round, key) in self.0.iter().enumerate().skip(1) {
            // SubBytes and ShiftRows: row r of column c comes from column c + r.
            let mut next = [0; 16];
            for (at, byte) in next.iter_mut().enumerate() {
                *byte = SBOX[usize::from(state[(at + 4 * (at % 4)) % 16])];
            }
            if round < 10 {
                for column in next.chunks_exact_mut(4) {
                    let [a, b, c, d] = [column[0], column[1], column[2], column[3]];
                    let all = a ^ b ^ c ^ d;
                    let mix = |x: u8, y: u8| x ^ all ^ double(x ^ y);
                    column.copy_from_slice(&[mix(a, b), mix(b, c), mix(c, d), mix(d, a)]);
                }
            }
            state = xor(next, *key);
        }
        state
    }

    /// Encrypts `text` in place and returns the tag over it and `data`.
    pub(super) fn seal(&self, nonce: [u8; 12], data: &[u8], text: &mut [u8]) -> [u8; 16] {
        let counter = |count: u32| {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&nonce);
            block[12..].copy_from_slice(&count.to_be_bytes());
            self.encrypt(block)
        };
        for (chunk, count) in text.chunks_mut(16).zip(2..) {
            chunk.iter_mut().zip(counter(count)).for_each(|(byte, key)| *byte ^= key);
        }
        let key = u128::from_be_bytes(self.encrypt([0; 16]));
        let mut hash = 0;
        for chunk in data.chunks(16).chain(text.chunks(16)) {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            hash = multiply(hash ^ u128::from_be_bytes(block), key);
        }
        let lengths = (data.len() as u128 * 8) << 64 | (text.len() as u128 * 8);
        hash = multiply(hash ^ lengths, key);
        xor(hash.to_be_bytes(), counter(1))
    }
}

fn xor(mut a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    a.iter_mut().zip(b).for_each(|(x, y)| *x ^= y);
    a
}

/// The product in the field of GCM, whose bits count from the left.
fn multiply(a: u128, mut b: u128) -> u128 {
    let mut product = 0;
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = b >> 1 ^ if b & 1 == 0 { 0 } else { 0xe1 << 120 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_fips_197_appendix_c_1() {
        let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let block = std::array::from_fn(|at| u8::try_from(at * 0x11).unwrap());
        let sealed = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128;
        assert_eq!(Aes128::new(key).encrypt(block), sealed.to_be_bytes());
    }

    #[test]
    fn the_first_test_cases_of_the_gcm_specification() {
        let aes = Aes128::new([0; 16]);
        let tag = aes.seal([0; 12], b"", &mut []);
        assert_eq!(tag, 0x58e2_fcce_fa7e_3061_367f_1d57_a4e7_455a_u128.to_be_bytes());
        let mut text = [0; 16];
        let tag = aes.seal([0; 12], b"", &mut text);
        assert_eq!(text, 0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78_u128.to_be_bytes());
        assert_eq!(tag, 0xab6e_47d4_2cec_13bd_f53a_67b2_1257_bddf_u128.to_be_bytes());
    }
}
