//! Whom to trust: the system's store, or the certificates that variables name.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::HttpError;
use crate::host::Host;

/// The TLS side of every connection.
pub(super) fn client_config(host: &Host) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Client { source: Arc::new(error) })?
        .with_root_certificates(roots(host)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` stand in the system store's place, as OpenSSL has them; `REQUESTS_CA_BUNDLE` and
/// `PIP_CERT` add to it.
fn roots(host: &Host) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    let instead = [("SSL_CERT_FILE", false), ("SSL_CERT_DIR", true)];
    if instead.iter().any(|(name, _)| host.variable(name).is_some()) {
        for (variable, list) in instead {
            add_named(&mut roots, host, variable, list)?;
        }
        return Ok(roots);
    }
    for variable in ["REQUESTS_CA_BUNDLE", "PIP_CERT"] {
        add_named(&mut roots, host, variable, false)?;
    }
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        let reason = system.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(HttpError::NoCertificates { reason });
    }
    Ok(roots)
}

/// Adds the certificates of the file or folder that a variable names; a list of folders where it may be one.
fn add_named(roots: &mut RootCertStore, host: &Host, variable: &'static str, list: bool) -> Result<(), HttpError> {
    let Some(value) = host.variable(variable) else { return Ok(()) };
    let paths = if list { std::env::split_paths(value).collect() } else { vec![value.into()] };
    for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
        let path = host.absolute(path);
        add(roots, &path).map_err(|reason| HttpError::CertificateFile { variable, path, reason })?;
    }
    Ok(())
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let folder = fs_err::metadata(path).map_err(|error| error.kind().to_string())?.is_dir();
    let found = if folder {
        rustls_native_certs::load_certs_from_paths(None, Some(path))
    } else {
        rustls_native_certs::load_certs_from_paths(Some(path), None)
    };
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        Some(error) if added == 0 => Err(error.to_string()),
        // An empty folder is what OpenSSL takes it for; an empty file is a mistake.
        None if added == 0 && !folder => {
            Err(if ignored == 0 { "no PEM certificate is in it" } else { "its certificates do not parse" }.to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate authority, made for this test; its key is gone.
    const AUTHORITY: &str = include_str!("tls_test_authority.pem");

    fn roots_with(variables: &[(&str, &str)]) -> Result<RootCertStore, HttpError> {
        roots(&Host::with(Path::new("/"), Path::new("/"), variables))
    }

    #[test]
    fn a_named_file_stands_in_the_system_stores_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.pem");
        fs_err::write(&file, AUTHORITY).unwrap();
        let (file, folder) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
        assert_eq!(roots_with(&[("SSL_CERT_FILE", file)]).unwrap().len(), 1);
        assert_eq!(roots_with(&[("SSL_CERT_DIR", folder), ("PIP_CERT", "/none")]).unwrap().len(), 1);
        assert!(!roots_with(&[("REQUESTS_CA_BUNDLE", file)]).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        fs_err::write(&empty, "no certificate\n").unwrap();
        for (variable, path) in [
            ("SSL_CERT_FILE", "/none/ca.pem"),
            ("PIP_CERT", "/none/ca.pem"),
            ("SSL_CERT_FILE", empty.to_str().unwrap()),
        ] {
            let message = roots_with(&[(variable, path)]).unwrap_err().to_string();
            assert!(message.contains(variable) && message.contains(path), "{message}");
        }
    }
}
