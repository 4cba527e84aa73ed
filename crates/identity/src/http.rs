//! How the provider is asked: without following it elsewhere, in bounds of time and size.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// A provider that does not answer by then is down.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// No answer of a provider is longer.
const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Reach(#[from] reqwest::Error),
    #[error("the answer is longer than a megabyte")]
    TooLong,
}

pub(crate) struct Http(reqwest::Client);

impl Http {
    pub(crate) fn new(authority: Option<&[u8]>) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none());
        let builder = match authority {
            Some(pem) => builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?),
            None => builder,
        };
        Ok(Self(builder.build()?))
    }

    async fn ask(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Error> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let asked = client.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = asked.send().await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > BYTES_MAX {
                return Err(Error::TooLong);
            }
        }
        let mut response = HttpResponse::new(bytes);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(Self::ask(self.0.clone(), request))
    }
}
