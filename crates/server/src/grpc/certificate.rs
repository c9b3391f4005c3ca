//! Client certificates: the transport has found them good; here they are read.

use http::Extensions;
use slipway_application::authentication::Certificate;
use slipway_kernel::Timestamp;
use tonic::transport::CertificateDer;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificate that the client of a connection has shown, if any.
pub(super) fn shown(extensions: &Extensions) -> Option<CertificateDer<'static>> {
    let connection = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
    // The certificate itself comes first, and then those of its authorities.
    connection.peer_certs()?.first().cloned()
}

/// What a certificate says about its bearer. Its alternative names count; the common name, which was once put there for
/// people, only where it has none of those.
pub(super) fn read(certificate: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let ends = certificate.validity().not_after.timestamp();
    let alternatives = certificate.subject_alternative_name().ok()?;
    let mut names: Vec<String> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(name)
        .collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().next();
        let common = common.and_then(|name| name.as_str().ok());
        names.extend(common.map(|name| format!("cn:{name}")));
    }
    // One that is too long to be linked belongs to nobody.
    let names = names.into_iter().filter_map(|name| name.parse().ok());
    Some(Certificate {
        names: names.collect(),
        expires_at: Timestamp::from_seconds_and_nanos(ends, 0).ok()?,
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) => Some(format!("uri:{uri}")),
        GeneralName::RFC822Name(email) => Some(format!("email:{}", email.to_lowercase())),
        GeneralName::DNSName(host) => Some(format!("dns:{}", host.to_lowercase())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn names(common: &str, alternatives: Vec<SanType>) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternatives;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = read(made.der()).unwrap();
        read.names.into_iter().map(String::from).collect()
    }

    #[test]
    fn alternative_names_count_and_the_common_name_only_without_them() {
        let alternatives = vec![
            SanType::URI("spiffe://example.org/ci".try_into().unwrap()),
            SanType::Rfc822Name("Ada@Example.org".try_into().unwrap()),
            SanType::DnsName("CI.example.org".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
        assert_eq!(
            names("ci", alternatives),
            [
                "uri:spiffe://example.org/ci",
                "email:ada@example.org",
                "dns:ci.example.org",
            ]
        );
        let address = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        assert_eq!(names("ci", address), ["cn:ci"]);
        assert_eq!(names("ci", Vec::new()), ["cn:ci"]);
        // One that can't be used is one all the same: nobody may have looked at the common name beside it.
        for unusable in ["x".repeat(252), "x\0y".to_owned()] {
            let alternatives = vec![SanType::DnsName(unusable.try_into().unwrap())];
            assert_eq!(names("ci", alternatives), [""; 0]);
        }
        assert_eq!(names(&"x".repeat(300), Vec::new()), [""; 0]);
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        assert_eq!(read(b""), None);
        assert_eq!(read(&[0x30; 64]), None);
    }
}
