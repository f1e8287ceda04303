//! The reference page says what the code says.

use std::path::Path;

use router::config::reference;

#[test]
fn the_reference_page_is_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, reference()).expect("the page can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == reference(), "write it anew: BLESS=1 cargo test -p router --test config_reference");
}

#[test]
fn every_key_is_explained() {
    for line in reference().lines().filter(|line| line.starts_with("- **`")) {
        let meaning = line.split_once("**: ").map_or("", |(_, meaning)| meaning);
        assert!(meaning.len() > 5 && meaning.ends_with('.'), "{line}");
    }
}
