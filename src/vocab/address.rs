//! URLs, and who asks for what is there.

use url::Url;

/// A URL without the user name and password in it.
pub fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_credentials_goes() {
        let plain = |text: &str| without_credentials(&text.parse().unwrap()).to_string();
        assert_eq!(plain("https://me:secret@a.example/x?y#z"), "https://a.example/x?y#z");
        assert_eq!(plain("file:///folder/x"), "file:///folder/x");
    }
}
