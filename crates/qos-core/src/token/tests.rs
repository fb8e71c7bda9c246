use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_795_600_000;

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(text.as_bytes())).collect()
}

fn keys(purpose: Purpose) -> Keys {
    Keys::derive(purpose, b"MODQOS", &secrets(&["a secret of thirty-two characters"]))
}

fn nonce(n: u8) -> [u8; NONCE_BYTES] {
    [n; NONCE_BYTES]
}

#[test]
fn what_was_sealed_comes_back_until_its_last_second() {
    let keys = keys(Purpose::Session);
    let token = keys.seal(&nonce(1), NOW, 600, b"", b"").unwrap();
    let opened = Opened { issued: NOW, data: Vec::new(), open: Vec::new(), current: true };
    for now in [NOW, NOW + 600, NOW - 60] {
        assert_eq!(keys.open(token.as_bytes(), now, None), Ok(opened.clone()), "{now}");
    }
    assert_eq!(keys.open(token.as_bytes(), NOW + 601, None), Err(Refused::Expired));
    // The clock of the server that made it is ahead by more than a minute.
    assert_eq!(keys.open(token.as_bytes(), NOW - 61, None), Err(Refused::Unusable));
    assert_eq!(token.len(), 78);
}

#[test]
fn no_other_purpose_context_or_secret_reads_a_token() {
    let all = [Purpose::Session, Purpose::Milestone, Purpose::Tracking, Purpose::Check];
    for made in all {
        let token = keys(made).seal(&nonce(2), NOW, 600, b"data", b"").unwrap();
        for read in all {
            assert_eq!(keys(read).open(token.as_bytes(), NOW, None).is_ok(), made == read, "{made:?} as {read:?}");
        }
        let other = Keys::derive(made, b"other", &secrets(&["a secret of thirty-two characters"]));
        assert_eq!(other.open(token.as_bytes(), NOW, None), Err(Refused::Unusable));
        let foreign = Keys::derive(made, b"MODQOS", &secrets(&["another secret of that many chars."]));
        assert_eq!(foreign.open(token.as_bytes(), NOW, None), Err(Refused::Unusable));
    }
}

/// Should two purposes ever share a key, the purpose inside tells them apart.
#[test]
fn the_purpose_stands_in_the_token_too() {
    let session = keys(Purpose::Session);
    let forged = Keys { purpose: Purpose::Milestone, ..session.clone() };
    let token = forged.seal(&nonce(3), NOW, 600, b"", b"").unwrap();
    assert_eq!(session.open(token.as_bytes(), NOW, None), Err(Refused::Unusable));
}

#[test]
fn secrets_rotate_the_first_signs_and_all_verify() {
    let [old, both, new] = [&["old"][..], &["new", "old"], &["new"]].map(|texts| Keys::derive(Purpose::Session, b"MODQOS", &secrets(texts)));
    let of_old = old.seal(&nonce(4), NOW, 600, b"", b"").unwrap();
    let of_both = both.seal(&nonce(5), NOW, 600, b"", b"").unwrap();
    assert!(both.open(of_old.as_bytes(), NOW, None).is_ok() && new.open(of_both.as_bytes(), NOW, None).is_ok());
    assert!(!both.open(of_old.as_bytes(), NOW, None).unwrap().current && both.open(of_both.as_bytes(), NOW, None).unwrap().current);
    assert!(old.open(of_both.as_bytes(), NOW, None).is_err() && new.open(of_old.as_bytes(), NOW, None).is_err());
    assert_eq!(Keys::derive(Purpose::Session, b"MODQOS", &[]).seal(&nonce(6), NOW, 600, b"", b""), None);
}

#[test]
fn every_altered_bit_and_every_cut_is_noticed() {
    let keys = keys(Purpose::Milestone);
    let token = keys.seal(&nonce(7), NOW, 600, &9_u32.to_be_bytes(), b"").unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(keys.open(URL_SAFE_NO_PAD.encode(altered).as_bytes(), NOW, None), Err(Refused::Unusable), "bit {bit}");
    }
    for length in 0..token.len() {
        assert_eq!(keys.open(&token.as_bytes()[..length], NOW, None), Err(Refused::Unusable), "{length} characters");
    }
    for garbage in [b"A".repeat(8192), b"\xff".repeat(8192), [token.as_bytes(), b"A"].concat(), [token.as_bytes(), b"="].concat(), vec![b'A'; 1 << 20]] {
        assert_eq!(keys.open(&garbage, NOW, None), Err(Refused::Unusable));
    }
}

#[test]
fn what_stands_in_the_open_is_authenticated_and_not_encrypted() {
    let keys = keys(Purpose::Check);
    let token = keys.seal(&nonce(8), NOW, 600, b"", b"/a?b=1").unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    assert!(bytes.ends_with(b"/a?b=1"));
    assert_eq!(keys.open(token.as_bytes(), NOW, Some(0)).map(|opened| opened.open), Ok(b"/a?b=1".to_vec()));
    let mut altered = bytes.clone();
    *altered.last_mut().unwrap() = b'2';
    assert_eq!(keys.open(URL_SAFE_NO_PAD.encode(altered).as_bytes(), NOW, Some(0)), Err(Refused::Unusable));
    // Neither may text move from the open into the data.
    assert_eq!(keys.open(token.as_bytes(), NOW, None), Err(Refused::Unusable));
    assert_eq!(keys.seal(&nonce(9), NOW, 600, b"", &[b'/'; MOST_OPEN + 1]), None);
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?} {:?}", secrets(&["hidden"]), keys(Purpose::Check)), "[Secret] Keys(Check, 1)");
}

proptest! {
    #[test]
    fn any_data_comes_back_and_no_garbage_is_taken(data in proptest::collection::vec(any::<u8>(), 0..200), garbage in "[A-Za-z0-9_-]{0,200}", seed: [u8; NONCE_BYTES]) {
        let keys = keys(Purpose::Tracking);
        let token = keys.seal(&seed, NOW, 5, &data, b"").unwrap();
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        prop_assert_eq!(keys.open(token.as_bytes(), NOW + 5, None).map(|opened| opened.data), Ok(data));
        prop_assert_eq!(keys.open(garbage.as_bytes(), NOW, None), Err(Refused::Unusable));
    }
}
