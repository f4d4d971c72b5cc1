"""karrots.yaml: what all clusters of a fleet repository share."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from karrots.spec import loading
from karrots.spec.git_url import flux_url
from karrots.spec.model import Age, DnsName, Form, Label, Model, Whole, address_range

Text = Annotated[str, Field(min_length=1)]
STATE = "Where Terraform's states are kept; without it on the computer that makes a cluster, where only it can go on."

# Terraform's state backend where nothing else is set: karrots serves it.
HTTP = "http"
BACKENDS = {"eks": "s3", "gke": "gcs", "aks": "azurerm"}


def _private_range(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"must be an IPv4 range such as 10.64.0.0/10: {error}") from error
    if not network.is_private and network not in ipaddress.IPv4Network("100.64.0.0/10"):
        raise ValueError(f"must be a private range, '{value}' is not")
    return value


def _git_url(value: str) -> str:
    return flux_url(value)


Variable = Annotated[str, Form(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of an environment variable")]
Command = Annotated[list[Text], Field(min_length=1)]


class Secret(Model):
    """Where a secret is found when it is needed. It is never itself in a file of the repository."""

    env: Variable | None = Field(default=None, description="Environment variable that holds it.")
    command: Command | None = Field(
        default=None, description="Program that prints it, as a list of words; it is not run through a shell."
    )


class GitToken(Secret):
    username: Text = Field(
        default="git",
        description="User name sent with the token: GitHub takes any, GitLab oauth2, Bitbucket x-token-auth.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> GitToken:
        return _one_of(self, "env", "command")


class GitKey(Secret):
    file: Annotated[str, Form(r"(/|~/)\S.*", "an absolute path, or one below ~/")] | None = Field(
        default=None, description="File of the private key: outside of the repository, without a passphrase."
    )
    known_hosts: Text | None = Field(
        default=None,
        description="Host keys of the git host, as lines of known_hosts or as a file. Not needed for GitHub, GitLab, "
        "Bitbucket and Azure DevOps.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> GitKey:
        return _one_of(self, "file", "env", "command")


S = TypeVar("S", bound=Secret)


def _one_of(model: S, *names: str) -> S:
    if sum(getattr(model, name) is not None for name in names) != 1:
        raise ValueError(f"needs exactly one of {', '.join(repr(name) for name in names)}")
    return model


Api = Annotated[str, Form(r"https://\S+|http://127\.0\.0\.1:\d+\S*", "an https:// address")]


class DeployKey(Model):
    """A key for each cluster, made at the host before its first sync and removed when it is destroyed."""

    token: GitToken = Field(description="What karrots asks the host with; no cluster gets it.")
    host: Literal["github", "gitlab"] | None = Field(
        default=None, description="Which of the two it is; github.com and gitlab.com are known."
    )
    api: Api | None = Field(default=None, description="Address of its REST interface, where it is another.")
    known_hosts: Text | None = Field(
        default=None, description="Its SSH host keys; not needed for github.com and gitlab.com."
    )


class GitHubApp(Model):
    """A GitHub App that may read the repository: Flux asks for its tokens itself, and they end by themselves."""

    id: Annotated[str, Form(r"[A-Za-z0-9.]{1,40}", "the App's id, in quotes")] = Field(description="The App's id.")
    installation: Annotated[str, Form(r"[0-9]{1,20}", "the number of an installation, in quotes")] = Field(
        description="The installation that may read the repository."
    )
    key: GitKey = Field(description="The App's private key.")
    api: Api | None = Field(default=None, description="Address of GitHub Enterprise's REST interface.")


class GitAccess(Model):
    """How Flux in a cloud's cluster reads the repository; it never needs more than to read. Nothing set: public."""

    url: Annotated[str, AfterValidator(_git_url)] | None = Field(
        default=None, description="Address for Flux, https:// or ssh://; the remote's own when left out."
    )
    token: GitToken | None = Field(default=None, description="Log in over https with a read-only token.")
    ssh: GitKey | None = Field(default=None, description="Log in over ssh with a read-only key.")
    deploy_key: DeployKey | None = Field(
        default=None, description="A key of each cluster's own, made by the host's interface."
    )
    app: GitHubApp | None = Field(default=None, description="Log in as a GitHub App.")

    @model_validator(mode="after")
    def _one_way(self) -> GitAccess:
        said = [name for name in ("token", "ssh", "deploy_key", "app") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"needs '{said[0]}' or '{said[1]}', not both")
        return self


class Git(Model):
    access: GitAccess = Field(
        default_factory=GitAccess, description="How Flux reads this repository in clusters of clouds."
    )
    remote: Annotated[str, Form(r"[A-Za-z0-9_][A-Za-z0-9._-]*", "the name of a git remote")] | None = Field(
        default="origin",
        description="Remote that story branches and the ledger are pushed to, when the repository has it.",
    )


class Addresses(Model):
    pool: Annotated[str, AfterValidator(_private_range)] = Field(
        default="10.64.0.0/10", description="Private range that every cluster's own range is leased from."
    )
    prefix: Annotated[int, Whole(8, 28)] = Field(default=20, description="Size of one cluster's range.")

    @model_validator(mode="after")
    def _pool_holds_ranges(self) -> Addresses:
        if ipaddress.IPv4Network(self.pool).prefixlen > self.prefix:
            raise ValueError(f"leases ranges of /{self.prefix}, but its pool {self.pool} is smaller")
        return self


class S3State(Model):
    bucket: Text = Field(description="S3 bucket for Terraform states.")
    region: Text | None = Field(default=None, description="Region of the bucket, when it is another.")


class GcsState(Model):
    bucket: Text = Field(description="Cloud Storage bucket for Terraform states.")


class AzureState(Model):
    resource_group: Text = Field(description="Resource group of the storage account.")
    storage_account: Text = Field(description="Storage account for Terraform states.")
    container: Text = Field(description="Blob container in the storage account.")


class Cloud(Model):
    """What all clouds have."""

    region: Text = Field(description="Where clusters are made, e.g. eu-central-1, europe-west3 or westeurope.")
    api_access: list[Annotated[str, AfterValidator(address_range)]] = Field(
        default_factory=list, description="Address ranges that may reach the API servers; none: all may."
    )

    @property
    def account_id(self) -> str:
        """In the cloud's own words an account, a project or a subscription."""
        raise NotImplementedError


class Local(Model):
    """Nothing to set: it is the computer karrots runs on."""


class Eks(Cloud):
    account: Annotated[str, Form(r"[0-9]{12}", "an AWS account of 12 digits")] = Field(description="AWS account.")
    profile: Text | None = Field(default=None, description="Profile of the AWS configuration to log in with.")
    state: S3State | None = Field(default=None, description=STATE)

    @property
    def account_id(self) -> str:
        return self.account


class Gke(Cloud):
    project: Text = Field(description="Google Cloud project.")
    state: GcsState | None = Field(default=None, description=STATE)

    @property
    def account_id(self) -> str:
        return self.project


class Aks(Cloud):
    subscription: Text = Field(description="Azure subscription.")
    tenant: Text | None = Field(default=None, description="Azure tenant, when the login knows more than one.")
    state: AzureState | None = Field(default=None, description=STATE)

    @property
    def account_id(self) -> str:
        return self.subscription


class Providers(Model):
    local: Local | None = None
    eks: Eks | None = None
    gke: Gke | None = None
    aks: Aks | None = None

    def cloud(self, name: str) -> Eks | Gke | Aks | None:
        """What karrots.yaml says of a provider; None for `local`, and where it says nothing."""
        return {"eks": self.eks, "gke": self.gke, "aks": self.aks}.get(name)

    def backend(self, name: str) -> str:
        """Where the states of a provider's clusters are kept: the cloud's own, or what karrots serves."""
        cloud = self.cloud(name)
        return BACKENDS[name] if cloud and cloud.state else HTTP


SECTIONS: dict[str, type[Cloud]] = {"eks": Eks, "gke": Gke, "aks": Aks}


class Policies(Model):
    ttl: Age | None = Field(
        default=None, description="Age at which a branched cluster expires when --ttl says nothing."
    )
    protected: list[Label] = Field(default_factory=list, description="Clusters that karrots refuses to destroy.")


class FleetSpec(Model):
    api_version: Literal["karrots.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Fleet"]
    domain: DnsName = Field(description="Clusters get <name>.<domain>.")
    git: Git = Field(default_factory=Git)
    addresses: Addresses = Field(default_factory=Addresses)
    providers: Providers = Field(default_factory=Providers, description="Accounts and state backends of each provider.")
    policies: Policies = Field(default_factory=Policies)


def load_fleet(data: bytes | str, source: str) -> FleetSpec:
    """Raises UsageError with file:line:column."""
    return loading.load(FleetSpec, data, source, {})
