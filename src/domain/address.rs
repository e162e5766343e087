//! What an address means, in whatever form it is written: the addresses that it carries within it,
//! and the special-purpose range that it lies in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use self::RangeUse::{Documentation, Private, Special};

pub mod known;
pub mod pattern;

/// What a special-purpose range is used for, as far as blocking one of its addresses goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeUse {
    /// It belongs to internal machines.
    Private,
    /// It names no single outside machine, or a service that many need.
    Special,
    /// It is for documentation: nobody has it, so to block it does no harm.
    Documentation,
}

/// A range of the IANA special-purpose address registries (RFC 6890, RFC 8190), or of the
/// assignments that they do not repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialRange {
    /// The range.
    pub net: IpNet,
    /// What it is used for.
    pub range_use: RangeUse,
    /// The registry's name of it.
    pub name: &'static str,
    /// Where it is defined.
    pub source: &'static str,
}

const fn v4(
    octets: [u8; 4],
    prefix: u8,
    range_use: RangeUse,
    name: &'static str,
    source: &'static str,
) -> SpecialRange {
    let [a, b, c, d] = octets;
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix));
    SpecialRange { net, range_use, name, source }
}

const fn v6(
    start: u128,
    prefix: u8,
    range_use: RangeUse,
    name: &'static str,
    source: &'static str,
) -> SpecialRange {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(start), prefix));
    SpecialRange { net, range_use, name, source }
}

/// All ranges. A narrow one stands before a wide one that contains it. Ranges of the registries that
/// are parts of a range here, with the same use, are left out.
pub const SPECIAL_RANGES: [SpecialRange; 47] = [
    v4([0, 0, 0, 0], 8, Special, "this network", "RFC 791"),
    v4([10, 0, 0, 0], 8, Private, "private use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, Private, "shared address space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, Special, "loopback", "RFC 1122"),
    v4([169, 254, 0, 0], 16, Special, "link local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, Private, "private use", "RFC 1918"),
    v4([192, 0, 0, 0], 24, Special, "IETF protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, Documentation, "documentation", "RFC 5737"),
    v4([192, 31, 196, 0], 24, Special, "AS112", "RFC 7535"),
    v4([192, 52, 193, 0], 24, Special, "AMT", "RFC 7450"),
    v4([192, 88, 99, 0], 24, Special, "6to4 relay anycast", "RFC 7526"),
    v4([192, 168, 0, 0], 16, Private, "private use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, Special, "AS112 direct delegation", "RFC 7534"),
    v4([198, 18, 0, 0], 15, Special, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, Documentation, "documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, Documentation, "documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Special, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, Special, "limited broadcast", "RFC 8190"),
    v4([240, 0, 0, 0], 4, Special, "reserved", "RFC 1112"),
    v6(0, 128, Special, "unspecified", "RFC 4291"),
    v6(1, 128, Special, "loopback", "RFC 4291"),
    v6(0, 96, Special, "IPv4-compatible", "RFC 4291"),
    v6(0xffff << 32, 96, Special, "IPv4-mapped", "RFC 4291"),
    v6(0xffff << 48, 96, Special, "IPv4-translated", "RFC 2765"),
    v6(0x64_ff9b << 96, 96, Special, "IPv4/IPv6 translation", "RFC 6052"),
    v6(0x64_ff9b_0001 << 80, 48, Special, "IPv4/IPv6 translation, local use", "RFC 8215"),
    v6(0x100 << 112, 64, Special, "discard only", "RFC 6666"),
    v6(0x100_0000_0000_0001 << 64, 64, Special, "dummy prefix", "RFC 9780"),
    v6(0x2001 << 112, 32, Special, "Teredo", "RFC 4380"),
    v6(0x2001_0001 << 96, 32, Special, "service anycast", "RFC 7723, RFC 8155, RFC 9665"),
    v6(0x2001_0002 << 96, 48, Special, "benchmarking", "RFC 5180"),
    v6(0x2001_0003 << 96, 32, Special, "AMT", "RFC 7450"),
    v6(0x2001_0004_0112 << 80, 48, Special, "AS112", "RFC 7535"),
    v6(0x2001_0010 << 96, 28, Special, "ORCHID", "RFC 4843"),
    v6(0x2001_0020 << 96, 28, Special, "ORCHIDv2", "RFC 7343"),
    v6(0x2001_0030 << 96, 28, Special, "drone remote ID", "RFC 9374"),
    v6(0x2001 << 112, 23, Special, "IETF protocol assignments", "RFC 2928"),
    v6(0x2001_0db8 << 96, 32, Documentation, "documentation", "RFC 3849"),
    v6(0x2002 << 112, 16, Special, "6to4", "RFC 3056"),
    v6(0x2620_004f_8000 << 80, 48, Special, "AS112 direct delegation", "RFC 7534"),
    v6(0x3fff << 112, 20, Documentation, "documentation", "RFC 9637"),
    v6(0x5f00 << 112, 16, Special, "segment routing", "RFC 9602"),
    v6(0xfc00 << 112, 7, Private, "unique local", "RFC 4193"),
    v6(0xfe80 << 112, 10, Special, "link local", "RFC 4291"),
    v6(0xfec0 << 112, 10, Private, "site local", "RFC 3879"),
    v6(0xff00 << 112, 8, Special, "multicast", "RFC 4291"),
    // What is left outside of it has no meaning yet.
    UNALLOCATED,
];

/// The whole of IPv6. Only [`GLOBAL_UNICAST`] of it is assigned to machines.
const UNALLOCATED: SpecialRange = v6(0, 0, Special, "reserved by the IETF", "RFC 4291");
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The range that an address lies in; none for an ordinary address of the Internet. Only the address
/// as it is written counts: see [`forms`].
pub fn special_range(address: IpAddr) -> Option<&'static SpecialRange> {
    let range = SPECIAL_RANGES.iter().find(|range| range.net.contains(&address))?;
    let ordinary = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => range.net.prefix_len() == 0 && GLOBAL_UNICAST.contains(&v6),
    };
    (!ordinary).then_some(range)
}

/// Whether a network holds addresses of a special or private range, or IPv6 that is assigned to nobody.
pub fn touches_special(network: &IpNet) -> bool {
    let ranges = SPECIAL_RANGES
        .iter()
        .filter(|range| range.range_use != Documentation && range.net.prefix_len() > 0);
    let global = match network {
        IpNet::V4(_) => true,
        IpNet::V6(v6) => GLOBAL_UNICAST.contains(v6),
    };
    !global || ranges.into_iter().any(|one| one.net.contains(network) || network.contains(&one.net))
}

/// The address itself, and every IPv4 address that its form carries: what is true of one of them is
/// true of it. Without repetition. IPv4-mapped IPv6 is that IPv4 address, and nothing else.
pub fn forms(address: IpAddr) -> Vec<IpAddr> {
    let address = address.to_canonical();
    let mut forms = vec![address];
    if let IpAddr::V6(v6) = address {
        for carried in carried(v6) {
            if !forms.contains(&carried.into()) {
                forms.push(carried.into());
            }
        }
    }
    forms
}

/// The IPv4 addresses within an IPv6 address.
fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let ipv4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    let last = ipv4(segments[6], segments[7]);
    let mut carried = match segments {
        // Teredo: the server, and the client's outside address with every bit turned over
        // (RFC 4380, section 4).
        [0x2001, 0, high, low, ..] => vec![ipv4(high, low), Ipv4Addr::from_bits(!last.to_bits())],
        // 6to4 (RFC 3056, section 2).
        [0x2002, high, low, ..] => vec![ipv4(high, low)],
        // IPv4-compatible (RFC 4291, section 2.5.5.1), IPv4-translated (RFC 2765, section 2.1), NAT64
        // (RFC 6052, section 2.1). A local prefix (RFC 8215) does not say how long it is; 96 bits
        // are usual.
        [0, 0, 0, 0, 0 | 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, ..] => {
            vec![last]
        }
        _ => Vec::new(),
    };
    // ISATAP is known by its interface id, in whatever network; two bits of it vary (RFC 5214,
    // section 6.1).
    if segments[4] & !0x300 == 0 && segments[5] == 0x5efe {
        carried.push(last);
    }
    carried
}
