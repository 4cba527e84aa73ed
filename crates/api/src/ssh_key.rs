//! Private SSH keys in OpenSSH's form. Nothing of a key but its public half is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";

/// What every such key begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The public half of a private key, as a host's `authorized_keys` has it.
///
/// # Errors
/// Why it cannot be used, in words.
pub(crate) fn public_half(private: &str) -> Result<String, String> {
    let wrong = || "it is no private SSH key in OpenSSH's form".to_owned();
    let text = private.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let text: String = text.ok_or_else(wrong)?.split_whitespace().collect();
    let bytes = BASE64.decode(text).map_err(|_| wrong())?;
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(wrong)?;
    let cipher = take(&mut rest).ok_or_else(wrong)?;
    if cipher != b"none" {
        return Err("the private SSH key is protected by a passphrase; take one without".to_owned());
    }
    // How the passphrase would be used, and the number of keys.
    let public = (|| {
        take(&mut rest)?;
        take(&mut rest)?;
        rest = rest.get(4..)?;
        take(&mut rest)
    })();
    let public = public.ok_or_else(wrong)?;
    let mut inner = public;
    let kind = take(&mut inner).and_then(|kind| std::str::from_utf8(kind).ok());
    Ok(format!("{} {}", kind.ok_or_else(wrong)?, BASE64.encode(public)))
}

/// The next text, after its length.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *bytes = rest;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cipher: &str) -> String {
        let text = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
        let public = [text(b"ssh-ed25519"), text(b"thirty-two bytes of a public key")].concat();
        let parts = [
            MAGIC.to_vec(),
            text(cipher.as_bytes()),
            text(b"none"),
            text(b""),
            1_u32.to_be_bytes().to_vec(),
            text(&public),
            text(b"what is private"),
        ];
        format!("{BEGIN}\n{}\n{END}\n", BASE64.encode(parts.concat()))
    }

    #[test]
    fn the_public_half_is_what_a_host_wants() {
        let public = public_half(&key("none")).expect("a key");
        assert!(public.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{public}");
        assert!(public_half(&key("aes256-ctr")).is_err_and(|words| words.contains("passphrase")));
        for other in ["", "PRIVATE KEY", &key("none")[..60]] {
            assert!(public_half(other).is_err(), "{other}");
        }
    }
}
