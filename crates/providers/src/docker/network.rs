//! A cluster's own network: a bridge with a /24 and a /64 that nothing else on this machine uses.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use bellwether_contracts::Failure;
use bellwether_contracts::provider::Owned;
use bellwether_model::ClusterId;
use bellwether_model::cluster::ClusterNetwork;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};

use super::{CLUSTER, Docker, OWNER, failure, short};

impl Docker {
    pub(super) async fn make_network(
        &self,
        cluster: &ClusterId,
        cluster_name: &str,
    ) -> Result<ClusterNetwork, Failure> {
        let _one_at_a_time = self.choosing.lock().await;
        if let Some(found) = self.find_network(cluster).await? {
            return Ok(found);
        }
        let taken = self.taken().await?;
        let name = format!("bellwether-{cluster_name}-{}", short(cluster.as_str()));
        for third in 0..=255u8 {
            let (a, b) = self.options.pool4;
            let base = Ipv4Addr::new(a, b, third, 0);
            if taken.iter().any(|range| range.overlaps(base)) {
                continue;
            }
            let network = self.network_at(&name, base, third);
            match self.create(cluster, &network).await {
                Ok(()) => return Ok(network),
                // Somebody else took these addresses meanwhile, or holds them out of our sight.
                Err(failure) if failure.text.contains("verlap") => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::needs_person(format!(
            "no free network is left in {}.{}.0.0/16; delete what is not used",
            self.options.pool4.0, self.options.pool4.1
        )))
    }

    fn network_at(&self, name: &str, base: Ipv4Addr, third: u8) -> ClusterNetwork {
        let base6 = u128::from(self.options.pool6) | (u128::from(third) << 64);
        ClusterNetwork {
            name: name.to_owned(),
            subnet: format!("{base}/24"),
            subnet6: format!("{}/64", Ipv6Addr::from(base6)),
            gateway: Ipv4Addr::from(u32::from(base) + 1).to_string(),
        }
    }

    async fn create(&self, cluster: &ClusterId, network: &ClusterNetwork) -> Result<(), Failure> {
        let range = |subnet: &str, gateway: Option<String>| IpamConfig {
            subnet: Some(subnet.to_owned()),
            gateway,
            ..IpamConfig::default()
        };
        let ranges = vec![
            range(&network.subnet, Some(network.gateway.clone())),
            range(&network.subnet6, None),
        ];
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: Some("bridge".to_owned()),
            enable_ipv6: Some(true),
            ipam: Some(Ipam { config: Some(ranges), ..Ipam::default() }),
            labels: Some(self.labels(cluster, None)),
            ..NetworkCreateRequest::default()
        };
        let client = self.client().await?;
        client.create_network(request).await.map(|_| ()).map_err(|error| failure::of(&error))
    }

    async fn find_network(&self, cluster: &ClusterId) -> Result<Option<ClusterNetwork>, Failure> {
        let options = ListNetworksOptions { filters: Some(self.filter(CLUSTER, cluster.as_str())) };
        let client = self.client().await?;
        let found = client.list_networks(Some(options)).await.map_err(|e| failure::of(&e))?;
        let Some(network) = found.into_iter().next() else { return Ok(None) };
        let ranges = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let subnet = |is_v6: bool| {
            ranges
                .iter()
                .find(|range| range.subnet.as_ref().is_some_and(|s| s.contains(':') == is_v6))
        };
        let (v4, v6) = (subnet(false), subnet(true));
        let found = v4.zip(v6).and_then(|(v4, v6)| {
            Some(ClusterNetwork {
                name: network.name.clone()?,
                subnet: v4.subnet.clone()?,
                subnet6: v6.subnet.clone()?,
                gateway: v4.gateway.clone()?,
            })
        });
        found.map(Some).ok_or_else(|| {
            Failure::permanent(
                "the cluster's network exists without the addresses it was made with",
            )
        })
    }

    /// Every IPv4 range in use: Docker's networks and the host's routes.
    async fn taken(&self) -> Result<Vec<Range>, Failure> {
        let client = self.client().await?;
        let networks = client
            .list_networks(None::<ListNetworksOptions>)
            .await
            .map_err(|error| failure::of(&error))?;
        let of_docker = networks
            .into_iter()
            .filter_map(|network| network.ipam?.config)
            .flatten()
            .filter_map(|range| Range::parse(&range.subnet?));
        let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        let of_host = routes.lines().skip(1).filter_map(Range::of_route);
        Ok(of_docker.chain(of_host).collect())
    }

    pub(super) async fn remove_network(&self, cluster: &ClusterId) -> Result<(), Failure> {
        let client = self.client().await?;
        let options = ListNetworksOptions { filters: Some(self.filter(CLUSTER, cluster.as_str())) };
        let found = client.list_networks(Some(options)).await.map_err(|e| failure::of(&e))?;
        for network in found {
            let Some(id) = network.id else { continue };
            let detail = client.inspect_network(&id, None::<InspectNetworkOptions>).await;
            let left = detail.ok().and_then(|detail| detail.containers).unwrap_or_default();
            for container in left.into_keys() {
                let request = NetworkDisconnectRequest { container, force: Some(true) };
                let _ = client.disconnect_network(&id, request).await;
            }
            match client.remove_network(&id).await {
                Err(error) if failure::is_gone(&error) => {}
                // Something was attached to it since; it is detached the next time.
                Err(error) if failure::is_used(&error) => {
                    return Err(Failure::transient(failure::of(&error).text));
                }
                Err(error) => return Err(failure::of(&error)),
                Ok(()) => {}
            }
        }
        match self.find_network(cluster).await? {
            Some(_) => Err(Failure::transient("the network is still there")),
            None => Ok(()),
        }
    }

    pub(super) async fn owned_networks(&self) -> Result<Vec<Owned>, Failure> {
        let filters = [("label".to_owned(), vec![format!("{OWNER}={}", self.options.owner)])];
        let options = ListNetworksOptions { filters: Some(HashMap::from(filters)) };
        let client = self.client().await?;
        let found = client.list_networks(Some(options)).await.map_err(|e| failure::of(&e))?;
        let cluster = |labels: HashMap<String, String>| {
            labels.get(CLUSTER).map(|id| Owned::Network { cluster: id.as_str().into() })
        };
        Ok(found.into_iter().filter_map(|network| network.labels.and_then(cluster)).collect())
    }
}

/// A range of IPv4 addresses.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    base: u32,
    mask: u32,
}

impl Range {
    fn parse(subnet: &str) -> Option<Self> {
        let (base, bits) = subnet.split_once('/')?;
        let base: Ipv4Addr = base.parse().ok()?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Some(Self { base: u32::from(base) & mask, mask })
    }

    /// A line of `/proc/net/route`; the default route is no range.
    fn of_route(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::swap_bytes);
        let (base, mask) = (number(fields.get(1)?)?, number(fields.get(7)?)?);
        (mask != 0).then_some(Self { base, mask })
    }

    /// Whether it has an address in common with the /24 at this base.
    fn overlaps(&self, base: Ipv4Addr) -> bool {
        let common = self.mask & 0xffff_ff00;
        self.base & common == u32::from(base) & common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_use_are_seen_whatever_their_size() {
        let base = Ipv4Addr::new(10, 87, 3, 0);
        for subnet in ["10.87.3.0/24", "10.87.0.0/16", "10.0.0.0/8", "10.87.3.128/25"] {
            assert!(Range::parse(subnet).expect("a range").overlaps(base), "{subnet}");
        }
        for subnet in ["10.87.4.0/24", "172.17.0.0/16"] {
            assert!(!Range::parse(subnet).expect("a range").overlaps(base), "{subnet}");
        }
        assert_eq!(Range::parse("fd42::/64"), None);
    }

    #[test]
    fn routes_are_read_and_the_default_route_is_none() {
        let line = "br-1\t0003570A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        assert_eq!(Range::of_route(line), Range::parse("10.87.3.0/24"));
        let default = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(Range::of_route(default), None);
    }
}
