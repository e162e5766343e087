//! Which fields of an alert say who did it or what it was done to, and how their values are read.
//!
//! A field in these lists is proof: policy may let a block run at once for it. So only fields are in
//! it that name who acted or what is acted on; one that merely mentions a name, such as a
//! destination or the owner of a file, is not. What each is read as is in `docs/alert-fields.md`.

/// How the value of a field is read; the address or account that it names, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertForm {
    /// One IPv4 or IPv6 address; IPv4 may be mapped into IPv6; with a port, a zone or brackets.
    Address,
    /// The name of an account as a Unix system has it, also with its number: `root(uid=0)`.
    Name,
    /// The same as Windows has it: case does not count, and a domain may stand before or after it.
    Windows,
    /// The same as a directory in the cloud has it: case does not count, and a realm may follow it.
    Cloud,
}

impl AlertForm {
    /// The forms of fields that name an address.
    pub const ADDRESSES: [(&'static str, Self); 1] = [("address", Self::Address)];
    /// The forms of fields that name an account.
    pub const ACCOUNTS: [(&'static str, Self); 3] =
        [("name", Self::Name), ("windows", Self::Windows), ("cloud", Self::Cloud)];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        let mut named = Self::ADDRESSES.iter().chain(&Self::ACCOUNTS);
        named.find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }
}

/// The fields that are looked at, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFields {
    /// Those that name an address.
    pub addresses: Vec<(String, AlertForm)>,
    /// Those that name an account.
    pub accounts: Vec<(String, AlertForm)>,
    /// Those of them that a stock decoder takes from the peer of a connection: what nobody else can
    /// write. Only for them does the policy that ships let something run without people.
    pub peer: Vec<String>,
}

impl AlertFields {
    /// Whether it is one of the fields of peers that ship.
    pub(super) fn ships_as_peer(field: &str) -> bool {
        PEER.contains(&field)
    }
}

/// Fields and their sources, all of them in wazuh/wazuh where nothing else is said.
const ADDRESSES: [&str; 25] = [
    // ruleset/decoders: sshd, PAM, web servers, mail, FortiGate, ASA, IOS, SonicWall and most others.
    "data.srcip",
    // Suricata through the JSON decoder (ruleset/rules/0475-suricata_rules.xml); Cisco ASA
    // (ruleset/decoders/0064-cisco-asa_decoders.xml).
    "data.src_ip",
    // ruleset/decoders/0040-auditd_decoders.xml.
    "data.audit.srcip",
    // ruleset/decoders/0051-checkpoint-smart1_decoders.xml.
    "data.src",
    // ruleset/decoders/0505-paloalto_decoders.xml.
    "data.source_address",
    // Windows events 4624, 4625, 4768 and others; Sysmon 3; the filtering platform, 5156.
    "data.win.eventdata.ipAddress",
    "data.win.eventdata.sourceIp",
    "data.win.eventdata.sourceAddress",
    // extensions/elasticsearch/7.x/wazuh-template.json.
    "data.osquery.columns.src_ip",
    // wodles/aws/buckets_s3: CloudTrail, VPC flow, load balancers, WAF, S3; CLB as address and port.
    "data.aws.sourceIPAddress",
    "data.aws.source_ip_address",
    "data.aws.srcaddr",
    "data.aws.client_ip",
    "data.aws.client_port",
    "data.aws.httpRequest.clientIp",
    "data.aws.remote_ip",
    // GuardDuty: who probed, and who called (ruleset/rules/0350-amazon_rules.xml). The other end of
    // a connection may be a victim: it is not in the list.
    "data.aws.service.action.portProbeAction.portProbeDetails.remoteIpDetails.ipAddressV4",
    "data.aws.service.action.awsApiCallAction.remoteIpDetails.ipAddressV4",
    // Google Cloud: audit, DNS, VPC (ruleset/rules/0690-gcp_rules.xml).
    "data.gcp.protoPayload.requestMetadata.callerIp",
    "data.gcp.jsonPayload.sourceIP",
    "data.gcp.jsonPayload.connection.src_ip",
    // Office 365: the template, and the schema of Microsoft's Management Activity API.
    "data.office365.ClientIP",
    "data.office365.ActorIpAddress",
    // Azure: activity and sign-in logs, which wodles/azure hands on as Microsoft names them.
    "data.callerIpAddress",
    "data.CallerIpAddress",
];

const ACCOUNTS: [(&str, AlertForm); 17] = [
    // ruleset/decoders: whose account it is (`user` in a decoder), and who acted. Also on macOS.
    ("data.dstuser", AlertForm::Name),
    ("data.srcuser", AlertForm::Name),
    // ruleset/decoders/0064-cisco-asa_decoders.xml.
    ("data.username", AlertForm::Name),
    // ruleset/decoders/0040-auditd_decoders.xml.
    ("data.audit.acct", AlertForm::Name),
    // Who changed a file, where the audit of the system says so (whodata): the template.
    ("syscheck.audit.login_user.name", AlertForm::Name),
    ("syscheck.audit.user.name", AlertForm::Name),
    // Windows events 4624, 4625, 4720, 4740 and others; Sysmon.
    ("data.win.eventdata.targetUserName", AlertForm::Windows),
    ("data.win.eventdata.subjectUserName", AlertForm::Windows),
    ("data.win.eventdata.user", AlertForm::Windows),
    // ruleset/decoders/0505-paloalto_decoders.xml: it names users with their domain.
    ("data.source_user", AlertForm::Windows),
    // The template.
    ("data.aws.userIdentity.userName", AlertForm::Name),
    ("data.github.actor", AlertForm::Name),
    ("data.office365.UserId", AlertForm::Cloud),
    // Google Cloud's audit log.
    ("data.gcp.protoPayload.authenticationInfo.principalEmail", AlertForm::Cloud),
    // Azure: sign-in and activity logs, as for addresses.
    ("data.userPrincipalName", AlertForm::Cloud),
    ("data.UserPrincipalName", AlertForm::Cloud),
    ("data.Caller", AlertForm::Cloud),
];

/// Neither what a JSON log may call so, nor what a cloud or another machine says of a connection.
const PEER: [&str; 5] = [
    "data.srcip",
    "data.audit.srcip",
    "data.win.eventdata.ipAddress",
    "data.win.eventdata.sourceIp",
    "data.win.eventdata.sourceAddress",
];

impl AlertFields {
    /// The lists that ship.
    pub fn shipped() -> Self {
        let owned = |(field, form): (&str, AlertForm)| (field.to_owned(), form);
        Self {
            addresses: ADDRESSES.map(|field| owned((field, AlertForm::Address))).into(),
            accounts: ACCOUNTS.map(owned).into(),
            peer: PEER.map(str::to_owned).into(),
        }
    }
}
