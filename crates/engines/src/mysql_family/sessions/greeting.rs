//! The first two messages: what a server is, and who comes.

use super::packets::{Reader, with_length};

/// What both sides may do (MySQL's manual, "Capabilities Flags").
pub(super) const LONG_PASSWORD: u32 = 1;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
pub(super) const TLS: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRIBUTES: u32 = 1 << 20;
const LONG_PROOFS: u32 = 1 << 21;

/// What a session may do that is read here. Without compression and files of the client; rows end
/// with a packet of their own (no `DEPRECATE_EOF`); statements come alone (no `QUERY_ATTRIBUTES`).
const KNOWN: u32 = 0x00ff_ffff & !(1 << 5) & !(1 << 7);

/// Of the protocol's one version.
const VERSION: u8 = 10;

pub(super) const NONCE_BYTES: usize = 20;

/// What a server says first.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    version: Vec<u8>,
    capabilities: u32,
    charset: u8,
    status: u16,
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: Vec<u8>,
    /// The number that the server counts the connection by.
    pub(super) id: u32,
}

impl Greeting {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        if reader.byte()? != VERSION {
            return None;
        }
        let version = reader.until_zero()?.to_vec();
        let id = reader.word()?;
        let mut nonce = reader.bytes(8)?.to_vec();
        reader.bytes(1)?;
        let low = u32::from(reader.short()?);
        let charset = reader.byte()?;
        let status = reader.short()?;
        let high = u32::from(reader.short()?);
        let length = usize::from(reader.byte()?);
        reader.bytes(10)?;
        let rest = reader.bytes(length.saturating_sub(8).max(13))?;
        nonce.extend(rest.iter().take(NONCE_BYTES - 8));
        let plugin = reader.until_zero().unwrap_or(reader.0).to_vec();
        let capabilities = (low | high << 16) & KNOWN;
        Some(Self { version, capabilities, charset, status, nonce, plugin, id })
    }

    pub(super) fn is_mariadb(&self) -> bool {
        self.version.windows(7).any(|part| part == b"MariaDB")
    }

    /// What a client may do with it.
    pub(super) fn offered(&self) -> u32 {
        // With it a client knows that extensions of MariaDB's are not offered.
        self.capabilities | LONG_PASSWORD | TLS
    }

    /// The same said by us.
    pub(super) fn bytes(&self, id: u32, nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
        let capabilities = self.offered().to_le_bytes();
        [
            &[VERSION][..],
            &self.version,
            &[0],
            &id.to_le_bytes(),
            &nonce[..8],
            &[0],
            &capabilities[..2],
            &[self.charset],
            &self.status.to_le_bytes(),
            &capabilities[2..],
            &[NONCE_BYTES as u8 + 1],
            &[0; 10],
            &nonce[8..],
            &[0],
            &self.plugin,
            &[0],
        ]
        .concat()
    }
}

/// Who comes, and what it wants of its session.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) capabilities: u32,
    packet_bytes_max: u32,
    charset: u8,
    pub(super) user: Vec<u8>,
    database: Vec<u8>,
    /// What its program says of itself.
    attributes: Vec<u8>,
}

/// How a client began to show who it is.
pub(super) struct Proof {
    pub(super) plugin: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

impl Wish {
    /// That of a client of ours.
    pub(super) fn of(user: &str) -> Self {
        Self {
            capabilities: TRANSACTIONS,
            packet_bytes_max: 1 << 24,
            // utf8mb4_general_ci
            charset: 45,
            user: user.as_bytes().to_vec(),
            database: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// Reads an answer to a greeting that offered so much.
    pub(super) fn read(body: &[u8], offered: u32) -> Option<(Self, Proof)> {
        let mut reader = Reader(body);
        let capabilities = reader.word()? & offered;
        if capabilities & PROTOCOL_41 == 0 {
            return None;
        }
        let packet_bytes_max = reader.word()?;
        let charset = reader.byte()?;
        reader.bytes(23)?;
        let user = reader.until_zero()?.to_vec();
        let has = |flag| capabilities & flag != 0;
        let bytes = if has(LONG_PROOFS) {
            reader.text()?
        } else if has(SECURE_CONNECTION) {
            let length = reader.byte()?;
            reader.bytes(usize::from(length))?
        } else {
            reader.until_zero()?
        };
        let bytes = bytes.to_vec();
        let database = if has(CONNECT_WITH_DB) { reader.until_zero()? } else { &[] }.to_vec();
        // Its end may be that of the packet.
        let plugin = match has(PLUGIN_AUTH) {
            true if reader.0.is_empty() => Vec::new(),
            true => match reader.until_zero() {
                Some(plugin) => plugin.to_vec(),
                None => std::mem::take(&mut reader.0).to_vec(),
            },
            false => Vec::new(),
        };
        let attributes = if has(CONNECT_ATTRIBUTES) { reader.text() } else { None };
        let attributes = attributes.unwrap_or_default().to_vec();
        let wish = Self { capabilities, packet_bytes_max, charset, user, database, attributes };
        Some((wish, Proof { plugin, bytes }))
    }

    /// As it is said to a server, with a proof by that plugin.
    pub(super) fn bytes(&self, offered: u32, plugin: &[u8], proof: &[u8]) -> Vec<u8> {
        let flags = self.flags(offered);
        let mut rest = Vec::new();
        if flags & CONNECT_WITH_DB != 0 {
            rest.extend([&self.database[..], &[0]].concat());
        }
        rest.extend([plugin, &[0]].concat());
        if flags & CONNECT_ATTRIBUTES != 0 {
            rest.extend(with_length(&self.attributes));
        }
        let length = u8::try_from(proof.len()).unwrap_or(u8::MAX);
        [&self.head(flags)[..], &self.user, &[0, length], proof, &rest].concat()
    }

    /// Asks a server for TLS.
    pub(super) fn ask_tls(&self, offered: u32) -> Vec<u8> {
        self.head(self.flags(offered))
    }

    /// Both times the same: a server minds the first.
    fn flags(&self, offered: u32) -> u32 {
        let asked = self.capabilities & offered & !LONG_PROOFS & !CONNECT_WITH_DB;
        let database = if self.database.is_empty() { 0 } else { CONNECT_WITH_DB };
        let must = LONG_PASSWORD | PROTOCOL_41 | TLS | SECURE_CONNECTION | PLUGIN_AUTH;
        asked | database | must
    }

    fn head(&self, flags: u32) -> Vec<u8> {
        let (flags, most) = (flags.to_le_bytes(), self.packet_bytes_max.to_le_bytes());
        [&flags[..], &most, &[self.charset], &[0; 23]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            version: b"11.8.6-MariaDB-log".to_vec(),
            capabilities: KNOWN,
            charset: 45,
            status: 2,
            nonce: (1..=20).collect(),
            plugin: b"mysql_native_password".to_vec(),
            id: 7,
        }
    }

    #[test]
    fn a_greeting_is_said_and_read() {
        let nonce: [u8; 20] = std::array::from_fn(|at| at as u8 + 33);
        let read = Greeting::read(&greeting().bytes(9, &nonce)).expect("well formed");
        assert_eq!((read.id, &read.nonce[..]), (9, &nonce[..]));
        assert_eq!(read.plugin, b"mysql_native_password");
        assert!(read.is_mariadb());
        assert!(Greeting::read(b"\x0a11.8\0\x01").is_none());
    }

    #[test]
    fn a_wish_is_passed_on_with_another_proof() {
        let mut wish = Wish::of("app");
        wish.database = b"orders".to_vec();
        wish.capabilities |= CONNECT_ATTRIBUTES;
        wish.attributes = b"\x01a\x01b".to_vec();
        let offered = greeting().offered();
        let said = wish.bytes(offered, b"caching_sha2_password", &[9; 32]);
        let (read, proof) = Wish::read(&said, offered).expect("well formed");
        assert_eq!((read.user, read.database), (b"app".to_vec(), b"orders".to_vec()));
        assert_eq!(read.attributes, b"\x01a\x01b");
        assert_eq!(
            (&proof.plugin[..], &proof.bytes[..]),
            (&b"caching_sha2_password"[..], &[9; 32][..])
        );
        assert!(Wish::read(&said[..40], offered).is_none());
    }
}
