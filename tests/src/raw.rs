//! Calls by name, with messages that are bytes or JSON: for tests that go through all methods alike.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use tokio_stream::StreamExt as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Response, Status};

use crate::Client;
use crate::contract::Method;

/// How many messages of an answer are read at most, and how long: a watch never ends by itself.
const MOST_MESSAGES: usize = 20_000;
const LONGEST_SILENCE: Duration = Duration::from_millis(200);

/// Encodes a message that is written as JSON, with the names of the proto.
pub fn encode(method: &Method, json: Value) -> Bytes {
    let written = json.to_string();
    let message = DynamicMessage::deserialize(method.descriptor.input(), json)
        .unwrap_or_else(|error| panic!("{}: {error}: {written}", method.path));
    message.encode_to_vec().into()
}

/// Calls a method with these messages and reads its answers: to their end, or for a server's stream that doesn't end,
/// until it falls silent.
pub async fn call(
    client: &Client,
    method: &Method,
    messages: Vec<Bytes>,
) -> Result<Response<Vec<Bytes>>, Status> {
    let mut grpc = tonic::client::Grpc::new(client.wire());
    let path = format!("/{}", method.path).parse().unwrap();
    grpc.ready()
        .await
        .map_err(|error| Status::unknown(format!("no connection: {error:?}")))?;
    let request = Request::new(tokio_stream::iter(messages));
    let mut answers = grpc.streaming(request, path, Bare).await?.into_inner();
    let mut read = Vec::new();
    while read.len() < MOST_MESSAGES {
        match tokio::time::timeout(LONGEST_SILENCE, answers.next()).await {
            Ok(Some(answer)) => read.push(answer?),
            Ok(None) => break,
            Err(_) if method.descriptor.is_server_streaming() && !read.is_empty() => break,
            // A unary call may take as long as the server lets it.
            Err(_) => {}
        }
    }
    Ok(Response::new(read))
}

/// Leaves messages as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bare;

impl Codec for Bare {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
