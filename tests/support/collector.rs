//! A collector of traces: a server of the test's that reads protobuf, and can answer as one should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures_util::stream;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// How a collector answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Takes,
    Refuses,
    /// Says that another address takes traces.
    Redirects,
    /// Takes traces, and answers what is no answer to them.
    TalksNonsense,
    TalksWithoutEnd,
    /// Keeps silent until it is told another manner.
    KeepsSilent,
}

/// A collector, what it has received, and what was asked of it elsewhere.
pub struct Collector {
    pub url: String,
    state: Arc<State>,
    server: ServerHandle,
}

#[derive(Default)]
struct State {
    manner: Mutex<Manner>,
    /// How many exports have come, whatever became of them.
    arrived: Mutex<usize>,
    received: Mutex<Vec<ExportTraceServiceRequest>>,
    elsewhere: Mutex<Vec<String>>,
}

async fn receive(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    assert_eq!(request.headers().get("content-type").unwrap(), "application/x-protobuf");
    *state.arrived.lock().unwrap() += 1;
    while *state.manner.lock().unwrap() == Manner::KeepsSilent {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let manner = *state.manner.lock().unwrap();
    match manner {
        Manner::Refuses => return HttpResponse::BadRequest().finish(),
        Manner::Redirects => {
            return HttpResponse::TemporaryRedirect().insert_header(("Location", "/elsewhere")).finish();
        }
        Manner::TalksWithoutEnd => {
            let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 10_000]));
            return HttpResponse::Ok().streaming(stream::repeat_with(piece));
        }
        Manner::Takes | Manner::TalksNonsense | Manner::KeepsSilent => {}
    }
    state.received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    let said = if manner == Manner::TalksNonsense { "\u{ff}<html>" } else { "" };
    HttpResponse::Ok().content_type("application/x-protobuf").body(said)
}

async fn elsewhere(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    state.elsewhere.lock().unwrap().push(request.uri().to_string());
    HttpResponse::Ok().finish()
}

impl Collector {
    /// Starts one that takes traces.
    pub async fn start() -> Self {
        let state = web::Data::new(State::default());
        let kept = web::Data::clone(&state);
        let routes = move || {
            let app = App::new().app_data(kept.clone()).app_data(web::PayloadConfig::new(64 * 1024 * 1024));
            app.route("/v1/traces", web::post().to(receive)).default_service(web::to(elsewhere))
        };
        let server = HttpServer::new(routes).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let (url, server) = (format!("http://{}", server.addrs()[0]), server.run());
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, state: state.into_inner(), server: handle }
    }

    /// Answers like this from now on.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// How many exports have come, whatever became of them.
    pub fn arrived(&self) -> usize {
        *self.state.arrived.lock().unwrap()
    }

    /// The exports that were taken.
    pub fn received(&self) -> Vec<ExportTraceServiceRequest> {
        self.state.received.lock().unwrap().clone()
    }

    /// The spans that were taken.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.received().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Other addresses that were asked.
    pub fn elsewhere(&self) -> Vec<String> {
        self.state.elsewhere.lock().unwrap().clone()
    }

    /// Stops it: connections to it are refused.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}
