"""The settings of the gateway: where it listens, who may come, how often."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pipeline.runtime.addresses import is_loopback
from pipeline.runtime.connections import ENV_PREFIX, ConnectionSettings, Port, SettingsError


class GatewaySettings(ConnectionSettings):
    """The settings of the gateway."""

    gateway_host: str = Field("127.0.0.1", description="Address that the gateway listens on.")
    gateway_port: Port = Field(8080, description="Port of the gateway.")
    gateway_url: str = Field(
        "",
        description="Where browsers find the gateway, if a proxy is before it: https://bank.example;"
        " by default its own address.",
    )
    gateway_certfile: Path | None = Field(
        None, description="The gateway's certificate and its chain (PEM): it speaks TLS."
    )
    gateway_keyfile: Path | None = Field(
        None, description="The key of the gateway's certificate (PEM), of mode 0600."
    )
    gateway_proxies: str = Field(
        "",
        description="Addresses of proxies, with commas, whose X-Forwarded-For and -Proto are believed.",
    )
    gateway_requests: int = Field(
        1_000, ge=1, le=600_000, description="Requests a minute by key or session, at one gateway."
    )
    gateway_tenant_requests: int = Field(
        10_000, ge=1, le=600_000, description="Requests a minute by tenant, at one gateway."
    )
    gateway_signed_tenants: str = Field(
        "", description="Tenants, with commas, whose programs must sign commands (RFC 9421); *: all."
    )
    policy_file: Path | None = Field(
        None, description="Roles and what they may do; by default those that the product has."
    )
    oidc_issuer: str = Field("", description="The OpenID provider's issuer: people sign in there.")
    oidc_client_id: str = Field("", description="The gateway's name at the provider.")
    oidc_client_secret_file: Path | None = Field(
        None, description="The file of the secret that goes with it, of mode 0600; none for a public client."
    )
    oidc_second_factors: str = Field(
        "mfa", description="What `acr` or `amr` say, with commas, where somebody showed a second factor."
    )
    jwt_audience: str = Field(
        "", description="Audience of programs' access tokens of that provider; without it none is taken."
    )
    jwt_roles_claim: str = Field(
        "", description="Claim with a program's roles as `tenant:role`; without it its grants are asked."
    )

    @field_validator("gateway_url")
    @classmethod
    def _is_an_origin(cls, given: str) -> str:
        parts = urlsplit(given)
        if given and (parts.scheme not in ("http", "https") or given != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError("write https://HOST or https://HOST:PORT, nothing after it")
        return given

    @model_validator(mode="after")
    def _gateway_fits_together(self) -> Self:
        """Refuse settings of which one needs another."""
        if (self.gateway_certfile is None) != (self.gateway_keyfile is None):
            raise ValueError(
                f"{ENV_PREFIX}GATEWAY_CERTFILE goes with {ENV_PREFIX}GATEWAY_KEYFILE: set both or none"
            )
        if bool(self.oidc_issuer) != bool(self.oidc_client_id or self.jwt_audience):
            raise ValueError(
                f"{ENV_PREFIX}OIDC_ISSUER goes with {ENV_PREFIX}OIDC_CLIENT_ID or {ENV_PREFIX}JWT_AUDIENCE"
            )
        if self.jwt_audience and self.jwt_audience == self.oidc_client_id:
            raise ValueError(
                f"{ENV_PREFIX}JWT_AUDIENCE must not be {ENV_PREFIX}OIDC_CLIENT_ID: people's id tokens are no"
                " access tokens"
            )
        return self

    def gateway_address(self) -> str:
        """Return the base URL at which this machine reaches its gateway, without the proxy before it."""
        scheme = "http" if self.gateway_certfile is None else "https"
        host = f"[{self.gateway_host}]" if ":" in self.gateway_host else self.gateway_host
        return f"{scheme}://{host}:{self.gateway_port}"

    def gateway_tls(self) -> ssl.SSLContext | None:
        """Return how to call the gateway at `gateway_address`: its own certificate is trusted, by any name.

        None where it speaks no TLS. Raises OSError for a file that is no certificate.
        """
        if self.gateway_certfile is None:
            return None
        context = ssl.create_default_context(cafile=str(self.gateway_certfile.expanduser()))
        context.check_hostname = False  # the address is this machine's own, whatever the certificate calls it
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever may have signed it
        return context

    def gateway_origin(self) -> str:
        """Return where browsers find the gateway.

        Raises SettingsError where people could sign in over a network in the clear.
        """
        scheme = "http" if self.gateway_certfile is None else "https"
        host = "localhost" if self.gateway_host in ("127.0.0.1", "::1") else self.gateway_host
        host = f"[{host}]" if ":" in host else host
        origin = self.gateway_url or f"{scheme}://{host}:{self.gateway_port}"
        is_open = origin.startswith("http:") and not is_loopback(urlsplit(origin).hostname or "")
        if self.oidc_client_id and is_open:
            raise SettingsError(
                f"people cannot sign in at {origin}: off loopback it needs TLS. Set"
                f" {ENV_PREFIX}GATEWAY_CERTFILE and {ENV_PREFIX}GATEWAY_KEYFILE, or the"
                f" https address of a proxy ({ENV_PREFIX}GATEWAY_URL)"
            )
        return origin
