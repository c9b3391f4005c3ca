//! Client certificates: which are taken, and whom they speak for.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{
    AuthenticationMethod, DisablePrincipalRequest, LinkIdentityRequest, UnlinkIdentityRequest,
    WhoAmIRequest,
};
use slipway_tests::world::user;
use slipway_tests::{Backend, Client, Granted, Refused, Server};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::{all_end, me, who};
use crate::case::cases;

cases![
    a_certificate_speaks_for_whom_it_is_linked_to,
    certificates_that_nobody_linked_or_signed_are_refused,
    a_disabled_principal_is_out_with_its_certificate,
];

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of a client or of the server with these names, and its key.
    fn sign(&self, common: &str, names: Vec<SanType>) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.0).unwrap();
        (made.pem(), key.serialize_pem())
    }
}

fn dns(name: &str) -> Vec<SanType> {
    vec![SanType::DnsName(name.try_into().unwrap())]
}

/// A server that takes certificates of an authority.
struct Secured {
    server: Server,
    authority: Authority,
    admin: Client,
    _files: TempDir,
}

impl Secured {
    async fn new(backend: Backend) -> Self {
        let authority = Authority::new();
        let files = tempfile::tempdir().unwrap();
        let (certificate, key) = authority.sign("server", dns("localhost"));
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let settings = [
            (
                "SLIPWAY__SERVER__TLS__CERTIFICATE_FILE",
                write("certificate.pem", &certificate),
            ),
            ("SLIPWAY__SERVER__TLS__KEY_FILE", write("key.pem", &key)),
            (
                "SLIPWAY__SERVER__TLS__CLIENT_CA_FILE",
                write("clients.pem", &authority.pem()),
            ),
        ];
        let settings = settings
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let server = Server::start_with(backend, &settings).await;
        let channel = connect(&server, &authority, None).await.unwrap();
        let admin = Client::new(backend, channel, Some(&server.admin_token()));
        Self {
            server,
            authority,
            admin,
            _files: files,
        }
    }

    /// A caller with this certificate, and with a token or without.
    async fn caller(&self, shown: (String, String), token: Option<&str>) -> Client {
        let channel = connect(&self.server, &self.authority, Some(shown)).await;
        Client::new(self.server.backend, channel.unwrap(), token)
    }

    async fn link(&self, principal_id: &str, name: &str) {
        let request = LinkIdentityRequest {
            principal_id: principal_id.to_owned(),
            issuer: "certificate".to_owned(),
            subject: name.to_owned(),
            ..Default::default()
        };
        self.admin.identity().link_identity(request).await.granted();
    }
}

async fn connect(
    server: &Server,
    trusted: &Authority,
    shown: Option<(String, String)>,
) -> Result<Channel, tonic::transport::Error> {
    let address = server.address().replace("http://", "https://");
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(trusted.pem()))
        .domain_name("localhost");
    if let Some((certificate, key)) = shown {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    Endpoint::from_shared(address)?
        .tls_config(tls)?
        .connect()
        .await
}

async fn a_certificate_speaks_for_whom_it_is_linked_to(backend: Backend) {
    let secured = Secured::new(backend).await;
    let ada = user(&secured.admin, "Ada").await;
    for name in [
        "dns:ci.example.org",
        "cn:old machine",
        "uri:spiffe://example.org/ci",
        "email:ada@example.org",
    ] {
        secured.link(&ada.principal_id, name).await;
    }
    let uri = SanType::URI("spiffe://example.org/ci".try_into().unwrap());
    let email = SanType::Rfc822Name("Ada@Example.org".try_into().unwrap());
    for (common, names) in [
        ("whoever", dns("CI.example.org")),
        ("old machine", Vec::new()),
        ("whoever", vec![uri]),
        ("whoever", vec![email]),
        // Further names that nobody linked.
        (
            "whoever",
            [dns("x.example.org"), dns("ci.example.org")].concat(),
        ),
    ] {
        let caller = secured
            .caller(secured.authority.sign(common, names), None)
            .await;
        let found = who(&caller).await;
        assert_eq!(
            found.principal.as_ref().unwrap().principal_id,
            ada.principal_id
        );
        assert_eq!(
            found.authentication_method(),
            AuthenticationMethod::Certificate
        );
        assert_eq!(found.identity.unwrap().issuer, "certificate");
        assert!(found.expire_time.is_some() && found.token.is_none());
    }
    // A token says more clearly who calls.
    let shown = secured.authority.sign("x", dns("ci.example.org"));
    let both = secured
        .caller(shown, Some(&secured.server.admin_token()))
        .await;
    assert_ne!(me(&both).await.unwrap(), ada.principal_id);
}

async fn certificates_that_nobody_linked_or_signed_are_refused(backend: Backend) {
    let secured = Secured::new(backend).await;
    let (ada, bob) = (
        user(&secured.admin, "Ada").await,
        user(&secured.admin, "Bob").await,
    );
    secured.link(&ada.principal_id, "dns:a.example.org").await;
    secured.link(&bob.principal_id, "dns:b.example.org").await;
    let authority = &secured.authority;
    let unknown = ErrorReason::IdentityUnknown;
    for (common, names) in [
        ("x", dns("unknown.example.org")),
        // The common name does not count beside others.
        ("dns:a.example.org", dns("unknown.example.org")),
        ("a.example.org", Vec::new()),
        ("x", Vec::new()),
        // Two names of two people.
        ("x", [dns("a.example.org"), dns("b.example.org")].concat()),
    ] {
        let caller = secured.caller(authority.sign(common, names), None).await;
        let answer = caller.identity().who_am_i(WhoAmIRequest {}).await;
        answer.refused(Code::Unauthenticated, unknown);
    }
    // No certificate, and no token.
    let channel = connect(&secured.server, authority, None).await.unwrap();
    let nobody = Client::new(backend, channel, None);
    let answer = nobody.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unauthenticated, ErrorReason::TokenMissing);

    // Signed by another authority, or by itself: the connection ends before any call.
    let stranger = Authority::new();
    let shown = stranger.sign("a", dns("a.example.org"));
    assert!(is_cut_off(&secured, shown).await);
    let own = rcgen::generate_simple_self_signed(["a.example.org".to_owned()]).unwrap();
    let shown = (own.cert.pem(), own.signing_key.serialize_pem());
    assert!(is_cut_off(&secured, shown).await);

    let unlink = UnlinkIdentityRequest {
        issuer: "certificate".to_owned(),
        subject: "dns:a.example.org".to_owned(),
        ..Default::default()
    };
    let shown = authority.sign("a", dns("a.example.org"));
    let caller = secured.caller(shown, None).await;
    assert_eq!(me(&caller).await.unwrap(), ada.principal_id);
    let mut identity = secured.admin.identity();
    identity.unlink_identity(unlink).await.granted();
    all_end(&[(None, caller)], unknown).await;
}

/// Whether nothing can be asked with this certificate. The client hears of it with its first call, or before.
async fn is_cut_off(secured: &Secured, shown: (String, String)) -> bool {
    let token = secured.server.admin_token();
    match connect(&secured.server, &secured.authority, Some(shown)).await {
        Err(_) => true,
        Ok(channel) => {
            use slipway_api::identity::v1::identity_service_client::IdentityServiceClient;
            let mut request = tonic::Request::new(WhoAmIRequest {});
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
            IdentityServiceClient::new(channel)
                .who_am_i(request)
                .await
                .is_err()
        }
    }
}

async fn a_disabled_principal_is_out_with_its_certificate(backend: Backend) {
    let secured = Secured::new(backend).await;
    let ada = user(&secured.admin, "Ada").await;
    secured.link(&ada.principal_id, "dns:a.example.org").await;
    let shown = secured.authority.sign("a", dns("a.example.org"));
    let caller = secured.caller(shown, None).await;
    me(&caller).await.unwrap();
    let left = DisablePrincipalRequest {
        principal_id: ada.principal_id,
        reason: "left".to_owned(),
        ..Default::default()
    };
    let mut identity = secured.admin.identity();
    identity.disable_principal(left).await.granted();
    all_end(&[(None, caller)], ErrorReason::PrincipalDisabled).await;
}
