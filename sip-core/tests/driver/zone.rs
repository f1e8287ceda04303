//! A DNS server on loopback with a zone that the test writes, and the manners that it wants.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NAPTR, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

/// How the server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As the zone has it.
    Honest,
    /// Not at all.
    Silent,
    /// With SERVFAIL.
    Failing,
    /// With bytes that are no DNS message.
    Babbling,
}

#[derive(Default)]
struct Book {
    records: Vec<Record>,
    asked: Vec<String>,
    manner: Option<Manner>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Zone {
    pub(crate) address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

impl Zone {
    pub(crate) async fn new() -> Zone {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, book) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Book::default())));
        tokio::spawn(serve(socket, book.clone()));
        Zone { address, book }
    }

    fn add(&self, owner: &str, ttl: u32, data: RData) -> &Zone {
        self.book.lock().unwrap().records.push(Record::from_rdata(name(owner), ttl, data));
        self
    }

    pub(crate) fn a(&self, owner: &str, ttl: u32, ip: [u8; 4]) -> &Zone {
        self.add(owner, ttl, RData::A(A(ip.into())))
    }

    pub(crate) fn srv(&self, owner: &str, (priority, port): (u16, u16), target: &str) -> &Zone {
        self.add(owner, 60, RData::SRV(SRV::new(priority, 1, port, name(target))))
    }

    pub(crate) fn naptr(&self, owner: &str, order: u16, service: &str, replacement: &str) -> &Zone {
        let (flags, service): (Box<[u8]>, Box<[u8]>) = (Box::from(*b"s"), service.as_bytes().into());
        let data = NAPTR::new(order, 1, flags, service, Box::default(), name(replacement));
        self.add(owner, 60, RData::NAPTR(data))
    }

    pub(crate) fn cname(&self, owner: &str, target: &str) -> &Zone {
        self.add(owner, 60, RData::CNAME(CNAME(name(target))))
    }

    pub(crate) fn clear(&self) -> &Zone {
        self.book.lock().unwrap().records.clear();
        self
    }

    pub(crate) fn behaves(&self, manner: Manner) {
        self.book.lock().unwrap().manner = Some(manner);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.book.lock().unwrap().asked.clone()
    }
}

async fn serve(socket: UdpSocket, book: Arc<Mutex<Book>>) {
    let mut buffer = [0; 4_096];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        let Ok(request) = Message::from_vec(&buffer[..len]) else { continue };
        if let Some(answer) = answer(&request, &mut book.lock().unwrap()) {
            let _ = socket.try_send_to(&answer, from);
        }
    }
}

fn answer(request: &Message, book: &mut Book) -> Option<Vec<u8>> {
    let query = request.queries.first()?.clone();
    book.asked.push(format!("{} {}", query.query_type(), query.name().to_ascii().to_lowercase()));
    let mut response = Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    response.add_query(query.clone());
    response.metadata.recursion_desired = true;
    response.metadata.recursion_available = true;
    match book.manner.unwrap_or(Manner::Honest) {
        Manner::Silent => return None,
        Manner::Babbling => return Some(b"who is there?".to_vec()),
        Manner::Failing => response.metadata.response_code = ResponseCode::ServFail,
        Manner::Honest => {
            let owned: Vec<&Record> =
                book.records.iter().filter(|record| record.name == *query.name()).collect();
            let fits = |record: &&&Record| {
                record.record_type() == query.query_type() || record.record_type() == RecordType::CNAME
            };
            if owned.is_empty() {
                response.metadata.response_code = ResponseCode::NXDomain;
            }
            response.add_answers(owned.iter().filter(fits).map(|record| (*record).clone()));
        }
    }
    response.to_vec().ok()
}
