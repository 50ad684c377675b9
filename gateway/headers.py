"""What passes the gateway and what does not: headers and cookies, both ways."""

import re
import secrets
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from itsdangerous import BadData, TimestampSigner

from common.config import Config
from common.web import LSN_HEADER
from common.web.flash import COOKIE as FLASH
from common.web.respond import STATIC
from common.web.wording import static_url
from gateway.routes import is_local

Headers = list[tuple[str, str]]

READ_ONLY, READ_ONLY_KEY = "X-Exchange-Read-Only", "HTTP_X_EXCHANGE_READ_ONLY"
SERVICE = "X-Exchange-Service"
SEEN_S = 60
LSN = re.compile(r"[a-z]{1,20}=[0-9A-F]{1,8}/[0-9A-F]{1,8}")
TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

UPWARDS = (
    ("Accept", "HTTP_ACCEPT"),
    ("Accept-Language", "HTTP_ACCEPT_LANGUAGE"),
    ("Content-Type", "CONTENT_TYPE"),
    ("If-None-Match", "HTTP_IF_NONE_MATCH"),
    ("User-Agent", "HTTP_USER_AGENT"),
)
# gunicorn writes its own Date, Server and hop-by-hop headers.
KEPT_BACK = {
    "connection",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
SECURITY = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
CSP = "content-security-policy"
HSTS = ("Strict-Transport-Security", "max-age=31536000")
OURS = {name.lower() for name, _ in [*SECURITY, HSTS]} | {"cache-control", "x-request-id"}


def cookies(environ: dict[str, Any]) -> dict[str, str]:
    """The request's cookies; of two with one name the first."""
    found: dict[str, str] = {}
    for pair in environ.get("HTTP_COOKIE", "").split(";"):
        name, is_pair, value = pair.strip().partition("=")
        if is_pair:
            found.setdefault(name, value)
    return found


def client_address(environ: dict[str, Any], proxies: int) -> str:
    """Where the request comes from: what the outermost of so many proxies of ours has written down;
    with none, or if it did not come through all of them, where the connection does.
    """
    connected = str(environ.get("REMOTE_ADDR") or "")
    told = [one.strip() for one in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if not 0 < proxies <= len(told):
        return connected
    try:
        return str(ip_address(told[-proxies]))
    except ValueError:
        return connected


def follow(environ: dict[str, Any], request_id: str) -> str:
    """The traceparent of this request from here on: the client's if it is one, else of our own."""
    trace = str(environ.get("HTTP_TRACEPARENT", ""))
    if not TRACE.fullmatch(trace):
        trace = environ["HTTP_TRACEPARENT"] = f"00-{request_id}-{secrets.token_hex(8)}-01"
    return trace


class Door:
    """The site's cookies and headers; on https they say so."""

    def __init__(self, settings: Config) -> None:
        self.is_https = settings.public_url.startswith("https://")
        self.session = self.name("session")
        self.login = self.name("login")
        self.seen = self.name("seen")
        self.language = self.name("language")
        self.security = [*SECURITY, HSTS] if self.is_https else SECURITY
        keys = list(reversed(settings.secret_keys))
        self.signer = TimestampSigner(keys, salt="seen", key_derivation="hmac")

    def name(self, base: str) -> str:
        return f"__Host-{base}" if self.is_https else base

    def cookie(self, name: str, value: str, life_s: int) -> str:
        """A Set-Cookie value; a life of 0 takes the cookie away."""
        end = "; Secure" if self.is_https else ""
        return f"{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Lax{end}"

    def read_seen(self, jar: dict[str, str]) -> dict[str, str]:
        """How far each service's reader must be, `{service: LSN}`, to show the caller's writes."""
        try:
            text = self.signer.unsign(jar[self.seen], max_age=SEEN_S).decode()
        except (KeyError, BadData, UnicodeError):
            return {}
        return dict(pair.split("=", 1) for pair in text.split("&"))

    def write_seen(self, seen: dict[str, str]) -> tuple[str, str]:
        text = "&".join(f"{name}={lsn}" for name, lsn in sorted(seen.items()))
        return "Set-Cookie", self.cookie(self.seen, self.signer.sign(text).decode(), SEEN_S)

    def upwards(self, environ: dict[str, Any], jar: dict[str, str], request_id: str) -> Headers:
        """The request's headers as a service gets them: those named here and no other."""
        sent = [(name, environ[key]) for name, key in UPWARDS if environ.get(key)]
        if FLASH in jar:
            sent.append(("Cookie", f"{FLASH}={jar[FLASH]}"))
        trace = environ["HTTP_TRACEPARENT"]
        return [*sent, ("X-Request-Id", request_id), ("traceparent", trace)]

    def downwards(
        self, answer: Iterable[tuple[str, str]], environ: dict[str, Any], *, is_own: bool
    ) -> Headers:
        """The answer's headers as the browser gets them.  A service sets no cookie but the flash,
        sends nobody elsewhere, and does not decide about security.
        """
        kept: Headers = []
        seen: dict[str, str] = {}
        answer = list(answer)
        # A drawing is no page: its own policy allows its own style.
        is_drawing = any(value.startswith("image/svg") for _, value in answer)
        security = [pair for pair in self.security if not (is_drawing and pair[1] == POLICY)]
        for name, value in answer:
            lower = name.lower()
            if lower in KEPT_BACK or (lower in OURS and not (is_drawing and lower == CSP)):
                continue
            if lower.startswith("x-exchange-"):
                if name == LSN_HEADER and LSN.fullmatch(value):
                    service, _, lsn = value.partition("=")
                    seen[service] = lsn
            elif is_own or self.may_pass(lower, value):
                kept.append((name, self.secured(value) if lower == "set-cookie" else value))
        if seen:
            kept.append(self.write_seen(self.read_seen(environ["exchange.jar"]) | seen))
        kept += security
        kept.append(("Cache-Control", cache_control(environ)))
        kept.append(("X-Request-Id", environ["exchange.request_id"]))
        return kept

    def may_pass(self, lower: str, value: str) -> bool:
        if lower == "set-cookie":
            return value.startswith(f"{FLASH}=")
        return lower != "location" or is_local(value)

    def secured(self, cookie: str) -> str:
        return cookie + "; Secure" if self.is_https and "; Secure" not in cookie else cookie


def cache_control(environ: dict[str, Any]) -> str:
    """A file asked for with its own fingerprint may be kept for ever, anything else never: a page
    that is not there, or an older file under a newer one's address, would stay for a year.
    """
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    name = path.removeprefix("/static/")
    if name != path and (STATIC / name).is_file() and f"{path}?{query}" == static_url(name):
        return "public, max-age=31536000, immutable"
    return "no-store"
