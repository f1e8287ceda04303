//! In which order SRV targets are tried: by priority, drawn by weight among equals (RFC 2782), and which NAPTR are of
//! use (RFC 3263 §4.1).

use super::{Naptr, Reach, Srv};
use crate::transport::Transport;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The entries in the order in which they are tried this time. The same number gives the same order.
pub(super) fn drawn(mut entries: Vec<Srv>, random: u64) -> Vec<Srv> {
    let mut random = SmallRng::seed_from_u64(random);
    // Those of weight 0 stand first among equals, which gives them their very small chance (RFC 2782).
    entries.sort_by_key(|entry| (entry.priority, entry.weight > 0));
    let mut order = Vec::with_capacity(entries.len());
    while let Some(first) = entries.first() {
        let priority = first.priority;
        let equals = entries.iter().take_while(|entry| entry.priority == priority).count();
        let total: u32 = entries[..equals].iter().map(|entry| u32::from(entry.weight)).sum();
        let mark = random.random_range(0..=total);
        let mut sum = 0;
        let at = entries[..equals].iter().position(|entry| {
            sum += u32::from(entry.weight);
            sum >= mark
        });
        order.push(entries.remove(at.unwrap_or(0)));
    }
    order
}

/// Where to look for SRV entries of which transport, in the domain's order, of those that we speak.
pub(super) fn offered(entries: &[Naptr], reach: Reach) -> Vec<(Transport, String)> {
    let mut entries: Vec<&Naptr> = entries.iter().collect();
    entries.sort_by_key(|entry| (entry.order, entry.preference));
    let offers = entries.into_iter().filter_map(|entry| {
        let transport = transport_of(&entry.service)?;
        let is_of_use =
            entry.flags.eq_ignore_ascii_case("s") && !entry.replacement.is_empty() && reach.speaks(transport);
        is_of_use.then(|| (transport, entry.replacement.clone()))
    });
    offers.collect()
}

fn transport_of(service: &str) -> Option<Transport> {
    let is = |name: &str| service.eq_ignore_ascii_case(name);
    match service {
        _ if is("SIP+D2U") => Some(Transport::Udp),
        _ if is("SIP+D2T") => Some(Transport::Tcp),
        _ if is("SIPS+D2T") => Some(Transport::Tls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    fn order(entries: &[Srv], random: u64) -> Vec<String> {
        drawn(entries.to_vec(), random).into_iter().map(|entry| entry.target).collect()
    }

    #[test]
    fn rfc2782_a_smaller_priority_always_comes_first_whatever_the_weights() {
        let entries = [srv(20, 65_535, "c"), srv(10, 0, "a"), srv(10, 1, "b")];
        for random in 0..200 {
            assert_eq!(order(&entries, random)[2], "c");
        }
    }

    #[test]
    fn rfc2782_the_first_is_drawn_in_proportion_to_the_weights_and_all_others_follow() {
        let entries = [srv(1, 10, "a"), srv(1, 30, "b"), srv(1, 60, "c")];
        let (mut first, mut second_after_c) = ([0u32; 3], [0u32; 2]);
        for random in 0..20_000 {
            let order = order(&entries, random);
            assert_eq!(order.len(), 3);
            let at = |name: &str| usize::from(name.as_bytes()[0] - b'a');
            first[at(&order[0])] += 1;
            if order[0] == "c" {
                second_after_c[at(&order[1])] += 1;
            }
        }
        // Shares of 10, 30 and 60 %, the draw of 0 to the sum inclusive; three sigma are below 1.1 % here.
        for (counted, share) in first.into_iter().zip([0.11, 0.30, 0.59]) {
            assert!((f64::from(counted) / 20_000.0 - share).abs() < 0.02, "{first:?}");
        }
        let of_c = f64::from(second_after_c[1]) / f64::from(second_after_c[0] + second_after_c[1]);
        assert!((of_c - 0.74).abs() < 0.03, "what is left is drawn by weight again: {of_c}");
    }

    #[test]
    fn rfc2782_a_weight_of_zero_has_a_very_small_chance_but_not_none() {
        let entries = [srv(1, 0, "never"), srv(1, 99, "nearly")];
        let never = (0..20_000).filter(|random| order(&entries, *random)[0] == "never").count();
        assert!((80..400).contains(&never), "about one in a hundred: {never}");
        let zeros = [srv(1, 0, "a"), srv(1, 0, "b")];
        assert_eq!(order(&zeros, 1).len(), 2);
    }

    #[test]
    fn rfc3263_4_1_only_terminal_entries_of_transports_that_we_speak_count_in_the_domains_order() {
        let naptr = |order, preference, flags: &str, service: &str, to: &str| Naptr {
            order,
            preference,
            flags: flags.into(),
            service: service.into(),
            replacement: to.into(),
        };
        let listeners = ["udp:10.0.0.1:5060", "tls:10.0.0.1:5061"].map(|text| text.parse().unwrap());
        let reach = Reach::of(&listeners);
        let entries = [
            naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
            naptr(100, 20, "S", "sip+d2u", "_sip._udp.example.com"),
            naptr(100, 10, "s", "SIPS+D2T", "_sips._tcp.example.com"),
            naptr(10, 10, "", "SIP+D2U", "elsewhere.example.com"),
            naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:a@b!"),
            naptr(10, 10, "s", "SIP+D2U", ""),
        ];
        let offered = offered(&entries, reach);
        assert_eq!(
            offered,
            [
                (Transport::Tls, "_sips._tcp.example.com".to_owned()),
                (Transport::Udp, "_sip._udp.example.com".to_owned())
            ]
        );
    }
}
