//! What the machine that Countersign runs on knows of the network: names, gateways, resolvers.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

use super::driver::BoxFuture;

/// How long one name may take.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(2);

/// Where names are looked up, and what surrounds this machine.
pub trait Network: fmt::Debug + Send + Sync {
    /// The addresses that a host name has now; none where it is not found in time.
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Vec<IpAddr>>;

    /// The default gateways and the resolvers of this machine.
    fn neighbours(&self) -> Vec<IpAddr>;
}

/// The network of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemNetwork;

/// A file of the system, and how the addresses in it are read.
type Source = (&'static str, fn(&str) -> Vec<IpAddr>);

/// The second list of resolvers is that of systemd-resolved, which stands as a local address in the
/// first.
const SOURCES: [Source; 4] = [
    ("/proc/net/route", ipv4_gateways),
    ("/proc/net/ipv6_route", ipv6_gateways),
    ("/etc/resolv.conf", resolvers),
    ("/run/systemd/resolve/resolv.conf", resolvers),
];

impl Network for SystemNetwork {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Vec<IpAddr>> {
        Box::pin(async move {
            match timeout(LOOK_UP_DEADLINE, lookup_host((name, 0))).await {
                Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        })
    }

    fn neighbours(&self) -> Vec<IpAddr> {
        let found = SOURCES.iter().flat_map(|(file, read)| {
            // Other systems do not have all of them.
            fs::read_to_string(file).map(|text| read(&text)).unwrap_or_default()
        });
        let mut found: Vec<_> = found.collect();
        found.sort();
        found.dedup();
        found
    }
}

/// The default gateways in the form of `/proc/net/route`: interface, destination, gateway and more,
/// the addresses in hexadecimal, in the byte order of the machine (Linux, `net/ipv4/fib_trie.c`).
fn ipv4_gateways(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "00000000", gateway, ..] = fields[..] else { return None };
        let bytes = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
        Some(Ipv4Addr::from(bytes)).filter(|gateway| !gateway.is_unspecified())
    };
    text.lines().filter_map(gateway).map(IpAddr::from).collect()
}

/// The default gateways in the form of `/proc/net/ipv6_route`: destination and its prefix, source
/// and its prefix, next hop and more, in hexadecimal (Linux, `net/ipv6/route.c`).
fn ipv6_gateways(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "00", _, "00", hop, ..] = fields[..] else { return None };
        let hop = Ipv6Addr::from_bits(u128::from_str_radix(hop, 16).ok()?);
        (!hop.is_unspecified()).then_some(hop)
    };
    text.lines().filter_map(gateway).map(IpAddr::from).collect()
}

/// The resolvers of a resolv.conf(5). A zone is left out.
fn resolvers(text: &str) -> Vec<IpAddr> {
    let resolver = |line: &str| {
        let mut words = line.split_whitespace();
        let ("nameserver", address) = (words.next()?, words.next()?) else { return None };
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(resolver).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(addresses: &[IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn default_gateways_are_read_from_route_tables() {
        let gateway = u32::from_ne_bytes([203, 0, 113, 1]);
        let table = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth0\t007100CB\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
        );
        assert_eq!(written(&ipv4_gateways(&table)), ["203.0.113.1"]);
        let zero = "0".repeat(32);
        let table = format!(
            "20010db8{pad}01 80 {zero} 00 {zero} 00000400 00000001 00000000 00000001 eth0\n\
             {zero} 00 {zero} 00 20010db8{pad}fe 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n",
            pad = "0".repeat(22),
        );
        assert_eq!(written(&ipv6_gateways(&table)), ["2001:db8::fe"]);
        assert!(ipv4_gateways("a b\n\nx 00000000 zz").is_empty());
    }

    #[test]
    fn resolvers_are_read_without_comments_and_zones() {
        let file = "# nameserver 192.0.2.1\nsearch example.org\nnameserver 203.0.113.53 \n\
                    nameserver\nnameserver fe80::53%eth0\noptions edns0\nnameserver resolver.example\n";
        assert_eq!(written(&resolvers(file)), ["203.0.113.53", "fe80::53"]);
    }
}
