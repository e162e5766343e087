//! A connection of its own, plain and then over TLS: for mail and syslog, and to see who is there.

use std::{sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::connector::http::{
    error::ConnectorError,
    secret::Tls,
    tls::{self, Distrust},
    transport::{causes, reason},
};

/// How the other side proves itself, and the part of the configuration that says so.
#[derive(Clone, Copy)]
pub(in crate::connector) struct Trust<'a> {
    pub(in crate::connector) tls: &'a Tls,
    pub(in crate::connector) section: &'a str,
}

/// Connects to a host and a port.
pub(in crate::connector) async fn connect(
    place: (&str, u16),
    system: &str,
    deadline: Duration,
) -> Result<TcpStream, ConnectorError> {
    let why = match timeout(deadline, TcpStream::connect(place)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => reason(&error),
        Err(_elapsed) => "no connection in time".to_owned(),
    };
    Err(ConnectorError::Unreachable { system: system.to_owned(), why })
}

/// Begins TLS and verifies who is there.
pub(in crate::connector) async fn secure(
    stream: TcpStream,
    (host, trust): (&str, Trust<'_>),
    system: &str,
    deadline: Duration,
) -> Result<TlsStream<TcpStream>, ConnectorError> {
    let config = tls::client_config(trust.tls, trust.section)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| {
        let key = format!("{}.host", trust.section);
        ConnectorError::settings(key, host, format!("it is a host name or an address ({error})"))
    })?;
    let shake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let system = system.to_owned();
    match timeout(deadline, shake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            let distrust = causes(&error).find_map(|cause| cause.downcast_ref::<Distrust>());
            Err(match distrust {
                Some(Distrust { presented, why }) => ConnectorError::Certificate {
                    system,
                    why: why.clone(),
                    presented: presented.to_string(),
                },
                None => ConnectorError::Unreachable { system, why: reason(&error) },
            })
        }
        Err(_elapsed) => {
            Err(ConnectorError::Unreachable { system, why: "no TLS in time".to_owned() })
        }
    }
}
