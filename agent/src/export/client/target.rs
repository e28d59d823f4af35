//! Where requests go to.

use hyper::Uri;

/// Why a URL can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is none.
    #[error("not a URL: {0}")]
    Syntax(String),
    /// Only these are spoken.
    #[error("neither http:// nor https://: {0}")]
    Scheme(String),
    /// A secret in a URL ends up in logs.
    #[error("the URL has a user or password in it; use headers")]
    User,
}

/// A server and the path below which requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// With TLS.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path, without a slash at its end.
    pub path: String,
}

impl Target {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let uri: Uri = url.trim().parse().map_err(|_| BadUrl::Syntax(url.to_owned()))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(BadUrl::Scheme(url.to_owned())),
        };
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(BadUrl::User);
        }
        let host = uri.host().filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| BadUrl::Syntax(url.to_owned()))?;
        Ok(Self {
            secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// `host:port` as in a Host header: brackets around IPv6, the scheme's own port left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target = Target::parse("https://[fd00::1]:4318/otlp/").unwrap();
        assert_eq!((target.host.as_str(), target.path.as_str()), ("fd00::1", "/otlp"));
        assert_eq!(target.authority(), "[fd00::1]:4318");
        assert_eq!(Target::parse("http://c.test").unwrap().port, 80);
        assert_eq!(Target::parse("https://c.test/").unwrap().authority(), "c.test");
        assert_eq!(Target::parse("https://me:secret@c.test"), Err(BadUrl::User));
        assert!(matches!(Target::parse("c.test:4318"), Err(BadUrl::Scheme(_))));
        assert!(matches!(Target::parse("grpc://c.test"), Err(BadUrl::Scheme(_))));
        assert!(Target::parse("http://").is_err());
    }
}
