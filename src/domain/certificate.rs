//! The certificate of this server, as people see it.

use super::Time;

/// Until when the certificate in use is valid, and what keeps the next one from taking its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    /// Until when it is valid.
    pub ends: Time,
    /// Why what its files hold now is not used; none where it is.
    pub problem: Option<String>,
}
