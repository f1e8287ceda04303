//! G.711: A-law and µ-law (ITU-T G.711, 11/88), and the conversion between them.
//!
//! Linear samples are 16 bits, full scale: A-law's 13 bits shifted left by 3, µ-law's 14 bits by 2.

/// A-law byte to linear sample.
pub const A_TO_LINEAR: [i16; 256] = decoder(true);
/// µ-law byte to linear sample.
pub const MU_TO_LINEAR: [i16; 256] = decoder(false);
/// A-law byte to µ-law byte (G.711 table 4).
pub const A_TO_MU: [u8; 256] = converter(true);
/// µ-law byte to A-law byte (G.711 table 3).
pub const MU_TO_A: [u8; 256] = converter(false);

/// A-law is sent with every even bit inverted, sign bit set for positive values.
const A_TOGGLE: u8 = 0x55;
/// What µ-law adds to a 14-bit magnitude so that all segments start at a power of two.
const MU_BIAS: u16 = 33;
/// The largest biased 13-bit magnitude µ-law can tell apart.
const MU_CLIP: u16 = 0x1FFF;

/// Linear sample to A-law byte.
#[must_use]
pub const fn encode_a(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    (sign | a_code(magnitude(sample) >> 4)) ^ A_TOGGLE
}

/// Linear sample to µ-law byte.
#[must_use]
pub const fn encode_mu(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0 } else { 0x80 };
    !(sign | mu_code(magnitude(sample) >> 2))
}

/// One's complement, as the standard's decision values ask: -1 and 0 share the innermost interval.
const fn magnitude(sample: i16) -> u16 {
    if sample >= 0 { sample as u16 } else { !sample as u16 }
}

/// Segment and step of an 11-bit magnitude.
const fn a_code(magnitude: u16) -> u8 {
    if magnitude < 32 {
        return magnitude as u8;
    }
    let shift = 11 - magnitude.leading_zeros(); // 32..64 is segment 2 and has steps of 2; below it steps are 1
    ((shift as u8 + 1) << 4) | (((magnitude >> shift) & 0x0F) as u8)
}

/// Segment and step of a 13-bit magnitude.
const fn mu_code(magnitude: u16) -> u8 {
    let biased = magnitude + MU_BIAS;
    let biased = if biased > MU_CLIP { MU_CLIP } else { biased };
    let segment = 10 - biased.leading_zeros();
    ((segment as u8) << 4) | (((biased >> (segment + 1)) & 0x0F) as u8)
}

/// The middle of an A-law interval.
const fn decode_a(byte: u8) -> i16 {
    let code = byte ^ A_TOGGLE;
    let (segment, step) = ((code >> 4) & 0x07, (code & 0x0F) as i16);
    let middle = (step << 4) + 8;
    let level = if segment == 0 { middle } else { (middle + 0x100) << (segment - 1) };
    if code & 0x80 != 0 { level } else { -level }
}

/// The middle of a µ-law interval.
const fn decode_mu(byte: u8) -> i16 {
    let code = !byte;
    let (segment, step) = ((code >> 4) & 0x07, (code & 0x0F) as i16);
    let level = (((step << 1) + 33) << segment) - 33;
    if code & 0x80 == 0 { level << 2 } else { -(level << 2) }
}

const fn decoder(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if a_law { decode_a(byte as u8) } else { decode_mu(byte as u8) };
        byte += 1;
    }
    table
}

/// Converts the positive half and mirrors it: the standard's tables treat both signs alike, one's complement does not.
const fn converter(from_a: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let positive = byte as u8 | 0x80; // both laws send a positive value with the top bit set
        let converted = if from_a { encode_mu(decode_a(positive)) } else { encode_a(decode_mu(positive)) };
        table[byte] = (converted & 0x7F) | (byte as u8 & 0x80);
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 tables 1a and 2a: the value at the decoder output of the last step of each segment, in the law's own units.
    const A_SEGMENT_ENDS: [i16; 8] = [31, 63, 126, 252, 504, 1_008, 2_016, 4_032];
    const MU_SEGMENT_ENDS: [i16; 8] = [30, 93, 219, 471, 975, 1_983, 3_999, 8_031];

    #[test]
    fn every_segment_ends_at_the_value_of_the_standard() {
        for segment in 0..8u8 {
            let last = segment << 4 | 0x0F;
            assert_eq!(
                A_TO_LINEAR[usize::from((last | 0x80) ^ 0x55)],
                A_SEGMENT_ENDS[usize::from(segment)] * 8
            );
            assert_eq!(A_TO_LINEAR[usize::from(last ^ 0x55)], -A_SEGMENT_ENDS[usize::from(segment)] * 8);
            assert_eq!(MU_TO_LINEAR[usize::from(!last)], MU_SEGMENT_ENDS[usize::from(segment)] * 4);
            assert_eq!(MU_TO_LINEAR[usize::from(!(last | 0x80))], -MU_SEGMENT_ENDS[usize::from(segment)] * 4);
        }
    }

    #[test]
    fn the_digital_milliwatt_is_the_one_of_the_standard() {
        // G.711 tables 5 and 6: the eight bytes of a 1 kHz sine at 0 dBm0.
        let a = [0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4];
        let mu = [0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E];
        for (bytes, table, encode) in
            [(a, &A_TO_LINEAR, encode_a as fn(i16) -> u8), (mu, &MU_TO_LINEAR, encode_mu as fn(i16) -> u8)]
        {
            let linear = bytes.map(|byte: u8| i32::from(table[usize::from(byte)]));
            assert_eq!(linear.iter().sum::<i32>(), 0, "the two half waves are alike");
            assert_eq!(linear.map(|sample| encode(sample as i16)), bytes);
            // A sine of 1 kHz at 8 kHz, samples at 22.5°, 67.5°…: their ratio is tan 67.5° = 2.414.
            let ratio = f64::from(linear[1]) / f64::from(linear[0]);
            assert!((ratio - 2.414).abs() < 0.1, "{ratio}");
        }
    }

    #[test]
    fn each_byte_survives_a_round_trip() {
        for byte in 0..=255u8 {
            assert_eq!(encode_a(A_TO_LINEAR[usize::from(byte)]), byte);
            // µ-law has two zeros; the negative one is never sent by an encoder.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(encode_mu(MU_TO_LINEAR[usize::from(byte)]), expected);
        }
    }

    #[test]
    fn each_sample_lies_within_half_a_step_of_the_value_it_is_sent_as() {
        for sample in i16::MIN..=i16::MAX {
            for (table, byte, toggle, step) in
                [(&A_TO_LINEAR, encode_a(sample), 0x55, 16), (&MU_TO_LINEAR, encode_mu(sample), 0xFF, 8)]
            {
                let segment = ((byte ^ toggle) >> 4) & 0x07;
                let doublings = if toggle == 0x55 { segment.saturating_sub(1) } else { segment };
                let half_step = (step << doublings) / 2;
                let value = i32::from(table[usize::from(byte)]);
                let sample = i32::from(sample).clamp(-32_636, 32_635); // beyond it µ-law clips
                assert!(
                    (value - sample).abs() <= half_step,
                    "{sample} became {value}, half a step is {half_step}"
                );
            }
        }
    }

    #[test]
    fn conversion_starts_as_the_tables_of_the_standard_do() {
        // G.711 table 3, decoder value numbers of µ-law 0 to 19 and the A-law numbers they become (from 1).
        let expected = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 10, 11, 12];
        for (number, a_number) in expected.into_iter().enumerate() {
            let mu = !(number as u8);
            assert_eq!((MU_TO_A[usize::from(mu)] ^ 0xD5) + 1, a_number, "µ-law value {number}");
        }
    }

    #[test]
    fn conversion_treats_both_signs_alike_and_keeps_them() {
        for byte in 0..128usize {
            assert_eq!(A_TO_MU[byte] ^ 0x80, A_TO_MU[byte | 0x80]);
            assert_eq!(MU_TO_A[byte] ^ 0x80, MU_TO_A[byte | 0x80]);
        }
    }

    #[test]
    fn a_second_conversion_there_and_back_changes_nothing_more() {
        for byte in 0..=255usize {
            let once = MU_TO_A[usize::from(A_TO_MU[byte])];
            let twice = MU_TO_A[usize::from(A_TO_MU[usize::from(once)])];
            assert_eq!(once, twice, "loss must not grow with each pass");
        }
    }
}
