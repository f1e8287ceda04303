//! The object id of a person in Entra ID: the name by which Graph knows him.

use std::{fmt, str::FromStr};

/// `66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911`, read without regard to case and written in small letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(u128);

/// It has not the shape of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no object id: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12")]
pub struct NoObjectId;

/// Lengths of the groups between the hyphens.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

impl From<u128> for ObjectId {
    fn from(number: u128) -> ObjectId {
        ObjectId(number)
    }
}

impl FromStr for ObjectId {
    type Err = NoObjectId;

    fn from_str(text: &str) -> Result<ObjectId, NoObjectId> {
        let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
        let groups: Vec<&str> = text.splitn(GROUPS.len() + 1, '-').collect();
        let fits =
            groups.iter().map(|group| group.len()).eq(GROUPS) && groups.iter().all(|group| is_hex(group));
        let digits = fits.then(|| groups.concat()).ok_or(NoObjectId)?;
        u128::from_str_radix(&digits, 16).map(ObjectId).map_err(|_| NoObjectId)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_either_case_and_nothing_else_is_one() {
        let text = "66AD2f10-5a3d-4f4a-8d8f-3b7f0c1e9911";
        assert_eq!(text.parse::<ObjectId>().unwrap().to_string(), text.to_lowercase());
        for wrong in [
            "",
            "anna@example.com",
            "66ad2f105a3d4f4a8d8f3b7f0c1e9911",
            "{66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911}",
            "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e991",
            "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e991g",
            "+6ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911",
            "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e-991",
        ] {
            assert_eq!(wrong.parse::<ObjectId>(), Err(NoObjectId), "{wrong}");
        }
    }
}
