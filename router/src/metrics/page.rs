//! The numbers as an OpenMetrics text page.

use std::fmt::Error;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use super::{AGENT_STATES, AgentsByState, Histogram, Opinions, Snapshot};
use crate::{
    estimate::Score,
    journal::{JournalCounters, fact::Micros},
    service::Service,
    sums::QueueSums,
};

/// What else belongs on the page.
#[derive(Debug, Clone)]
pub struct About {
    /// Of the running binary.
    pub version: String,
    /// Name of the node.
    pub node: String,
    /// When the process started.
    pub started_at: Micros,
    /// When the page is made.
    pub now: Micros,
    /// Whether new calls are taken.
    pub service: Service,
}

/// The `/metrics` page, OpenMetrics text 1.0.
pub fn page(about: About, numbers: Snapshot, journal: JournalCounters) -> String {
    let mut registry = Registry::with_prefix("fernamt");
    registry.register_collector(Box::new(Page { about, numbers, journal }));
    let mut page = String::with_capacity(16 * 1024);
    // Writing into a string does not fail, and labels are strings and numbers.
    text::encode(&mut page, &registry).unwrap_or_else(|Error| page.clear());
    page
}

#[derive(Debug)]
struct Page {
    about: About,
    numbers: Snapshot,
    journal: JournalCounters,
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut sheet = Sheet { encoder };
        self.node(&mut sheet)?;
        self.calls(&mut sheet)?;
        self.queues(&mut sheet)?;
        super::trunks::write(&self.numbers.trunks, &mut sheet)?;
        self.phones(&mut sheet)?;
        self.sip(&mut sheet)?;
        self.media(&mut sheet)?;
        self.quality(&mut sheet)?;
        self.presence(&mut sheet)?;
        self.journal(&mut sheet)
    }
}

impl Page {
    fn node(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let about = &self.about;
        let labels = [("version", about.version.as_str()), ("node", about.node.as_str())];
        sheet
            .encoder
            .encode_descriptor("build", "The running binary", None, MetricType::Info)?
            .encode_info(&labels)?;
        let open = u64::from(about.service == Service::Open);
        sheet.gauge("service_open", "1 if new calls are taken", open)?;
        sheet.gauge("uptime_seconds", "Since the process started", seconds(about.now - about.started_at))?;
        sheet.gauge(
            "config_generation",
            "Generation of the configuration in force",
            self.numbers.generation,
        )?;
        let ends = self.numbers.certificates.iter();
        let ends = ends.map(|(by, end)| (by.as_str(), u64::try_from(*end).unwrap_or_default()));
        let help = "When a certificate that we show ceases to hold, since 1970";
        sheet.gauges("certificate_not_after_seconds", help, "of", ends)?;
        sheet.histogram("loop_lag_seconds", "How late the shard's loop ran", &self.numbers.loop_lag)
    }

    fn calls(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let numbers = &self.numbers;
        sheet.gauges("calls", "Live calls by stage", "stage", numbers.calls.by_name())?;
        sheet.gauge("legs", "Live legs", numbers.legs)?;
        sheet.gauge("dialogs", "SIP dialogs, early ones included", numbers.dialogs)?;
        sheet.gauge("transactions", "SIP transactions, lingering ones included", numbers.transactions)?;
        sheet.counter("calls_arrived", "Calls admitted", numbers.calls_arrived)?;
        let mut family =
            sheet.family("calls_ended", "Calls ended by cause and fault", MetricType::Counter)?;
        for ((cause, fault), count) in &numbers.calls_ended {
            let labels = [("cause", cause.word()), ("fault", fault.word())];
            counter(family.encode_family(&labels)?, *count)?;
        }
        let unanswered = numbers.unanswered.iter().map(|(why, count)| (why.word(), *count));
        let help = "Assignments that came to nothing, by why";
        sheet.counters("assignments_unanswered", help, "why", unanswered)?;
        let ended = numbers.voicemails.iter().map(|(end, count)| (end.word(), *count));
        let help = "Messages left in mailboxes, by what ended them";
        sheet.counters("voicemails", help, "end", ended)?;
        let transfers = numbers.transfers.iter().map(|(end, count)| (*end, *count));
        sheet.counters("transfers", "Transfers, by how they went", "end", transfers)?;
        sheet.counter("emergency_calls", "Calls of agents to emergency numbers", numbers.emergency_calls)?;
        let help = "Pieces of recordings that are silence because the disk was too slow";
        sheet.counter("recording_gaps", help, numbers.recordings.gaps)?;
        let help = "Recordings lost or cut short because a file could not be written";
        sheet.counter("recordings_failed", help, numbers.recordings.failed)?;
        sheet.gauge("callers_known", "Numbers of whom something is remembered", numbers.callers_known)?;
        let help = "Numbers forgotten for want of room";
        sheet.counter("callers_forgotten", help, numbers.callers_forgotten)?;
        sheet.histogram(
            "dispatch_seconds",
            "From an agent free for a waiting caller to the agent's INVITE on the wire",
            &numbers.dispatch,
        )?;
        let help = "From the called side's answer to sound both ways";
        sheet.histogram("two_way_sound_seconds", help, &numbers.two_way_sound)
    }

    fn quality(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let quality = &self.numbers.quality;
        let help = "Mean opinion (1 to 4.5) of legs that are over, of one who only listens";
        sheet.opinions("leg_mos_listening", help, &quality.listening)?;
        let help = "Mean opinion (1 to 4.5) of legs that are over, of one who talks too";
        sheet.opinions("leg_mos_conversational", help, &quality.conversational)?;
        sheet.histogram("leg_jitter_seconds", "Interarrival jitter at the end of legs", &quality.jitter)?;
        sheet.histogram("leg_round_trip_seconds", "Round trip of legs, last told", &quality.round_trip)?;
        let packets = [
            ("received", quality.received),
            ("lost-alone", quality.lost_alone),
            ("lost-in-bursts", quality.lost_in_bursts),
        ];
        let help = "RTP packets of legs that are over, by what became of them on their way to us";
        sheet.counters("leg_packets", help, "fate", packets)?;
        let dead = quality.dead_air.iter().map(|(why, count)| (why.word(), *count));
        let help = "Legs on which nobody could be heard in the first seconds, by why";
        sheet.counters("dead_air", help, "why", dead)?;
        let [good, fair, poor] = self.numbers.media.rated;
        let help = "Reports on live legs, one in five seconds or so, by R of the E-model so far: 80 and more, 70 and more, less";
        sheet.counters("media_rated", help, "rating", [("good", good), ("fair", fair), ("poor", poor)])
    }

    fn queues(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let queues = &self.numbers.queues;
        let waiting = queues.iter().map(|(name, queue)| (name.as_str(), queue.waiting));
        sheet.gauges("queue_waiting", "Callers waiting", "queue", waiting)?;
        let closed = queues.iter().map(|(name, queue)| (name.as_str(), u64::from(queue.closed)));
        sheet.gauges("queue_closed", "1 if closed by hand or by its configuration", "queue", closed)?;
        let per_queue = |count: fn(&QueueSums) -> u64| {
            queues.iter().map(move |(name, queue)| (name.as_str(), count(&queue.sums)))
        };
        let entered = per_queue(|sums| sums.entered);
        sheet.counters("queue_entered", "Callers who entered", "queue", entered)?;
        let mut family = sheet.family("queue_left", "Callers who left, by how", MetricType::Counter)?;
        for (name, queue) in queues {
            let sums = &queue.sums;
            let ways = [
                ("answered", sums.answered),
                ("abandoned", sums.abandoned),
                ("timed-out", sums.timed_out),
                ("full", sums.full),
                ("closed", sums.closed),
                ("removed", sums.removed),
                ("nobody-logged-in", sums.nobody_logged_in),
                ("nobody-ready", sums.nobody_ready),
                ("estimate", sums.estimate),
                ("by-key", sums.by_key),
                ("unreached", sums.unreached),
                ("ended", sums.ended),
            ];
            for (how, count) in ways {
                counter(family.encode_family(&[("queue", name.as_str()), ("how", how)])?, count)?;
            }
        }
        let pending = per_queue(QueueSums::callbacks_pending);
        sheet.gauges("queue_callbacks_pending", "Customers who are to be called back", "queue", pending)?;
        let asked = per_queue(|sums| sums.callbacks_asked);
        sheet.counters("queue_callbacks_asked", "Callers who asked to be called back", "queue", asked)?;
        let reached = per_queue(|sums| sums.callbacks_reached);
        sheet.counters("queue_callbacks_reached", "Of those, connected with an agent", "queue", reached)?;
        let given_up = per_queue(|sums| sums.callbacks_given_up);
        sheet.counters("queue_callbacks_given_up", "Of those, given up", "queue", given_up)?;
        self.estimates(sheet)?;
        let answered = per_queue(|sums| sums.answered_in_time);
        sheet.counters("queue_answered_in_time", "Answered within service_level", "queue", answered)?;
        let abandoned = per_queue(|sums| sums.abandoned_in_time);
        sheet.counters("queue_abandoned_in_time", "Gave up within service_level", "queue", abandoned)?;
        let short = per_queue(|sums| sums.abandoned_short);
        sheet.counters("queue_abandoned_short", "Gave up within short_abandon", "queue", short)?;
        let mut family = sheet.family("queue_agents", "Agents of each queue by state", MetricType::Gauge)?;
        for (name, queue) in queues {
            for (state, count) in by_state(&queue.agents) {
                family.encode_family(&[("queue", name.as_str()), ("state", state)])?.encode_gauge(&count)?;
            }
        }
        sheet.gauges("agents", "Agents by state", "state", by_state(&self.numbers.agents))
    }

    fn estimates(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let queues = &self.numbers.queues;
        let help = "Estimated wait of a caller who enters now; absent while it is not known";
        let known = queues.iter().filter_map(|(name, queue)| Some((name, queue.estimate?.as_secs_f64())));
        sheet.shares("queue_estimate_seconds", help, known)?;
        let help = "Share of callers answered within their estimate, those who gave up before allowed for";
        let known = queues.iter().filter_map(|(name, queue)| Some((name, queue.estimates.coverage()?)));
        sheet.shares("queue_estimate_coverage", help, known)?;
        let mut family =
            sheet.family("queue_estimates", "Estimates by what became of them", MetricType::Counter)?;
        for (name, queue) in queues {
            let Score { beyond, .. } = queue.estimates;
            let (within, undecided) = (queue.estimates.within(), queue.estimates.undecided());
            for (outcome, count) in [("within", within), ("beyond", beyond), ("undecided", undecided)] {
                counter(family.encode_family(&[("queue", name.as_str()), ("outcome", outcome)])?, count)?;
            }
        }
        let per_queue = |count: fn(&Score) -> u64| {
            queues.iter().map(move |(name, queue)| (name.as_str(), count(&queue.estimates)))
        };
        let help = "Sum of what estimates and waits of those answered were apart";
        sheet.counters("queue_estimate_error_ms", help, "queue", per_queue(|score| score.error_ms))?;
        let help = "Callers answered who had an estimate";
        sheet.counters("queue_estimate_answered", help, "queue", per_queue(|score| score.answered))
    }

    fn phones(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let phones = &self.numbers.phones;
        sheet.gauge("phones_registered", "Telephones of agents that are registered", phones.registered)?;
        sheet.counter("phone_registers", "REGISTERs that proved an agent", phones.registers)?;
        let help = "Requests of telephones answered by the question who it is";
        sheet.counter("phone_challenges", help, phones.challenged)?;
        sheet.counter("phone_wrong_proofs", "Wrong users or passwords", phones.proofs_wrong)?;
        let help = "Addresses and agents locked out for wrong passwords";
        sheet.counter("phone_lockouts", help, phones.lockouts)?;
        sheet.gauge("phone_locked_out", "Addresses and agents that are locked out now", phones.locked_out)?;
        let refused = phones.toll_refused.iter().map(|(why, count)| (why.word(), *count));
        let help = "Calls of agents that the toll guard refused, by why";
        sheet.counters("phone_calls_refused", help, "why", refused)
    }

    fn sip(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let sip = &self.numbers.sip;
        let invites = &sip.invites;
        let outcomes = [
            ("admitted", invites.admitted),
            ("challenged", invites.challenged),
            ("refused", invites.refused),
            ("dropped", invites.dropped),
        ];
        sheet.counter("sip_invites_read", "Initial INVITEs read", invites.read)?;
        sheet.counters("sip_invites", "Initial INVITEs by what became of them", "outcome", outcomes)?;
        let help = "Of the refused ones: new calls that had to wait too long to be looked at";
        sheet.counter("sip_invites_shed", help, sip.shed)?;
        sheet.counter("sip_invites_sent", "INVITEs sent for legs", sip.invites_sent)?;
        let codes_in: Vec<_> =
            sip.responses_in.iter().map(|(code, count)| (code.to_string(), *count)).collect();
        let codes_out: Vec<_> =
            sip.responses_out.iter().map(|(code, count)| (code.to_string(), *count)).collect();
        let mut family =
            sheet.family("sip_responses", "Responses by direction and code", MetricType::Counter)?;
        for (direction, codes) in [("in", &codes_in), ("out", &codes_out)] {
            for (code, count) in codes {
                let labels = [("direction", direction), ("code", code.as_str())];
                counter(family.encode_family(&labels)?, *count)?;
            }
        }
        let errors = sip.parse_errors.iter().map(|(class, count)| (*class, *count));
        sheet.counters("sip_parse_errors", "Messages that could not be read", "class", errors)?;
        sheet.counter("sip_unknown_source", "Dropped: from an unknown source", sip.unknown_source)?;
        sheet.counter("sip_retransmissions", "Messages we repeated", sip.retransmissions)?;
        let help = "Legs whose session was not refreshed in time, or not known any more at the far end";
        sheet.counter("sip_sessions_expired", help, sip.sessions_expired)?;
        sheet.gauge("sip_backlog", "Messages read and not yet handled", sip.backlog)?;
        let help = "New requests dropped because too many waited to be handled";
        sheet.counter("sip_backlog_drops", help, sip.backlog_drops)?;
        sheet.gauge("sip_connections", "Connections open now", sip.connections)?;
        let mishaps = sip.mishaps.iter().map(|(kind, count)| (*kind, *count));
        let help = "Connections that came to nothing before a message was read, by kind; the log says more";
        sheet.counters("sip_connection_mishaps", help, "kind", mishaps)?;
        let troubles = sip.name_troubles.iter().map(|(kind, count)| (*kind, *count));
        let help = "Names of far ends that led nowhere or not as they should, by why; the log says more";
        sheet.counters("sip_name_troubles", help, "kind", troubles)?;
        sheet.counter("sip_socket_drops", "Datagrams the kernel dropped at our sockets", sip.socket_drops)
    }

    fn media(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let Snapshot { ports, media, .. } = &self.numbers;
        let states = [("in-use", ports.in_use), ("free", ports.free), ("quarantined", ports.quarantined)];
        sheet.gauges("ports", "RTP ports by state", "state", states)?;
        sheet.gauge("media_legs", "Legs open in the media workers", media.legs)?;
        let packets = [("in", media.packets_in), ("out", media.packets_out), ("rejected", media.rejected)];
        sheet.counters("media_packets", "RTP packets", "direction", packets)?;
        let refused = [("unauthentic", media.srtp_unauthentic), ("replayed", media.srtp_replayed)];
        sheet.counters("srtp_refused", "SRTP and SRTCP packets dropped", "why", refused)?;
        let paths = [("keyed", media.handshakes), ("broken", media.paths_broken)];
        let help = "Legs of browsers: keys agreed by DTLS, and ICE or DTLS that came to nothing or ended";
        sheet.counters("browser_legs", help, "how", paths)
    }

    fn presence(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let Some(presence) = &self.numbers.presence else { return Ok(()) };
        sheet.gauge("presence_ok", "1 if Graph answered when it was asked last", u64::from(presence.ok))?;
        if let Some(age) = presence.age {
            sheet.gauge("presence_age_seconds", "Since Graph last answered", age.as_secs_f64())?;
        }
        let (offered, kept) = presence.known;
        let agents = [("offered", offered), ("kept", kept), ("unknown", presence.unknown)];
        let help = "Agents by what their presence says of giving them calls";
        sheet.gauges("presence_agents", help, "presence", agents)?;
        let requests = presence.requests.iter().map(|(what, count)| (*what, *count));
        sheet.counters("presence_requests", "Requests for presence by what came of them", "outcome", requests)
    }

    fn journal(&self, sheet: &mut Sheet<'_>) -> Result<(), Error> {
        let journal = &self.journal;
        let lag = journal.oldest.map_or(0.0, |oldest| seconds((self.about.now - oldest).max(0)));
        sheet.gauge("journal_ok", "1 if the last attempt to write succeeded", u64::from(journal.ok))?;
        sheet.gauge("journal_facts_waiting", "Facts in memory that are not on disk", journal.waiting)?;
        sheet.gauge("journal_lag_seconds", "Age of the oldest of them", lag)?;
        sheet.counter("journal_facts", "Facts written", journal.facts_written)?;
        sheet.counter(
            "journal_facts_lost",
            "Facts forgotten: memory for them was full",
            journal.facts_lost,
        )?;
        sheet.counter("records", "Call records written", journal.records_written)?;
        sheet.counter("journal_failures", "Attempts to write that failed", journal.failures)?;
        sheet.histogram("journal_commit_seconds", "How long commits took", &journal.commit)
    }
}

/// The page while it is written.
pub(super) struct Sheet<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Sheet<'_> {
    pub(super) fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, Error> {
        self.encoder.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> Result<(), Error> {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        counter(self.family(name, help, MetricType::Counter)?, value)
    }

    pub(super) fn gauges<'n>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'n str, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        values
            .into_iter()
            .try_for_each(|(word, value)| family.encode_family(&[(label, word)])?.encode_gauge(&value))
    }

    /// Numbers with a fraction, by queue.
    fn shares<'n>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (&'n String, f64)>,
    ) -> Result<(), Error> {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        values.into_iter().try_for_each(|(queue, value)| {
            family.encode_family(&[("queue", queue.as_str())])?.encode_gauge(&value)
        })
    }

    fn opinions(&mut self, name: &str, help: &str, opinions: &Opinions) -> Result<(), Error> {
        let buckets: Vec<_> = opinions.buckets().collect();
        let mut metric = self.family(name, help, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(opinions.sum(), opinions.count(), &buckets, None)
    }

    fn counters<'n>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'n str, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.family(name, help, MetricType::Counter)?;
        values
            .into_iter()
            .try_for_each(|(word, value)| counter(family.encode_family(&[(label, word)])?, value))
    }

    fn histogram(&mut self, name: &str, help: &str, lengths: &Histogram) -> Result<(), Error> {
        let buckets: Vec<_> = lengths.buckets().collect();
        let mut metric = self.family(name, help, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(lengths.sum_seconds(), lengths.count(), &buckets, None)
    }
}

pub(super) fn counter(mut metric: MetricEncoder<'_>, value: u64) -> Result<(), Error> {
    metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn by_state(agents: &AgentsByState) -> impl Iterator<Item = (&'static str, u64)> {
    AGENT_STATES.into_iter().map(|(state, name)| (name, agents.of(state)))
}

fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}
